"""Movement classes: of every row or of a whole sequence, with probabilities that mean what they say."""

from __future__ import annotations

import math
from typing import Literal

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor, nn

from motorctl.errors import ConfigurationError

from .heads import weighted_mean

HOTTEST = 100.0
"""Temperatures are sought between 1 / HOTTEST and this."""


class ClassHead(nn.Module):
    """The movement class of every row: softmax over classes, at a temperature fitted afterwards.

    Args:
        width: of the hidden units.
        classes: how many there are, at least 2.

    Raises:
        ConfigurationError: there is nothing to choose from.
    """

    temperature: Tensor

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        if classes < 2:
            raise ConfigurationError(f"{classes} class leaves no choice.", "Give 2 or more.")
        self.readout = nn.Linear(width, classes)
        self.register_buffer("temperature", torch.tensor(1.0))

    def forward(self, hidden: Tensor) -> Tensor:
        """``(batch, time, width)`` to logits ``(batch, time, class)``."""
        logits: Tensor = self.readout(hidden)
        return logits

    def probabilities(self, logits: Tensor) -> Tensor:
        """Of each class, over the last axis: softmax of the logits by the temperature."""
        return (logits / self.temperature).softmax(dim=-1)

    def loss(self, logits: Tensor, targets: Tensor, weight: Tensor | None = None) -> Tensor:
        """Mean cross-entropy (nats), before any temperature.

        Args:
            logits: ``(..., class)``.
            targets: ``(...)`` number of the class; any number where nothing counts.
            weight: ``(...)`` or ``(..., 1)``, 0 where nothing counts.
        """
        logits, targets, weight = _counted(logits, targets, weight)
        return weighted_mean(nn.functional.cross_entropy(logits, targets, reduction="none"), weight)

    @torch.no_grad()
    def calibrate(self, logits: Tensor, targets: Tensor, weight: Tensor | None = None) -> float:
        """Fit the temperature to rows held out from training; returns it. Arguments: those of :meth:`loss`.

        Temperature scaling (Guo et al. 2017, ICML, section 4.2): one number divides all logits, the one with the least
        cross-entropy. It changes how sure the head is, never which class it prefers.

        Raises:
            ConfigurationError: no row counts.
        """
        logits, targets, weight = _counted(logits.double(), targets, weight)
        if not len(logits):
            raise ConfigurationError("Probabilities cannot be calibrated on no rows.", "Hold some out from training.")

        def cost(log_temperature: float) -> float:
            errors = nn.functional.cross_entropy(logits / math.exp(log_temperature), targets, reduction="none")
            return float(weighted_mean(errors, weight))

        found = minimize_scalar(cost, bounds=(-math.log(HOTTEST), math.log(HOTTEST)), method="bounded")
        self.temperature.fill_(math.exp(found.x))
        return float(self.temperature)


class LabelHead(ClassHead):
    """One class for a whole sequence, from the rows of it that count.

    Args:
        width, classes: as for :class:`ClassHead`.
        pool: ``mean`` of the hidden units over the rows that count, or the ``last`` of them (after a core that reads
            both ways take the mean: its last row holds the whole sequence in one direction alone).
    """

    def __init__(self, width: int, classes: int, pool: Literal["mean", "last"] = "mean") -> None:
        super().__init__(width, classes)
        if pool not in ("mean", "last"):
            raise ConfigurationError(f"There is no pooling {pool!r}.", "Choose mean or last.")
        self.pool = pool

    def forward(self, hidden: Tensor, weight: Tensor | None = None) -> Tensor:
        """``(batch, time, width)`` to logits ``(batch, class)``; ``weight`` ``(batch, time, 1)`` is 0 for padding."""
        if weight is None:
            weight = hidden.new_ones(*hidden.shape[:2], 1)
        pooled = mean_row(hidden, weight) if self.pool == "mean" else last_row(hidden, weight)
        return super().forward(pooled)


def mean_row(hidden: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean ``(batch, width)`` of the rows that count; zeros for a sequence without any."""
    weight = weight.to(hidden)
    kept = torch.where(weight > 0, hidden, 0)
    return (kept * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=torch.finfo(weight.dtype).tiny)


def last_row(hidden: Tensor, weight: Tensor) -> Tensor:
    """The last row that counts ``(batch, width)``; zeros for a sequence without any."""
    counts = weight[..., 0] > 0  # (batch, time)
    index = (counts * torch.arange(1, counts.shape[1] + 1, device=counts.device)).argmax(dim=1)
    row = hidden[torch.arange(len(hidden), device=hidden.device), index]
    return torch.where(counts.any(dim=1, keepdim=True), row, 0)


def _counted(logits: Tensor, targets: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """The rows that count: ``(row, class)``, ``(row,)`` and their weight ``(row,)``."""
    weight = logits.new_ones(targets.shape) if weight is None else weight.to(logits).reshape(targets.shape)
    keep = weight > 0
    return logits[keep], targets[keep], weight[keep]
