"""From the time stamps of samples to evenly spaced rows: jitter is straightened, what was lost becomes rows of its own.

A stamp is made when a sample arrives, so it can be late but not early. Late samples are followed by samples that catch
up; lost ones never come, and every later stamp is behind by as much. The lower edge of the lag therefore tells a loss
from a delay, where the interval between two stamps cannot.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LATENESS = 0.1
"""How much later than due a sample may come that is stamped when it arrives, without others being taken for lost (s). A
loss that is shorter cannot be told from jitter, and is spread over the samples around it."""

_EXACT = 0.05  # of a period: stamps that jitter less are counted, not measured, and tell a single loss
_WINDOW = 2.0  # s on either side of a jump, over which the least lag is compared
_LATEST = 1e12  # s: 30,000 years; nanoseconds taken for seconds are more
_OWN_SLOPE = 5.0  # s: a shorter stretch between losses is given the slope of the whole

Array = NDArray[np.float64]


class Layout(NamedTuple):
    """Where samples belong: ``rows (sample,)``, ``times (sample,)`` s, straightened, and seconds by which a clock that
    jumped back did so, each with the sample after it."""

    rows: NDArray[np.intp]
    times: Array
    backward: list[tuple[int, float]]

    def row_times(self) -> Array:
        """Time of every row, of those in gaps too: ``(row,)`` s."""
        return np.interp(np.arange(self.rows[-1] + 1), self.rows, self.times)


def plausible(stamps: Array) -> bool:
    """Whether all stamps are numbers that a clock could show (s)."""
    return bool((np.abs(stamps) < _LATEST).all())  # not so for NaN


def lay_out(stamps: Array, rate: float) -> Layout:
    """Evenly spaced rows for samples with the given stamps ``(sample,)``.

    Each stretch without a loss gets the straight line of least squares through its stamps, as pyxdf does.

    Args:
        stamps: s, :func:`plausible`, jittered, drifting.
        rate: nominal (Hz).
    """
    if len(stamps) < 2:
        return Layout(np.arange(len(stamps)), stamps.copy(), [])
    period = median_period(stamps, rate)
    tolerance = _tolerance(stamps, period)
    begins = [0, *_jumps(stamps, period, tolerance)]
    ends = [*begins[1:], len(stamps)]
    rows = np.empty(len(stamps), np.intp)
    times = np.empty(len(stamps))
    backward = []
    shift, row = 0.0, 0
    for begin, end in zip(begins, ends, strict=True):
        whole = len(begins) == 1 or (end - begin) * period >= _OWN_SLOPE
        line = _straight(stamps[begin:end], period, whole) + shift
        if begin:
            away = float(line[0] - times[begin - 1])
            if away <= 0:
                if away < -tolerance:
                    backward.append((begin, -away))
                shift += period - away
                line = line + (period - away)
            row = int(rows[begin - 1]) + max(1, round(float(line[0] - times[begin - 1]) / period))
        times[begin:end] = line
        rows[begin:end] = row + np.arange(end - begin)
    return Layout(rows, times, backward)


def median_period(stamps: Array, rate: float) -> float:
    """Seconds from sample to sample, whatever was lost in between: the median over stretches of a second, or less in a
    short recording; that of the nominal rate (Hz) if the stamps have nothing to do with it."""
    stretch = max(1, min(round(rate), len(stamps) // 20))
    period = float(np.median(stamps[stretch:] - stamps[:-stretch])) / stretch
    return period if 0.1 < period * rate < 10 else 1 / rate


def _tolerance(stamps: Array, period: float) -> float:
    """How late a sample may be (s): hardly at all where all intervals but a few, that may be losses, are the same."""
    off = np.sort(np.abs(np.diff(stamps) - period))
    jitter = off[max(0, len(off) - 5 - len(off) // 200)]
    return 0.5 * period if jitter < _EXACT * period else max(LATENESS, 0.5 * period)


def _jumps(stamps: Array, period: float, tolerance: float) -> list[int]:
    """Samples before which others were lost, or the clock was set back."""
    lag = stamps - np.arange(len(stamps)) * period
    change = np.diff(lag)
    reach = max(1, round(_WINDOW / period))
    jumps: list[int] = []
    for late in (np.flatnonzero(np.abs(change) > tolerance) + 1).tolist():
        before = lag[max(jumps[-1] if jumps else 0, late - reach) : late]
        lasting = (lag[late : late + reach].min() - before.min()) * np.sign(change[late - 1])
        if lasting > tolerance:
            jumps.append(late)
    return jumps


def _straight(stamps: Array, period: float, own_slope: bool) -> Array:
    count = np.arange(len(stamps))
    if own_slope and len(stamps) > 1:
        middle = (len(stamps) - 1) / 2
        slope = float((count - middle) @ (stamps - stamps.mean()) / ((count - middle) ** 2).sum())
        return np.asarray(stamps.mean() + (count - middle) * slope)
    return np.asarray(np.median(stamps - count * period) + count * period)
