"""Information that reaches convey: Fitts' law, throughput, achieved bit rate."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

EFFECTIVE = 4.133
"""Width in standard deviations of the endpoints that 96 % of them fall into (ISO 9241-411:2012, annex B)."""


def index_of_difficulty(distance: Array, width: Array | float) -> Array:
    """Bits, ``log2(distance / width + 1)``: Shannon's form (MacKenzie 1992, Hum.-Comput. Interact. 7:91-139)."""
    return np.log2(np.asarray(distance, float) / width + 1)


def effective_throughput(distance: Array, error: Array, seconds: Array) -> float:
    """Throughput (bit/s) by effective width (ISO 9241-411:2012; Soukoreff & MacKenzie 2004, Int. J. Hum.-Comput. Stud.
    61:751-789, eq. 9): the mean over movements of difficulty by time, where the width of the target is that which
    96 % of the endpoints fall into, and the distance that which was gone.

    Movements that did not arrive count with where they ended and how long they took, so that neither speed nor accuracy
    is to be had at the cost of the other.

    Args:
        distance: ``(movement,)`` from start to target (m).
        error: ``(movement,)`` of the endpoint along the line from start to target, positive beyond it (m).
        seconds: ``(movement,)`` without the time of staying (s).

    Returns:
        NaN for fewer than two movements, or endpoints that do not vary.
    """
    if len(distance) < 2 or not np.std(error) > 0:
        return math.nan
    width = EFFECTIVE * float(np.std(error, ddof=1))
    gone = np.maximum(distance + error, 0.0)
    return float(np.mean(index_of_difficulty(gone, width) / seconds))


class FittsLine(NamedTuple):
    """``time = intercept + slope * difficulty``, by least squares.

    Args:
        intercept: s.
        slope: s/bit.
        r2: share of the variance of times that it explains.
    """

    intercept: float
    slope: float
    r2: float


def fitts_line(difficulty: Array, seconds: Array) -> FittsLine:
    """Fitts' law (1954, J. Exp. Psychol. 47:381-391) fitted to movements that arrived, ``(movement,)`` each.

    NaN for fewer than three movements, or of one difficulty.
    """
    if len(seconds) < 3 or not np.ptp(difficulty) > 0:
        return FittsLine(math.nan, math.nan, math.nan)
    x, y = difficulty - difficulty.mean(), seconds - seconds.mean()
    slope = float(x @ y / (x @ x))
    left, whole = float(np.square(y - slope * x).sum()), float(y @ y)
    return FittsLine(
        float(seconds.mean() - slope * difficulty.mean()), slope, 1 - left / whole if whole > 0 else math.nan
    )


def achieved_bit_rate(targets: float, right: float, wrong: float, seconds: float) -> float:
    """Bits per second net of errors, ``log2(targets - 1) max(right - wrong, 0) / seconds`` (Nuyujukian et al. 2015,
    IEEE Trans. Biomed. Eng. 62(1):21-29): every wrong choice has to be undone by a right one.

    Args:
        targets: that there are to choose from, above 2.
        right, wrong: choices; a target that is not reached is a wrong one.
        seconds: that they took together.
    """
    return math.log2(targets - 1) * max(right - wrong, 0.0) / seconds
