"""Stand-ins for missing samples: smooth, and no burden on the other channels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from motorctl.signals.missing import fill_missing, first_state

EQUAL, ALONE = np.full(4, 0.25), np.zeros(4)
RESTART = 20


def samples_of(count=200, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, 4)) * 20 + rng.standard_normal(4) * 1000


def fill(samples, measured, weights, cuts=()):
    state, signals, bases = first_state(samples, measured, weights, RESTART), [], []
    edges = [0, *sorted(cuts), len(samples)]
    for start, end in zip(edges[:-1], edges[1:], strict=True):
        if start < end:
            part, base, state = fill_missing(samples[start:end], measured[start:end], state, weights, RESTART)
            signals.append(part)
            bases.append(np.broadcast_to(base, part.shape))
    return np.concatenate(signals), np.concatenate(bases)


@pytest.mark.parametrize("weights", [EQUAL, ALONE], ids=["average", "alone"])
@given(
    seed=st.integers(0, 5),
    cuts=st.lists(st.integers(0, 200), max_size=8),
    gaps=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 199), st.integers(1, 60)), max_size=6),
)
@settings(max_examples=30, deadline=None)
def test_any_chunking_any_gaps_and_whatever_was_in_them(weights, seed, cuts, gaps):
    samples, measured = samples_of(seed=seed), np.ones((200, 4), bool)
    for channel, start, length in gaps:
        measured[start : start + length, channel] = False
    poisoned = np.where(measured, samples, np.nan)
    whole, base = fill(poisoned, measured, weights)
    pieces, base_of_pieces = fill(np.where(measured, samples, 1e9), measured, weights, cuts)
    assert np.isfinite(whole).all()
    assert_allclose(pieces, whole, atol=1e-9)
    assert_allclose(base_of_pieces, base, atol=1e-9)
    assert_allclose((whole + base)[measured], samples[measured], atol=1e-9)  # what was measured is what comes out


def test_a_channel_that_never_comes_leaves_the_average_of_the_others():
    samples, measured = samples_of(), np.ones((200, 4), bool)
    measured[:, 2] = False
    signals, bases = fill(np.where(measured, samples, np.nan), measured, EQUAL)
    others = [0, 1, 3]
    assert_allclose((signals + bases).mean(axis=1), samples[:, others].mean(axis=1), atol=1e-9)


def test_an_electrode_that_falls_silent_does_not_shift_the_average():
    """Four still electrodes with offsets apart: neither when one goes nor when it comes back does anything move."""
    samples, measured = np.tile([5000.0, 10.0, -300.0, 40.0], (200, 1)), np.ones((200, 4), bool)
    measured[50:130, 0] = False
    signals, bases = fill(np.where(measured, samples, np.nan), measured, EQUAL)
    assert_allclose(signals, 0, atol=1e-9)
    assert_allclose(bases, samples, atol=1e-9)


def test_a_silent_electrode_follows_the_average_of_the_others():
    samples = np.linspace(0, 100, 200)[:, None] + np.array([300.0, 10.0, -300.0, 40.0])
    measured = np.ones((200, 4), bool)
    measured[50:60, 0] = False
    signals, _ = fill(np.where(measured, samples, np.nan), measured, EQUAL)
    assert_allclose(signals, samples - samples[0], atol=1e-9)  # all drift alike, so it is exact


def test_without_an_average_a_silent_channel_holds_its_last_value():
    samples, measured = samples_of(), np.ones((200, 4), bool)
    measured[50:60, 0] = False
    signals, bases = fill(samples, measured, ALONE)
    assert_array_equal(signals[50:60, 0], np.full(10, signals[49, 0]))
    assert_allclose((signals + bases)[60:], samples[60:], atol=1e-9)


def test_after_a_long_silence_a_channel_goes_on_where_it_was():
    samples, measured = np.zeros((200, 4)), np.ones((200, 4), bool)
    samples[100:, 0] = 5000.0  # the electrode was moved
    measured[100 - RESTART : 100, 0] = False
    signals, bases = fill(samples, measured, EQUAL)
    assert_allclose(signals, 0, atol=1e-9)
    assert_array_equal(bases[-1], [5000, 0, 0, 0])
    measured[100 - RESTART, 0] = True  # one sample less: a gap that is bridged
    signals, _ = fill(samples, measured, EQUAL)
    assert signals[100, 0] == 5000
