"""Experts against the published laws they follow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motorctl.agents import minimum_jerk_velocity, reach_velocity

coordinate = st.floats(-1, 1)


@given(hand=st.tuples(coordinate, coordinate), target=st.tuples(coordinate, coordinate))
def test_reach_points_at_the_target_and_keeps_its_speed(hand: tuple[float, float], target: tuple[float, float]) -> None:
    difference = np.subtract(target, hand)
    velocity = reach_velocity(np.array(hand), np.array(target), gain=4.0, max_speed=0.35)
    speed = min(0.35, 4.0 * float(np.linalg.norm(difference)))
    assert float(np.linalg.norm(velocity)) == pytest.approx(speed)
    assert velocity @ difference == pytest.approx(speed * float(np.linalg.norm(difference)))


def test_minimum_jerk_reach() -> None:
    """Flash & Hogan (1985): peak speed 1.875 times the mean one, half-way, at rest before and after."""
    progress = np.linspace(-0.5, 1.5, 20001)
    velocity = minimum_jerk_velocity(progress, np.array([0.1, -0.2]), duration=0.8)
    assert velocity.max(axis=0)[0] == pytest.approx(1.875 * 0.1 / 0.8)
    assert progress[velocity[:, 0].argmax()] == pytest.approx(0.5)
    assert not velocity[(progress <= 0) | (progress >= 1)].any()
    np.testing.assert_allclose(velocity.sum(axis=0) * 0.8 * 1e-4, [0.1, -0.2], rtol=1e-6)
