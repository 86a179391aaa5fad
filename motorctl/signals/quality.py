"""Is the signal good enough to calibrate on? Each channel of a stream, judged over some seconds of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import welch

from motorctl.signals.bad_channels import find_bad_channels
from motorctl.signals.stream import Chunk, Source, StreamInfo

TOO_LOUD = 100.0
"""Standard deviation (µV) above which a channel is noisy whatever the others are: EEG at rest has 10 to 20."""
MAINS = (50.0, 60.0)
"""Frequencies of the mains (Hz)."""
EEG_BAND = 1.0, 40.0
"""Where EEG is, of which hum must not be louder (Hz)."""
_AROUND = 1.0  # Hz to either side of the mains that count as hum
_SEGMENT = 2.0  # s of a spectrum: half a Hz apart

CURES = {
    "missing": "Samples do not arrive: see to the connection, the distance and the battery.",
    "flat": "Nothing is measured there: is the electrode plugged in, and does it touch the skin?",
    "noisy": "Press the electrode on, part the hair, add gel or water.",
    "hum": "Keep mains adapters and their cables away, run on battery, see to the ground and the reference electrode.",
}
"""Problem of a channel to what mends it."""
ALL_CURE = "It is in most channels, so see to the ground and the reference electrode first."


class ChannelQuality(NamedTuple):
    """What is found of a channel.

    Args:
        label: its name.
        amplitude: standard deviation between 1 and 40 Hz (µV).
        hum: standard deviation of the mains in it (µV); NaN where it is sampled too slowly to tell.
        mains: frequency of that (Hz).
        missing: share of its samples that did not come.
        problem: one of :data:`CURES`, or empty.
    """

    label: str
    amplitude: float
    hum: float
    mains: float
    missing: float
    problem: str


class Quality(NamedTuple):
    """What is found of a stream.

    Args:
        channels: of the EEG, in order.
        rate: that it says of itself (Hz).
        measured_rate: samples in a second, by their stamps (Hz). What is far off is an error of the source's.
    """

    channels: tuple[ChannelQuality, ...]
    rate: float
    measured_rate: float

    @property
    def good(self) -> bool:
        """Nothing is wrong."""
        return not self.problems()

    @property
    def bad(self) -> tuple[str, ...]:
        """Labels of the channels that something is wrong with."""
        return tuple(channel.label for channel in self.channels if channel.problem)

    def problems(self) -> list[str]:
        """What is wrong, a line each: which channels, and what mends it."""
        said = []
        for problem, cure in CURES.items():
            found = [channel for channel in self.channels if channel.problem == problem]
            if found:
                most = ALL_CURE if problem in ("noisy", "hum") and 2 * len(found) > len(self.channels) else cure
                said.append(f"{in_words(problem, found)}: {', '.join(c.label for c in found)}. {most}")
        return said


def in_words(problem: str, channels: Sequence[ChannelQuality]) -> str:
    """The problem of some channels, with its figure."""
    if problem == "missing":
        return f"missing (up to {max(c.missing for c in channels):.0%})"
    if problem == "hum":
        return f"hum of {channels[0].mains:g} Hz (up to {max(c.hum for c in channels):.0f} µV)"
    edge, name = (min, "least") if problem == "flat" else (max, "most")
    return f"{problem} ({name} {edge(c.amplitude for c in channels):.1f} µV)"


def listen(source: Source, seconds: float) -> Chunk:
    """What an opened source gives in that time.

    Raises:
        StreamError: the stream is gone for good, or runs at quite another rate than it says.
    """
    parts, end = [source.read(0.0)], time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        parts.append(source.read(left))
    return Chunk(
        np.concatenate([part.samples for part in parts]),
        np.concatenate([part.times for part in parts]),
        np.concatenate([part.mask for part in parts]),
    )


def judge(info: StreamInfo, heard: Chunk) -> Quality:
    """The EEG channels of what was heard of a stream.

    A channel is missing, flat or noisy by the criteria that training has (:mod:`motorctl.signals.bad_channels`), noisy
    also if it is :data:`TOO_LOUD`; it hums if the mains in it are louder than all between 1 and 40 Hz.
    """
    columns = [i for i, channel in enumerate(info.channels) if channel.kind == "EEG"]
    eeg = heard.select(columns)
    labels = [info.labels[i] for i in columns]
    if not len(eeg):
        nothing = (float("nan"),) * 3
        return Quality(tuple(ChannelQuality(label, *nothing, 1.0, "missing") for label in labels), info.rate, 0.0)
    amplitude, hum, mains = spectra(eeg, info.rate)
    missing = 1 - eeg.mask.mean(axis=0)
    bad = find_bad_channels([eeg], info.rate)
    channels = tuple(
        ChannelQuality(
            label,
            float(amplitude[i]),
            float(hum[i]),
            float(mains[i]),
            float(missing[i]),
            problem_of(amplitude[i], hum[i], bad[i]),
        )
        for i, label in enumerate(labels)
    )
    lasted = float(heard.times[-1] - heard.times[0])
    return Quality(channels, info.rate, (len(heard) - 1) / lasted if lasted > 0 else 0.0)


def problem_of(amplitude: float, hum: float, bad: str) -> str:
    """What is wrong with a channel of that amplitude and hum (µV), which training finds ``bad`` or not."""
    return bad or ("noisy" if amplitude > TOO_LOUD else "hum" if hum > amplitude else "")


def spectra(eeg: Chunk, rate: float) -> tuple[NDArray[np.float64], ...]:
    """Of each channel ``(channel,)`` the standard deviation between 1 and 40 Hz, that of the hum (µV), and its
    frequency (Hz). Missing samples are held at the channel's median."""
    there = eeg.mask & np.isfinite(eeg.samples)
    known = np.where(there, eeg.samples.astype(float), np.nan)
    known[:, ~there.any(axis=0)] = 0.0
    filled = np.where(np.isnan(known), np.nanmedian(known, axis=0), known)
    segment = min(len(filled), round(_SEGMENT * rate))
    frequencies, density = welch(filled, rate, nperseg=segment, axis=0, detrend="linear")
    step = frequencies[1] - frequencies[0] if len(frequencies) > 1 else 0.0

    def within(low: float, high: float) -> NDArray[np.float64]:
        power: NDArray[np.float64] = density[(frequencies >= low) & (frequencies <= high)].sum(axis=0) * step
        return power

    def hum_at(mains: float) -> NDArray[np.float64]:
        """What is there that is not there at the frequencies around."""
        if mains + 3 * _AROUND >= rate / 2:
            return np.full(filled.shape[1], np.nan)
        below, above = within(mains - 3 * _AROUND, mains - _AROUND), within(mains + _AROUND, mains + 3 * _AROUND)
        return within(mains - _AROUND, mains + _AROUND) - (below + above) / 2

    power = np.maximum(np.stack([hum_at(mains) for mains in MAINS]), 0.0)  # (mains, channel); NaN stays NaN
    louder = np.where(np.isnan(power), -1.0, power).argmax(axis=0)
    hum = np.sqrt(power[louder, np.arange(power.shape[1])])
    return np.sqrt(within(*EEG_BAND)), hum, np.array(MAINS)[louder]
