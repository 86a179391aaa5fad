"""Kaplan-Meier against a worked example and against what it must be without censoring."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import CensoredData, ecdf

from motorctl.evaluation.survival import survival


def test_a_worked_example() -> None:
    """Remission under 6-MP (Freireich et al. 1963), the example of every textbook (Kleinbaum & Klein 2012, ch. 2)."""
    reached = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    gave_up = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    curve = survival(np.array(reached + gave_up, float), np.array([True] * 9 + [False] * 12))
    assert curve.times.tolist() == [6, 7, 10, 13, 16, 22, 23]
    assert_allclose(curve.share, [0.8571, 0.8067, 0.7529, 0.6902, 0.6275, 0.5378, 0.4482], atol=5e-5)
    assert curve.median == 23
    assert curve.end == 35


@given(st.lists(st.tuples(st.integers(1, 12), st.booleans()), min_size=1, max_size=40))
def test_scipy_gives_the_same(drawn: list[tuple[int, bool]]) -> None:
    times, reached = np.array([t for t, _ in drawn], float), np.array([r for _, r in drawn])
    curve = survival(times, reached)
    theirs = ecdf(CensoredData(uncensored=times[reached], right=times[~reached])).sf
    assert_allclose(curve.share, theirs.evaluate(curve.times), atol=1e-12)


@given(st.lists(st.floats(0.1, 3.9), min_size=1, max_size=30), st.integers(0, 30))
def test_with_one_time_limit_the_area_is_the_mean(times: list[float], missed: int) -> None:
    every = np.array([*times, *[4.0] * missed])
    curve = survival(every, every < 4)
    assert curve.mean == pytest.approx(every.mean())
    if missed > len(times):
        assert np.isnan(curve.median)
