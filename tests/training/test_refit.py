"""ReFIT's relabelling, by what Gilja et al. (2012) say it does."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from motorctl.training.refit import intended_velocity

places = arrays(float, (5, 2), elements=st.floats(-0.5, 0.5, allow_subnormal=False))


def test_a_velocity_is_turned_towards_the_target_and_keeps_its_speed() -> None:
    turned = intended_velocity([[0.0, 0.3]], [[0.0, 0.0]], [[0.4, 0.0]], radius=0.02)
    np.testing.assert_allclose(turned, [[0.3, 0.0]])


def test_nothing_is_intended_inside_the_target_its_edge_included() -> None:
    hands = np.array([[0.0, 0.0], [0.02, 0.0], [0.0, 0.0200001]])
    turned = intended_velocity(np.ones((3, 2)), hands, np.zeros((3, 2)), radius=0.02)
    assert not turned[:2].any()
    np.testing.assert_allclose(turned[2], [0.0, -np.sqrt(2)])


def test_what_is_not_known_stays_unknown() -> None:
    hands = np.array([[np.nan, 0.0], [0.1, 0.0], [0.0, 0.0]])
    velocities = np.array([[0.1, 0.0], [np.nan, 0.0], [np.nan, 0.0]])
    assert np.isnan(intended_velocity(velocities, hands, np.zeros((3, 2)), radius=0.02)).all()


@given(places, places, places)
def test_speed_is_kept_and_no_intention_leads_away(velocity: np.ndarray, hand: np.ndarray, target: np.ndarray) -> None:
    turned, gap = intended_velocity(velocity, hand, target, radius=0.02), target - hand
    outside = np.linalg.norm(gap, axis=1) > 0.02
    speed = np.linalg.norm(turned, axis=1)
    np.testing.assert_allclose(speed, outside * np.linalg.norm(velocity, axis=1), atol=1e-12)
    np.testing.assert_allclose((turned * gap).sum(axis=1), speed * np.linalg.norm(gap, axis=1), atol=1e-12)
