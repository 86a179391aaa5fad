"""The training loop of every network that learns from a set of sequences: mini-batches, truncated backpropagation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from motorctl.agents import Network, detach
from motorctl.errors import ConfigurationError, check_positive
from motorctl.threads import one_thread
from motorctl.training.imitation import Progress, check_weight_decay, finite

Losses = Callable[[Tensor], Iterator[Tensor]]
"""The losses of a batch, given the numbers of its sequences, one for each piece of time; an update follows on each."""

Targets = Tensor | Mapping[str, Tensor]
"""``(sequence, time, ...)``, or one such for each task."""


@dataclass(frozen=True)
class SequenceTraining:
    """Training on sequences with AdamW (Loshchilov & Hutter 2019), which without decay is Adam (Kingma & Ba 2015)."""

    epochs: int = 100
    """Passes over the sequences."""
    batch: int = 32
    """Sequences of an update."""
    learning_rate: float = 1e-3
    """Learning rate."""
    weight_decay: float = 0.0
    """AdamW's weight decay."""
    horizon: int = 0
    """Rows that gradients go back, in pieces with an update on each (Williams & Peng 1990); 0: all."""
    clip: float = 1.0
    """Largest norm of the gradient."""


def fit(
    network: nn.Module,
    count: int,
    losses: Losses,
    config: SequenceTraining,
    progress: Progress = lambda epoch, loss: None,
    anneal: bool = False,
) -> list[float]:
    """Train ``network`` in place on ``count`` sequences; returns the mean loss of every epoch.

    Torch's random generator draws the order of the sequences and the dropout: seed it first.

    Args:
        network: what ``losses`` asks.
        count: how many sequences there are.
        losses: what a batch of them costs.
        config: how to train.
        progress: called after every epoch.
        anneal: let the learning rate fall to zero along a cosine.

    Raises:
        ConfigurationError: a number in ``config`` is out of its range, or training diverges.
    """
    check_training(config)
    optimizer = torch.optim.AdamW(network.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.epochs) if anneal else None
    history = []
    network.train()
    with one_thread():
        for epoch in range(1, config.epochs + 1):
            costs = []
            for batch in torch.split(torch.randperm(count), config.batch):
                for loss in losses(batch):
                    optimizer.zero_grad()
                    torch.autograd.backward(loss)
                    nn.utils.clip_grad_norm_(network.parameters(), config.clip)
                    optimizer.step()
                    costs.append(float(loss.detach()))
            if schedule:
                schedule.step()
            history.append(finite(sum(costs) / len(costs)))
            progress(epoch, history[-1])
    network.eval()
    return history


def check_training(config: SequenceTraining) -> None:
    """Say what no training could use.

    Raises:
        ConfigurationError: a number is out of its range.
    """
    for name in ("epochs", "batch", "learning_rate", "clip"):
        check_positive(name, getattr(config, name))
    check_weight_decay(config.weight_decay)
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
