"""The running mean."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from motorctl.signals.scaling import adapt, first_adaptation


def run(values, valid, memory, divide=False, cuts=()):
    state, parts = first_adaptation(values.shape[1]), []
    edges = [0, *sorted(cuts), len(values)]
    for start, end in zip(edges[:-1], edges[1:], strict=True):
        part, state = adapt(values[start:end], valid[start:end], state, memory, divide)
        parts.append(part)
    return np.concatenate(parts)


def test_until_its_memory_is_full_it_is_the_mean_of_all_so_far():
    values, valid = np.random.default_rng(0).standard_normal((40, 2)) + 5, np.ones((40, 2), bool)
    so_far = [values[: k + 1] for k in range(40)]
    assert_allclose(run(values, valid, 100), values - [rows.mean(axis=0) for rows in so_far], atol=1e-12)
    std = np.array([rows.std(axis=0) for rows in so_far])
    std[0] = 1
    assert_allclose(run(values, valid, 100, divide=True), run(values, valid, 100) / std, atol=1e-9)


def test_afterwards_a_step_fades_with_the_time_constant():
    values = np.repeat([0.0, 1.0], [500, 300])[:, None]
    after = run(values, np.ones_like(values, bool), 50)[500:, 0]
    assert_allclose(after, (1 - 1 / 50) ** np.arange(1, 301), atol=1e-12)


@given(cuts=st.lists(st.integers(0, 60), max_size=6), seed=st.integers(0, 9), divide=st.booleans())
def test_rows_that_are_not_valid_move_nothing(cuts, seed, divide):
    rng = np.random.default_rng(seed)
    values, valid = rng.standard_normal((60, 3)), rng.random((60, 3)) > 0.3
    adapted = run(values, valid, 20, divide)
    other = run(np.where(valid, values, 1e6), valid, 20, divide, cuts)
    assert_array_equal(other[valid], adapted[valid])
    for feature in range(3):
        alone = run(values[valid[:, feature], feature, None], np.ones((valid[:, feature].sum(), 1), bool), 20, divide)
        assert_allclose(adapted[valid[:, feature], feature], alone[:, 0], atol=1e-12)


def test_before_the_first_valid_row_it_says_nothing():
    values, valid = np.full((5, 1), 3.0), np.array([[False], [False], [True], [True], [False]])
    assert_array_equal(run(values, valid, 10), np.zeros((5, 1)))
