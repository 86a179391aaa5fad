"""How good a decoder is on recordings: correlation, chance, and how sure one can be."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

Array = NDArray[np.float64]


def pearson_r(decoded: NDArray[np.floating], target: NDArray[np.floating]) -> Array:
    """Pearson's correlation of each column of ``(time, output)``; NaN where a column never changes."""
    decoded, target = decoded - decoded.mean(axis=0), target - target.mean(axis=0)
    norm = np.linalg.norm(decoded, axis=0) * np.linalg.norm(target, axis=0)
    with np.errstate(invalid="ignore"):
        return np.where(norm > 0, (decoded * target).sum(axis=0) / np.where(norm > 0, norm, 1), np.nan)


def mean_pearson_r(decoded: NDArray[np.floating], target: NDArray[np.floating]) -> float:
    """Mean of :func:`pearson_r` over the outputs that the target moves; NaN if it moves none."""
    moving = np.ptp(target, axis=0) > 0
    r = pearson_r(decoded[:, moving], target[:, moving])
    return float(np.nanmean(r)) if np.isfinite(r).any() else float("nan")


class DecodingScore(NamedTuple):
    """How well commands were decoded, beside chance.

    Args:
        pearson_r: mean correlation over the outputs that move.
        chance_r: its mean when the trials' targets are dealt out anew.
        chance_r_95: its 95th percentile then.
        trials: how many trials.
        correct: trials in which the decoded command pointed with the target.
        accuracy_interval: 95 % interval of the share of correct trials (Wilson 1927, J. Am. Stat. Assoc. 22:209-212);
            chance is one half.
    """

    pearson_r: float
    chance_r: float
    chance_r_95: float
    trials: int
    correct: int
    accuracy_interval: tuple[float, float]


def decoding_score(
    decoded: NDArray[np.floating],
    target: NDArray[np.floating],
    trial: NDArray[np.int64],
    seed: int,
    permutations: int = 1000,
) -> DecodingScore:
    """Score ``decoded`` against ``target``, both ``(time, output)``, over trials ``(time,)`` (-1 between them).

    Chance comes from giving each trial the target of another one, drawn at random; the time course of trials and the
    decoded commands stay as they are, so what is left is knowing when a trial is, not which.
    """
    numbers = np.unique(trial[trial >= 0])
    rows = [np.flatnonzero(trial == n) for n in numbers]
    rng = np.random.default_rng(seed)
    chance = [
        mean_pearson_r(decoded, permuted_target(target, rows, rng.permutation(len(rows)))) for _ in range(permutations)
    ]
    correct = sum(float((decoded[r] * target[r]).sum()) > 0 for r in rows)
    interval = binomtest(correct, len(rows)).proportion_ci(method="wilson")
    return DecodingScore(
        mean_pearson_r(decoded, target),
        float(np.mean(chance)),
        float(np.percentile(chance, 95)),
        len(rows),
        correct,
        (float(interval.low), float(interval.high)),
    )


def permuted_target(
    target: NDArray[np.floating], rows: list[NDArray[np.intp]], order: NDArray[np.intp]
) -> NDArray[np.floating]:
    """Each trial gets the target of another, stretched or squeezed to its own length."""
    permuted = np.zeros_like(target)
    for own, other in zip(rows, order, strict=True):
        source = rows[other]
        permuted[own] = target[source[np.linspace(0, len(source) - 1, len(own)).round().astype(int)]]
    return permuted
