"""What the EEG looks like: traces, quality of the channels, band power."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt, welch

from motorctl.runtime.cockpit.history import History
from motorctl.signals.quality import ChannelQuality, judge
from motorctl.signals.stream import Chunk, StreamInfo

Array = NDArray[np.floating]

BANDS = {"theta": (4.0, 8.0), "mu": (8.0, 13.0), "beta": (13.0, 30.0)}
"""Names of bands to their edges (Hz)."""
JUDGED = 5.0
"""Over how long a channel is judged (s)."""
LATE = 0.5
"""Age of the newest sample (s) from which on what has not come is missing."""
SEGMENT = 1.0
"""Length of the pieces that band power is made of (s): 1 Hz apart."""
MEASURED = 2.0
"""Over how long band power is measured (s)."""
USUAL = 30.0
"""Over how long it is compared with itself (s)."""
TRACE = 5.0
"""Length of the traces (s)."""
POINTS = 300
"""Most points of a trace, of which a screen does not show more."""
HIGH_PASS = 1.0
"""Of the traces (Hz)."""
SETTLE = 2.0
"""For the filter to settle, before the traces begin (s)."""
SCALES = (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
"""Distances between two traces (µV) to choose from."""


class Traces(NamedTuple):
    """Curves of the last seconds.

    Args:
        times: ``(time,)`` before the newest sample (s, 0 being now).
        values: ``(time, channel)`` µV, above 1 Hz; NaN where nothing was measured.
        scale: distance between two of them that suits (µV).
    """

    times: Array
    values: Array
    scale: float


class BandPower(NamedTuple):
    """Power in one band.

    Args:
        power: ``(channel,)`` µV².
        change: ``(channel,)`` from the mean of the last half minute (dB).
    """

    power: Array
    change: Array


def eeg_columns(info: StreamInfo) -> list[int]:
    """Which channels of a stream are EEG."""
    return [i for i, channel in enumerate(info.channels) if channel.kind == "EEG"]


def channel_quality(info: StreamInfo, history: History, age: float) -> tuple[ChannelQuality, ...]:
    """What is wrong with each EEG channel of the last seconds, by the rule of :func:`motorctl.signals.quality.judge`.

    Args:
        info: of the stream.
        history: of it.
        age: of its newest sample (s); what should have come since then is missing.
    """
    times, values = history.last(JUDGED)
    due = round(min(max(age - LATE, 0.0), JUDGED) * info.rate)
    absent = np.full((min(due, len(values)), values.shape[1]), np.nan, np.float32)
    newest = np.concatenate([values, absent])[len(absent) :]
    there = np.isfinite(newest)
    chunk = Chunk(np.where(there, newest, 0).astype(np.float32), np.arange(len(newest)) / info.rate, there)
    return judge(info, chunk).channels


def traces(info: StreamInfo, history: History) -> Traces:
    """Curves of the EEG channels."""
    times, values = history.last(TRACE + SETTLE)
    eeg = values[:, eeg_columns(info)].astype(float)
    if len(eeg) < 2:
        return Traces(np.empty(0), np.empty((0, eeg.shape[1])), SCALES[0])
    high_pass = butter(2, HIGH_PASS, "highpass", fs=info.rate, output="sos")
    held = hold(eeg)
    quick = np.where(np.isfinite(eeg), sosfilt(high_pass, held - held[0], axis=0), np.nan)
    shown = times >= times[-1] - TRACE
    thin_times, thin = thinned(times[shown] - times[-1], quick[shown], POINTS)
    return Traces(thin_times, thin, fitting_scale(thin))


def hold(values: Array) -> Array:
    """``(time, channel)`` with each NaN replaced by the last value before it, else by 0."""
    known = np.isfinite(values)
    newest = np.maximum.accumulate(np.where(known, np.arange(len(values))[:, None], 0), axis=0)
    return np.nan_to_num(np.take_along_axis(values, newest, axis=0))


def thinned(times: Array, values: Array, points: int) -> tuple[Array, Array]:
    """At most ``points`` means of as many rows each, of ``times (time,)`` and ``values (time, channel)``; NaN are left
    out of them."""
    width = -(-len(times) // points)
    whole = len(times) // width * width  # the oldest few are left out
    times, values = times[len(times) - whole :], values[len(values) - whole :]
    pieces = values.reshape(-1, width, values.shape[1])
    known = np.isfinite(pieces).sum(axis=1)
    means = np.where(known, np.nansum(pieces, axis=1) / np.maximum(known, 1), np.nan)
    return times.reshape(-1, width).mean(axis=1), means


def fitting_scale(values: Array) -> float:
    """The smallest of :data:`SCALES` (µV) in which most traces do not touch their neighbours."""
    known = np.abs(np.nan_to_num(values))
    reach = float(np.median(np.percentile(known, 98, axis=0))) if known.size else 0.0
    return float(next((scale for scale in SCALES if scale >= 2 * reach), SCALES[-1]))


class BandMeter:
    """Measures band power, again and again, and compares it with what it was."""

    def __init__(self) -> None:
        self._past: deque[tuple[float, Array]] = deque()

    def measure(self, info: StreamInfo, history: History) -> dict[str, BandPower]:
        """Power of the EEG channels in each of :data:`BANDS`; empty while there is too little of it."""
        times, values = history.last(MEASURED)
        if len(times) < SEGMENT * info.rate:
            return {}
        power = band_power(hold(values[:, eeg_columns(info)].astype(float)), info.rate)  # (band, channel)
        while self._past and (self._past[0][0] < times[-1] - USUAL or self._past[0][1].shape != power.shape):
            self._past.popleft()
        self._past.append((float(times[-1]), power))
        usual = np.mean([past for _, past in self._past], axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            change = np.where(usual > 0, 10 * np.log10(power / usual), 0.0)
        return {name: BandPower(p, c) for name, p, c in zip(BANDS, power, change, strict=True)}


def band_power(values: Array, rate: float) -> Array:
    """Power (µV²) of ``values (time, channel)`` in each of :data:`BANDS`, ``(band, channel)``."""
    frequencies, density = welch(values, rate, nperseg=round(SEGMENT * rate), axis=0, detrend="linear")
    step = frequencies[1]
    edges = [(frequencies >= low) & (frequencies < high) for low, high in BANDS.values()]
    return np.stack([density[inside].sum(axis=0) * step for inside in edges])
