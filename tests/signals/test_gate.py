"""The artefact gate."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from motorctl.signals.gate import find_artefacts, open_gate, trailing

WINDOW = 50


def artefacts(samples, measured, cuts=(), reject=100.0, flat=0.5):
    state, rejected, still = open_gate(WINDOW, samples.shape[1]), [], []
    edges = sorted({*range(0, len(samples), WINDOW), *cuts, len(samples)})
    for start, end in zip(edges[:-1], edges[1:], strict=True):
        r, s, state = find_artefacts(samples[start:end], measured[start:end], state, reject, flat)
        rejected.append(r)
        still.append(s)
    return np.concatenate(rejected), np.concatenate(still)


@given(st.integers(1, 20), st.integers(0, 9))
def test_trailing_extreme_is_that_of_the_window(count, seed):
    values = np.random.default_rng(seed).standard_normal((20 + count, 3))
    expected = [values[i + 1 : i + 21].max(axis=0) for i in range(count)]
    assert_array_equal(trailing(np.fmax, values[20:], values[:20]), expected)


@given(st.lists(st.integers(0, 400), max_size=10), st.integers(0, 5))
@settings(deadline=None)
def test_any_chunking_finds_the_same(cuts, seed):
    rng = np.random.default_rng(seed)
    samples, measured = rng.standard_normal((400, 2)) * 20, rng.random((400, 2)) > 0.05
    samples[100:200, 0] = 7.0
    once, pieces = artefacts(samples, measured), artefacts(samples, measured, cuts)
    assert_array_equal(pieces[0], once[0])
    assert_array_equal(pieces[1], once[1])
    assert not ((once[0] | once[1]) & ~measured).any()  # what is missing is counted as missing only


def test_a_pop_shuts_its_channel_until_the_window_has_passed():
    samples, measured = np.sin(np.arange(400))[:, None] * [5.0, 5.0], np.ones((400, 2), bool)
    samples[150, 0] += 3000
    rejected, still = artefacts(samples + 2000, measured)
    assert_array_equal(np.flatnonzero(rejected[:, 0]), np.arange(150, 150 + WINDOW))
    assert not rejected[:, 1].any() and not still.any()


def test_a_flat_channel_is_found_after_a_window_and_never_at_the_start():
    samples, measured = np.sin(np.arange(400))[:, None] * [5.0], np.ones((400, 1), bool)
    samples[200:300] = 1.0
    _, still = artefacts(samples, measured)
    found = np.flatnonzero(still)
    assert found[0] == 200 + WINDOW - 1 and found[-1] == 299
    assert not artefacts(samples, measured, flat=None)[1].any()
    _, always = artefacts(np.ones((200, 1)), measured[:200])
    assert_array_equal(np.flatnonzero(always), np.arange(WINDOW - 1, 200))
