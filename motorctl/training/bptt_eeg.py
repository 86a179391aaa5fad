"""The whole loop in one graph: from hand and target to the user's intention, to EEG, to features, to the controller's
command, to the limb, and back to the eye.

So the gradient says what a decoder should do for the hand to arrive, and not what an expert would have done: through
the decoder, the limb and, if wanted, through the person, who will see what comes of it and correct it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from gymnasium.utils import seeding
from torch import Tensor

from motorctl.agents import RecurrentController
from motorctl.dynamics.rollout import flatten
from motorctl.envs import Reach
from motorctl.evaluation.closed_loop import SETTLING, Imagery
from motorctl.person.brain import Brain, BrainState
from motorctl.person.person import samples_per_step
from motorctl.person.user import User
from motorctl.signals.batch_pipeline import BatchPipeline
from motorctl.signals.pipeline import Pipeline, PipelineConfig
from motorctl.signals.stream import Chunk
from motorctl.training.bptt import Practice
from motorctl.training.bptt_losses import Movement
from motorctl.training.led_world import LedWorld
from motorctl.training.limb_world import LimbWorld
from motorctl.training.practice import rehearse

FITTED_ON = 8, 30.0
"""Sessions, and seconds of each, of a person who watches an expert's reaches, to fit the pipeline on."""


class Bounded(torch.autograd.Function):
    """Clips to bounds; gradients that would move a value back within them pass, those that would not are stopped.

    The derivative of clipping alone is zero beyond the bounds, and a muscle that is off once would stay off for good.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, least: Tensor, most: Tensor) -> Tensor:
        """``values (..., size)`` between ``least (size,)`` and ``most (size,)``."""
        ctx.save_for_backward(values, least, most)
        return values.clamp(least, most)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """Descent goes against the gradient."""
        (gradient,), (values, least, most) = gradients, ctx.saved_tensors
        away = ((values < least) & (gradient > 0)) | ((values > most) & (gradient < 0))
        return gradient.masked_fill(away, 0.0), None, None


@dataclass(frozen=True)
class Watcher:
    """The person in the loop, and how the EEG is read.

    Args:
        user, brain: as simulated.
        pipeline: fitted.
        feedback: whether gradients go through what the person sees: what a command now makes the person intend later.
        imagine: what the person imagines to steer; by default a movement of the right hand is intended itself.
    """

    user: User
    brain: Brain
    pipeline: Pipeline
    feedback: bool = True
    imagine: Imagery | None = None


def watched_practice(
    world: LimbWorld | LedWorld, watcher: Watcher, controller: RecurrentController, batch: int
) -> Practice:
    """Episodes of a controller that reads the EEG of somebody who watches; it gives commands in physical units."""
    user, brain, pipeline = watcher.user, watcher.brain, BatchPipeline(watcher.pipeline)

    def practice(steps: int, seed: int) -> Movement:
        torch.manual_seed(seed)  # of dropout
        targets, _ = rehearse(world.task, steps, batch, seed, world.period)
        inputs = world.inputs(targets, np.random.default_rng(seed))
        state: Any = world.start(targets[:, 0])
        hidden = controller.initial_state(batch)
        person = int(seeding.np_random(seed)[0].integers(2**31))  # as `ClosedLoop`, so that both give the same episodes
        seen = user.initial_state(person)
        rest = torch.zeros(batch, round(SETTLING * user.rate) * samples_per_step(user.rate, brain), 2)
        eeg, alive = brain.emit(rest, brain.initial_state(batch, person))
        _, filled = pipeline.process(eeg)
        rows = []
        for target, row in zip(targets.unbind(1), inputs.unbind(1), strict=True):
            hand = world.hand(state)[:, :2]
            intention, seen = user.intend(hand if watcher.feedback else hand.detach(), target[:, :2], seen)
            eeg, alive = given_off(brain, user, intention[:, None], alive, watcher.imagine)
            features, filled = pipeline.process(eeg, filled)
            command, hidden = controller(features[:, -1:], hidden)
            control = Bounded.apply(command[:, 0], world.least, world.most)  # type: ignore[no-untyped-call]
            state, outputs = world.move(state, control, row)
            rows.append((outputs, flatten(hidden)))
        outcome, units = (torch.stack(column, dim=1) for column in zip(*rows, strict=True))
        hands, _, share, activation = world.outcome(outcome)
        return Movement(hands, targets, share, activation, units)

    return practice


def given_off(
    brain: Brain, user: User, intentions: Tensor, state: BrainState, imagine: Imagery | None
) -> tuple[Tensor, BrainState]:
    """EEG while ``intentions (batch, step, 2)`` (m/s) last, a control period each, and the brain's new state."""
    held = intentions.repeat_interleave(samples_per_step(user.rate, brain), dim=1)
    return brain.emit(held, state) if imagine is None else brain.emit(torch.zeros_like(held), state, imagine(held))


def fitted_pipeline(
    config: PipelineConfig, task: Reach, user: User, brain: Brain, seed: int, imagine: Imagery | None = None
) -> Pipeline:
    """A pipeline, calibrated and scaled on the EEG of a person who watches the expert's hand."""
    sessions, seconds = FITTED_ON
    steps = round(seconds * user.rate)
    targets, hands = rehearse(task, steps, sessions, seed, 1 / user.rate)
    seen, intended = user.initial_state(seed), []
    for hand, target in zip(hands.unbind(1), targets.unbind(1), strict=True):
        intention, seen = user.intend(hand[:, :2], target[:, :2], seen)
        intended.append(intention)
    eeg, _ = given_off(brain, user, torch.stack(intended, dim=1), brain.initial_state(sessions, seed), imagine)
    times = np.arange(1, eeg.shape[1] + 1) / brain.rate
    chunks = [Chunk(samples.numpy(), times) for samples in eeg]
    calibrated = Pipeline(config, brain.info).calibrate(chunks)
    return calibrated.fit([calibrated.process(chunk)[0] for chunk in chunks])
