"""Common spatial patterns: filters over the channels, learned from trials, whose power tells classes apart.

Ramoser, Müller-Gerking & Pfurtscheller 2000, IEEE Trans. Rehabil. Eng. 8(4):441-446. The pipeline gives the band-passed
channels at the stream's own rate; filters and the log of the power over a trailing window follow here, row by row, and
rest on nothing that comes later.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import count
from typing import NamedTuple

import mne  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

from motorctl.errors import ConfigurationError
from motorctl.signals.pipeline import Features, PipelineConfig
from motorctl.signals.stream import StreamInfo
from motorctl.training.scaling import LIMIT
from motorctl.training.sequence import Sequence
from motorctl.training.trials import rows

Array = NDArray[np.float64]

BAND = (7.0, 30.0)
"""Pass band (Hz): mu and beta, as in MNE-Python's example on recordings like these; Ramoser et al. took 8-30 Hz."""
COMPONENTS = 4
"""How many filters, those that tell the most; usual are 4 to 6."""
CHANNELS = tuple(row + column for row in ("FC", "C", "CP") for column in "531z246")
"""The sensorimotor areas of both hemispheres; those of them that a recording has."""


def band_pipeline(info: StreamInfo) -> PipelineConfig:
    """The pipeline that gives the band-passed channels, row for sample.

    Raises:
        ConfigurationError: the stream has fewer than two of the channels.
    """
    channels = tuple(label for label in CHANNELS if label in info.labels)
    if len(channels) < 2:
        raise ConfigurationError(
            f"'{info.name}' has {len(channels)} of the channels that common spatial patterns are learned from.",
            f"Record two or more of {', '.join(CHANNELS)}, or choose --front-end rhythms.",
        )
    return PipelineConfig(info.rate, channels, amplitude_band=BAND, power_bands=())


@dataclass(frozen=True, eq=False)
class SpatialPatterns:
    """Fitted filters.

    Args:
        filters: ``(channel, component)``.
        sampling: rows per second that come in (Hz).
        rate: rows per second that go out (Hz).
        window: length of the trailing window of power (s).
        mean, std: ``(component,)`` of the log power of the rows it was fitted on.
    """

    filters: Array
    sampling: float
    rate: float
    window: float
    mean: Array
    std: Array

    def apply(self, sequence: Sequence) -> Sequence:
        """Band-passed channels ``(time, channel)`` to standardised log power ``(row, component)``."""
        power = np.square(sequence.features.values @ self.filters)
        width = max(1, round(self.window * self.sampling))
        ends = np.flatnonzero(np.diff(np.floor(np.arange(len(power) + 1) * self.rate / self.sampling)))
        begins = np.maximum(ends + 1 - width, 0)
        total = np.vstack([np.zeros(power.shape[1]), np.cumsum(power, axis=0)])
        mean = (total[ends + 1] - total[begins]) / (ends + 1 - begins)[:, None]
        lost = np.concatenate([[0], np.cumsum(~sequence.features.mask.all(axis=1))])
        valid = (ends + 1 >= width) & (lost[ends + 1] == lost[begins])
        values = ((np.log(np.maximum(mean, 1e-12)) - self.mean) / self.std).clip(-LIMIT, LIMIT)
        mask = np.repeat(valid[:, None], values.shape[1], axis=1)
        features = Features(values.astype(np.float32), sequence.features.times[ends], mask)
        return Sequence(features, sequence.targets[ends], sequence.trial[ends])

    def initial_state(self) -> PatternState:
        """Before the first row."""
        width = max(1, round(self.window * self.sampling))
        return PatternState(np.zeros((width, self.filters.shape[1])), 0)

    def step(
        self, channels: NDArray[np.floating], state: PatternState
    ) -> tuple[NDArray[np.float32] | None, PatternState]:
        """One row ``(channel,)`` as :meth:`apply` takes many: standardised log power ``(component,)``, None where this
        row completes none or the window is not yet full; and the state to go on with."""
        power = np.square(np.asarray(channels, float) @ self.filters)
        last, seen = state.power.copy(), state.seen
        last[seen % len(last)] = power
        state = PatternState(last, seen + 1)
        if not self._completes(seen) or state.seen < len(last):
            return None, state
        values = (np.log(np.maximum(last.mean(axis=0), 1e-12)) - self.mean) / self.std
        return values.clip(-LIMIT, LIMIT).astype(np.float32), state

    def next_in(self, state: PatternState) -> float:
        """From the newest row that has come in to the one that completes the next that goes out (s)."""
        return next(n for n in count(1) if self._completes(state.seen + n - 1)) / self.sampling

    def _completes(self, seen: int) -> bool:
        """Whether the row after so many completes one that goes out."""
        return math.floor((seen + 1) * self.rate / self.sampling) > math.floor(seen * self.rate / self.sampling)


class PatternState(NamedTuple):
    """The last rows' power ``(row, component)``, in a ring, and how many rows there were."""

    power: Array
    seen: int


def fit_patterns(sequences: list[Sequence], sampling: float, rate: float, window: float) -> SpatialPatterns:
    """Filters of the trials in ``sequences``, of equal lengths or cut to the shortest.

    Raises:
        ConfigurationError: scikit-learn is not installed, which MNE-Python needs for it.
    """
    try:
        from mne.decoding import CSP  # type: ignore[import-untyped]
    except ImportError as error:
        raise ConfigurationError(
            "Common spatial patterns need scikit-learn.", "Install it with pip install 'motorctl[sklearn]'."
        ) from error
    pieces = [s[rows(s, number)] for s in sequences for number in np.unique(s.trial[s.trial >= 0])]
    valid = [piece for piece in pieces if piece.features.mask.all()]
    if not valid:
        raise ConfigurationError("No trial is without missing samples.", "Choose --front-end rhythms.")
    length = min(map(len, valid))
    epochs = np.stack([piece.features.values[:length].T.astype(float) for piece in valid])
    labels = np.array([piece.targets[0].argmax() for piece in valid])
    components = min(COMPONENTS, epochs.shape[1])
    with mne.use_log_level("ERROR"):
        filters = CSP(components, norm_trace=False).fit(epochs, labels).filters_[:components].T
    raw = SpatialPatterns(filters, sampling, rate, window, np.zeros(components), np.ones(components))
    powers = [raw.apply(s).features for s in sequences]
    seen = np.concatenate([p.values[p.mask.all(axis=1)] for p in powers]).astype(float)
    return replace(raw, mean=seen.mean(axis=0), std=np.maximum(seen.std(axis=0), 1e-6))
