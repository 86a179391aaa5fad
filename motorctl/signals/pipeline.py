"""EEG to features: one causal, streaming pipeline for training, evaluation and live use.

A pipeline is a fixed description; everything that changes from sample to sample is in the state that goes in and comes
out of :meth:`Pipeline.process`. So a recording fed whole, in chunks, or sample by sample gives the same features.

For every row of features (one per control step) it takes, of each spatially filtered channel,

* the low-frequency amplitude, which carries hand velocity (Bradberry, Gentili & Contreras-Vidal 2010, J. Neurosci.
  30(9):3432-3437), and
* the log power in bands around the mu and beta rhythms, which fall before and during movement (Pfurtscheller & Lopes
  da Silva 1999, Clin. Neurophysiol. 110(11):1842-1857).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, freqz_sos, sosfilt, sosfilt_zi

from motorctl.errors import ConfigurationError
from motorctl.signals.electrodes import laplacian_neighbours
from motorctl.signals.stream import Chunk, StreamInfo

Array = NDArray[np.float64]

FILTER_ORDER = 2
POWER_FLOOR = 1e-3
"""Smallest band power in µV², far below any amplifier's noise: keeps the logarithm of a flat channel finite."""
SCALED_LIMIT = 8.0
"""Scaled features are clipped here, in standard deviations: an artefact must not saturate the network's memory."""


@dataclass(frozen=True)
class PipelineConfig:
    """What the pipeline computes."""

    rate: float = 50.0
    """Feature rows per second, the control rate (Hz)."""
    channels: tuple[str, ...] = ()
    """EEG channels that features are made of; none named means all."""
    reference: Literal["average", "laplacian", "none"] = "average"
    """Spatial filter: common average, small Laplacian of the four nearest electrodes (Hjorth 1975), or none."""
    amplitude_band: tuple[float, float] | None = (0.1, 5.0)
    """Pass band of the low-frequency amplitude (Hz); a lower edge of 0 keeps even the electrodes' offsets."""
    power_bands: tuple[tuple[float, float], ...] = ((7.0, 13.0), (13.0, 20.0), (20.0, 30.0))
    """Pass bands whose log power is taken (Hz)."""
    power_window: float = 0.5
    """Length of the trailing window that power is averaged over (s)."""

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """From JSON, where tuples have become lists."""
        band = data["amplitude_band"]
        return cls(
            **data
            | {
                "channels": tuple(data["channels"]),
                "amplitude_band": band and tuple(band),
                "power_bands": tuple(tuple(b) for b in data["power_bands"]),
            }
        )


MOTOR_RHYTHMS = PipelineConfig(
    rate=25.0,
    channels=("C3", "C4", "Cz", "CP3", "CP4"),
    reference="laplacian",
    amplitude_band=None,
    power_window=1.0,
)
"""Mu and beta power over the sensorimotor areas of both hands and the feet, where movement and its imagery show
(Pfurtscheller & Lopes da Silva 1999)."""


class Features(NamedTuple):
    """Feature rows: ``values (time, feature)`` float32, ``times (time,)`` s, ``mask (time, feature)`` True if valid."""

    values: NDArray[np.float32]
    times: Array
    mask: NDArray[np.bool_]

    def select(self, rows: slice) -> Features:
        """The given rows."""
        return Features(self.values[rows], self.times[rows], self.mask[rows])


def join_features(parts: list[Features], width: int) -> Features:
    """Feature rows one after the other; no row, of ``width`` features, where there are no parts."""
    if not parts:
        return Features(np.empty((0, width), np.float32), np.empty(0), np.empty((0, width), bool))
    return Features(
        np.concatenate([p.values for p in parts]),
        np.concatenate([p.times for p in parts]),
        np.concatenate([p.mask for p in parts]),
    )


class PipelineState(NamedTuple):
    """What the pipeline remembers between chunks."""

    held: Array  # (channel,) last valid sample, stands in for a missing one
    filters: tuple[Array, ...]  # (section, 2, channel) a filter
    powers: tuple[Array, ...]  # (window, channel) a band: squared samples still inside the window
    missing: NDArray[np.bool_]  # (channel,) a sample was missing since the last row
    phase: int  # samples since the phase of rows and samples last coincided
    seen: int  # samples so far, as far as the power window reaches


