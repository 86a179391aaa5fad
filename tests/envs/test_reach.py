import numpy as np
import pytest

from motorctl.envs.arm import arm
from motorctl.envs.reach import reach

PERIOD = 0.02
LIMB = arm("muscles", PERIOD)
TASK = reach(LIMB, PERIOD, target_radius=0.02, dwell=3 * PERIOD)
AT_REST = LIMB.at_rest


def senses(hand):
    return {"hand_position": np.asarray(hand, float), "hand_velocity": np.zeros(np.shape(hand))}


def started(hand, target):
    return {**TASK.first(np.asarray(hand, float), np.asarray(target, float)), "time": 0.0}


def test_targets_fill_the_disc_and_keep_away_from_the_hand():
    random, hand = np.random.default_rng(0), TASK.center + (0.05, 0.0)
    target = np.array([TASK.draw(random, hand) for _ in range(4000)])
    from_center = np.linalg.norm(target - TASK.center, axis=-1)
    assert from_center.max() <= TASK.radius
    assert np.linalg.norm(target - hand, axis=-1).min() >= TASK.nearest
    # uniform: the outer half of the area, which the hand's surroundings hardly touch, gets about half of the targets
    assert 0.45 < (from_center > TASK.radius / np.sqrt(2)).mean() < 0.62
    assert (target[:, 0] < TASK.center[0]).any() and (target[:, 1] < TASK.center[1] - 0.1).any()


def test_draws_are_seeded():
    first, second = (TASK.start(np.random.default_rng(7), AT_REST, None, {})["target"] for _ in range(2))
    assert (first == second).all()


def test_staying_starts_again_when_the_hand_leaves():
    target = np.tile(TASK.center, (2, 1))
    state = {name: np.array([value] * 2) for name, value in started(TASK.center, TASK.center).items()}
    for inside in ([1, 1], [1, 0], [1, 1]):
        away = np.where(inside, 0.01, 0.03)[:, None] * (1.0, 0.0)
        state = TASK.advance(state, senses(target + away))
    assert state["stayed"].tolist() == [3, 1]
    assert TASK.end(state).tolist() == [1, 0] and TASK.success(state).tolist() == [True, False]


def test_reward_is_a_cost_that_ends_in_the_target():
    state = {"distance": np.array([0.0, 0.02, 0.17, 1.0])}
    terms = TASK.reward(state, {}, np.array([0.0, 0.0, 1.0, 0.5]))
    assert terms["closeness"] == pytest.approx([0.0, 0.0, -0.9, -1.0], abs=1e-6)
    assert terms["effort"] == pytest.approx([0.0, 0.0, -0.1, -0.05])


def test_metrics_are_those_of_the_path():
    """There and half-way back again: 4 cm nearer after a path of 12 cm."""
    state = started(TASK.center, TASK.center + (0.08, 0.0))
    for step, x in enumerate((0.04, 0.08, 0.04)):
        state = TASK.advance({**state, "time": (step + 1) * PERIOD}, senses(TASK.center + (x, 0.0)))
    assert TASK.metrics(state)["path_efficiency"] == pytest.approx(4 / 12)
    assert TASK.metrics(state)["error"] == pytest.approx(0.04)
    assert np.isnan(TASK.metrics(state)["time_to_target"])
    for step in range(3, 6):
        state = TASK.advance({**state, "time": (step + 1) * PERIOD}, senses(TASK.center + (0.08, 0.0)))
    assert TASK.metrics(state)["time_to_target"] == pytest.approx(6 * PERIOD)
