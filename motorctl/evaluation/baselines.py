"""What can be said of continuous targets without looking at the signals: who adds nothing to it reads nothing.

Movements that repeat correlate with any signal that repeats with them (Antelis et al. 2013, PLoS ONE 8(4):e61976), so
that beside chance two baselines stand, both fitted to the training trials alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BASELINES = ("mean-trajectory", "phase-only")
HARMONICS = 3
"""Of the trial's phase, that targets are taken to be a function of."""

Known = tuple[NDArray[np.floating], NDArray[np.int64]]
"""A stretch of targets ``(time, output)``, NaN where there is none, and the number of each row's trial ``(time,)``."""


def mean_trajectory(train: Sequence[Known], tested: Known) -> Array:
    """What the training trials did on average at the same time since their beginning, and between trials the mean of
    all that is between; ``(time, output)``. It knows when each trial begins, and nothing else."""
    pairs = [(targets, _since(trial)) for targets, trial in train]
    targets, since = (np.concatenate([pair[i] for pair in pairs]) for i in (0, 1))
    asked = _since(tested[1])
    longest = int(since.max())
    means = np.array([_mean(targets[since == row]) for row in range(-1, longest + 1)])  # the first is between trials
    known = np.isfinite(means)
    overall = _mean(targets)
    means = np.where(known, means, np.where(np.isfinite(overall), overall, 0.0))
    return np.asarray(means[np.minimum(asked, longest) + 1])


def phase_only(train: Sequence[Known], tested: Known) -> Array:
    """The targets as a function of how much of its trial has passed, of a reach or a stride, up to the third harmonic,
    and between trials the mean of all that is between; ``(time, output)``. It knows the phase, and nothing else."""
    targets = np.concatenate([targets for targets, _ in train])
    design = np.concatenate([_harmonics(of) for _, of in train])
    said = np.empty((len(tested[1]), targets.shape[1]))
    for output, column in enumerate(targets.T):
        known = np.isfinite(column)
        weights, *_ = np.linalg.lstsq(design[known], column[known], rcond=None)
        said[:, output] = _harmonics(tested[1]) @ weights
    return said


def _since(trial: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows since each row's trial began, -1 between trials."""
    begins = np.flatnonzero(np.diff(trial, prepend=trial[0] - 1))
    since = np.arange(len(trial)) - np.repeat(begins, np.diff(np.append(begins, len(trial))))
    return np.where(trial >= 0, since, -1)


def _mean(values: NDArray[np.floating]) -> Array:
    known = np.isfinite(values)
    counts = known.sum(axis=0)
    return np.where(counts > 0, np.where(known, values, 0.0).sum(axis=0) / np.maximum(counts, 1), np.nan)


def _harmonics(trial: NDArray[np.int64]) -> Array:
    """``(time, 2 + 2 * HARMONICS)``: cosines and sines of the phase of each row's trial, and two constants, one within
    and one between trials."""
    since, within = _since(trial), trial >= 0
    _, place, counts = np.unique(trial, return_inverse=True, return_counts=True)
    orders = 2 * np.pi * (since / counts[place])[:, None] * np.arange(1, HARMONICS + 1)
    return np.column_stack([within, ~within, np.cos(orders) * within[:, None], np.sin(orders) * within[:, None]])
