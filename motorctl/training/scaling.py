"""Inputs as networks take them: outliers gated, missing values held, and every channel of one size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]

GATE = 50.0
"""How many robust standard deviations from the median a value may lie; it counts as missing beyond. Hampel's identifier
(Davies & Gather 1993, J. Am. Stat. Assoc. 88:782-792), far wider than the usual 3: bursts of a muscle that is silent
most of the time, 20 or 30 times its noise, are signal; an electrode that comes off is hundreds."""

LIMIT = 8.0
"""Standardised values are clipped here, in standard deviations."""


class Scaled(NamedTuple):
    """What a network reads.

    Args:
        values: ``(..., time, channel)`` without NaN.
        measured: ``(..., time, channel)`` True where the value was measured, False where it is held.
        gated: how many outliers were taken for missing.
    """

    values: Tensor
    measured: NDArray[np.bool_]
    gated: int


@dataclass(frozen=True, eq=False)
class Scaling:
    """Mean and standard deviation of each channel, and the range outside which a value is an outlier; all
    ``(channel,)``."""

    mean: Array
    std: Array
    low: Array
    high: Array

    def apply(self, values: NDArray[np.floating]) -> Scaled:
        """Standardise ``(..., time, channel)``; a missing value is replaced by the channel's last one, by its mean
        before there is one. A channel that never varied is 0."""
        finite = np.isfinite(values)
        with np.errstate(invalid="ignore"):
            measured = finite & (values >= self.low) & (values <= self.high)
        varies = self.std > 0
        filled = np.where(measured, values, self.mean)
        scaled = np.where(varies, (filled - self.mean) / np.where(varies, self.std, 1), 0).clip(-LIMIT, LIMIT)
        held = hold(scaled, measured).astype(np.float32)
        return Scaled(torch.from_numpy(held), measured, int((finite & ~measured).sum()))

    def invert(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Standardised ``(..., channel)`` in the channels' own units."""
        return np.asarray(values * self.std + self.mean, np.float32)

    def standardise(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Targets ``(..., channel)`` in standard deviations; nothing is gated, what is missing stays NaN."""
        varies = self.std > 0
        return np.where(varies, (values - self.mean) / np.where(varies, self.std, 1), 0 * values).astype(np.float32)

    def tensors(self) -> dict[str, Tensor]:
        """The numbers, to be stored."""
        return {name: torch.tensor(value) for name, value in vars(self).items()}


def fit_scaling(values: NDArray[np.floating]) -> Scaling:
    """The scaling of ``(..., channel)``, from what is measured and no outlier; NaN does not count."""
    columns = values.reshape(-1, values.shape[-1]).astype(float).T
    fitted = [_fit_channel(column[np.isfinite(column)]) for column in columns]
    return Scaling(*np.array(fitted).T)


def _fit_channel(values: Array) -> tuple[float, float, float, float]:
    """Mean, standard deviation, and lower and upper limit; all 0 but the limits where nothing was measured."""
    if not len(values):
        return 0.0, 0.0, -np.inf, np.inf
    centre = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - centre)))  # of a normal distribution, its standard deviation
    if not spread:  # more than half the values are one: a count, a pulse
        spread = float(values.std())
    low, high = centre - GATE * spread, centre + GATE * spread
    kept = values[(values >= low) & (values <= high)]
    std = float(kept.std())
    return float(kept.mean()), std if std > 1e-6 * abs(centre) + 1e-12 else 0.0, low, high


def hold(values: Array, measured: NDArray[np.bool_]) -> Array:
    """``(..., time, channel)`` with every value that was not measured replaced by the last one that was; 0 before."""
    time = np.arange(values.shape[-2])[:, None]
    newest = np.maximum.accumulate(np.where(measured, time, -1), axis=-2)
    held = np.take_along_axis(values, np.maximum(newest, 0), axis=-2)
    return np.where(newest >= 0, held, 0.0)
