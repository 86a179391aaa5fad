"""Probabilities that mean what they say: how far they are off, and the temperature that puts them right."""

from __future__ import annotations

import math

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor

BINS = 10


def class_probabilities(logits: Tensor, weight: Tensor, temperature: float = 1.0) -> Tensor:
    """``(sequence, class)``: the probabilities of every row, averaged over the rows that count.

    Args:
        logits: ``(sequence, time, class)``.
        weight: ``(sequence, time, 1)``, 0 where a row does not count.
        temperature: that divides the logits.
    """
    mean: Tensor = ((logits / temperature).softmax(dim=-1) * weight).sum(dim=1) / weight.sum(dim=1)
    return mean


def fit_temperature(logits: Tensor, weight: Tensor, labels: Tensor, hottest: float = 100.0) -> float:
    """The temperature under which the averaged probabilities of held-back sequences fit their ``labels (sequence,)``.

    Temperature scaling (Guo et al. 2017, ICML, section 4.2): one number divides all logits, the one of the least
    negative log likelihood, sought between 1 / ``hottest`` and ``hottest``. The likelihood is that of the sequence, not
    of its rows: rows of a sequence err together, and their average is what is told.

    The probability aimed at is not 1 but ``(n + 1) / (n + 2)`` for ``n`` sequences, Laplace's rule of succession, with
    the rest shared by the other classes (Platt 1999, Advances in Large Margin Classifiers): where a few sequences were
    all recognised, nothing says that the next one will be for certain, and the temperature would run to its limit.
    """
    logits, weight = logits.double(), weight.double()
    doubt = 1 / (len(labels) + 2)
    wanted = torch.full_like(logits[:, 0], doubt / (logits.shape[2] - 1)).scatter(1, labels[:, None], 1 - doubt)

    def cost(log_temperature: float) -> float:
        said = class_probabilities(logits, weight, math.exp(log_temperature))
        return float(-(wanted * said.clamp(min=1e-12).log()).sum(dim=1).mean())

    limit = math.log(hottest)
    return math.exp(minimize_scalar(cost, bounds=(-limit, limit), method="bounded").x)


def calibration_error(probabilities: Tensor, labels: Tensor) -> float:
    """Expected calibration error, 0 to 1: the mean distance between how sure and how often right, over sequences.

    Ten bins of equal width by the probability of the preferred class (Naeini, Cooper & Hauskrecht 2015, AAAI; Guo et
    al. 2017, eq. 3). The fewer the sequences the higher it is by chance alone.

    Args:
        probabilities: ``(sequence, class)``.
        labels: ``(sequence,)``.
    """
    confidence, predicted = probabilities.max(dim=1)
    off = confidence.double() - (predicted == labels).double()
    bins = (confidence * BINS).long().clamp(max=BINS - 1)
    total = torch.zeros(BINS, dtype=torch.float64).index_add(0, bins, off)
    return float(total.abs().sum() / len(labels))
