"""The Wiener filter: what continuous decoders have to beat, a linear map from the last few rows to the target."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LAGS = 10
RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Strengths of the ridge penalty to choose from, a share of the mean variance of a lagged input."""


def wiener_filter(
    train: NDArray[np.floating], targets: NDArray[np.floating], test: NDArray[np.floating], lags: int = LAGS
) -> Array:
    """Targets ``(time, output)`` decoded from ``test (time, channel)``, a continuous stretch of rows.

    Least squares on this row and the ``lags - 1`` before it (Carmena et al. 2003, PLoS Biol. 1(2):e42), with a ridge
    penalty chosen on the last fifth of the training rows. Before the first row there are zeros.

    Args:
        train: ``(time, channel)``.
        targets: ``(time, output)``, one for each row of ``train``; a row without one, NaN, does not count.
        test: ``(time, channel)``.
        lags: rows that a decoded row rests on.
    """
    rows, asked = lagged(train, lags), lagged(test, lags)
    return np.column_stack(
        [
            _filter(rows[known], column[known], asked)
            for column, known in zip(targets.T, np.isfinite(targets).T, strict=True)
        ]
    )


def _filter(rows: Array, targets: NDArray[np.floating], asked: Array) -> Array:
    """One output of ``asked (time, input)``, ``(time,)``."""
    wanted, cut = targets[:, None], max(1, len(targets) * 4 // 5)

    def error(ridge: float) -> float:
        missed = apply(solve(rows[:cut], wanted[:cut], ridge), rows[cut:]) - wanted[cut:]
        return float(np.square(missed).mean()) if len(missed) else 0.0

    return apply(solve(rows, wanted, min(RIDGES, key=error)), asked)[:, 0]


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
