"""Times of events that did not always come: a target not reached is no missing value, and no long time either."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Survival(NamedTuple):
    """The share of targets that are not reached yet, a curve of steps.

    Args:
        times: ``(step,)`` when a target was reached, ascending (s).
        share: ``(step,)`` of the targets that are not reached after that time, 0 to 1.
        end: how long the longest was tried (s).
    """

    times: Array
    share: Array
    end: float

    @property
    def median(self) -> float:
        """When half of the targets are reached (s); NaN if fewer are."""
        half = np.flatnonzero(self.share <= 0.5 + 1e-12)
        return float(self.times[half[0]]) if len(half) else float("nan")

    @property
    def mean(self) -> float:
        """Mean time (s) until a target is reached or time is up: the area below the curve (Royston & Parmar 2013, BMC
        Med. Res. Methodol. 13:152)."""
        widths = np.diff(np.concatenate([[0.0], self.times, [self.end]]))
        return float(widths @ np.concatenate([[1.0], self.share]))


def survival(times: Array, reached: NDArray[np.bool_]) -> Survival:
    """Kaplan & Meier's estimate (1958, J. Am. Stat. Assoc. 53:457-481).

    Args:
        times: ``(target,)`` when it was reached, or until when it was tried (s).
        reached: ``(target,)`` which of both.
    """
    events, counts = np.unique(times[reached], return_counts=True)
    at_risk = len(times) - np.searchsorted(np.sort(times), events)  # whoever gives up at that time still counts
    share = np.asarray(np.cumprod(1 - counts / at_risk), float)
    return Survival(events, share, float(times.max()) if len(times) else 0.0)
