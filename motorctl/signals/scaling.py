"""Scaling features: by what training showed, and by what the last while showed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

SCALED_LIMIT = 8.0
"""Scaled features are clipped here, in standard deviations: an artefact must not saturate the network's memory."""

LEAST_VARIANCE = 1e-12
"""A feature that varies less is not divided by its running standard deviation."""


class AdaptationState(NamedTuple):
    """Running statistics of each feature."""

    mean: Array  # (feature,)
    variance: Array  # (feature,)
    rows: Array  # (feature,) how many so far, as far as the memory reaches


def first_adaptation(features: int) -> AdaptationState:
    """Nothing seen yet."""
    return AdaptationState(np.zeros(features), np.zeros(features), np.zeros(features))


def adapt(
    values: Array, valid: Mask, state: AdaptationState, memory: float, divide: bool
) -> tuple[Array, AdaptationState]:
    """Features less their running mean, so that slow drifts of a person or a cap do not reach the controller.

    Every row counts as much as those before it until there are ``memory`` of them; from then on the mean is exponential
    (a one-pole high-pass; its variance as in West 1979, Commun. ACM 22(9):532-535). Both include the row itself, so the
    first rows are small, not large; a row that is not valid moves neither, and is 0 before the first that is.

    Args:
        values, valid: ``(row, feature)``.
        state: returned by the previous call.
        memory: time constant in rows, at least 1.
        divide: by the running standard deviation as well.
    """
    mean, variance, rows = state
    adapted = np.empty_like(values)
    for i, (value, there) in enumerate(zip(values, valid, strict=True)):
        rows = np.minimum(rows + there, memory)
        share = there / np.maximum(rows, 1.0)
        step = share * (value - mean)
        variance = (1 - share) * (variance + step * (value - mean))
        mean = mean + step
        adapted[i] = np.where(rows > 0, value - mean, 0.0)
        if divide:
            adapted[i] /= np.where(variance > LEAST_VARIANCE, np.sqrt(np.maximum(variance, LEAST_VARIANCE)), 1.0)
    return adapted, AdaptationState(mean, variance, rows)
