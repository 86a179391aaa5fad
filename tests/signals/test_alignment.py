"""Streams of different rates in one row per control step."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from motorctl.errors import ConfigurationError
from motorctl.signals.alignment import Alignment
from motorctl.signals.features import Features, join_features
from motorctl.signals.pipeline import Pipeline, PipelineConfig
from motorctl.signals.stream import Channel, Chunk, StreamInfo


def rows(times, width=1):
    """Rows that say when they are from."""
    times = np.asarray(times, float)
    return Features(np.tile(times[:, None], width).astype(np.float32), times, np.ones((len(times), width), bool))


def test_each_step_takes_the_newest_row_of_each_part_that_is_not_later():
    alignment = Alignment(rate=50.0, start=0.0, widths=(1, 2), max_age=0.1)
    slow, fast = rows(np.arange(0.003, 1, 0.03)), rows(np.arange(0.0007, 1, 0.001), 2)
    aligned, _ = alignment.process([slow, fast], 0.9)
    times = aligned.features.times
    assert_allclose(times, np.arange(46) / 50)
    assert_array_equal(aligned.features.mask[0], [False] * 3)
    assert np.isinf(aligned.ages[0]).all()
    for step, (value, age) in enumerate(zip(aligned.features.values[1:], aligned.ages[1:], strict=True), 1):
        expected = [part.times[part.times <= times[step]].max() for part in (slow, fast)]
        assert_allclose(value, np.float32([expected[0], expected[1], expected[1]]))
        assert_allclose(age, times[step] - expected, atol=1e-12)
    assert aligned.ages[1:, 1].max() < 0.001 + 1e-9


@given(
    seed=st.integers(0, 50),
    cuts=st.lists(st.floats(0, 4), max_size=10),
    widths=st.sampled_from([(1,), (1, 2), (2, 1, 3)]),
)
@settings(deadline=None)
def test_any_chunking_gives_the_same(seed, cuts, widths):
    rng = np.random.default_rng(seed)
    parts = [rows(np.sort(rng.uniform(0, 4, 60)), width) for width in widths]
    alignment = Alignment(rate=20.0, start=0.1, widths=widths)
    once, _ = alignment.process(parts, 4.0)
    state, found, sent = None, [], -np.inf
    for until in [*sorted(cuts), 4.0]:
        new = [p.select((p.times > sent) & (p.times <= until)) for p in parts]
        part, state = alignment.process(new, until, state)
        found.append(part)
        sent = until
    joined = join_features([part.features for part in found], sum(widths))
    assert_array_equal(joined.values, once.features.values)
    assert_array_equal(joined.mask, once.features.mask)
    assert_array_equal(joined.times, once.features.times)
    assert_array_equal(np.concatenate([part.ages for part in found]), once.ages)


def test_an_old_part_is_masked_and_its_age_goes_on():
    alignment = Alignment(rate=10.0, start=0.0, widths=(1, 1), max_age=0.25)
    gone, there = rows([0.0, 0.1]), rows(np.arange(0, 1, 0.1))
    aligned, _ = alignment.process([gone, there], 0.95)
    assert_array_equal(aligned.features.mask[:, 0], aligned.features.times <= 0.1 + 0.25)
    assert aligned.features.mask[:, 1].all()
    assert_allclose(aligned.ages[-1], [0.8, 0.0], atol=1e-9)


def test_a_masked_row_stays_masked_and_a_late_row_counts_for_the_next_step():
    alignment = Alignment(rate=10.0, start=0.0, widths=(1,))
    first, state = alignment.process([rows([0.0])._replace(mask=np.array([[False]]))], 0.1)
    assert not first.features.mask.any()
    late, _ = alignment.process([rows([0.05, 0.12])], 0.2, state)
    assert_allclose(late.features.values, [[0.12]], atol=1e-7)
    assert_allclose(late.features.times, [0.2])


def test_three_streams_through_their_pipelines():
    parts, widths = [], []
    kinds = [
        ("EEG", 250.0, "average", ((8.0, 13.0),)),
        ("EMG", 1000.0, "none", ((20.0, 450.0),)),
        ("MoCap", 100.0, "none", ()),
    ]
    for kind, rate, reference, bands in kinds:
        info = StreamInfo(kind, kind, rate, tuple(Channel(f"{kind} {i}", kind=kind) for i in range(3)))
        config = PipelineConfig(
            reference=reference, power_bands=bands, amplitude_band=None, raw=not bands, power_window=0.2
        )
        samples = np.random.default_rng(0).standard_normal((int(2 * rate), 3)).astype(np.float32)
        features, _ = Pipeline(config, info).process(Chunk(samples, 7.0 + np.arange(len(samples)) / rate))
        parts.append(features)
        widths.append(features.values.shape[1])
    aligned, _ = Alignment(rate=50.0, start=7.02, widths=tuple(widths)).process(parts, 8.9)
    assert aligned.features.values.shape == (95, 9)
    assert aligned.ages.max() < 0.021
    assert aligned.features.mask[15:].all()


def test_a_rate_of_zero_is_refused():
    with pytest.raises(ConfigurationError, match="rate is 0"):
        Alignment(rate=0.0, start=0.0, widths=(1,))
