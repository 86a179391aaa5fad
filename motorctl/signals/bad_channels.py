"""Bad channels of a recording: missing, flat, or far noisier than the others."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.signal import butter, sosfilt
from scipy.stats import iqr

from motorctl.signals.missing import fill_missing, first_state
from motorctl.signals.stream import Chunk

MISSING_SHARE = 0.05
"""A channel is bad if more than this share of its samples is missing."""
FLAT = 0.1
"""A channel is flat if its robust standard deviation is below this (µV): less than an amplifier's own noise."""
NOISY = 5.0
"""A channel is noisy if its amplitude is more robust standard deviations above the median channel's (PREP:
Bigdely-Shamlo et al. 2015, Front. Neuroinform. 9:16), if it is ``LOUD`` too."""
LOUD = 3.0
"""Times the median amplitude: where channels hardly differ, those with the strongest rhythms stand out too."""
ROBUST = 0.7413
"""Standard deviation of a normal distribution over its interquartile range."""


def find_bad_channels(recordings: Iterable[Chunk], rate: float) -> list[str]:
    """What is wrong with each channel: ``missing``, ``flat``, ``noisy``, or nothing (an empty string).

    Args:
        recordings: one or more, of the same channels, sampled at ``rate`` (Hz).
    """
    high_pass = butter(2, 1.0, "highpass", fs=rate, output="sos")  # PREP looks at what is above 1 Hz
    quick, measured = [], []
    for chunk in recordings:
        samples, there = chunk.samples.astype(float), chunk.mask & np.isfinite(chunk.samples)
        alone = np.zeros(samples.shape[1])
        signals, _, _ = fill_missing(samples, there, first_state(samples, there, alone, 1), alone, 1)
        quick.append(sosfilt(high_pass, signals, axis=0))
        measured.append(there)
    signals, there = np.concatenate(quick), np.concatenate(measured)
    absent = (~there).mean(axis=0) > MISSING_SHARE
    amplitude = ROBUST * iqr(signals, axis=0)
    flat = ~absent & (amplitude < FLAT)
    usual = amplitude[~absent & ~flat]
    spread = ROBUST * iqr(usual) if len(usual) else 0.0
    middle = np.median(usual) if len(usual) else 0.0
    noisy = ~absent & (spread > 0) & (amplitude > np.maximum(middle + NOISY * spread, LOUD * middle))
    reasons = zip(absent, flat, noisy, strict=True)
    return ["missing" if a else "flat" if f else "noisy" if n else "" for a, f, n in reasons]
