"""Statistics against scipy's tests, exhaustive counts and worked examples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import permutation_test, t, ttest_rel

from motorctl.evaluation.statistics import (
    block_bootstrap,
    corrected_resampled_t,
    holm,
    paired_permutation,
    wilson_interval,
)


def test_the_interval_of_a_share_is_wilsons() -> None:
    assert wilson_interval(40, 40) == pytest.approx((0.9124, 1.0), abs=1e-4)
    assert wilson_interval(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)


def test_the_permutation_test_is_scipys() -> None:
    rng = np.random.default_rng(0)
    a = rng.standard_normal(12)
    b = a - 0.4 + 0.8 * rng.standard_normal(12)
    exact = permutation_test(
        (a, b),
        lambda x, y, axis: (x - y).mean(axis=axis),
        permutation_type="samples",
        n_resamples=np.inf,
        vectorized=True,
    )
    paired = paired_permutation(a, b, seed=0)
    assert paired.p == pytest.approx(exact.pvalue, abs=0.01)
    assert paired.difference == pytest.approx((a - b).mean())
    assert paired.effect == pytest.approx((a - b).mean() / (a - b).std(ddof=1))
    assert paired_permutation(b, a, seed=0).p == paired.p


def test_equal_decoders_do_not_differ_and_p_values_of_chance_are_uniform() -> None:
    assert paired_permutation(np.ones(5), np.ones(5), 0) == (0.0, 0.0, 1.0)
    rng = np.random.default_rng(1)
    p = [paired_permutation(*rng.integers(0, 2, (2, 30)), seed=i).p for i in range(300)]
    assert 0.01 < np.mean(np.array(p) < 0.05) < 0.09


def test_the_corrected_t_is_the_ordinary_one_where_nothing_is_shared_and_smaller_else() -> None:
    a, b = np.random.default_rng(2).standard_normal((2, 10)) + [[0.5], [0]]
    ordinary = ttest_rel(a, b)
    statistic, p = corrected_resampled_t(a - b, train=1e12, test=1)
    assert (statistic, p) == pytest.approx((ordinary.statistic, ordinary.pvalue))
    # Nadeau & Bengio 2003: ten folds of one tenth, so that the variance is (1/10 + 1/9) instead of 1/10
    statistic, p = corrected_resampled_t(a - b, train=90, test=10)
    assert statistic == pytest.approx(ordinary.statistic * np.sqrt((1 / 10) / (1 / 10 + 1 / 9)))
    assert p == pytest.approx(2 * t.sf(abs(statistic), 9))
    assert np.isnan(corrected_resampled_t(np.array([0.3]), 1, 1)).all()


def test_holms_correction_is_the_worked_one() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_blocks_that_go_together_make_the_interval_as_wide_as_it_is() -> None:
    """Ten rows of a block are all alike, so that there are 30 numbers, not 300: the interval is that of 30."""
    values = np.repeat(np.random.default_rng(3).standard_normal(30), 10).reshape(30, 10)
    interval = block_bootstrap(lambda drawn: {"mean": float(values[drawn[0]].mean())}, [30], seed=0)["mean"]
    assert interval[1] - interval[0] == pytest.approx(2 * 1.96 * values[:, 0].std() / np.sqrt(30), rel=0.1)
    assert interval[0] < values.mean() < interval[1]
