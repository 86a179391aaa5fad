"""Percentiles from counts, beside NumPy's from all values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motorctl.runtime.histogram import COARSEST, FINEST, RESOLUTION, Histogram

SIZES = st.floats(FINEST, COARSEST)
VALUES = st.lists(SIZES | SIZES.map(lambda size: -size) | st.just(0.0), min_size=1, max_size=200)


@given(VALUES, st.floats(0, 100))
def test_a_percentile_is_right_to_the_resolution_and_the_extremes_are_exact(values, percent):
    histogram = Histogram()
    for value in [*values, np.nan, np.inf]:
        histogram.add(value)
    assert histogram.count == len(values)
    exact = np.percentile(values, percent, method="inverted_cdf")
    assert histogram.percentile(percent) == pytest.approx(exact, rel=1.01 * RESOLUTION, abs=FINEST)
    assert (histogram.percentile(0), histogram.percentile(100)) == (min(values), max(values))


def test_it_does_not_grow_and_is_empty_at_first():
    histogram = Histogram()
    assert histogram.percentile(50) is None
    size = histogram._counts.nbytes
    for value in np.random.default_rng(0).lognormal(-6, 1, 1000):
        histogram.add(value)
    histogram.add(1e9)
    histogram.add(-1e9)
    assert histogram._counts.nbytes == size < 64 * 1024
    assert histogram.percentiles({"max": 100.0}, unit=1e-3) == {"max": 1e12}
