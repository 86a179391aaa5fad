"""Feature rows: what a pipeline gives and a controller takes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Features(NamedTuple):
    """Feature rows: ``values (time, feature)`` float32, ``times (time,)`` s, ``mask (time, feature)`` True if valid."""

    values: NDArray[np.float32]
    times: NDArray[np.float64]
    mask: NDArray[np.bool_]

    def select(self, rows: slice) -> Features:
        """The given rows."""
        return Features(self.values[rows], self.times[rows], self.mask[rows])


def join_features(parts: list[Features], width: int) -> Features:
    """Feature rows one after the other; no row, of ``width`` features, where there are no parts."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return Features(np.empty((0, width), np.float32), np.empty(0), np.empty((0, width), bool))
    return Features(
        np.concatenate([p.values for p in parts]),
        np.concatenate([p.times for p in parts]),
        np.concatenate([p.mask for p in parts]),
    )
