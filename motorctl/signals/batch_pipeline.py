"""The pipeline for many simulated streams at once, in torch: the same features, with gradients.

It takes filters, weights and rows from a :class:`~motorctl.signals.pipeline.Pipeline` and is held to it by tests. In a
simulation no sample is missing, so there is no mask, and all streams are at the same row. It computes in float64 as
that does: in float32, a filter from 0.1 Hz on is wrong by percents.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from motorctl.errors import ConfigurationError
from motorctl.signals.filters import BLOCK
from motorctl.signals.pipeline import POWER_FLOOR, Pipeline
from motorctl.signals.scaling import LEAST_VARIANCE, SCALED_LIMIT
from motorctl.threads import one_thread


class Running(NamedTuple):
    """Running statistics of each feature, `scaling.AdaptationState` in a batch."""

    mean: Tensor  # (batch, feature)
    variance: Tensor  # (batch, feature)
    rows: float  # how many so far, as far as the memory reaches


class BatchState(NamedTuple):
    """What the pipeline remembers between calls; tensors of float64."""

    base: Tensor  # (batch, channel of the stream) the first sample, on which the filters are at rest (µV)
    filters: Tensor  # (state, batch, channel) of the filter bank
    sums: Tensor  # (band, segment, batch, channel) of squares over the segments that the next window reaches back to
    rest: Tensor  # (band, time, batch, channel) squares of the segment that has only begun
    amplitudes: Tensor  # (lags, batch, channel) of the rows before
    running: Running
    phase: int  # samples since the phase of rows and samples last coincided
    seen: int  # samples so far, as far as the window reaches


class BatchPipeline:
    """A pipeline over many streams at once, on the device of their samples.

    Args:
        pipeline: calibrated and fitted, as far as it is to be.

    Raises:
        ConfigurationError: it computes a covariance, or gates artefacts.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        for name in ("covariance_band", "reject", "flat"):
            if getattr(pipeline.config, name) is not None:
                raise ConfigurationError(
                    f"A batch of streams is not processed with {name}.", f"Leave {name} out, or take them one by one."
                )
        self.pipeline = pipeline
        self._constants: dict[tuple[str, torch.device], Tensor] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Name of every feature, in order."""
        return self.pipeline.names

    @property
    def rate(self) -> float:
        """Feature rows a second (Hz)."""
        return self.pipeline.config.rate

    @property
    def delay(self) -> float:
        """Group delay of the slowest feature (s); see :attr:`Pipeline.delay`."""
        return self.pipeline.delay

    @property
    def window(self) -> float:
        """Length of the window that power is averaged over (s), 0 if none is: rows before it is full are not valid."""
        return self.pipeline.design.window / self.pipeline.info.rate

    def process(self, samples: Tensor, state: BatchState | None = None) -> tuple[Tensor, BatchState | None]:
        """Feature rows of the samples, given the state left by what came before (None at the start).

        Args:
            samples: ``(batch, time, channel)`` µV, the channels of the pipeline's stream.
            state: returned by the previous call; it stays as it is.

        Returns:
            ``(batch, row, feature)`` of the type of ``samples`` and differentiable in them, and the new state. Rows
            before the first whole :attr:`window`, which :class:`Pipeline` masks, are among them.

        Raises:
            ConfigurationError: a sample is not finite.
        """
        if samples.shape[2] != len(self.pipeline.info.channels):
            raise ValueError(f"{samples.shape[2]} channels for a stream of {len(self.pipeline.info.channels)}")
        if not torch.isfinite(samples.sum()):
            raise ConfigurationError(
                "A batch of streams holds NaN or infinity.", "Take streams with missing samples one by one."
            )
        with one_thread():  # the products are small
            parts = [samples.new_empty(0, len(samples), len(self.names), dtype=torch.float64)]
            for start in range(0, samples.shape[1], BLOCK):
                block = samples[:, start : start + BLOCK].transpose(0, 1).double()
                rows, state = self._process(block, state or self._initial_state(block[0]))
                parts.append(rows)
            return torch.cat(parts).transpose(0, 1).to(samples.dtype), state

    def _process(self, samples: Tensor, state: BatchState) -> tuple[Tensor, BatchState]:
        """``samples (time, batch, channel)`` to ``(row, batch, feature)``."""
        config, design = self.pipeline.config, self.pipeline.design
        signals = (samples - state.base) @ self._constant("weights", samples, self._weights)
        outputs, filters = self._filter(signals, state.filters)
        if design.offset_gains.any():
            gains = self._constant("gains", samples, lambda: design.offset_gains[..., None])
            outputs = outputs + gains * (state.base @ self._constant("weights", samples, self._weights))

        rows, phase = design.rows(len(samples), state.phase)
        index = torch.as_tensor(rows, device=samples.device)
        amplitudes, sums, rest = state.amplitudes, state.sums, state.rest
        columns: list[Tensor] = []
        if config.amplitude_band:
            joined = torch.cat([amplitudes, outputs[0].index_select(0, index)])
            columns += [joined[config.lags - lag :][: len(rows)] for lag in range(config.lags + 1)]
            amplitudes = joined[len(rows) :]
        if config.power_bands:
            first = int(bool(config.amplitude_band))
            squares = outputs[first : first + len(config.power_bands)].square()
            power, sums, rest = self._average(squares, rows, sums, rest)
            columns += power.clamp_min(POWER_FLOOR).log()
        if config.raw:
            columns.append(outputs[-1].index_select(0, index))
        values, running = torch.cat(columns, dim=-1), state.running
        if config.adapt:
            filled = state.seen + rows + 1 >= design.window
            values, running = adapt(values, filled, running, max(1.0, config.adapt * config.rate), config.adapt_std)
        seen = min(state.seen + len(samples), design.window)
        after = BatchState(state.base, filters, sums, rest, amplitudes, running, phase, seen)
        return self._scale(values), after

    def _filter(self, signals: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs ``(branch, time, batch, channel)`` of the filter bank, and its state."""
        count, bank = len(signals), self.pipeline.design.bank
        matrix = self._constant(f"bank {count}", state, lambda: bank.matrices[count - 1])
        advanced = matrix @ torch.cat([state, signals]).flatten(1)
        outputs = advanced[len(state) :].reshape(-1, *signals.shape)
        return outputs, advanced[: len(state)].reshape(state.shape)

    def _average(
        self, squares: Tensor, rows: NDArray[np.intp], sums: Tensor, rest: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Means ``(band, row, batch, channel)`` over the window that ends with each row, new sums and rest."""
        window, segment = self.pipeline.design.window, self.pipeline.design.segment
        ends = (rows + 1 + rest.shape[1]) // segment  # of the rows, in segments
        squares = torch.cat([rest, squares], dim=1)
        count = squares.shape[1] // segment
        summed = squares[:, : count * segment].reshape(len(squares), count, segment, *squares.shape[2:]).sum(dim=2)
        sums = torch.cat([sums, summed], dim=1)
        age = np.arange(sums.shape[1]) - ends[:, None]
        inside = torch.as_tensor((age >= -1) & (age < window // segment - 1)).to(sums)
        power = inside / window @ sums.flatten(2)
        return power.reshape(len(sums), len(rows), *sums.shape[2:]), sums[:, count:], squares[:, count * segment :]

    def _scale(self, values: Tensor) -> Tensor:
        mean, std = self.pipeline.mean, self.pipeline.std
        if mean is None or std is None:
            return values
        centred = values - self._constant("mean", values, lambda: mean)
        return (centred / self._constant("std", values, lambda: std)).clamp(-SCALED_LIMIT, SCALED_LIMIT)

    def _initial_state(self, first: Tensor) -> BatchState:
        """At rest on the first sample ``(batch, channel)``."""
        config, design = self.pipeline.config, self.pipeline.design
        batch, channels = len(first), len(design.channels)
        idle = first.new_zeros(batch, len(self.names))
        bands, segments = len(config.power_bands), max(0, design.window // design.segment - 1)
        return BatchState(
            first,
            first.new_zeros(len(design.bank.initial_state(1)), batch, channels),
            first.new_zeros(bands, segments, batch, channels),
            first.new_zeros(bands, 0, batch, channels),
            first.new_zeros(config.lags, batch, channels),
            Running(idle, idle, 0.0),
            phase=0,
            seen=0,
        )

    def _weights(self) -> NDArray[np.float64]:
        """``(channel of the stream, signal)`` spatial filter."""
        design = self.pipeline.design
        weights = np.zeros((len(self.pipeline.info.channels), len(design.channels)))
        weights[design.columns] = design.spatial.weights
        return weights

    def _constant(self, name: str, like: Tensor, make: Callable[[], ArrayLike]) -> Tensor:
        """What ``make`` gives, on the device of ``like``; made once."""
        key = (name, like.device)
        if key not in self._constants:
            with torch.inference_mode(False):  # it is kept, and may be needed for gradients later
                self._constants[key] = torch.as_tensor(make(), dtype=torch.float64, device=like.device)
        return self._constants[key]


def adapt(
    values: Tensor, filled: NDArray[np.bool_], state: Running, memory: float, divide: bool
) -> tuple[Tensor, Running]:
    """`scaling.adapt` of ``values (row, batch, feature)``, where all of a row counts, from the first that is filled."""
    mean, variance, rows = state
    adapted = [values[:0]]
    for value, there in zip(values, filled.tolist(), strict=True):
        if there:
            rows = min(rows + 1, memory)
            step = (value - mean) / rows
            variance = (1 - 1 / rows) * (variance + step * (value - mean))
            mean = mean + step
        centred = value - mean if rows else torch.zeros_like(value)
        if divide:
            deviation = variance.clamp_min(LEAST_VARIANCE).sqrt()
            centred = centred / torch.where(variance > LEAST_VARIANCE, deviation, 1.0)
        adapted.append(centred[None])
    return torch.cat(adapted), Running(mean, variance, rows)
