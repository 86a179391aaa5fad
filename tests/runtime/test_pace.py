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
    row, places, settled = 0.0171 - device, [], 25
    for step in range(len(jitter)):
        row += device
        ready = row + jitter[step]
        assert pace.at_once_from < ready < pace.deadline
        places.append((ready - pace.at_once_from) / PERIOD)
        before = pace.deadline
        pace.go_on(0, ready, moving=step > settled)
        assert step <= settled or abs(pace.deadline - before - PERIOD) <= SLEW * PERIOD + 1e-9
    assert np.abs(np.array(places[settled:]) - 0.5).max() < 0.25


def test_without_samples_the_grid_goes_on_by_itself():
    pace = Pace(PERIOD, 0.0, "samples")
    for k in range(1, 50):
        assert pace.deadline == pytest.approx(k * PERIOD)
        pace.go_on(0, None, moving=False)


def test_rows_in_bursts_do_not_make_the_grid_run_ahead():
    """Four come at once, every fourth period, before the limb may move: as many deadlines as periods, but for one."""
    pace = Pace(PERIOD, 0.0, "samples")
    now, steps = 0.0, 0
    while now < 4.0:
        due = (int(now / (4 * PERIOD)) + 1) * 4 * PERIOD  # the next burst
        come = due <= pace.deadline
        now = max(due, pace.at_once_from) if come else pace.deadline
        pace.go_on(0, due if come else None, moving=False)
        now, steps = now + 1e-4, steps + 1
    assert abs(steps - 4.0 / PERIOD) <= 2
