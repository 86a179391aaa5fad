"""How well classes are recognised and values given."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from torch import Tensor

from motorctl.evaluation.metrics import pearson_r


class ClassScore(NamedTuple):
    """How many trials were recognised.

    Args:
        accuracy: share of the trials, 0 to 1.
        interval: its 95 % interval (Wilson 1927, J. Am. Stat. Assoc. 22:209-212).
        trials: how many.
        correct: how many were recognised.
        labels: class of each trial.
        predicted: the class that was taken for it.
    """

    accuracy: float
    interval: tuple[float, float]
    trials: int
    correct: int
    labels: list[str]
    predicted: list[str]


def class_score(probabilities: Tensor, labels: Tensor, names: tuple[str, ...]) -> ClassScore:
    """The score of ``probabilities (trial, class)`` against the numbers of the classes ``(trial,)``."""
    predicted = probabilities.argmax(dim=1)
    correct = int((predicted == labels).sum())
    low, high = binomtest(correct, len(labels)).proportion_ci(method="wilson")
    said, taken = ([names[i] for i in numbers.tolist()] for numbers in (labels, predicted))
    return ClassScore(correct / len(labels), (float(low), float(high)), len(labels), correct, said, taken)


def value_scores(given: NDArray[np.floating], wanted: NDArray[np.floating]) -> dict[str, list[float]]:
    """How near values come to targets ``(..., output)``, where there is a target.

    Returns:
        for each output the mean squared error ``mse`` in squared units, the coefficient of determination ``r2`` and
        Pearson's correlation ``pearson_r``; the latter two NaN where the target never changes.
    """
    found: dict[str, list[float]] = {"mse": [], "r2": [], "pearson_r": []}
    for column in range(wanted.shape[-1]):
        said, target = given[..., column].ravel().astype(float), wanted[..., column].ravel().astype(float)
        known = np.isfinite(target)
        said, target = said[known], target[known]
        mse = float(np.square(said - target).mean()) if len(target) else float("nan")
        variance = float(target.var()) if len(target) else 0.0
        found["mse"].append(mse)
        found["r2"].append(1 - mse / variance if variance else float("nan"))
        found["pearson_r"].append(float(pearson_r(said[:, None], target[:, None])[0]) if variance else float("nan"))
    return found
