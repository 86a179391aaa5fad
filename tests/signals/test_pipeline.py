"""The pipeline is causal and streaming: what a chunk holds and what comes later must not matter."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.signal import butter, sosfilt, sosfilt_zi

from motorctl.errors import ConfigurationError
from motorctl.signals.pipeline import Features, Pipeline, PipelineConfig, PipelineState, join_features
from motorctl.signals.stream import Channel, Chunk, StreamInfo

LABELS = ("C3", "Cz", "C4", "CP3", "CP4", "FC3")


def stream(rate: float = 160.0) -> StreamInfo:
    return StreamInfo("test", "EEG", rate, tuple(Channel(label) for label in LABELS))


def eeg(count: int, seed: int = 0, rate: float = 160.0, gaps: float = 0.0) -> Chunk:
    """Noise on offsets; with ``gaps``, that share of samples is missing, as much is NaN, and a channel is silent."""
    rng = np.random.default_rng(seed)
    offsets = 300 * np.arange(1, len(LABELS) + 1)
    samples = (rng.standard_normal((count, len(LABELS))) * 20 + offsets).astype(np.float32)
    mask = rng.random(samples.shape) >= gaps
    if gaps:
        samples[rng.random(samples.shape) < gaps] = np.nan
        mask[count // 4 : count // 2, seed % len(LABELS)] = False
    return Chunk(samples, np.arange(count) / rate, mask)


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
    PipelineConfig(amplitude_band=(0.0, 8.0), lags=3, power_bands=()),
    PipelineConfig(
        rate=40.0,
        reject=110.0,
        flat=0.5,
        line=50,
        band=(0.5, 45.0),
        amplitude_band=(0.5, 5.0),
        lags=2,
        power_window=0.25,
        covariance_band=(8.0, 30.0),
        raw=True,
        adapt=1.0,
        adapt_std=True,
    ),
]


@pytest.mark.parametrize("config", CONFIGS)
@given(cuts=st.lists(st.integers(0, 700), max_size=30), seed=st.integers(0, 9), gaps=st.sampled_from([0.0, 0.05]))
@settings(max_examples=10, deadline=None)
def test_any_chunking_gives_the_same_features(config: PipelineConfig, cuts: list[int], seed: int, gaps: float) -> None:
    whole, pipeline = eeg(700, seed, gaps=gaps), Pipeline(config, stream(), bads=("Cz",) if config.raw else ())
    edges = [0, *sorted(cuts), 700]
    once, pieces = process(pipeline, [whole]), process(pipeline, [whole[a:b] for a, b in pairwise(edges)])
    assert_allclose(pieces.values, once.values, rtol=1e-6, atol=1e-6)
    assert_array_equal(pieces.times, once.times)
    assert_array_equal(pieces.mask, once.mask)
    assert np.isfinite(once.values).all()


@pytest.mark.parametrize("config", [CONFIGS[0], CONFIGS[-1]])
def test_sample_by_sample_gives_the_same_features(config: PipelineConfig) -> None:
    whole, pipeline = eeg(400, gaps=0.01), Pipeline(config, stream())
    single = process(pipeline, [whole[i : i + 1] for i in range(400)])
    assert_allclose(single.values, process(pipeline, [whole]).values, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("config", CONFIGS)
@given(cut=st.integers(1, 399))
@settings(max_examples=10, deadline=None)
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


def test_default_features_are_what_plain_scipy_gives() -> None:
    """Average reference, filters at rest on the first sample, mean power of half a second: the long way round."""
    chunk = eeg(1600)
    signals = chunk.samples.astype(float)
    signals -= signals.mean(axis=1, keepdims=True)
    columns = []
    for i, band in enumerate([(0.1, 5.0), (7.0, 13.0), (13.0, 20.0), (20.0, 30.0)]):
        sections = butter(2, band, "bandpass", fs=160, output="sos")
        filtered, _ = sosfilt(sections, signals, axis=0, zi=sosfilt_zi(sections)[:, :, None] * signals[0])
        squares = np.vstack([np.zeros((79, len(LABELS))), filtered**2])
        power = np.lib.stride_tricks.sliding_window_view(squares, 80, axis=0).mean(axis=-1)
        columns.append(np.log(np.maximum(power, 1e-3)) if i else filtered)
    rows = [int(np.ceil(k * 160 / 50)) - 1 for k in range(1, 501)]
    found = process(Pipeline(PipelineConfig(), stream()), [chunk])
    assert_allclose(found.values, np.hstack(columns)[rows], rtol=1e-5, atol=1e-5)


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


@pytest.mark.parametrize(
    "config", [CONFIGS[0], CONFIGS[3], replace(CONFIGS[4], reject=None, flat=None, covariance_band=None)]
)
@pytest.mark.parametrize("silent", range(len(LABELS)))
def test_a_silent_channel_is_as_if_it_were_not_there(config: PipelineConfig, silent: int) -> None:
    """With the average reference: the mean is that of the others, exactly."""
    chunk, there = eeg(600), [c for c in range(len(LABELS)) if c != silent]
    smaller = replace(stream(), channels=tuple(stream().channels[c] for c in there))
    expected = process(Pipeline(config, smaller), [chunk.select(there)])
    poisoned = chunk.samples.copy()
    poisoned[:, silent] = np.nan
    pipeline = Pipeline(config, stream())
    found = process(pipeline, [Chunk(poisoned, chunk.times)])
    others = [i for i, name in enumerate(pipeline.names) if not name.startswith(f"{LABELS[silent]} ")]
    assert_allclose(found.values[:, others], expected.values, rtol=1e-5, atol=1e-5)
    assert_array_equal(found.mask[:, others], expected.mask)
    assert not np.delete(found.mask, others, axis=1).any(axis=0)[: len(LABELS)].any()


@pytest.mark.parametrize("config", CONFIGS[:4])
@given(start=st.integers(0, 500), length=st.integers(1, 400), channel=st.integers(0, len(LABELS) - 1))
@settings(max_examples=10, deadline=None)
def test_what_is_in_a_gap_reaches_nothing_and_the_gap_ends(
    config: PipelineConfig, start: int, length: int, channel: int
) -> None:
    chunk, pipeline = eeg(2000), Pipeline(config, stream())
    gap, shown = (slice(start, start + length), channel), []
    for poison in (np.nan, np.inf, 1e7):
        samples, mask = chunk.samples.copy(), np.ones(chunk.samples.shape, bool)
        samples[gap] = poison
        mask[gap] = not np.isfinite(poison)  # what is not finite is missing though the mask says otherwise
        shown.append(process(pipeline, [Chunk(samples, chunk.times, mask)]))
    for other in shown[1:]:
        assert_array_equal(other.values, shown[0].values)
        assert_array_equal(other.mask, shown[0].mask)
    assert np.isfinite(shown[0].values).all()
    after = shown[0].times > (start + length) / 160 + config.power_window + 0.1
    assert shown[0].mask[after].all()
    if config.reference == "average":  # only the silent channel is masked
        for i, name in enumerate(pipeline.names):
            assert name.startswith(f"{LABELS[channel]} ") or shown[0].mask[shown[0].times > 0.6, i].all()


def test_a_gap_shifts_the_other_channels_by_no_more_than_its_share_of_the_mean() -> None:
    """A pop of 5 mV in a gap that is longer than a second leaves no step, neither in the others nor in the channel."""
    config = PipelineConfig(reference="average", amplitude_band=(0.1, 5.0), power_bands=())
    chunk, pipeline = eeg(4000), Pipeline(config, stream())
    samples, mask = chunk.samples.copy(), np.ones(chunk.samples.shape, bool)
    samples[1000:, 2] += 5000.0
    mask[1000:1200, 2] = False
    shifted = process(pipeline, [Chunk(samples, chunk.times, mask)]).values - process(pipeline, [chunk]).values
    assert np.abs(shifted[:, [0, 1, 3, 4, 5]]).max() < 20.0 / len(LABELS) * 2
    assert np.abs(shifted[:, 2]).max() < 40.0


def test_power_over_a_window_with_losses_is_that_of_what_was_measured() -> None:
    times = np.arange(1600) / 160
    samples = np.repeat(10 * np.sin(2 * np.pi * 10 * times)[:, None], len(LABELS), axis=1).astype(np.float32)
    mask = np.ones(samples.shape, bool)
    mask[800:816, 0] = False
    mask[1200:, 1] = False
    config = PipelineConfig(rate=10.0, reference="none", amplitude_band=None, power_bands=((5.0, 20.0),))
    features = process(Pipeline(config, stream()), [Chunk(samples, times, mask)])
    assert features.mask[features.times > 0.5][:, 0].all()  # 16 of 80 samples are too few to mask
    assert_allclose(features.values[features.times > 2][:, 0], np.log(50), atol=0.2)
    silent = features.times > (1200 + 40) / 160
    assert not features.mask[silent, 1].any()
    assert_allclose(features.values[silent, 1], np.log(50), atol=0.1)  # held, not faded to the floor


def test_artefacts_are_held_out_and_counted() -> None:
    config = PipelineConfig(reference="average", reject=200.0, flat=0.5, power_bands=((8.0, 13.0),))
    chunk, pipeline = eeg(3200), Pipeline(config, stream())
    samples = chunk.samples.copy()
    samples[1000, 1] += 1e5
    samples[2000:, 3] = 42.0
    samples[100:132, 5] = np.nan
    features, state = pipeline.process(Chunk(samples, chunk.times))
    clean, _ = pipeline.process(chunk)
    assert state is not None
    gated = pipeline.gated(state)
    assert gated == {
        "Cz": {"missing": 0.0, "rejected": 160 / 3200, "flat": 0.0},
        "CP3": {"missing": 0.0, "rejected": gated["CP3"]["rejected"], "flat": pytest.approx(1041 / 3200, abs=0.001)},
        "FC3": {"missing": 0.01, "rejected": 0.0, "flat": 0.0},
    }
    others = [i for i, name in enumerate(pipeline.names) if name.startswith(("C3 ", "C4 ", "CP4 "))]
    assert np.abs(features.values[:, others] - clean.values[:, others]).max() < 10
    assert features.mask[features.times > 0.5][:, others].all()


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
        (PipelineConfig(rate=8.0), "5 Hz cannot be said by 8 rows"),
        (PipelineConfig(band=(1.0, 90.0)), "1-90 Hz"),
        (PipelineConfig(covariance_band=(8.0, 90.0)), "8-90 Hz"),
        (PipelineConfig(amplitude_band=None, lags=2), "lags is 2"),
        (PipelineConfig(reject=-1.0), "reject is -1"),
        (PipelineConfig(adapt=0.0), "adapt is 0"),
        (PipelineConfig(adapt_std=True), "without adapt"),
    ],
)
def test_what_does_not_fit_the_stream_is_refused(config: PipelineConfig, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        Pipeline(config, stream())


def test_a_recording_or_channel_without_a_valid_sample_cannot_be_fitted() -> None:
    pipeline = Pipeline(CONFIGS[0], stream())
    with pytest.raises(ConfigurationError, match="no valid samples to fit the scaling"):
        pipeline.fit([process(pipeline, [eeg(400, gaps=1.1)])])
    chunk = eeg(400)
    chunk.mask[:, 2] = False
    with pytest.raises(ConfigurationError, match="fit 'C4 amplitude' on"):
        pipeline.fit([process(pipeline, [chunk])])


def test_a_chunk_of_other_channels_is_refused() -> None:
    with pytest.raises(ValueError, match="5 channels for a stream of 6"):
        Pipeline(CONFIGS[0], stream()).process(eeg(10).select([0, 1, 2, 3, 4]))


def test_hum_that_the_stream_cannot_hold_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no 60 Hz hum"):
        Pipeline(PipelineConfig(line=60, power_bands=()), stream(100.0))


def test_hum_is_taken_out() -> None:
    times = np.arange(3200) / 160
    hum = 100 * np.sin(2 * np.pi * 50 * times)[:, None] * np.arange(1, 7)
    chunk = eeg(3200)
    noisy = Chunk((chunk.samples + hum).astype(np.float32), chunk.times)
    config = PipelineConfig(amplitude_band=None, power_bands=((45.0, 55.0),), line=50)
    clean, found = (process(Pipeline(config, stream()), [c]).values[-400:] for c in (chunk, noisy))
    assert_allclose(found, clean, atol=0.05)


def test_lags_are_the_rows_before() -> None:
    config = PipelineConfig(power_bands=(), lags=2)
    pipeline = Pipeline(config, stream())
    features = process(pipeline, [eeg(800)])
    plain = process(Pipeline(replace(config, lags=0), stream()), [eeg(800)])
    assert pipeline.names[0::6] == ("C3 amplitude", "C3 amplitude 1 rows ago", "C3 amplitude 2 rows ago")
    assert_array_equal(features.values[2:], np.hstack([plain.values[2:], plain.values[1:-1], plain.values[:-2]]))
    assert_array_equal(features.mask[:3].sum(axis=1), [6, 12, 18])


def test_raw_features_are_the_signals_without_what_would_alias() -> None:
    raw = PipelineConfig(rate=160.0, reference="none", amplitude_band=None, power_bands=(), raw=True)
    chunk = eeg(400)
    assert_allclose(process(Pipeline(raw, stream()), [chunk]).values, chunk.samples, rtol=1e-6)
    times = np.arange(1600) / 160
    tones = np.stack([np.sin(2 * np.pi * f * times) for f in (4, 4, 4, 45, 45, 45)], axis=1)
    slow = process(Pipeline(replace(raw, rate=40.0), stream()), [Chunk(tones.astype(np.float32), times)])
    power = (slow.values[-200:] ** 2).mean(axis=0)
    assert_allclose(power[:3], 0.5, rtol=0.02)
    assert (power[3:] < 1e-3).all()  # 45 Hz would show at 5


def test_the_delay_of_raw_features_is_what_a_slow_wave_shows() -> None:
    config = PipelineConfig(rate=40.0, reference="none", amplitude_band=None, power_bands=(), raw=True)
    pipeline, times = Pipeline(config, stream()), np.arange(1600) / 160
    bump = np.exp(-0.5 * ((times - 5) / 0.2) ** 2)
    features = process(pipeline, [Chunk(np.repeat(bump[:, None], 6, axis=1).astype(np.float32), times)])
    centre = (features.values[:, 0] * features.times).sum() / features.values[:, 0].sum()
    assert centre - 5 == pytest.approx(pipeline.delay, abs=0.005)
    notched = Pipeline(replace(config, line=50, band=(0.5, 40.0)), stream())
    assert notched.delay > pipeline.delay


def test_a_bad_channel_is_found_in_training_and_interpolated_live() -> None:
    times = np.arange(6400) / 160
    rng = np.random.default_rng(0)
    shared = 20 * np.sin(2 * np.pi * 3 * times)
    samples = (shared[:, None] + rng.standard_normal((6400, 6)) * 2).astype(np.float32)
    broken = samples.copy()
    broken[:, 1] = rng.standard_normal(6400) * 900
    config = PipelineConfig(repair=True, reference="none", amplitude_band=(0.5, 5.0), power_bands=())
    pipeline = Pipeline(config, stream()).calibrate([Chunk(broken[:3200], times[:3200])])
    assert pipeline.bads == ("Cz",)
    repaired, whole = (process(pipeline, [Chunk(x[3200:], times[3200:])]) for x in (broken, samples))
    assert_array_equal(repaired.values, whole.values)  # what the bad electrode says is not looked at
    true = process(Pipeline(replace(config, repair=False), stream()), [Chunk(samples[3200:], times[3200:])])
    assert np.corrcoef(repaired.values[100:, 1], true.values[100:, 1])[0, 1] > 0.98
    assert Pipeline(replace(config, repair=False), stream()).calibrate([Chunk(broken, times)]).bads == ()


def test_tangent_space_is_centred_on_the_training_data() -> None:
    config = PipelineConfig(rate=10.0, amplitude_band=None, power_bands=(), covariance_band=(8.0, 30.0))
    pipeline = Pipeline(config, stream())
    chunk = eeg(4800)
    calibrated = pipeline.calibrate([chunk])
    assert len(calibrated.names) == 21 and calibrated.names[1] == "C3 Cz covariance 8-30 Hz"
    features = process(calibrated, [chunk])
    assert_allclose(features.values[features.mask.all(axis=1)].mean(axis=0), 0, atol=1e-3)
    with pytest.raises(ConfigurationError, match="fit the covariance"):
        pipeline.calibrate([eeg(800, gaps=1.1)])


def test_a_running_mean_takes_out_a_gain_that_drifts() -> None:
    chunk = eeg(160 * 200)
    louder = Chunk(chunk.samples * np.linspace(1, 3, len(chunk), dtype=np.float32)[:, None], chunk.times)
    config = PipelineConfig(rate=10.0, reference="none", amplitude_band=None)
    last = slice(-500, None)
    fixed, running = (
        process(Pipeline(c, stream()), [louder]).values[last].mean()
        - process(Pipeline(c, stream()), [chunk]).values[last].mean()
        for c in (config, replace(config, adapt=20.0))
    )
    assert fixed > 1.5 and abs(running) < 0.4


def test_only_eeg_channels_are_averaged_in_a_stream_that_has_others() -> None:
    chunk = eeg(800)
    info = replace(stream(), channels=(*stream().channels, Channel("Trigger", "", "MISC")))
    trigger = np.full((800, 1), 1e6, np.float32)
    more = Chunk(np.hstack([chunk.samples, trigger]), chunk.times)
    assert Pipeline(CONFIGS[0], info).names == Pipeline(CONFIGS[0], stream()).names
    found, expected = process(Pipeline(CONFIGS[0], info), [more]), process(Pipeline(CONFIGS[0], stream()), [chunk])
    assert_array_equal(found.values, expected.values)


def test_a_pipeline_is_stored_as_json_and_arrays_and_older_ones_load() -> None:
    config = replace(CONFIGS[-1], repair=True)
    pipeline = Pipeline(config, stream(), bads=("Cz",), covariance=np.eye(6) * 3)
    pipeline = pipeline.fit([process(pipeline, [eeg(1600)])])
    again = Pipeline.from_dict(json.loads(json.dumps(pipeline.to_dict())), pipeline.arrays())
    assert again.config == config and again.bads == ("Cz",)
    assert_array_equal(process(again, [eeg(400)]).values, process(pipeline, [eeg(400)]).values)
    older = {
        "rate": 25.0,
        "channels": ["C3"],
        "reference": "none",
        "amplitude_band": None,
        "power_bands": [[7.0, 13.0]],
        "power_window": 1.0,
    }
    read = Pipeline.from_dict({"config": older, "stream": stream().to_dict()}, {})
    expected = PipelineConfig(
        25.0, ("C3",), reference="none", amplitude_band=None, power_bands=((7.0, 13.0),), power_window=1.0
    )
    assert read.config == expected
