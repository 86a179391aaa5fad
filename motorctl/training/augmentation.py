"""Augmentation: training EEG changed in ways that leave what was intended as it was, anew in every epoch.

The kinds that a systematic comparison found in the EEG literature (Rommel, Paillard, Moreau & Gramfort 2022, J. Neural
Eng. 19:066020), most of them with the ranges of Mohsenvand, Izadi & Maes 2020 (ML4H, PMLR 136:238-253). Amplitude and
band-stop need the signal, so they change the EEG before the pipeline. The others change scaled features: there a
channel without information is 0, its mean, where a silent electrode would be an outlier in every logarithm of a power,
and noise has the same strength beside a feature whatever its unit.
"""

from __future__ import annotations

from collections.abc import Sequence as Many
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from motorctl.errors import ConfigurationError
from motorctl.signals.pipeline import Pipeline
from motorctl.signals.stream import Chunk
from motorctl.training.sequence import Seen, Sequence, Stretches

BAND_STOP_RANGE = (2.0, 40.0)
"""Frequencies among which the middle of a stopped band is drawn (Hz)."""


@dataclass(frozen=True)
class Augmentation:
    """How training data are changed, anew in every epoch; what is validated or tested on never is. 0: not at all."""

    time_shift: float = 0.0
    """Features against targets by up to this much, earlier or later (s); the papers use some 0.1 to 1 s."""
    channel_dropout: float = 0.0
    """Probability with which each channel says nothing for a lane (0 to below 1), such as 0.2."""
    noise: float = 0.0
    """Standard deviation of white noise on every feature, whose own is 1, such as 0.2."""
    amplitude: float = 0.0
    """The EEG of a recording by a factor of up to 1 more or 1 less this many octaves, such as 1: from half to twice."""
    band_stop: float = 0.0
    """Width of a band taken out of the EEG of a recording, anywhere between 2 and 40 Hz (Hz), such as 2."""

    @property
    def of_eeg(self) -> bool:
        """Whether the EEG itself is changed."""
        return bool(self.amplitude or self.band_stop)

    @property
    def of_features(self) -> bool:
        """Whether features are changed."""
        return bool(self.time_shift or self.channel_dropout or self.noise)


def check_augmentation(config: Augmentation) -> None:
    """Say what cannot be done.

    Raises:
        ConfigurationError: a number in ``config`` is out of its range.
    """
    for name in ("time_shift", "noise", "amplitude", "band_stop"):
        if not 0 <= getattr(config, name) < float("inf"):
            raise ConfigurationError(f"augment.{name} is {getattr(config, name):g}.", "Give 0 or a number above 0.")
    if not 0 <= config.channel_dropout < 1:
        raise ConfigurationError(
            f"augment.channel_dropout is {config.channel_dropout:g}.", "Choose a probability from 0 to below 1."
        )


def augment_eeg(chunk: Chunk, rate: float, config: Augmentation, rng: np.random.Generator) -> Chunk:
    """A recording at ``rate`` (Hz) with another amplitude, and without a band of its spectrum.

    The band is taken out forwards and backwards, so that no phase turns; stretches between missing samples apart.

    Raises:
        ConfigurationError: the band does not fit the rate.
    """
    samples = chunk.samples
    if config.amplitude:
        samples = samples * np.float32(2 ** rng.uniform(-config.amplitude, config.amplitude))
    if config.band_stop:
        high = min(BAND_STOP_RANGE[1], rate / 2 - config.band_stop)
        if high <= BAND_STOP_RANGE[0] + config.band_stop:
            raise ConfigurationError(
                f"A stopped band of {config.band_stop:g} Hz does not fit EEG at {rate:g} Hz.",
                "Choose a smaller --augment.band-stop.",
            )
        middle = rng.uniform(BAND_STOP_RANGE[0] + config.band_stop / 2, high)
        edges = middle - config.band_stop / 2, middle + config.band_stop / 2
        samples = without_band(samples, butter(2, edges, "bandstop", fs=rate, output="sos"))
    return replace(chunk, samples=samples)


def without_band(samples: NDArray[np.float32], sos: NDArray[np.float64]) -> NDArray[np.float32]:
    """``(time, channel)`` filtered forwards and backwards between missing samples, which stay NaN."""
    filtered = samples.copy()
    for column in filtered.T:
        turns = np.flatnonzero(np.diff(np.isfinite(column), prepend=False, append=False)).reshape(-1, 2)
        for begin, end in turns:
            if end - begin > 3 * (2 * len(sos) + 1):  # what scipy pads with at either end
                column[begin:end] = sosfiltfilt(sos, column[begin:end])
    return filtered


def augmented(
    stretches: Stretches, config: Augmentation, rate: float, groups: Many[Many[int]], seed: int, epoch: int
) -> Stretches:
    """What ``epoch`` learns from: the stretches of scaled features, changed whenever they are read, always alike.

    Args:
        stretches: at ``rate`` (Hz).
        config: which changes.
        rate: of the rows.
        groups: columns of the features of each channel (:func:`channel_groups`).
        seed: of all that is drawn.
        epoch: another one draws anew.
    """

    def through(number: int) -> Seen:
        def change(piece: Sequence, start: int) -> Sequence:
            return augment_features(piece, config, rate, groups, np.random.default_rng([seed, epoch, number, start]))

        return Seen(stretches[number], change)

    return [through(number) for number in range(len(stretches))] if config.of_features else stretches


def augment_features(
    piece: Sequence, config: Augmentation, rate: float, groups: Many[Many[int]], rng: np.random.Generator
) -> Sequence:
    """Rows of scaled features shifted against their targets, without some channels, with noise.

    Rows that a shift leaves without a counterpart are dropped.
    """
    if most := min(round(config.time_shift * rate), len(piece) - 1):
        piece = shifted(piece, int(rng.integers(-most, most + 1)))
    values = piece.features.values.copy()
    if config.channel_dropout:
        for columns in groups:
            if rng.random() < config.channel_dropout:
                values[:, list(columns)] = 0
    if config.noise:
        values += (config.noise * rng.standard_normal(values.shape)).astype(np.float32)
    return piece.with_features(piece.features._replace(values=values))


def shifted(piece: Sequence, rows: int) -> Sequence:
    """Each target beside the features of ``rows`` later (earlier, if below 0)."""
    features, rest = piece[max(rows, 0) : len(piece) + min(rows, 0)], piece[max(-rows, 0) : len(piece) - max(rows, 0)]
    return rest.with_features(features.features)


def channel_groups(pipeline: Pipeline) -> list[list[int]]:
    """Columns of the features of each channel, which their names tell; a covariance belongs to both of its two."""
    return [
        [i for i, name in enumerate(pipeline.names) if name.startswith(f"{channel} ") or f" {channel} cov" in name]
        for channel in pipeline.design.channels
    ]
