"""What a fitted decoder costs: numbers, memory, arithmetic and time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from motorctl.agents import KalmanController, RecurrentController, WienerController
from motorctl.signals.pipeline import Pipeline

REPEATS = 15
GATES = {"rnn": 1, "gru": 3, "lstm": 4}
SECTIONS = 4
"""Second-order sections of a band-pass of order 4."""


def latency_ms(decide: Callable[[], Any]) -> float:
    """Median time of one decision (ms), after one that warms up."""
    decide()
    taken = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        decide()
        taken.append(time.perf_counter() - started)
    return 1e3 * statistics.median(taken)


def size(fitted: Any) -> tuple[int, int]:
    """How many fitted numbers a decoder holds, and how many bytes they take; whatever it keeps of the training data
    counts, as for nearest neighbours."""
    arrays = list(_arrays(fitted, set()))
    return sum(a.size for a in arrays), sum(a.nbytes for a in arrays)


def _arrays(part: Any, seen: set[int]) -> Iterator[NDArray[np.floating]]:
    """Every array of floating-point numbers within, once; ``seen`` are the ids of what was looked into."""
    if id(part) in seen or isinstance(part, type):
        return
    seen.add(id(part))
    if isinstance(part, np.ndarray):
        if np.issubdtype(part.dtype, np.floating):
            yield part
    elif isinstance(part, nn.Module):
        yield from (tensor.detach().numpy() for tensor in part.state_dict().values())
    elif isinstance(part, Pipeline):  # what was learned, not the filters that follow from its configuration
        yield from part.arrays().values()
    elif isinstance(part, Mapping):
        for item in part.values():
            yield from _arrays(item, seen)
    elif isinstance(part, list | tuple):
        for item in part:
            yield from _arrays(item, seen)
    elif hasattr(part, "__dict__"):
        yield from _arrays(vars(part), seen)


def step_flops(controller: Any) -> int | None:
    """Floating-point operations of one row, multiplications and additions counted apart; None where they are not known.

    Matrix products alone are counted: what is left is of the order of the number of units.
    """
    if isinstance(controller, WienerController):
        return int(2 * controller.weights.numel())
    if isinstance(controller, KalmanController):
        return int(2 * (controller.gain.numel() + controller.transition.numel()))
    if isinstance(controller, RecurrentController):
        widths, inputs, total = controller.config.widths, controller.features, 0
        for width in widths:
            total += 2 * GATES[controller.config.cell] * width * (inputs + width)
            inputs = width
        return total + 2 * inputs * controller.commands
    return None


def decision_flops(estimator: Any, channels: int, samples: int) -> int | None:
    """Floating-point operations of one decision from an epoch of so many channels and samples; None where a step is of
    a kind that is not known.

    Leading terms: a second-order section takes 9 a sample and way; a covariance ``2 c² t``; an eigendecomposition
    ``9 c³`` with vectors and ``4/3 c³`` without (Golub & Van Loan 2013, Matrix Computations, section 8.3), a product of
    matrices ``2 c³``.
    """
    kind = type(estimator).__name__
    if kind == "RecurrentClasses":
        rows = samples / estimator.rate * estimator.unfitted_.config.rate
        return int(rows * (step_flops(estimator.network_) or 0))
    total, c = 0.0, channels
    for _, step in getattr(estimator, "steps", [("", estimator)]):
        kind = type(step).__name__
        band = 2 * 9 * SECTIONS * c * samples
        if kind == "Pick":
            c = len(step.columns)
        elif kind == "BandPass":
            total += band
        elif kind == "LogPower":
            total += len(step.bands) * (band + 3 * c * samples)
        elif kind == "Patterns":
            count = step.patterns_[0].filters_.shape[0]
            total += len(step.bands) * (band + 2 * c**2 * samples + 2 * count * c * (c + 1))
        elif kind == "Covariances":
            total += 2 * c**2 * samples
        elif kind == "TangentSpace":
            total += (3 * 2 + 9) * c**3  # whitened from both sides, its logarithm put together again
        elif kind == "MDM":
            total += len(step.classes_) * (2 * 2 + 4 / 3) * c**3
        elif kind == "KNeighborsClassifier":
            total += 3 * step.n_samples_fit_ * step.n_features_in_
        elif kind in ("LinearDiscriminantAnalysis", "LogisticRegression"):
            total += 2 * step.coef_.size
        elif kind not in ("StandardScaler", "SelectKBest"):
            return None
    return round(total)
