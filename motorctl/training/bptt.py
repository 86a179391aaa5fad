"""Backpropagation through time through the limb: controller, limb and task loss in one graph, and no expert.

The gradient of what a movement cost reaches every command that led to it (Werbos 1990, Proc. IEEE 78:1550-1560, through
time; Jordan & Rumelhart 1992, Cogn. Sci. 16:307-354, through a model of the body).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from motorctl.agents import RecurrentController
from motorctl.dynamics.compiled import compile_rollout
from motorctl.errors import ConfigurationError, check_positive
from motorctl.threads import one_thread, torch_threads
from motorctl.training.bptt_losses import Movement
from motorctl.training.imitation import finite
from motorctl.training.limb_world import LimbWorld
from motorctl.training.practice import Judge, rehearse
from motorctl.training.resume import Epoch, Resume, State, load_state, save_state

KEPT_EVERY = 20
"""Iterations from one storing of the progress to the next."""
SLACK = 0.05
"""Of the largest excitation, what an untrained controller gives."""


@dataclass(frozen=True)
class BPTTConfig:
    """Training by backpropagation through the limb."""

    iterations: int = 600
    """Updates, each from a batch of new episodes."""
    batch: int = 64
    """Episodes in a batch."""
    learning_rate: float = 3e-3
    """Highest learning rate of Adam (Kingma & Ba 2015, ICLR); it falls to zero along a cosine."""
    clip: float = 1.0
    """Largest norm of the gradient (Pascanu, Mikolov & Bengio 2013, ICML)."""
    first_horizon: float = 0.4
    """Length of the first episodes (s)."""
    horizon: float = 1.2
    """Length of the last ones (s); gradients go through all of it."""
    grown: float = 0.5
    """Share of the iterations in which the length grows from one to the other (0 to 1)."""
    checkpoint: int = 0
    """Control steps whose activations are kept at a time, the others are computed again for the gradients (Chen et al.
    2016, arXiv:1604.06174), so that memory does not grow with the length of episodes; 0 keeps all."""
    threads: int = 1
    """Threads of torch. More help where batches are large and cores free."""
    device: Literal["cpu", "cuda"] = "cpu"
    """What to train on."""


Practice = Callable[[int, int], Movement]
"""Takes control steps and a seed; gives what was done in a batch of episodes, in one graph with the controller."""


def limb_practice(world: LimbWorld, controller: RecurrentController, batch: int, checkpoint: int = 0) -> Practice:
    """Episodes of a controller, on the world's device, that sees what the environment lets observe.

    ``checkpoint`` is :class:`BPTTConfig`'s.
    """
    example = torch.from_numpy(world.task.center).float().expand(1, 1, -1)
    run = compile_rollout(
        controller, world, world.start(example[:, 0]), world.inputs(example, np.random.default_rng(0))
    )

    def practice(steps: int, seed: int) -> Movement:
        torch.manual_seed(seed)  # of dropout
        targets, _ = rehearse(world.task, steps, batch, seed, world.period)
        inputs = world.inputs(targets, np.random.default_rng(seed))
        rollout = run(world.start(targets[:, 0]), inputs, checkpoint=checkpoint)
        outcome = world.outcome(rollout.outputs)
        return Movement(outcome.hand, targets.to(world.device), outcome.share, outcome.activation, rollout.hidden)

    return practice


@torch.no_grad()
def start_at_rest(controller: RecurrentController, world: LimbWorld) -> None:
    """Bias the read-out so that an untrained controller leaves muscles nearly slack, as in MotorNet, and motors off.

    Without a bias they are given half of their largest excitation, which stiffens the arm.
    """
    rest = torch.where(world.least < 0, torch.zeros_like(world.most), SLACK * world.most)
    controller.readout.bias.add_(torch.logit((rest - world.least) / (world.most - world.least)))


@torch.no_grad()
def practised_success(
    world: LimbWorld, controller: RecurrentController, episodes: int, seed: int, time_limit: float
) -> NDArray[np.bool_]:
    """Which episodes would be successes on the twin, ``(episode,)``.

    Args:
        world, controller: as trained.
        episodes: how many.
        seed: episode i has the target of an environment seeded with seed + i.
        time_limit: of an episode (s).
    """
    controller.eval()
    judge = Judge(world.task, episodes, seed, world.period, round(time_limit / world.period))
    generator = np.random.default_rng(seed)
    state, hidden = world.start(judge.target), controller.initial_state(episodes)
    with one_thread():
        while not judge.over:
            inputs = world.inputs(judge.target[:, None], generator)[:, 0]
            command, hidden = controller(world.observe(state, inputs)[:, None], hidden)
            state, outputs = world.advance(state, command[:, 0], inputs)
            outcome = world.outcome(outputs)
            judge.see(outcome.hand, outcome.velocity)
    return judge.success


def train_through_limb(
    cost: Callable[[int, int], Tensor],
    controller: RecurrentController,
    config: BPTTConfig,
    period: float,
    seed: int,
    told: Callable[[Epoch], None] = lambda iteration: None,
    resume: Resume | None = None,
) -> list[float]:
    """Train ``controller`` in place; returns the loss of every iteration.

    All that is random in an iteration follows from the seed and its number, so that a run that was stopped goes on to
    the numbers that it would have had.

    Args:
        cost: takes control steps and a seed, gives the loss of a batch of episodes of ``controller`` of that length.
        controller: the network.
        config: how to train.
        period: of the control (s).
        seed: of everything random.
        told: called after every iteration.
        resume: where the progress is stored, every `KEPT_EVERY` iterations, and gone on from if it is there.

    Raises:
        ConfigurationError: a number is out of its range, training diverges, or what is stored is of another training.
        CheckpointError: what is stored is damaged.
    """
    check_bptt(config)
    optimizer = torch.optim.Adam(controller.parameters(), config.learning_rate)
    unscaled = torch.amp.GradScaler(enabled=False)
    before = load_state(resume, controller, optimizer, unscaled) if resume else None
    done = list(before.epochs) if before else []
    controller.train()
    with torch_threads(config.threads):
        for iteration in range(len(done), config.iterations):
            optimizer.param_groups[0]["lr"] = rate = learning_rate(iteration, config)
            own = int(np.random.SeedSequence([seed, iteration]).generate_state(1)[0])
            loss = cost(max(4, round(horizon(iteration, config) / period)), own)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            norm = nn.utils.clip_grad_norm_(controller.parameters(), config.clip)
            finite(norm.item())  # or all weights would be lost
            optimizer.step()
            done.append(Epoch(iteration + 1, finite(loss.item()), math.nan, norm.item(), rate))
            if resume and (len(done) % KEPT_EVERY == 0 or len(done) == config.iterations):
                save_state(resume, State(tuple(done)), controller, optimizer, unscaled)
            told(done[-1])
    controller.eval()
    return [each.loss for each in done]


def learning_rate(iteration: int, config: BPTTConfig) -> float:
    """Along a cosine (Loshchilov & Hutter 2017, ICLR), from the highest to zero after the last iteration."""
    return config.learning_rate * (1 + math.cos(math.pi * iteration / config.iterations)) / 2


def horizon(iteration: int, config: BPTTConfig) -> float:
    """Length of the episodes of an iteration (s): a curriculum from short ones to long ones."""
    share = min(1.0, iteration / max(1.0, config.grown * config.iterations))
    return config.first_horizon + share * (config.horizon - config.first_horizon)


def check_bptt(config: BPTTConfig) -> None:
    """Say what no training could use.

    Raises:
        ConfigurationError: a number is out of its range.
    """
    for name in ("iterations", "batch", "learning_rate", "clip", "first_horizon", "horizon", "threads"):
        check_positive(name, getattr(config, name))
    if not 0 <= config.grown <= 1:
        raise ConfigurationError(f"grown is {config.grown:g}.", "Give a share from 0 to 1.")
    if config.checkpoint < 0:
        raise ConfigurationError(f"checkpoint is {config.checkpoint}.", "Give a number of control steps, or 0.")
    if config.device == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError("Torch finds no GPU to train on.", "Choose --training.device cpu.")
    if config.first_horizon > config.horizon:
        raise ConfigurationError(
            f"The first horizon, {config.first_horizon:g} s, is longer than the last, {config.horizon:g} s.",
            "Give a shorter --training.first-horizon.",
        )
