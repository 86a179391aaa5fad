"""The last seconds of a stream."""

from __future__ import annotations

import threading
from math import ceil

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.float64]
Values = NDArray[np.float32]

IRREGULAR = 100
"""Samples a second, at most, for which there is room of a stream that has no rate."""


class History:
    """The last ``seconds`` of a stream of ``channels`` channels; written by one thread, read by others.

    Args:
        seconds: how much is kept (s).
        rate: at which samples come (Hz), 0 for an irregular stream.
        channels: how many.
    """

    def __init__(self, seconds: float, rate: float, channels: int) -> None:
        self._size = ceil(seconds * (rate or IRREGULAR))
        # Twice the size, so that what is kept lies in one piece and is moved to the front only now and then.
        self._times = np.empty(2 * self._size)
        self._values = np.empty((2 * self._size, channels), np.float32)
        self._end = 0
        self._lock = threading.Lock()

    def append(self, times: Times, values: Values) -> None:
        """Add ``values (time, channel)``, NaN where nothing was measured, of ``times (time,)`` (s), in order."""
        times, values = times[-self._size :], values[-self._size :]
        with self._lock:
            if self._end + len(times) > len(self._times):
                kept = slice(max(0, self._end - self._size), self._end)
                self._end = kept.stop - kept.start
                self._times[: self._end], self._values[: self._end] = self._times[kept], self._values[kept]
            new = slice(self._end, self._end + len(times))
            self._times[new], self._values[new] = times, values
            self._end = new.stop

    def last(self, seconds: float) -> tuple[Times, Values]:
        """Times ``(time,)`` and values ``(time, channel)`` of the ``seconds`` before the newest sample."""
        with self._lock:
            times = self._times[max(0, self._end - self._size) : self._end]
            first = self._end - len(times)
            first += int(np.searchsorted(times, times[-1] - seconds)) if len(times) else 0
            return self._times[first : self._end].copy(), self._values[first : self._end].copy()

    @property
    def newest(self) -> tuple[float, Values]:
        """Time and values ``(channel,)`` of the newest sample; minus infinity and NaN before the first."""
        with self._lock:
            if not self._end:
                return -float("inf"), np.full(self._values.shape[1], np.nan, np.float32)
            return float(self._times[self._end - 1]), self._values[self._end - 1].copy()
