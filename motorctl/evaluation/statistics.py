"""How sure one can be of a score, and whether one decoder is better than another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, t

Array = NDArray[np.float64]

RESAMPLES = 1000
PERMUTATIONS = 10_000


def wilson_interval(correct: int, trials: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927, J. Am. Stat. Assoc. 22:209-212), for trials that are independent."""
    low, high = binomtest(correct, trials).proportion_ci(method="wilson")
    return float(low), float(high)


def block_bootstrap(
    score: Callable[[list[NDArray[np.int64]]], dict[str, float]],
    blocks: Sequence[int],
    seed: int,
    resamples: int = RESAMPLES,
) -> dict[str, tuple[float, float]]:
    """95 % percentile intervals (Efron & Tibshirani 1993, ch. 13), whole blocks drawn with replacement, since rows and
    windows of one trial go together (Künsch 1989, Ann. Stat. 17:1217-1241).

    Args:
        score: the scores of the blocks that are drawn in each fold, numbers that may repeat.
        blocks: how many each fold has.
        seed: of the draws.
        resamples: how many.
    """
    rng = np.random.default_rng(seed)
    drawn = [score([rng.integers(0, count, count) for count in blocks]) for _ in range(resamples)]
    return {name: _middle(np.array([scores[name] for scores in drawn])) for name in drawn[0]}


def _middle(values: Array) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, [2.5, 97.5]) if len(known) else (np.nan, np.nan)
    return float(low), float(high)


class Paired(NamedTuple):
    """Two decoders on the same trials.

    Args:
        difference: mean of a - b.
        effect: the same in standard deviations of the differences (Cohen 1988, d_z); 0 where there is no difference,
            infinite where it is always the same.
        p: of a difference as large, either way, were it by chance.
    """

    difference: float
    effect: float
    p: float


def paired_permutation(a: Array, b: Array, seed: int, permutations: int = PERMUTATIONS) -> Paired:
    """Whether ``a`` and ``b``, scores ``(trial,)`` of the same independent trials, differ: signs of the differences are
    drawn at random (Fisher 1935; Good 2005). Of equal scores p is 1."""
    differences = np.asarray(a, float) - np.asarray(b, float)
    mean, spread = float(differences.mean()), float(differences.std(ddof=1)) if len(differences) > 1 else 0.0
    effect = mean / spread if spread else (float(np.sign(mean)) * float("inf") if mean else 0.0)
    if not differences.any():
        return Paired(0.0, 0.0, 1.0)
    signs = np.random.default_rng(seed).integers(0, 2, (permutations, len(differences)), np.int8) * 2.0 - 1
    as_large = np.abs(signs @ differences) >= abs(differences.sum()) - 1e-12 * np.abs(differences).sum()
    return Paired(mean, effect, (1 + int(as_large.sum())) / (1 + permutations))


def corrected_resampled_t(differences: Array, train: float, test: float) -> tuple[float, float]:
    """Student's t and two-sided p for the mean of ``differences (fold,)`` of two decoders' scores, corrected for folds
    that share what they learn from (Nadeau & Bengio 2003, Mach. Learn. 52:239-281): the variance of the mean is
    ``(1 / folds + test / train)`` times that of the differences. NaN for fewer than two folds.

    Args:
        differences: score of a less that of b.
        train, test: how many trials a fold learns from and is tested on.
    """
    folds = len(differences)
    if folds < 2:
        return float("nan"), float("nan")
    mean, variance = float(np.mean(differences)), float(np.var(differences, ddof=1))
    if not variance:
        return (float("inf") * np.sign(mean), 0.0) if mean else (0.0, 1.0)
    statistic = mean / np.sqrt((1 / folds + test / train) * variance)
    return float(statistic), float(2 * t.sf(abs(statistic), folds - 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values put right for being several (Holm 1979, Scand. J. Stat. 6:65-70)."""
    order = np.argsort(p_values)
    adjusted = np.maximum.accumulate(np.sort(p_values) * (len(p_values) - np.arange(len(p_values))))
    right = np.empty(len(p_values))
    right[order] = np.minimum(adjusted, 1.0)
    return [float(p) for p in right]
