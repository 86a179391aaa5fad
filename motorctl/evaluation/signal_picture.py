"""What distinguishes classes in the signals themselves: spectra, and where on the head rhythms differ."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import welch

from motorctl.evaluation.decoding_data import ClassData

Array = NDArray[np.float64]

BANDS = {"mu, 8 to 13 Hz": (8.0, 13.0), "beta, 13 to 30 Hz": (13.0, 30.0)}
SHOWN = ("C3", "Cz", "C4")
"""Whose spectra are shown: over the hand areas and between; the first channels where these are not there."""
HIGHEST = 40.0
"""Of the spectra (Hz)."""


def signal_picture(data: ClassData) -> dict[str, Any]:
    """As JSON types, ``frequencies`` (Hz); ``spectra``, for each of `SHOWN` and each class the mean power spectral
    density (dB re 1 µV²/Hz; Welch 1967, IEEE Trans. Audio Electroacoust. 15:70-73); ``channels``; and ``r2``, for each
    of `BANDS` and each channel what share of the variance of log power over trials the class explains (eta squared;
    of two classes it is the r² of Sheikh et al. 2003, Neurosci. Lett. 350:5-8).
    """
    rate, length = data.info.rate, data.epochs.shape[-1]
    frequencies, power = welch(data.epochs, rate, nperseg=min(length, round(rate)))
    power = np.maximum(np.asarray(power, float), np.finfo(float).tiny)
    labels = [channel.label for channel in data.info.channels]
    shown = [name for name in SHOWN if name in labels] or labels[:3]
    kept = (frequencies > 0) & (frequencies <= HIGHEST)
    spectra = {
        name: {
            title: (10 * np.log10(power[data.labels == k, labels.index(name)].mean(axis=0)))[kept].tolist()
            for k, title in enumerate(data.names)
            if (data.labels == k).any()
        }
        for name in shown
    }
    r2 = {}
    for band, (low, high) in BANDS.items():
        inside = (frequencies >= low) & (frequencies <= high)
        if inside.any():
            r2[band] = explained(np.log(power[..., inside].mean(axis=-1)), data.labels).tolist()
    return {"frequencies": frequencies[kept].tolist(), "spectra": spectra, "channels": labels, "r2": r2}


def explained(values: Array, labels: NDArray[np.int64]) -> Array:
    """``(channel,)``: which share of the variance of ``values (trial, channel)`` lies between classes; 0 of none."""
    whole = np.square(values - values.mean(axis=0)).sum(axis=0)
    between = np.zeros(values.shape[1])
    for label in np.unique(labels):
        own = values[labels == label]
        between += len(own) * np.square(own.mean(axis=0) - values.mean(axis=0))
    share: Array = np.divide(between, whole, out=np.zeros_like(whole), where=whole > 0)
    return share
