import numpy as np
import pytest

from motorctl.envs import Environment, expert, make_vec
from motorctl.envs.arm import arm
from motorctl.envs.center_out import BACK, HOLD, OUT, TARGETS, center_out
from motorctl.errors import ConfigurationError

PERIOD = 0.02
LIMB = arm("velocity", PERIOD)
TASK = center_out(LIMB, PERIOD, dwell=2 * PERIOD)


def trials(task, count, seed=0):
    random, state = np.random.default_rng(seed), None
    for _ in range(count):
        state = task.start(random, LIMB.at_rest, state, {})
        yield state


def go(state, *hands):
    """The state after the hand was at offsets from the center, m, a step each."""
    for hand in hands:
        sensed = {"hand_position": TASK.center + hand, "hand_velocity": np.zeros(2)}
        state = TASK.advance({"time": 0.0, **state}, sensed)
    return state


def test_every_block_has_each_target_once_in_another_order():
    goals = np.array([state["goal"] for state in trials(TASK, 4 * TARGETS)]) - TASK.center
    assert np.linalg.norm(goals, axis=-1) == pytest.approx(np.full(4 * TARGETS, 0.10))
    turns = np.round(np.arctan2(goals[:, 1], goals[:, 0]) * TARGETS / (2 * np.pi)).astype(int) % TARGETS
    blocks = turns.reshape(4, TARGETS)
    assert (np.sort(blocks) == np.arange(TARGETS)).all()
    assert len({tuple(block) for block in blocks}) == 4


def test_a_trial_is_hold_go_hold_return():
    state = next(trials(TASK, 1))
    goal = state["goal"] - TASK.center
    assert state["phase"] == HOLD and (state["target"] == TASK.center).all()
    state = go(state, (0, 0), (0, 0))
    assert state["phase"] == OUT and (state["target"] == state["goal"]).all()
    state = go(state, goal / 2, goal, goal / 2, goal)  # left again: not held
    assert state["phase"] == OUT and TASK.end(state) == 0
    state = go(state, goal)
    assert state["phase"] == BACK and state["target"] == pytest.approx(TASK.center)
    state = go(state, goal / 2, (0, 0))
    assert TASK.end(state) == 0
    assert TASK.end(go(state, (0, 0))) == 1


def test_metrics_are_those_of_the_way_out():
    state = next(trials(TASK, 1))
    goal = state["goal"] - TASK.center
    right = np.array([goal[1], -goal[0]]) / 0.10
    assert np.isnan(TASK.metrics(state)["path_efficiency"])
    state = go(state, (0, 0), (0, 0), goal / 2 + 0.03 * right, goal, goal, (0, 0), (0.3, 0), (0, 0))
    figures = TASK.metrics(state)
    assert figures["deviation"] == pytest.approx(0.03)
    assert figures["path_efficiency"] == pytest.approx(0.10 / (2 * np.hypot(0.05, 0.03)))
    assert figures["time_to_target"] == pytest.approx(3 * PERIOD)


def test_lingering_never_pays():
    """Being done with a phase costs less than anything in it, wherever the hand is then."""
    effort = np.zeros(2)
    for phase in (HOLD, OUT):
        state = {"phase": np.array([phase, phase + 1]), "distance": np.array([0.0, 9.0])}
        there, next_ = TASK.reward(state, {}, effort)["closeness"]
        assert -1 <= there <= 0 and next_ >= there - 1e-9


def test_the_order_goes_on_after_a_reset_and_starts_again_with_a_seed():
    env = Environment("ArmCenterOut", "velocity")
    env.reset(seed=4)
    first = [env._episodes.state["goal"] for _ in range(TARGETS) if env.reset()]
    env.reset(seed=4)
    assert (np.array(first) == [env._episodes.state["goal"] for _ in range(TARGETS) if env.reset()]).all()
    assert len(np.unique(np.round(first, 6), axis=0)) >= TARGETS - 1


def test_targets_out_of_reach_are_refused():
    with pytest.raises(ConfigurationError, match="within reach"):
        Environment("ArmCenterOut", target_distance=0.4)


def test_a_given_target_is_the_one_to_go_to():
    vector = make_vec("motorctl/ArmCenterOut-v0", 2, 1, command="velocity")
    policy = expert(vector)
    _, info = vector.reset(seed=0, options={"target": (0.05, 0.5)})
    for _ in range(20):
        *_, info = vector.step(policy(info))
    assert info["target_position"] == pytest.approx(np.array([(0.05, 0.5)] * 2))
