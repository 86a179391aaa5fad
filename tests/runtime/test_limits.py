"""Limits hold whatever is wanted, and what is wanted is reached."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motorctl.runtime.limits import Given, Limits

LIMITS = Limits(np.array([-1.0, 0.0]), np.array([1.0, 3.0]), np.array([0.2, 0.5]), np.array([0.05, 0.07]))
AT_REST = Given(np.zeros(2), np.zeros(2))

numbers = st.floats(-1e6, 1e6)


@given(st.lists(st.tuples(numbers, numbers, st.integers(1, 20)), max_size=20))
def test_whatever_is_wanted_range_change_and_its_change_hold(wanted):
    last = AT_REST
    for x, y, steps in wanted:
        for _ in range(steps):
            given_now = LIMITS.approach(np.array([x, y]), last)
            assert (given_now.command >= LIMITS.low).all() and (given_now.command <= LIMITS.high).all()
            assert (np.abs(given_now.change) <= LIMITS.step + 1e-12).all()
            assert (np.abs(given_now.change - last.change) <= LIMITS.bend + 1e-9).all()
            np.testing.assert_allclose(given_now.command - last.command, given_now.change)
            last = given_now


@given(st.floats(-1.0, 1.0), st.floats(0.0, 3.0))
def test_what_is_wanted_is_reached_without_passing_it(x, y):
    wanted, last = np.array([x, y]), AT_REST
    for _ in range(100):
        last = LIMITS.approach(wanted, last)
        assert (np.sign(wanted) * (wanted - last.command) >= -1e-12).all()
    np.testing.assert_allclose(last.command, wanted, atol=1e-12)


def test_far_away_the_command_changes_as_fast_as_it_may():
    last = AT_REST
    for expected in (0.05, 0.15, 0.3, 0.5):  # the change grows by 0.05 up to 0.2
        last = LIMITS.approach(np.array([1.0, 0.0]), last)
        assert last.command[0] == pytest.approx(expected)
