"""Supervised imitation: a recurrent controller learns to give, from EEG alone, the command the expert gives."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from motorctl.agents import RecurrentController, detach
from motorctl.errors import ConfigurationError, check_positive
from motorctl.threads import one_thread
from motorctl.training.sequence import Lanes, Sequence, stack_lanes


@dataclass(frozen=True)
class ImitationConfig:
    """Training by truncated backpropagation through time (Williams & Peng 1990, Neural Comput. 2(4):490-501)."""

    epochs: int = 40
    """Passes over the data."""
    learning_rate: float = 5e-3
    """Highest learning rate of AdamW; it falls to zero along a cosine."""
    weight_decay: float = 1e-2
    """AdamW's weight decay (Loshchilov & Hutter 2019)."""
    lane: float = 30.0
    """Longest stretch that the hidden state is carried through (s)."""
    horizon: float = 8.0
    """How far back in time gradients go (s)."""
    clip: float = 1.0
    """Largest norm of the gradient."""


Progress = Callable[[int, float], None]
"""Called after every epoch with its number, from 1, and its loss."""


def train(
    controller: RecurrentController,
    sequences: list[Sequence],
    config: ImitationConfig,
    rate: float,
    progress: Progress = lambda epoch, loss: None,
) -> list[float]:
    """Train ``controller`` in place on rows at ``rate`` (Hz); returns the mean squared error of every epoch.

    The error is in units of the controller's scale. Torch's random generator draws the dropout: seed it first.

    Raises:
        ConfigurationError: a number in ``config`` is out of its range, or training diverges.
    """
    check_imitation(config)
    horizon = max(1, round(config.horizon * rate))
    longest = max(len(s) for s in sequences)
    lanes = stack_lanes(sequences, min(max(1, round(config.lane * rate)), longest))
    optimizer = torch.optim.AdamW(controller.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.epochs)
    losses = []
    controller.train()
    with one_thread():
        for epoch in range(1, config.epochs + 1):
            losses.append(finite(train_epoch(controller, lanes, optimizer, horizon, config.clip)))
            schedule.step()
            progress(epoch, losses[-1])
    controller.eval()
    return losses


def check_imitation(config: ImitationConfig) -> None:
    """Say what no training could use.

    Raises:
        ConfigurationError: a number in ``config`` is out of its range.
    """
    for name in ("epochs", "learning_rate", "lane", "horizon", "clip"):
        check_positive(name, getattr(config, name))
    check_weight_decay(config.weight_decay)


def check_weight_decay(decay: float) -> None:
    """Say that an option must be a number, 0 or above.

    Raises:
        ConfigurationError: it is not.
    """
    if not 0 <= decay < float("inf"):
        raise ConfigurationError(f"weight_decay is {decay:g}.", "Give 0 or a number above 0.")


def finite(loss: float) -> float:
    """The loss.

    Raises:
        ConfigurationError: it is no number any more.
    """
    if not math.isfinite(loss):
        raise ConfigurationError(f"Training diverged: its loss is {loss:g}.", "Choose a smaller learning rate.")
    return loss


def train_epoch(
    controller: RecurrentController, lanes: Lanes, optimizer: torch.optim.Optimizer, horizon: int, clip: float
) -> float:
    """One pass through all lanes side by side, an update every ``horizon`` rows; returns the mean squared error."""
    state = controller.initial_state(len(lanes.features))
    total = 0.0
    for start in range(0, lanes.features.shape[1], horizon):
        rows = slice(start, start + horizon)
        commands, state = controller(lanes.features[:, rows], state)
        error = squared_error(commands, lanes.targets[:, rows], lanes.weight[:, rows], controller.scale)
        weight = lanes.weight[:, rows].sum()
        if weight:
            optimizer.zero_grad()
            torch.autograd.backward(error / weight)
            nn.utils.clip_grad_norm_(controller.parameters(), clip)
            optimizer.step()
        state = detach(state)  # after the update: a state that is learned gets its gradient from the first rows
        total += float(error.detach())
    return total / float(lanes.weight.sum())


def squared_error(commands: Tensor, targets: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
    """Summed over rows that count, averaged over outputs, in units of ``scale``."""
    return (((commands - targets) / scale).square().mean(dim=-1, keepdim=True) * weight).sum()


@torch.inference_mode()
def decode(controller: RecurrentController, features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Commands ``(time, command)`` for the rows ``(time, feature)``, from the initial state on."""
    controller.eval()
    commands, _ = controller(torch.from_numpy(features)[None], controller.initial_state(1))
    return np.asarray(commands[0].numpy())
