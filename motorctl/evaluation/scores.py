"""How good a decoder is, in the measures that papers give: of classes and of continuous values.

Values are scored from six sums per block of rows, so that resampling blocks a thousand times costs no more than scoring
once.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata

from motorctl.training.calibration import calibration_error

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

GRADED = ("roc_auc", "log_loss", "calibration_error")
"""Scores that need probabilities, not only a choice."""
LOWER_IS_BETTER = ("log_loss", "calibration_error", "rmse", "nrmse")
SURE = 1e-15
"""No probability counts as smaller, so that one mistake of somebody certain does not cost infinitely much."""


def class_scores(labels: Labels, probabilities: Array, seconds: float, graded: bool = True) -> dict[str, float]:
    """Scores of ``probabilities (trial, class)`` against ``labels (trial,)``.

    Args:
        labels: numbers of the classes.
        probabilities: of every class, the preferred one being the prediction.
        seconds: how long one decision takes (s), which the information transfer rate is per.
        graded: whether these are probabilities; without it, scores that need them are left out.

    Returns:
        accuracy: share of trials recognised.
        balanced_accuracy: mean over classes of that share (Brodersen et al. 2010, ICPR).
        kappa: agreement beyond chance (Cohen 1960, Educ. Psychol. Meas. 20:37-46).
        itr: information transfer rate in bits/min (Wolpaw et al. 2002, Clin. Neurophysiol. 113:767-791).
        roc_auc: area under the curve, of each class against the others, averaged.
        log_loss: mean negative log of the probability of the label (nats).
        calibration_error: expected calibration error (Guo et al. 2017, ICML).
    """
    count = probabilities.shape[1]
    confusion = confusion_matrix(labels, probabilities.argmax(axis=1), count)
    accuracy = float(np.trace(confusion) / len(labels))
    asked, said = confusion.sum(axis=1), confusion.sum(axis=0)
    there = asked > 0
    expected = float(asked @ said) / len(labels) ** 2
    scores = {
        "accuracy": accuracy,
        "balanced_accuracy": float((np.diag(confusion)[there] / asked[there]).mean()),
        "kappa": (accuracy - expected) / (1 - expected) if expected < 1 else float("nan"),
        "itr": information_transfer_rate(accuracy, count, seconds),
    }
    if graded:
        given = probabilities[np.arange(len(labels)), labels]
        scores |= {
            "roc_auc": roc_auc(labels, probabilities),
            "log_loss": float(np.log(1 / np.maximum(given, SURE)).mean()),
            "calibration_error": calibration_error(torch.from_numpy(probabilities), torch.from_numpy(labels)),
        }
    return scores


def confusion_matrix(labels: Labels, predicted: Labels, classes: int) -> NDArray[np.int64]:
    """How many trials of each class (rows) were taken for each class (columns)."""
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def information_transfer_rate(accuracy: float, classes: int, seconds: float) -> float:
    """Bits per minute of ``classes`` equally likely choices, one every ``seconds``, errors spread evenly (Wolpaw et al.
    2002); 0 at chance and below."""
    if accuracy <= 1 / classes:
        return 0.0
    bits = np.log2(classes) + accuracy * np.log2(accuracy)
    if accuracy < 1:
        bits += (1 - accuracy) * np.log2((1 - accuracy) / (classes - 1))
    return float(bits * 60 / seconds)


def roc_auc(labels: Labels, probabilities: Array) -> float:
    """Mean over classes of the chance that a trial of the class is given a higher probability of it than another trial
    (Mann-Whitney's U; Hanley & McNeil 1982, Radiology 143:29-36); NaN where there is one class."""
    areas = []
    for number in range(probabilities.shape[1]):
        of_class = labels == number
        count, others = int(of_class.sum()), int((~of_class).sum())
        if count and others:
            ranks = rankdata(probabilities[:, number])[of_class].sum()
            areas.append((ranks - count * (count + 1) / 2) / (count * others))
    return float(np.mean(areas)) if areas else float("nan")


def value_moments(decoded: Array, targets: Array, block: NDArray[np.int64]) -> Array:
    """``(block, output, 6)``: of each block of rows and each output how many rows have a target, and the sums of
    target, decoded, target², decoded², and their product, all measured from the targets' mean so that the sums stay
    exact.

    Args:
        decoded: ``(time, output)``.
        targets: ``(time, output)``, NaN where there is none.
        block: ``(time,)``.
    """
    known = np.isfinite(targets)
    centre = np.nanmean(np.where(known.any(axis=0), targets, 0.0), axis=0)
    y, x = (np.where(known, values - centre, 0.0) for values in (targets, decoded))
    terms = np.stack([known.astype(float), y, x, y * y, x * x, x * y], axis=-1)
    _, place = np.unique(block, return_inverse=True)
    moments = np.zeros((place.max() + 1, *terms.shape[1:]))
    np.add.at(moments, place, terms)
    return moments


def value_scores(moments: Array) -> dict[str, Array]:
    """Scores of each output from its sums ``(..., output, 6)``; NaN where the target never changes.

    Returns:
        r2: coefficient of determination; 0 for who always says the mean, below 0 for who is worse.
        pearson_r: correlation, 0 for who always says the same.
        rmse: root mean squared error, in the target's unit.
        nrmse: the same in standard deviations of the target.
    """
    n, y, x, yy, xx, xy = np.moveaxis(moments, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.maximum(yy - 2 * xy + xx, 0.0)
        total, spread = yy - y * y / n, np.maximum(xx - x * x / n, 0.0)
        moves = total > 1e-12 * yy
        total = np.where(moves, total, np.nan)
        r = np.where(spread > 1e-12 * xx, (xy - x * y / n) / np.sqrt(total * spread), np.where(moves, 0.0, np.nan))
        return {
            "r2": 1 - error / total,
            "pearson_r": r,
            "rmse": np.sqrt(error / n),
            "nrmse": np.sqrt(error / total),
        }


def mean_value_scores(folds: list[Array]) -> dict[str, float]:
    """Mean over outputs and folds, a fold weighing as its rows; each fold the moments ``(block, output, 6)`` of its
    blocks."""
    summed = [moments.sum(axis=0) for moments in folds]
    weights = np.array([moments[:, 0].max() for moments in summed])
    scored = [value_scores(moments) for moments in summed]
    return {name: _mean(np.array([_mean(scores[name]) for scores in scored]), weights) for name in scored[0]}


def _mean(values: Array, weights: Array | None = None) -> float:
    known = np.isfinite(values)
    return (
        float(np.average(values[known], weights=None if weights is None else weights[known]))
        if known.any()
        else float("nan")
    )
