"""The pipeline is causal and streaming: what a chunk holds and what comes later must not matter."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.signal import butter, sosfilt

from motorctl.errors import ConfigurationError
from motorctl.signals.pipeline import Features, Pipeline, PipelineConfig, PipelineState, join_features
from motorctl.signals.stream import Channel, Chunk, StreamInfo

LABELS = ("C3", "Cz", "C4", "CP3", "CP4", "FC3")


def stream(rate: float = 160.0) -> StreamInfo:
    return StreamInfo("test", "EEG", rate, tuple(Channel(label) for label in LABELS))


def eeg(count: int, seed: int = 0, rate: float = 160.0, gaps: float = 0.0) -> Chunk:
    rng = np.random.default_rng(seed)
    samples = (rng.standard_normal((count, len(LABELS))) * 20 + 300).astype(np.float32)
    return Chunk(samples, np.arange(count) / rate, rng.random(samples.shape) >= gaps)


def process(pipeline: Pipeline, chunks: list[Chunk]) -> Features:
    state: PipelineState | None = None
    parts = []
    for chunk in chunks:
        features, state = pipeline.process(chunk, state)
        parts.append(features)
    return join_features(parts, len(pipeline.names))


CONFIGS = [
    PipelineConfig(rate=50.0),
    PipelineConfig(rate=25.0, channels=("C3", "C4"), reference="laplacian", amplitude_band=None, power_window=1.0),
    PipelineConfig(rate=160.0, reference="none", power_bands=()),
]


@pytest.mark.parametrize("config", CONFIGS)
@given(cuts=st.lists(st.integers(0, 700), max_size=30), seed=st.integers(0, 9), gaps=st.sampled_from([0.0, 0.05]))
@settings(max_examples=15, deadline=None)
def test_any_chunking_gives_the_same_features(config: PipelineConfig, cuts: list[int], seed: int, gaps: float) -> None:
    whole, pipeline = eeg(700, seed, gaps=gaps), Pipeline(config, stream())
    edges = [0, *sorted(cuts), 700]
    once, pieces = process(pipeline, [whole]), process(pipeline, [whole[a:b] for a, b in pairwise(edges)])
    assert_allclose(pieces.values, once.values, rtol=1e-6, atol=1e-6)
    assert_array_equal(pieces.times, once.times)
    assert_array_equal(pieces.mask, once.mask)


def test_sample_by_sample_gives_the_same_features() -> None:
    whole, pipeline = eeg(400), Pipeline(CONFIGS[0], stream())
    single = process(pipeline, [whole[i : i + 1] for i in range(400)])
    assert_allclose(single.values, process(pipeline, [whole]).values, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("config", CONFIGS)
@given(cut=st.integers(1, 399))
@settings(max_examples=15, deadline=None)
def test_no_feature_depends_on_a_later_sample(config: PipelineConfig, cut: int) -> None:
    whole, pipeline = eeg(400), Pipeline(config, stream())
    changed = whole.samples.copy()
    changed[cut:] += 1e4
    before = process(pipeline, [whole])
    after = process(pipeline, [Chunk(changed, whole.times)])
    early = before.times < cut / 160
    assert_array_equal(before.values[early], after.values[early])
    assert not np.array_equal(before.values[~early], after.values[~early]) or early.all()


@given(rate=st.sampled_from([125.0, 128.0, 160.0, 250.0, 256.0, 512.0]), out=st.sampled_from([10.0, 25.0, 50.0, 100.0]))
@settings(deadline=None)
def test_rows_come_at_the_feature_rate(rate: float, out: float) -> None:
    pipeline = Pipeline(PipelineConfig(rate=out, amplitude_band=(0.5, 5), power_bands=()), stream(rate))
    features = process(pipeline, [eeg(int(rate * 8), rate=rate)])
    assert len(features.times) == 8 * out
    # Row k ends with the first sample that completes k periods of the feature rate, so it is late by under a sample.
    late = features.times + 1 / rate - np.arange(1, 8 * out + 1) / out
    assert late.min() > -1e-9 and late.max() < 1 / rate


def test_amplitude_is_the_filtered_signal() -> None:
    config = PipelineConfig(rate=160.0, reference="none", amplitude_band=(0.5, 5), power_bands=())
    chunk = eeg(800)
    chunk = Chunk(chunk.samples - chunk.samples[0], chunk.times)  # starts at 0, where the filter starts at rest
    expected = sosfilt(butter(2, (0.5, 5), "bandpass", fs=160, output="sos"), chunk.samples.astype(float), axis=0)
    assert_allclose(process(Pipeline(config, stream()), [chunk]).values, expected, atol=1e-4)


def test_power_of_a_sine_is_half_its_amplitude_squared() -> None:
    times = np.arange(1600) / 160
    samples = np.repeat(10 * np.sin(2 * np.pi * 10 * times)[:, None], len(LABELS), axis=1).astype(np.float32)
    config = PipelineConfig(rate=10.0, reference="none", amplitude_band=None, power_bands=((5.0, 20.0),))
    features = process(Pipeline(config, stream()), [Chunk(samples, times)])
    assert_allclose(features.values[-1], np.log(50), atol=0.01)


def test_average_reference_removes_what_all_electrodes_share() -> None:
    chunk = eeg(800)
    shared = Chunk(chunk.samples + np.linspace(0, 500, 800, dtype=np.float32)[:, None], chunk.times)
    pipeline = Pipeline(CONFIGS[0], stream())
    assert_allclose(process(pipeline, [shared]).values, process(pipeline, [chunk]).values, atol=2e-2)


def test_missing_samples_mask_only_what_depends_on_them() -> None:
    config = PipelineConfig(rate=160.0, reference="none", power_bands=())
    chunk, pipeline = eeg(400), Pipeline(config, stream())
    mask = np.ones(chunk.samples.shape, bool)
    mask[100:110, 0] = False
    poisoned = chunk.samples.copy()
    poisoned[~mask] = np.nan
    gap, whole = process(pipeline, [Chunk(poisoned, chunk.times, mask)]), process(pipeline, [chunk])
    assert np.isfinite(gap.values).all()
    assert_array_equal(gap.values[:, 1:], whole.values[:, 1:])
    assert_array_equal(gap.mask, mask)


def test_scaling_is_fitted_on_valid_rows_and_clips_artefacts() -> None:
    pipeline = Pipeline(CONFIGS[0], stream())
    features = process(pipeline, [eeg(1600)])
    fitted = pipeline.fit([features])
    scaled = process(fitted, [eeg(1600)])
    assert_array_equal(scaled.mask.all(axis=1), scaled.times > 0.5 - 1.5 / 160)  # from when the power window is full
    valid = scaled.values[scaled.mask.all(axis=1)]
    assert_allclose(valid.mean(axis=0), 0, atol=1e-5)
    assert_allclose(valid.std(axis=0), 1, atol=1e-5)
    assert_allclose(fitted.scale(features).values, scaled.values, atol=1e-5)
    jump = Chunk(np.vstack([eeg(400).samples, eeg(400).samples * 1e6]), np.arange(800) / 160)
    assert np.abs(process(fitted, [jump]).values).max() == 8


def test_delay_is_what_an_envelope_shows() -> None:
    """A burst's power peaks as much later as ``delay`` says: measured, against the stated group delay."""
    config = PipelineConfig(
        rate=160.0, reference="none", amplitude_band=None, power_bands=((8.0, 13.0),), power_window=0.5
    )
    pipeline = Pipeline(config, stream())
    times = np.arange(1600) / 160
    burst = np.exp(-0.5 * ((times - 5) / 0.5) ** 2) * np.sin(2 * np.pi * np.sqrt(8 * 13) * times)
    features = process(pipeline, [Chunk(np.repeat(burst[:, None] * 50, 6, axis=1).astype(np.float32), times)])
    power = np.exp(features.values[:, 0])
    centre = (power * features.times).sum() / power.sum()
    assert centre - 5 == pytest.approx(pipeline.delay, abs=0.02)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (PipelineConfig(power_bands=((20.0, 90.0),)), "0-80 Hz"),
        (PipelineConfig(amplitude_band=(5.0, 1.0)), "5-1 Hz"),
        (PipelineConfig(amplitude_band=None, power_bands=()), "no feature"),
        (PipelineConfig(rate=500.0), "at most 160 Hz"),
        (PipelineConfig(power_window=0.0), "no sample"),
        (PipelineConfig(channels=("C3", "Pz")), "no channel Pz"),
    ],
)
def test_what_does_not_fit_the_stream_is_refused(config: PipelineConfig, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        Pipeline(config, stream())


def test_a_recording_without_a_valid_sample_cannot_be_fitted() -> None:
    pipeline = Pipeline(CONFIGS[0], stream())
    with pytest.raises(ConfigurationError, match="no valid samples"):
        pipeline.fit([process(pipeline, [eeg(400, gaps=1.1)])])
