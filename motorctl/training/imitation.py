"""Supervised imitation: a recurrent controller learns to give, from EEG alone, the command the expert gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motorctl.agents import RecurrentController, State, detach
from motorctl.errors import ConfigurationError, check_positive
from motorctl.training.optimization import (
    Cost,
    Optimization,
    Progress,
    Validation,
    check_optimization,
    check_weight_decay,
    finite,
    half_precision,
    optimize,
)
from motorctl.training.resume import Epoch, Resume
from motorctl.training.sequence import Lanes, Stretches, lane_places, stack

__all__ = ["ImitationConfig", "LaneTraining", "Progress", "check_weight_decay", "decode", "finite", "train"]


@dataclass(frozen=True)
class LaneTraining(Optimization):
    """Training by truncated backpropagation through time (Williams & Peng 1990, Neural Comput. 2(4):490-501)."""

    lane: float = 30.0
    """Longest stretch that the hidden state is carried through (s)."""
    horizon: float = 8.0
    """How far back in time gradients go (s)."""


@dataclass(frozen=True)
class ImitationConfig(LaneTraining):
    """Training by truncated backpropagation through time (Williams & Peng 1990, Neural Comput. 2(4):490-501)."""

    batch: int = 0
    """Lanes of an update, dealt anew in every epoch after the first; 0: all, which are then in memory at once."""
    patience: int = 0
    """Epochs without a new least validation loss after which training stops; 0: never."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where the network is trained; small ones are faster on the CPU."""
    precision: Literal["full", "mixed"] = "full"
    """Numbers of 32 bits, or of 16 where that is safe (Micikevicius et al. 2018), on a GPU alone."""


def train(
    controller: RecurrentController,
    sequences: Stretches | Callable[[int], Stretches],
    config: ImitationConfig,
    rate: float,
    progress: Progress = lambda epoch, loss: None,
    *,
    validation: Stretches = (),
    log: Callable[[Epoch], None] = lambda epoch: None,
    resume: Resume | None = None,
) -> list[float]:
    """Train ``controller`` in place on rows at ``rate`` (Hz); returns the mean squared error of every epoch.

    The error is in units of the controller's scale. Torch's random generator draws dropout and batches: seed it first.

    Args:
        controller: it ends in evaluation mode, with the weights of the best epoch if there is ``validation``.
        sequences: what to learn from, or a function that gives what an epoch, from 1, learns from (augmented anew).
            Those on disk are read a batch at a time, in their own order in the first epoch.
        config: how.
        rate: of the rows.
        progress, log: called after every epoch.
        validation: what tells which epoch was best: later than what is learned from, and never augmented.
        resume: where training is stored after every epoch, and gone on with if something is there.

    Raises:
        ConfigurationError: a number in ``config`` is out of its range, training diverges, nothing counts, the GPU
            asked for is not there, or what is to be resumed is of another training.
        CheckpointError: what is to be resumed is damaged.
    """
    check_imitation(config)
    if controller.config.bidirectional:
        raise ConfigurationError("A network that reads both ways is not causal.", "Leave out bidirectional.")
    if config.patience and not validation:
        raise ConfigurationError(
            "Patience needs a validation part.", "Hold one back, or leave out --training.patience."
        )
    mixed = config.precision == "mixed"
    horizon, length = (max(1, round(seconds * rate)) for seconds in (config.horizon, config.lane))
    of_epoch = cast("Callable[[int], Stretches]", sequences if callable(sequences) else lambda epoch: sequences)

    def costs(epoch: int) -> Iterator[Cost]:
        stretches = of_epoch(epoch)
        longest = min(length, max(map(len, stretches)))
        for lanes in lane_batches(stretches, length, config.batch, dealt=bool(config.batch) and epoch > 1):
            per = (config.batch or len(lanes.features)) * min(horizon, longest)
            yield from lane_costs(controller, lanes.to(config.device), horizon, per, mixed)

    @torch.inference_mode()
    def validation_loss() -> float:
        every = [
            cost
            for lanes in lane_batches(validation, length, config.batch)
            for cost in lane_costs(controller, lanes.to(config.device), horizon, mixed=mixed)
        ]
        return sum(float(c.error) for c in every) / sum(c.weight for c in every) if every else float("nan")

    watched = Validation(validation_loss, config.patience) if validation else None
    controller.to(config.device)
    try:
        return optimize(controller, costs, config, progress, validation=watched, log=log, resume=resume, mixed=mixed)
    finally:
        controller.to("cpu")


