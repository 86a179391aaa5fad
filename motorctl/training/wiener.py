"""The Wiener filter: what continuous decoders have to beat, a linear map from the last few rows to the target."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from motorctl.agents import WienerController

Array = NDArray[np.float64]
Part = tuple[NDArray[np.floating], NDArray[np.floating]]
"""A continuous stretch: inputs ``(time, channel)`` and targets ``(time, output)``, NaN where there is none."""

LAGS = 10
RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Strengths of the ridge penalty to choose from, a share of the mean variance of a lagged input."""


def wiener_filter(
    train: NDArray[np.floating], targets: NDArray[np.floating], test: NDArray[np.floating], lags: int = LAGS
) -> Array:
    """Targets ``(time, output)`` decoded from ``test (time, channel)``, a continuous stretch of rows, by the filter
    that :func:`fit_wiener` makes of ``train (time, channel)`` and its ``targets (time, output)``."""
    controller = fit_wiener([(train, targets)], lags)
    with torch.inference_mode():
        decoded, _ = controller(torch.from_numpy(test)[None], controller.initial_state())
    return np.asarray(decoded[0].numpy())


def fit_wiener(parts: Sequence[Part], lags: int = LAGS, ridges: Iterable[float] = RIDGES) -> WienerController:
    """Least squares on this row and the ``lags - 1`` before it (Carmena et al. 2003, PLoS Biol. 1(2):e42), with a ridge
    penalty chosen for each output on the last fifth of the training rows. Before the first row there are zeros.

    Args:
        parts: what to learn from; a row without a target does not count.
        lags: rows that a decoded row rests on.
        ridges: penalties to choose from.
    """
    rows = np.concatenate([lagged(inputs, lags) for inputs, _ in parts])
    targets = np.concatenate([targets for _, targets in parts])
    known = np.isfinite(targets)
    fitted = [_fit_output(rows[there], column[there], ridges) for column, there in zip(targets.T, known.T, strict=True)]
    weights = np.stack([weights for weights, _ in fitted], axis=1).reshape(lags, -1, len(fitted))
    return WienerController(torch.from_numpy(weights), torch.tensor([offset for _, offset in fitted]))


def _fit_output(rows: Array, targets: NDArray[np.floating], ridges: Iterable[float]) -> tuple[Array, float]:
    """Weights ``(input,)`` and offset of one output."""
    wanted, cut = targets[:, None], max(1, len(targets) * 4 // 5)

    def error(ridge: float) -> float:
        missed = apply(solve(rows[:cut], wanted[:cut], ridge), rows[cut:]) - wanted[cut:]
        return float(np.square(missed).mean()) if len(missed) else 0.0

    weights, offset = solve(rows, wanted, min(ridges, key=error))
    return weights[:, 0], float(offset[0])


def lagged(values: NDArray[np.floating], lags: int) -> Array:
    """``(time, lags * channel)``: every row beside those before it, newest first."""
    padded = np.vstack([np.zeros((lags - 1, values.shape[1])), values])
    return np.hstack([padded[lags - 1 - lag : len(padded) - lag] for lag in range(lags)])


def solve(rows: Array, targets: NDArray[np.floating], ridge: float) -> tuple[Array, Array]:
    """Weights ``(input, output)`` and offset ``(output,)`` of the penalised least squares."""
    mean, centre = rows.mean(axis=0), targets.mean(axis=0, dtype=float)
    centred = rows - mean
    gram = centred.T @ centred
    penalty = ridge * max(float(np.trace(gram)) / len(gram), 1e-12)
    weights = np.linalg.solve(gram + penalty * np.eye(len(gram)), centred.T @ (targets - centre))
    return weights, centre - mean @ weights


def apply(fitted: tuple[Array, Array], rows: Array) -> Array:
    """The linear map applied."""
    return rows @ fitted[0] + fitted[1]
