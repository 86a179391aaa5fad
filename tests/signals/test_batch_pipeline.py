"""The batched pipeline gives what the pipeline gives, stream by stream, and gradients with it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from motorctl.errors import ConfigurationError
from motorctl.signals.batch_pipeline import BatchPipeline
from motorctl.signals.pipeline import Pipeline, PipelineConfig
from motorctl.signals.scaling import SCALED_LIMIT
from motorctl.signals.stream import Channel, Chunk, StreamInfo

LABELS = ("C3", "Cz", "C4", "CP3", "CP4", "FC3")
LANES = 3


class Unrounded(Pipeline):
    """A pipeline whose features stay in float64, unscaled."""

    def _scale(self, values):
        return values


def stream(rate: float = 160.0) -> StreamInfo:
    return StreamInfo("test", "EEG", rate, tuple(Channel(label) for label in LABELS))


def eeg(count: int, seed: int = 0) -> np.ndarray:
    """``(lane, time, channel)`` noise on offsets, other ones in every lane."""
    rng = np.random.default_rng(seed)
    offsets = 300 * rng.standard_normal((LANES, 1, len(LABELS)))
    return (rng.standard_normal((LANES, count, len(LABELS))) * 20 + offsets).astype(np.float32)


def one_by_one(pipeline: Pipeline, samples: np.ndarray) -> np.ndarray:
    chunks = (Chunk(lane, np.arange(len(lane)) / pipeline.info.rate) for lane in samples)
    return np.stack([pipeline.process(chunk)[0].values for chunk in chunks])


CONFIGS = {
    "default": PipelineConfig(),
    "laplacian": PipelineConfig(
        rate=25.0, channels=("C3", "C4"), reference="laplacian", amplitude_band=None, power_window=1.0
    ),
    "no reference": PipelineConfig(rate=160.0, reference="none", power_bands=()),
    "from 0 Hz": PipelineConfig(amplitude_band=(0.0, 8.0), lags=3, power_bands=((0.0, 4.0), (8.0, 13.0))),
    "raw": PipelineConfig(amplitude_band=None, power_bands=(), raw=True),
    "notch and band": PipelineConfig(line=50, band=(0.5, 45.0), lags=1),
    "repair": PipelineConfig(repair=True, power_window=0.33),
    "adapt": PipelineConfig(rate=40.0, adapt=1.0, power_window=0.25),
    "everything": PipelineConfig(
        rate=40.0, line=50, band=(0.5, 45.0), lags=2, power_window=0.25, raw=True, adapt=1.0, adapt_std=True
    ),
}


@pytest.mark.parametrize("rate", [160.0, 250.0])
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_features_are_those_of_the_pipeline(config: PipelineConfig, rate: float) -> None:
    pipeline = Unrounded(config, stream(rate), bads=("Cz",) if config.repair else ())
    batch, samples = BatchPipeline(pipeline), eeg(1000)
    found, _ = batch.process(torch.from_numpy(samples).double())
    expected = one_by_one(pipeline, samples)
    assert found.shape == expected.shape == (LANES, int(1000 / rate * config.rate), len(batch.names))
    assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    assert (batch.names, batch.rate, batch.delay) == (pipeline.names, config.rate, pipeline.delay)
    single, _ = batch.process(torch.from_numpy(samples))
    assert single.dtype == torch.float32
    assert_allclose(single, expected, rtol=1e-5, atol=1e-5)


def test_scaling_and_its_limit() -> None:
    samples, unfitted = eeg(2000), Pipeline(PipelineConfig(), stream())
    fitted = unfitted.fit([unfitted.process(Chunk(lane, np.arange(2000) / 160))[0] for lane in samples])
    samples[:, 1500:, 0] += 5000.0
    found, _ = BatchPipeline(fitted).process(torch.from_numpy(samples))
    assert_allclose(found, one_by_one(fitted, samples), rtol=1e-5, atol=1e-5)
    assert found.abs().max() == SCALED_LIMIT


@pytest.mark.parametrize("config", [CONFIGS["from 0 Hz"], CONFIGS["repair"], CONFIGS["everything"]])
@given(cuts=st.lists(st.integers(0, 400), max_size=20), seed=st.integers(0, 9))
@settings(max_examples=10, deadline=None)
def test_any_chunking_gives_the_same_features(config: PipelineConfig, cuts: list[int], seed: int) -> None:
    batch, samples = BatchPipeline(Pipeline(config, stream())), torch.from_numpy(eeg(400, seed)).double()
    parts, state = [], None
    for start, end in pairwise([0, *sorted(cuts), 400]):
        before = state
        features, state = batch.process(samples[:, start:end], before)
        again, _ = batch.process(samples[:, start:end], before)
        assert torch.equal(features, again)  # the state that went in is as it was
        parts.append(features)
    assert_allclose(torch.cat(parts, dim=1), batch.process(samples)[0], rtol=1e-9, atol=1e-9)


def test_lanes_know_nothing_of_each_other() -> None:
    batch, samples = BatchPipeline(Pipeline(CONFIGS["everything"], stream())), torch.from_numpy(eeg(400)).double()
    together, _ = batch.process(samples)
    for lane in range(LANES):
        alone, _ = batch.process(samples[[lane]])
        assert_allclose(alone[0], together[lane], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("config", [CONFIGS["from 0 Hz"], CONFIGS["everything"]])
def test_gradients_are_those_of_finite_differences(config: PipelineConfig) -> None:
    config = replace(config, power_window=0.1)
    batch = BatchPipeline(Pipeline(config, stream(), np.array(0.5), np.array(3.0)))
    start, end = torch.from_numpy(eeg(100)).double().split([75, 25], dim=1)
    _, state = batch.process(start)

    def after(samples: torch.Tensor) -> torch.Tensor:
        return batch.process(samples, state)[0]

    assert torch.autograd.gradcheck(after, end.requires_grad_(), fast_mode=True)


def test_gradients_reach_back_through_the_state_and_never_forward() -> None:
    batch = BatchPipeline(Pipeline(CONFIGS["everything"], stream()))
    samples = torch.from_numpy(eeg(200)).requires_grad_()
    _, state = batch.process(samples[:, :100])
    features, _ = batch.process(samples[:, 100:160], state)
    (reached,) = torch.autograd.grad(features[0].sum(), samples)
    assert reached[0, :160].abs().amin(dim=-1).count_nonzero() > 155
    assert not reached[0, 160:].any() and not reached[1:].any()


@pytest.mark.parametrize(
    "option",
    [{"covariance_band": (8.0, 30.0)}, {"reject": 100.0}, {"flat": 1.0}],
    ids=lambda option: next(iter(option)),
)
def test_what_it_cannot_do_is_said_when_it_is_built(option: dict) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(option))):
        BatchPipeline(Pipeline(PipelineConfig(**option), stream()))


def test_missing_samples_and_other_streams_are_refused() -> None:
    batch, samples = BatchPipeline(Pipeline(PipelineConfig(), stream())), torch.from_numpy(eeg(100))
    with pytest.raises(ValueError, match="5 channels for a stream of 6"):
        batch.process(samples[..., :5])
    samples[1, 50, 2] = torch.nan
    with pytest.raises(ConfigurationError, match="NaN"):
        batch.process(samples)