def check_imitation(config: ImitationConfig) -> None:
    """Say what no training could use.

    Raises:
        ConfigurationError: a number in ``config`` is out of its range, or the GPU it asks for is not there.
    """
    check_lanes(config)
    for name in ("batch", "patience"):
        if getattr(config, name) < 0:
            raise ConfigurationError(f"{name} is {getattr(config, name)}.", "Give 0 or more.")
    if config.device == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError("Torch finds no GPU to train on.", "Choose --training.device cpu.")
    if config.precision == "mixed" and config.device == "cpu":
        raise ConfigurationError(
            "Mixed precision needs a GPU, and --training.device is cpu.", "Choose --training.precision full."
        )


def check_lanes(config: LaneTraining) -> None:
    """Say what no training on lanes could use.

    Raises:
        ConfigurationError: a number in ``config`` is out of its range.
    """
    check_optimization(config)
    for name in ("lane", "horizon"):
        check_positive(name, getattr(config, name))


def lane_batches(stretches: Stretches, length: int, batch: int, dealt: bool = False) -> Iterator[Lanes]:
    """Lanes of at most ``length`` rows, ``batch`` at a time (0: all), in order or dealt by torch's generator."""
    places = lane_places(stretches, length)
    if dealt:
        places = [places[place] for place in torch.randperm(len(places)).tolist()]
    for first in range(0, len(places), batch or len(places)):
        of_batch = places[first : first + (batch or len(places))]
        yield stack([stretches[number][start : start + length] for number, start in of_batch])


def lane_costs(
    controller: RecurrentController, lanes: Lanes, horizon: int, per: float = 1.0, mixed: bool = False
) -> Iterator[Cost]:
    """The squared errors of every ``horizon`` rows of all lanes side by side, their states carried on.

    The gradient is divided by ``per``: where that is what an update holds whose lanes all go on, every row weighs the
    same, also where shorter lanes beside it are over. A lane that is over is not run any further.
    """
    state = controller.initial_state(len(lanes.features))
    for start in range(0, lanes.features.shape[1], horizon):
        rows, going = slice(start, start + horizon), lanes.going(start)
        if not going:
            return
        with half_precision(mixed):
            commands, state = controller(lanes.features[:going, rows], first_lanes(state, going))
        weight = lanes.weight[:going, rows]
        if counted := float(weight.sum()):
            yield Cost(
                squared_error(commands.float(), lanes.targets[:going, rows], weight, controller.scale), counted, per
            )
        state = detach(state)  # after the update: a state that is learned gets its gradient from the first rows


def first_lanes(state: State, count: int) -> State:
    """The state of the first lanes alone."""
    return tuple(s[:, :count] if isinstance(s, Tensor) else first_lanes(s, count) for s in state)


def squared_error(commands: Tensor, targets: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
    """Summed over rows that count, averaged over outputs, in units of ``scale``."""
    return (((commands - targets) / scale).square().mean(dim=-1, keepdim=True) * weight).sum()


@torch.inference_mode()
def decode(controller: RecurrentController, features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Commands ``(time, command)`` for the rows ``(time, feature)``, from the initial state on."""
    controller.eval()
    commands, _ = controller(torch.from_numpy(features)[None], controller.initial_state(1))
    return np.asarray(commands[0].numpy())