@dataclass(frozen=True, eq=False)
class Pipeline:
    """A pipeline for one kind of stream.

    Args:
        config: what to compute.
        info: the stream it takes; chunks must have exactly these channels in this order.
        mean: ``(feature,)`` subtracted from the features.
        std: ``(feature,)`` that they are divided by.

    Raises:
        ConfigurationError: a named channel is not in the stream, or a band or rate does not fit its sampling rate.
    """

    config: PipelineConfig
    info: StreamInfo
    mean: Array | None = None
    std: Array | None = None

    def __post_init__(self) -> None:
        nyquist = self.info.rate / 2
        for low, high in self._bands:
            if not 0 <= low < high < nyquist:
                raise ConfigurationError(
                    f"Band {low:g}-{high:g} Hz does not fit a stream sampled at {self.info.rate:g} Hz.",
                    f"Choose bands within 0-{nyquist:g} Hz, the lower edge first.",
                )
        if not self._bands:
            raise ConfigurationError("The pipeline computes no feature.", "Give amplitude_band or power_bands.")
        if self.config.power_bands and self.config.power_window * self.info.rate < 1:
            raise ConfigurationError(
                f"A power window of {self.config.power_window:g} s holds no sample at {self.info.rate:g} Hz.",
                "Choose a longer one, such as 0.5 s.",
            )
        if not 0 < self.config.rate <= self.info.rate:
            raise ConfigurationError(
                f"Feature rate {self.config.rate:g} Hz does not fit a stream sampled at {self.info.rate:g} Hz.",
                f"Choose a rate of at most {self.info.rate:g} Hz.",
            )
        unknown = [c for c in self.config.channels if c not in self.info.labels]
        if unknown:
            raise ConfigurationError(
                f"'{self.info.name}' has no channel {', '.join(unknown)}.",
                f"Choose among {', '.join(self.info.labels)}.",
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Name of every feature, in order."""
        kinds = ["amplitude"] * bool(self.config.amplitude_band)
        kinds += [f"power {low:g}-{high:g} Hz" for low, high in self.config.power_bands]
        return tuple(f"{label} {kind}" for kind in kinds for label in self._used)

    @cached_property
    def delay(self) -> float:
        """Group delay of the slowest feature at the centre of its band (s)."""
        window = self._window / self.info.rate / 2
        delays = [group_delay(sos, band, self.info.rate) for sos, band in zip(self._filters, self._bands, strict=True)]
        first_power = len(delays) - len(self.config.power_bands)
        return max(delay + window * (i >= first_power) for i, delay in enumerate(delays))

    @cached_property
    def memory(self) -> float:
        """How long a sample goes on mattering (s): the power window and five time constants of the slowest filter."""
        window = self.config.power_window if self.config.power_bands else 0.0
        return window + 5 / (2 * np.pi * min(low or high for low, high in self._bands))

    def process(self, chunk: Chunk, state: PipelineState | None = None) -> tuple[Features, PipelineState | None]:
        """Feature rows of the samples of ``chunk``, given the state left by what came before (None at the start).

        Args:
            chunk: ``(time, channel)`` µV. A masked sample is replaced by the channel's last valid one, so that it never
                enters a filter, and the features that depend on the channel are masked; so are the first rows, until
                the power window is full.
            state: returned by the previous call.
        """
        if not len(chunk):
            return join_features([], len(self.names)), state
        samples, state = hold_missing(chunk, state or self._initial_state(chunk))
        signals = samples @ self._spatial
        columns: list[Array] = []
        filters, powers = [], []
        for i, sos in enumerate(self._filters):
            filtered, zi = sosfilt(sos, signals, axis=0, zi=state.filters[i])
            filters.append(zi)
            power = i - (len(self._filters) - len(self.config.power_bands))
            if power >= 0:
                filtered, kept = trailing_mean(filtered**2, state.powers[power])
                filtered = np.log(np.maximum(filtered, POWER_FLOOR))
                powers.append(kept)
            columns.append(filtered)
        rows, phase = self._rows(len(chunk), state.phase)
        valid, missing = self._valid(chunk.mask, rows, state.missing)
        filled = state.seen + rows + 1 >= self._window
        values = self._scale(np.concatenate(columns, axis=1)[rows])
        features = Features(values, chunk.times[rows], np.tile(valid & filled[:, None], len(self._filters)))
        seen = min(state.seen + len(chunk), self._window)
        return features, PipelineState(state.held, tuple(filters), tuple(powers), missing, phase, seen)

    def fit(self, features: list[Features]) -> Pipeline:
        """This pipeline with its scaling fitted to features that it gave unfitted; masked rows do not count.

        Raises:
            ConfigurationError: there is nothing to fit on.
        """
        rows = np.concatenate([f.values[f.mask.all(axis=1)] for f in features]).astype(float)
        if len(rows) < 2:
            raise ConfigurationError("There are no valid samples to fit the scaling on.", "Use a longer recording.")
        std = rows.std(axis=0)
        return replace(self, mean=rows.mean(axis=0), std=np.where(std > 1e-6, std, 1.0))

    def scale(self, features: Features) -> Features:
        """Features that the unfitted pipeline gave, as this fitted one gives them."""
        return features._replace(values=self._scale(features.values.astype(float)))

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types; the scaling is kept apart, as arrays."""
        return {"config": asdict(self.config), "stream": self.info.to_dict()}

    @cached_property
    def _used(self) -> tuple[str, ...]:
        return self.config.channels or self.info.labels

    @cached_property
    def _bands(self) -> list[tuple[float, float]]:
        amplitude = self.config.amplitude_band
        return ([amplitude] if amplitude else []) + list(self.config.power_bands)

    @cached_property
    def _filters(self) -> list[Array]:
        return [design(band, self.info.rate) for band in self._bands]

    @cached_property
    def _window(self) -> int:
        return round(self.config.power_window * self.info.rate) if self.config.power_bands else 0

    @cached_property
    def _spatial(self) -> Array:
        return spatial_filter(self.config.reference, self.info.labels, self._used)

    @cached_property
    def _steps(self) -> Fraction:
        """Feature rows per sample, exactly."""
        return Fraction(self.config.rate).limit_denominator(1000) / Fraction(self.info.rate).limit_denominator(1000)

    def _initial_state(self, chunk: Chunk) -> PipelineState:
        """At rest on the first sample, so that an electrode's offset does not ring through the filters."""
        first = np.where(chunk.mask[0], chunk.samples[0], 0.0)
        offset = first @ self._spatial
        filters = tuple(sosfilt_zi(sos)[:, :, None] * offset for sos in self._filters)
        powers = tuple(np.zeros((self._window, len(offset))) for _ in self.config.power_bands)
        return PipelineState(first, filters, powers, np.zeros(len(first), bool), phase=0, seen=0)

    def _rows(self, samples: int, phase: int) -> tuple[NDArray[np.intp], int]:
        """Samples that end a feature row, and the new phase. Row k ends with the first sample that completes k/rate."""
        step = self._steps
        index = phase + np.arange(samples + 1)
        done = index * step.numerator // step.denominator
        return np.flatnonzero(np.diff(done)), int(index[-1] % step.denominator)

    def _valid(
        self, mask: NDArray[np.bool_], rows: NDArray[np.intp], missing: NDArray[np.bool_]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """``(row, used channel)``: every sample that the row adds was measured; and what is missing since the last."""
        lost = np.vstack([missing, ~mask])
        edges = np.concatenate([[0], rows + 2])
        since = [lost[a:b].any(axis=0) for a, b in zip(edges[:-1], edges[1:], strict=True)]
        depends = self._spatial != 0
        valid = ~(np.array(since, bool).reshape(len(rows), lost.shape[1]) @ depends)
        missing = np.any(lost[edges[-1] :], axis=0, keepdims=True)[0]
        return valid, missing

    def _scale(self, values: Array) -> NDArray[np.float32]:
        if self.mean is not None and self.std is not None:
            values = np.clip((values - self.mean) / self.std, -SCALED_LIMIT, SCALED_LIMIT)
        return values.astype(np.float32)


def hold_missing(chunk: Chunk, state: PipelineState) -> tuple[Array, PipelineState]:
    """Samples with every missing one replaced by its channel's last valid one: ``(time, channel)``."""
    samples = chunk.samples.astype(float)
    if not chunk.mask.all():
        padded = np.vstack([state.held, samples])
        known = np.vstack([np.ones(len(state.held), bool), chunk.mask])
        newest = np.maximum.accumulate(np.where(known, np.arange(len(padded))[:, None], 0), axis=0)
        samples = np.take_along_axis(padded, newest, axis=0)[1:]
    return samples, state._replace(held=samples[-1])


def trailing_mean(values: Array, before: Array) -> tuple[Array, Array]:
    """Mean over the window that ends with each row of ``values (time, channel)``; ``before`` is the window so far."""
    window = len(before)
    joined = np.concatenate([before, values])
    total = np.cumsum(joined, axis=0)
    return (total[window:] - total[:-window]) / window, joined[len(values) :]


def spatial_filter(reference: str, labels: tuple[str, ...], used: tuple[str, ...]) -> Array:
    """Matrix ``(channel, used channel)`` that re-references and selects in one product."""
    identity = np.eye(len(labels))
    if reference == "average":
        identity -= 1 / len(labels)
    elif reference == "laplacian":
        for label in used:
            neighbours = [labels.index(n) for n in laplacian_neighbours(labels, label)]
            identity[neighbours, labels.index(label)] = -1 / len(neighbours)
    return identity[:, [labels.index(label) for label in used]]


def design(band: tuple[float, float], rate: float) -> Array:
    """Butterworth second-order sections for a pass band (Hz), a low-pass if its lower edge is 0."""
    kind, edges = ("bandpass", band) if band[0] else ("lowpass", band[1])
    sections: Array = butter(FILTER_ORDER, edges, kind, fs=rate, output="sos")
    return sections


def group_delay(sos: Array, band: tuple[float, float], rate: float) -> float:
    """Group delay (s) of a filter at the geometric centre of its band, or half-way up a low-pass: minus the slope of
    its phase."""
    centre = float(np.sqrt(band[0] * band[1])) or band[1] / 2
    frequencies = centre * np.array([0.999, 1.001])
    _, response = freqz_sos(sos, worN=frequencies, fs=rate)
    phase = np.unwrap(np.angle(response))
    return float(-np.diff(phase)[0] / np.diff(2 * np.pi * frequencies)[0])
