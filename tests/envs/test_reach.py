import numpy as np
import pytest

from motorctl.envs import Reach

TASK = Reach(center=(0.0, 0.45), target_radius=0.02, dwell_steps=3)


def test_targets_fill_the_disc_and_keep_away_from_the_hand():
    hand = np.tile([0.05, 0.45], (4000, 1))
    target = TASK.draw(np.random.default_rng(0), hand)
    from_center = np.linalg.norm(target - TASK.center, axis=-1)
    assert from_center.max() <= TASK.radius
    assert np.linalg.norm(target - hand, axis=-1).min() >= TASK.nearest
    # uniform: the outer half of the area, which the hand's surroundings hardly touch, gets about half of the targets
    assert 0.45 < (from_center > TASK.radius / np.sqrt(2)).mean() < 0.62
    assert (target[:, 0] < 0).any() and (target[:, 1] < 0.35).any()


def test_draws_are_seeded_and_keep_the_shape():
    hand = np.zeros((2, 3, 2)) + TASK.center
    first, second = (TASK.draw(np.random.default_rng(7), hand) for _ in range(2))
    assert first.shape == (2, 3, 2)
    assert (first == second).all()
    assert TASK.draw(np.random.default_rng(7), hand[0, 0]).shape == (2,)


def test_staying_starts_again_when_the_hand_leaves():
    steps = np.zeros(2, int)
    for inside in ([1, 1], [1, 0], [1, 1]):
        steps = TASK.stay(steps, np.where(inside, 0.01, 0.03))
    assert steps.tolist() == [3, 1]


def test_reward_is_a_cost_that_ends_in_the_target():
    distance = np.array([0.0, 0.02, 0.17, 1.0])
    idle = TASK.reward(distance, np.zeros((4, 6)))
    assert idle["closeness"] == pytest.approx([0.0, 0.0, -0.9, -1.0], abs=1e-6)
    assert idle["effort"] == pytest.approx([0.0] * 4)
    assert TASK.reward(distance, np.ones((4, 6)))["effort"] == pytest.approx([-0.1] * 4)
    assert TASK.reward(distance, np.eye(4, 6))["effort"] == pytest.approx([-0.1 / 6] * 4)


def test_distance_is_euclidean():
    assert TASK.distance(np.array([[0.0, 0.0]]), np.array([[0.03, 0.04]])) == pytest.approx([0.05])
