"""EEG to features: one causal, streaming pipeline for training, evaluation and live use.

A pipeline is a fixed description; everything that changes from sample to sample is in the state that goes in and comes
out of :meth:`Pipeline.process`. So a recording fed whole, in chunks, or sample by sample gives the same features.

The steps, in order: artefact gate, stand-ins for missing samples, repair and reference, notch and band-pass, features,
running mean, fitted scaling. The features of each row (one per control step) are, of each spatially filtered channel,

* the low-frequency amplitude, which carries hand velocity (Bradberry, Gentili & Contreras-Vidal 2010, J. Neurosci.
  30(9):3432-3437),
* the log power in bands around the mu and beta rhythms, which fall before and during movement (Pfurtscheller & Lopes
  da Silva 1999, Clin. Neurophysiol. 110(11):1842-1857),
* the covariance between channels (Barachant et al. 2012), and the signal itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from motorctl.errors import ConfigurationError
from motorctl.signals.bad_channels import find_bad_channels
from motorctl.signals.covariance import from_upper_triangle, riemannian_mean, symmetric_exponential, tangent_vectors
from motorctl.signals.features import Features, join_features
from motorctl.signals.gate import Gated, GateState, find_artefacts, open_gate
from motorctl.signals.missing import MissingState, fill_missing, first_state
from motorctl.signals.pipeline_config import PipelineConfig, check_fits
from motorctl.signals.pipeline_design import PipelineDesign
from motorctl.signals.scaling import SCALED_LIMIT, AdaptationState, adapt, first_adaptation
from motorctl.signals.stream import Chunk, StreamInfo
from motorctl.signals.windows import WindowState, first_window, mean_covariance, mean_power

__all__ = [
    "MOTOR_RHYTHMS",
    "Features",
    "Pipeline",
    "PipelineConfig",
    "PipelineState",
    "join_features",
]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

POWER_FLOOR = 1e-3
"""Smallest band power in µV², far below any amplifier's noise: keeps the logarithm of a flat channel finite."""
CALIBRATION_ROWS = 1000
"""So many rows are enough for a mean covariance."""
LEARNED = ("mean", "std", "covariance")
"""What of a pipeline is arrays."""

MOTOR_RHYTHMS = PipelineConfig(
    rate=25.0,
    channels=("C3", "C4", "Cz", "CP3", "CP4"),
    reference="laplacian",
    amplitude_band=None,
    power_window=1.0,
)
"""Mu and beta power over the sensorimotor areas of both hands and the feet, where movement and its imagery show
(Pfurtscheller & Lopes da Silva 1999)."""


class PipelineState(NamedTuple):
    """What the pipeline remembers between chunks."""

    gate: GateState
    missing: MissingState
    filters: Array  # (state, channel) of the filter bank
    power: WindowState
    covariance: WindowState
    amplitudes: Array  # (lags, channel) of the rows before
    amplitudes_valid: Mask
    adaptation: AdaptationState
    lost: Mask  # (1, channel) a sample was missing since the last row
    phase: int  # samples since the phase of rows and samples last coincided
    seen: int  # samples so far, as far as the window reaches
    samples: int  # samples so far
    gated: NDArray[np.int64]  # (3, electrode) samples that were missing, rejected, flat


