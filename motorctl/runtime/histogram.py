"""Counts of how often a value was how large: constant memory, however long a run."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

FINEST, COARSEST = 1e-6, 1e4
"""Sizes between which values are told apart; smaller ones count as 0, larger ones as the largest."""
PER_OCTAVE = 64
"""Bins from a value to twice that value."""
RESOLUTION = 2 ** (0.5 / PER_OCTAVE) - 1
"""A percentile is off by at most this share of itself: 0.5 %. Minimum and maximum are exact."""
_SIZE = math.ceil(math.log2(COARSEST / FINEST) * PER_OCTAVE)


class Histogram:
    """Of numbers of either sign, in bins whose width grows with the number, as HdrHistogram's (Tene 2013) do.

    Not finite ones do not count.
    """

    def __init__(self) -> None:
        self._counts = np.zeros(2 * _SIZE + 1, np.int64)
        self.count = 0
        self._least, self._most = math.inf, -math.inf

    def add(self, value: float) -> None:
        """Count one."""
        if not math.isfinite(value):
            return
        self.count += 1
        self._least, self._most = min(self._least, value), max(self._most, value)
        size = abs(value)
        bin_ = 0 if size <= FINEST else min(_SIZE, math.ceil(math.log2(size / FINEST) * PER_OCTAVE))
        self._counts[_SIZE + (bin_ if value > 0 else -bin_)] += 1

    def percentile(self, percent: float) -> float | None:
        """The smallest value that at least so many percent (0 to 100) do not exceed; None if there is no value."""
        if not self.count:
            return None
        if percent <= 0:
            return self._least
        rank = math.ceil(percent / 100 * self.count)
        bin_ = int(np.searchsorted(np.cumsum(self._counts), rank)) - _SIZE
        middle = math.copysign(FINEST * 2 ** ((abs(bin_) - 0.5) / PER_OCTAVE), bin_) if bin_ else 0.0
        return self._most if rank == self.count else min(max(middle, self._least), self._most)

    def percentiles(self, named: Mapping[str, float], unit: float = 1.0) -> dict[str, float | None]:
        """Percentiles by name, as numbers of a ``unit``."""
        found = {name: self.percentile(percent) for name, percent in named.items()}
        return {name: None if value is None else value / unit for name, value in found.items()}
