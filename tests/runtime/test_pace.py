"""The grid of deadlines: absolute, led by samples where these lead, and never made up for."""

from __future__ import annotations

import numpy as np
import pytest

from motorctl.runtime.pace import SLEW, Pace

PERIOD = 0.02


def test_deadlines_of_the_clock_do_not_drift_and_what_is_missed_is_left_out():
    pace = Pace(PERIOD, 10.0, "clock")
    assert pace.at_once_from == float("inf")
    for k in range(1, 1001):
        assert pace.deadline == pytest.approx(10 + k * PERIOD, abs=1e-9)
        pace.go_on(0, pace.deadline - 0.001, moving=True)
    deadline = pace.deadline
    assert [pace.missed(deadline + late) for late in (-0.01, 0.019, 0.021, 0.095)] == [0, 0, 1, 4]
    pace.go_on(4, None, moving=True)
    assert pace.deadline == pytest.approx(deadline + 5 * PERIOD)


def test_rows_come_in_the_middle_between_two_deadlines_even_if_their_clock_is_another():
    pace = Pace(PERIOD, 0.0, "samples")
    device, jitter = PERIOD * (1 + 200e-6), np.random.default_rng(0).normal(0, 5e-4, 20_000)
    row, places = 0.0171 - device, []
    for step in range(len(jitter)):
        row += device
        ready = row + jitter[step]
        assert pace.at_once_from < ready < pace.deadline
        places.append((ready - pace.at_once_from) / PERIOD)
        before = pace.deadline
        pace.go_on(0, ready, moving=step > 2)
        assert step <= 2 or abs(pace.deadline - before - PERIOD) <= SLEW * PERIOD + 1e-9
    assert np.abs(np.array(places[3:]) - 0.5).max() < 0.25


def test_without_samples_the_grid_goes_on_by_itself():
    pace = Pace(PERIOD, 0.0, "samples")
    for k in range(1, 50):
        assert pace.deadline == pytest.approx(k * PERIOD)
        pace.go_on(0, None, moving=False)
