"""What a pipeline's configuration comes to on one stream: filters, weights, sizes, names and delay."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import combinations_with_replacement
from math import gcd
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from motorctl.signals.filters import (
    NOTCH_WIDTH,
    FilterBank,
    anti_alias,
    band_pass,
    group_delay,
    no_filter,
    notch,
    offset_gain,
)
from motorctl.signals.gate import GATE_WINDOW
from motorctl.signals.pipeline_config import Band, PipelineConfig
from motorctl.signals.spatial import SpatialFilter, spatial_filter
from motorctl.signals.stream import StreamInfo

Array = NDArray[np.float64]

RESTART = 1.0
"""A channel that was silent for as long (s) goes on where it left off: its offset has moved in the meantime."""


class Branch(NamedTuple):
    """One filter of the bank, and whether what it gives is averaged over the trailing window."""

    band: Band
    sections: Array
    windowed: bool = False


@dataclass(frozen=True, eq=False)
class PipelineDesign:
    """What is computed, worked out for one stream.

    Args:
        config: what to compute.
        info: of the stream.
        bads: channels to interpolate.
    """

    config: PipelineConfig
    info: StreamInfo
    bads: tuple[str, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Name of every feature, in order."""
        kinds = [f"amplitude{f' {lag} rows ago' * (lag > 0)}" for lag in range(self.config.lags + 1)]
        kinds = kinds if self.config.amplitude_band else []
        kinds += [f"power {low:g}-{high:g} Hz" for low, high in self.config.power_bands]
        names = [f"{label} {kind}" for kind in kinds for label in self.channels]
        if self.config.covariance_band:
            low, high = self.config.covariance_band
            names += [
                f"{a} {b} covariance {low:g}-{high:g} Hz" for a, b in combinations_with_replacement(self.channels, 2)
            ]
        return (*names, *(f"{label} raw" for label in self.channels if self.config.raw))

    @cached_property
    def delay(self) -> float:
        """Group delay of the slowest feature at the centre of its band (s): filters, and half of the window."""
        window, shared = self.window / self.info.rate / 2, self.bank.shared
        delays = []
        for branch in self.branches:
            low, high = branch.band
            frequency = float(np.sqrt(low * high)) or high / 2  # of a low-pass, half-way up
            delay = group_delay(np.concatenate([shared, branch.sections]), frequency, self.info.rate)
            delays.append(delay + window * branch.windowed)
        return max(delays)

    @cached_property
    def memory(self) -> float:
        """How long a sample goes on mattering (s): the window and five time constants of the slowest filter. (The
        running mean of ``adapt`` remembers longer.)"""
        window = self.config.power_window if self.config.windowed else 0.0
        slowest = min(low or high for low, high in (*self.config.bands, *(b.band for b in self.branches)))
        slowest = min(slowest, NOTCH_WIDTH / 2) if self.config.line else slowest
        return window + 5 / (2 * np.pi * slowest)

    @cached_property
    def channels(self) -> tuple[str, ...]:
        """Channels that features are made of: those named, or all of the stream's own kind, or just all."""
        return self.config.channels or self.kin

    @cached_property
    def kin(self) -> tuple[str, ...]:
        """Channels that a reference may be made of: EEG in a stream of EEG, not its trigger channel."""
        alike = tuple(channel.label for channel in self.info.channels if channel.kind == self.info.kind)
        return alike or self.info.labels

    @cached_property
    def branches(self) -> list[Branch]:
        """Amplitude, powers, covariance, raw, as far as they are configured."""
        config, rate = self.config, self.info.rate
        branches = []
        if config.amplitude_band:
            branches.append(Branch(config.amplitude_band, band_pass(config.amplitude_band, rate)))
        windowed = [*config.power_bands, *([config.covariance_band] if config.covariance_band else [])]
        branches += [Branch(band, band_pass(band, rate), windowed=True) for band in windowed]
        if config.raw:
            low, high = config.band or (0.0, rate)
            branches.append(Branch((low, min(high, 0.4 * config.rate)), anti_alias(config.rate, rate)))
        return branches

    @cached_property
    def bank(self) -> FilterBank:
        """All temporal filters."""
        hum = notch(self.config.line, self.info.rate) if self.config.line else no_filter()
        band = band_pass(self.config.band, self.info.rate) if self.config.band else no_filter()
        return FilterBank(np.concatenate([hum, band]), tuple(b.sections for b in self.branches))

    @cached_property
    def offset_gains(self) -> Array:
        """``(branch, 1, 1)`` what each branch makes of the base that was taken off: a low-pass lets it through."""
        shared = offset_gain(self.bank.shared)
        return np.array([shared * offset_gain(b.sections) for b in self.branches])[:, None, None]

    @cached_property
    def window(self) -> int:
        """Samples in the trailing window."""
        return round(self.config.power_window * self.info.rate) if self.config.windowed else 0

    @cached_property
    def segment(self) -> int:
        """Samples that windows and the time between rows are whole multiples of, as many as possible."""
        return gcd(self.window, self._steps.denominator) if self._steps.numerator == 1 else 1

    @cached_property
    def block(self) -> int:
        """Samples that are taken at once: no more than the gate's window."""
        return max(1, round(GATE_WINDOW * self.info.rate))

    @cached_property
    def restart(self) -> int:
        """Samples of silence after which a channel goes on where it left off."""
        return max(1, round(RESTART * self.info.rate))

    @cached_property
    def _spatial_filter(self) -> tuple[SpatialFilter, tuple[str, ...]]:
        return spatial_filter(self.config.reference, self.info.labels, self.channels, self.kin, self.bads)

    @property
    def spatial(self) -> SpatialFilter:
        """From the electrodes to the channels."""
        return self._spatial_filter[0]

    @property
    def electrodes(self) -> tuple[str, ...]:
        """Electrodes that any feature depends on; what the others do is not looked at."""
        return self._spatial_filter[1]

    @cached_property
    def columns(self) -> NDArray[np.intp] | slice:
        """Where the electrodes are in a chunk."""
        all_of_them = self.electrodes == self.info.labels
        return slice(None) if all_of_them else np.array([self.info.labels.index(label) for label in self.electrodes])

    def rows(self, samples: int, phase: int) -> tuple[NDArray[np.intp], int]:
        """Samples that end a feature row, and the new phase. Row k ends with the first sample that completes k/rate."""
        rows, per = self._steps.as_integer_ratio()
        return row_ends(rows, per, samples, phase), (phase + samples) % per

    @cached_property
    def _steps(self) -> Fraction:
        """Feature rows per sample, exactly."""
        return Fraction(self.config.rate).limit_denominator(1000) / Fraction(self.info.rate).limit_denominator(1000)


@lru_cache(maxsize=4096)
def row_ends(rows: int, per: int, samples: int, phase: int) -> NDArray[np.intp]:
    """Which of ``samples`` end a row where ``per`` samples make ``rows`` of them, the first being sample ``phase``; not
    to be written to."""
    numbers = range(phase * rows // per + 1, (phase + samples) * rows // per + 1)
    return np.array([-(-k * per // rows) - 1 - phase for k in numbers], np.intp)
