"""The training loop of every network that learns from a set of sequences: mini-batches, truncated backpropagation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from motorctl.agents import Network, detach
from motorctl.errors import ConfigurationError, check_positive
from motorctl.training.optimization import Cost, Optimization, Progress, check_optimization, optimize

Losses = Callable[[Tensor], Iterator[Tensor]]
"""The losses of a batch, given the numbers of its sequences, one for each piece of time; an update follows on each."""

Targets = Tensor | Mapping[str, Tensor]
"""``(sequence, time, ...)``, or one such for each task."""


@dataclass(frozen=True)
class SequenceTraining(Optimization):
    """Training on sequences with AdamW (Loshchilov & Hutter 2019), which without decay is Adam (Kingma & Ba 2015)."""

    epochs: int = 100
    """Passes over the sequences."""
    learning_rate: float = 1e-3
    """Highest learning rate."""
    weight_decay: float = 0.0
    """AdamW's weight decay, of matrices of weights alone."""
    schedule: Literal["cosine", "constant"] = "constant"
    """Whether the learning rate falls to zero along a cosine or stays."""
    batch: int = 32
    """Sequences of an update."""
    horizon: int = 0
    """Rows that gradients go back, in pieces with an update on each (Williams & Peng 1990); 0: all."""


def fit(
    network: nn.Module,
    count: int,
    losses: Losses,
    config: SequenceTraining,
    progress: Progress = lambda epoch, loss: None,
) -> list[float]:
    """Train ``network`` in place on ``count`` sequences; returns the mean loss of every epoch.

    Torch's random generator draws the order of the sequences and the dropout: seed it first.

    Args:
        network: what ``losses`` asks.
        count: how many sequences there are.
        losses: what a batch of them costs.
        config: how to train.
        progress: called after every epoch.

    Raises:
        ConfigurationError: a number in ``config`` is out of its range, or training diverges.
    """
    check_training(config)

    def costs(epoch: int) -> Iterator[Cost]:
        for batch in torch.split(torch.randperm(count), config.batch):
            yield from map(Cost, losses(batch))

    return optimize(network, costs, config, progress)


def check_training(config: SequenceTraining) -> None:
    """Say what no training could use.

    Raises:
        ConfigurationError: a number is out of its range.
    """
    check_optimization(config)
    check_positive("batch", config.batch)
    if config.horizon < 0:
        raise ConfigurationError(f"horizon is {config.horizon}.", "Give a number of rows, or 0 for all.")


def row_losses(
    network: Network, inputs: Tensor, targets: Targets, weight: Targets | None = None, horizon: int = 0, ahead: int = 0
) -> Losses:
    """What a head that speaks on every row costs, piece by piece, its state carried on.

    Args:
        network: whose head's loss takes ``(output, targets, weight)``.
        inputs: ``(sequence, time, channel)``.
        targets: ``(sequence, time, ...)``, or by task; missing ones of any value, NaN too.
        weight: likewise, 0 where a target is missing; all count if not given.
        horizon: rows of a piece; 0: all.
        ahead: rows of targets behind a piece that the head's loss takes as well, as :class:`ForecastHead`'s does.
    """

    def losses(batch: Tensor) -> Iterator[Tensor]:
        state, time = network.initial_state(len(batch)), inputs.shape[1]
        step = horizon or time
        for start in range(0, time, step):
            rows, known = slice(start, start + step), slice(start, start + step + ahead)
            output, state = network(inputs[batch, rows], state)
            counts = None if weight is None else _cut(weight, batch, known)
            if counts is None or any(bool(part.any()) for part in _parts(counts)):
                yield network.head.loss(output, _cut(targets, batch, known), counts)  # type: ignore[operator]
            state = detach(state)  # after the update: a state that is learned gets its gradient from the first rows

    return losses


def _cut(values: Targets, batch: Tensor, rows: slice) -> Targets:
    if isinstance(values, Tensor):
        return values[batch, rows]
    return {name: part[batch, rows] for name, part in values.items()}


def _parts(values: Targets) -> list[Tensor]:
    return [values] if isinstance(values, Tensor) else list(values.values())
