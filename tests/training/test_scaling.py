"""Gating, holding and standardising: what must hold for any signal, and what the naive way does to it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motorctl.training.scaling import GATE, LIMIT, fit_scaling, hold


@settings(deadline=None)
@given(seed=st.integers(0, 999), lost=st.floats(0, 1), cut=st.integers(1, 19))
def test_a_held_value_is_the_last_measured_one_and_never_a_later_one(seed: int, lost: float, cut: int) -> None:
    rng = np.random.default_rng(seed)
    values, measured = rng.standard_normal((2, 20, 3)), rng.random((2, 20, 3)) >= lost
    held = hold(values, measured)
    for place in np.ndindex(2, 20, 3):
        sequence, time, channel = place
        before = [t for t in range(time + 1) if measured[sequence, t, channel]]
        assert held[place] == (values[sequence, before[-1], channel] if before else 0)
    np.testing.assert_array_equal(hold(values[:, :cut], measured[:, :cut]), held[:, :cut])


@settings(deadline=None)
@given(seed=st.integers(0, 999), offset=st.floats(-1e4, 1e4), size=st.floats(1e-3, 1e3))
def test_what_is_measured_has_mean_0_and_deviation_1_and_comes_back(seed: int, offset: float, size: float) -> None:
    values = offset + size * np.random.default_rng(seed).standard_normal((4, 50, 2))
    values[0, :7, 1] = np.nan
    scaling = fit_scaling(values)
    scaled = scaling.apply(values)
    kept = scaled.values.numpy()[scaled.measured.all(axis=2)]
    assert scaled.values.abs().max() <= LIMIT and not scaled.values.isnan().any()
    np.testing.assert_allclose(kept.mean(axis=0), 0, atol=0.1)
    known = np.isfinite(values)
    back = scaling.invert(scaling.standardise(values))
    np.testing.assert_allclose(back[known], values[known], rtol=1e-4, atol=1e-4 * (abs(offset) + size))


@pytest.mark.parametrize("share", [0.01, 0.2])
@pytest.mark.parametrize("outlier", [1e3, -1e6, np.inf])
def test_outliers_are_held_and_do_not_touch_the_scale_where_the_naive_way_fails(share: float, outlier: float) -> None:
    rng = np.random.default_rng(0)
    clean = 5 + rng.standard_normal((1, 2000, 1))
    struck = rng.random(clean.shape) < share
    values = np.where(struck, outlier, clean)
    scaling = fit_scaling(values)
    scaled = scaling.apply(values)
    assert scaled.gated == (0 if np.isinf(outlier) else struck.sum())
    np.testing.assert_array_equal(scaled.measured, ~struck)
    assert scaled.values.std() == pytest.approx(1, rel=0.1)
    if np.isfinite(outlier):  # the naive way leaves nothing of the signal
        naive = (values - values.mean()) / values.std()
        assert naive[~struck].std() < 0.03


def test_pulses_and_bursts_are_no_outliers() -> None:
    rng = np.random.default_rng(0)
    pulses = np.where(rng.random((1, 2000, 1)) < 0.05, 3.0, 0.0)
    assert fit_scaling(pulses).apply(pulses).gated == 0
    muscle = rng.standard_normal((1, 2000, 1)) * np.where(np.arange(2000) % 500 < 50, 12, 1)[:, None]  # silent, mostly
    assert fit_scaling(muscle).apply(muscle).gated == 0
    assert fit_scaling(np.random.default_rng(0).standard_normal((1, 9000, 1))).high[0] == pytest.approx(GATE, rel=0.1)


def test_what_never_varies_or_was_never_measured_is_0() -> None:
    values = np.stack([np.full(50, 7.0), np.full(50, np.nan), np.arange(50.0)], axis=1)
    scaled = fit_scaling(values).apply(values)
    assert not scaled.values[:, :2].any() and scaled.values[:, 2].std() > 0.9