@dataclass(frozen=True, eq=False)
class Pipeline:
    """A pipeline for one kind of stream.

    Args:
        config: what to compute.
        info: the stream it takes; chunks must have exactly these channels in this order.
        mean: ``(feature,)`` subtracted from the features.
        std: ``(feature,)`` that they are divided by.
        bads: channels that were bad in the training recordings.
        covariance: ``(channel, channel)`` mean covariance of the training recordings (µV²), at which the tangent space
            touches; the identity if not given.

    Raises:
        ConfigurationError: a named channel is not in the stream, or a band or rate does not fit its sampling rate.
    """

    config: PipelineConfig
    info: StreamInfo
    mean: Array | None = None
    std: Array | None = None
    bads: tuple[str, ...] = ()
    covariance: Array | None = None

    def __post_init__(self) -> None:
        check_fits(self.config, self.info)

    @cached_property
    def design(self) -> PipelineDesign:
        """The filters, weights and sizes that it works with."""
        return PipelineDesign(self.config, self.info, self.bads)

    @property
    def names(self) -> tuple[str, ...]:
        """Name of every feature, in order."""
        return self.design.names

    @property
    def delay(self) -> float:
        """Group delay of the slowest feature at the centre of its band (s): filters, and half of the window."""
        return self.design.delay

    @property
    def memory(self) -> float:
        """How long a sample goes on mattering (s): the window and five time constants of the slowest filter. (The
        running mean of ``adapt`` remembers longer.)"""
        return self.design.memory

    def process(self, chunk: Chunk, state: PipelineState | None = None) -> tuple[Features, PipelineState | None]:
        """Feature rows of the samples of ``chunk``, given the state left by what came before (None at the start).

        Args:
            chunk: ``(time, channel)`` µV. A sample that is masked, not finite or an artefact never enters a filter nor
                another channel: its channel holds its distance from the average of those measured. An amplitude is
                masked in the rows that such a sample falls in, power and covariance while more than half of the window
                is such samples; everything is until the window is full.
            state: returned by the previous call.
        """
        if chunk.samples.shape[1] != len(self.info.channels):
            raise ValueError(f"a chunk of {chunk.samples.shape[1]} channels for a stream of {len(self.info.channels)}")
        parts, block = [], self.design.block
        for start in range(0, len(chunk), block):
            part = chunk[start : start + block] if len(chunk) > block else chunk
            features, state = self._process(part, state or self._initial_state(part))
            parts.append(features)
        return join_features(parts, len(self.names)), state

    def calibrate(self, recordings: Sequence[Chunk]) -> Pipeline:
        """This pipeline with all that is fitted to signals: which channels are bad, and the mean covariance.

        Does nothing where neither is configured. The scaling is fitted afterwards, to features (:meth:`fit`).

        Args:
            recordings: training data, each an uninterrupted stretch of the pipeline's stream.

        Raises:
            ConfigurationError: there is nothing to fit the covariance on. Too few good channels are told of when the
                pipeline is used.
        """
        pipeline = self
        if self.config.repair:
            reasons = find_bad_channels(recordings, self.info.rate)
            looked_at = {*self.design.kin, *self.design.channels}
            labels = zip(self.info.labels, reasons, strict=True)
            pipeline = replace(self, bads=tuple(label for label, bad in labels if bad and label in looked_at))
        if self.config.covariance_band:
            pipeline = replace(pipeline, covariance=pipeline._mean_covariance(recordings))
        return pipeline

    def fit(self, features: list[Features]) -> Pipeline:
        """This pipeline with its scaling fitted to features that it gave unfitted; masked values do not count.

        Raises:
            ConfigurationError: there is nothing to fit on, all in all or for one channel.
        """
        rows = join_features(features, len(self.names))
        values, mask = rows.values.astype(float), rows.mask
        lacking = mask.sum(axis=0) < 2
        if lacking.all():
            raise ConfigurationError("There are no valid samples to fit the scaling on.", "Use a longer recording.")
        if lacking.any():
            raise ConfigurationError(
                f"There are no valid samples to fit '{self.names[int(lacking.argmax())]}' on.",
                "Leave the channel out with --pipeline.channels, or interpolate it with --pipeline.repair.",
            )
        std = values.std(axis=0, where=mask)
        return replace(self, mean=values.mean(axis=0, where=mask), std=np.where(std > 1e-6, std, 1.0))

    def scale(self, features: Features) -> Features:
        """Features that the unfitted pipeline gave, as this fitted one gives them."""
        return features._replace(values=self._scale(features.values.astype(float)))

    def gated(self, state: PipelineState | None) -> Gated:
        """Share of its samples so far that were ``missing``, ``rejected`` or ``flat``, for each electrode with any."""
        if state is None:  # nothing has come yet
            return {}
        shares = (state.gated / max(1, state.samples)).T.tolist()
        named = zip(self.design.electrodes, shares, strict=True)
        return {e: dict(zip(("missing", "rejected", "flat"), share, strict=True)) for e, share in named if any(share)}

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types; :meth:`arrays` are kept apart."""
        return {"config": asdict(self.config), "stream": self.info.to_dict(), "bads": list(self.bads)}

    def arrays(self) -> dict[str, Array]:
        """What was learned from data, as far as it was: ``mean``, ``std``, ``covariance``."""
        learned = {name: getattr(self, name) for name in LEARNED}
        return {name: array for name, array in learned.items() if array is not None}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        """The inverse of :meth:`to_dict` and :meth:`arrays`; a missing key raises ``KeyError``."""
        config, info = PipelineConfig.from_dict(data["config"]), StreamInfo.from_dict(data["stream"])
        return cls(config, info, bads=tuple(data.get("bads", ())), **{n: arrays[n] for n in LEARNED if n in arrays})

    def _process(self, chunk: Chunk, state: PipelineState) -> tuple[Features, PipelineState]:
        design, spatial = self.design, self.design.spatial
        samples = chunk.samples[:, design.columns].astype(float)
        measured, gate, gated = self._pass_gate(samples, chunk.mask[:, design.columns], state)
        signals, bases, missing = fill_missing(samples, measured, state.missing, spatial.average, design.restart)
        outputs, filters = design.bank.process(signals @ spatial.weights, state.filters)
        if design.offset_gains.any():
            outputs += design.offset_gains * (bases @ spatial.weights)

        config = self.config
        rows, phase = design.rows(len(chunk), state.phase)
        valid = spatial.valid(measured)
        whole, lost = whole_rows(valid, rows, state.lost)
        amplitudes, amplitudes_valid = state.amplitudes, state.amplitudes_valid
        powers, covariances = state.power, state.covariance
        columns, masks = [], []
        if config.amplitude_band:
            lagged, amplitudes = with_lags(outputs[0][rows], amplitudes)
            lagged_valid, amplitudes_valid = with_lags(whole, amplitudes_valid)
            columns.append(lagged)
            masks.append(lagged_valid)
        first, bands = len(columns), len(config.power_bands)
        if bands:
            power, enough, powers = mean_power(outputs[first : first + bands], valid, rows, powers)
            columns.append(np.log(np.maximum(power, POWER_FLOOR)).reshape(len(rows), bands * power.shape[2]))
            masks += [enough] * bands
        if config.covariance_band:
            covariance, enough, covariances = mean_covariance(outputs[first + bands], valid, rows, covariances)
            floored = covariance + POWER_FLOOR * np.eye(len(design.channels))
            columns.append(tangent_vectors(floored, self._tangent_point))
            masks.append(np.broadcast_to(enough[:, None], columns[-1].shape))
        if config.raw:
            columns.append(outputs[-1][rows])
            masks.append(whole)

        filled = state.seen + rows + 1 >= design.window
        values, mask = np.concatenate(columns, axis=1), np.concatenate(masks, axis=1) & filled[:, None]
        adaptation = state.adaptation
        if config.adapt:
            memory = max(1.0, config.adapt * config.rate)
            values, adaptation = adapt(values, mask, adaptation, memory, config.adapt_std)
        after = PipelineState(
            gate,
            missing,
            filters,
            powers,
            covariances,
            amplitudes,
            amplitudes_valid,
            adaptation,
            lost,
            phase,
            min(state.seen + len(chunk), design.window),
            state.samples + len(chunk),
            gated,
        )
        return Features(self._scale(values), chunk.times[rows], mask), after

    def _initial_state(self, chunk: Chunk) -> PipelineState:
        """At rest on the first sample, so that an electrode's offset does not ring through the filters."""
        design, spatial = self.design, self.design.spatial
        samples = chunk.samples[:, design.columns].astype(float)
        measured = chunk.mask[:, design.columns] & np.isfinite(samples)
        electrodes, channels = spatial.weights.shape
        bands, together = len(self.config.power_bands), channels if self.config.covariance_band else 0
        return PipelineState(
            open_gate(design.block, electrodes),
            first_state(samples, measured, spatial.average, design.restart),
            design.bank.initial_state(channels),
            first_window(design.window, bands * channels, channels, np.zeros((bands, channels))),
            first_window(design.window, together, channels, np.eye(together)),
            np.zeros((self.config.lags, channels)),
            np.zeros((self.config.lags, channels), bool),
            first_adaptation(len(self.names)),
            np.zeros((1, channels), bool),
            phase=0,
            seen=0,
            samples=0,
            gated=np.zeros((3, electrodes), np.int64),
        )

    def _pass_gate(self, samples: Array, mask: Mask, state: PipelineState) -> tuple[Mask, GateState, NDArray[np.int64]]:
        """What was measured and is no artefact; the gate's new state; ``(3, electrode)`` how much was not so far, and
        why."""
        measured, gated = mask & np.isfinite(samples), state.gated
        if not measured.all():
            gated = gated + np.array([[1], [0], [0]]) * (~measured).sum(axis=0)
        if self.config.reject is None and self.config.flat is None:
            return measured, state.gate, gated
        rejected, flat, gate = find_artefacts(samples, measured, state.gate, self.config.reject, self.config.flat)
        gated = gated + np.array([np.zeros_like(gated[0]), rejected.sum(axis=0), flat.sum(axis=0)])
        return measured & ~rejected & ~flat, gate, gated

    def _scale(self, values: Array) -> NDArray[np.float32]:
        if self.mean is not None and self.std is not None:
            scaled = (values - self.mean) / self.std
            values = np.minimum(np.maximum(scaled, -SCALED_LIMIT), SCALED_LIMIT)  # np.clip takes twice as long
        return values.astype(np.float32)

    def _mean_covariance(self, recordings: Sequence[Chunk]) -> Array:
        """Riemannian mean of the covariances of at most ``CALIBRATION_ROWS`` rows, evenly spread."""
        only = replace(self.config, amplitude_band=None, lags=0, power_bands=(), raw=False, adapt=None, adapt_std=False)
        pipeline = Pipeline(only, self.info, bads=self.bads)
        rows = join_features([pipeline.process(chunk)[0] for chunk in recordings], len(pipeline.names))
        logarithms = rows.values[rows.mask.all(axis=1)].astype(float)
        if not len(logarithms):
            raise ConfigurationError("There are no valid samples to fit the covariance on.", "Use a longer recording.")
        every = -(-len(logarithms) // CALIBRATION_ROWS)
        return riemannian_mean(symmetric_exponential(from_upper_triangle(logarithms[::every])))

    @cached_property
    def _tangent_point(self) -> Array:
        return np.eye(len(self.design.channels)) if self.covariance is None else self.covariance


def with_lags(values: NDArray[Any], before: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Each row of ``values (row, channel)`` with the rows ``before`` it beside it, newest first; and the last rows."""
    lags, count = len(before), len(values)
    if not lags:
        return values, before
    joined = np.concatenate([before, values])
    beside = [joined[lags - lag : lags - lag + count] for lag in range(lags + 1)]
    return np.concatenate(beside, axis=1), joined[count:]


def whole_rows(valid: Mask, rows: NDArray[np.intp], lost: Mask) -> tuple[Mask, Mask]:
    """``(row, channel)``: nothing was missing since the row before; and whether anything is missing since the last."""
    if not lost.any() and valid.all():
        return np.ones((len(rows), valid.shape[1]), bool), lost
    missing = np.vstack([lost, ~valid])
    edges = [0, *(rows + 2).tolist()]
    since = [missing[a:b].any(axis=0) for a, b in pairwise(edges)]
    last: Mask = np.logical_or.reduce(missing[edges[-1] :], axis=0, keepdims=True)
    return ~np.array(since, bool).reshape(len(rows), valid.shape[1]), last
