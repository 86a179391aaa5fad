import numpy as np
import pytest

from motorctl.envs import Environment
from motorctl.envs.arm import arm
from motorctl.envs.track import BASE, track
from motorctl.errors import ConfigurationError

PERIOD = 0.02
LIMB = arm("velocity", PERIOD)
TASK = track(LIMB, PERIOD)


def path(seed, seconds=20.0):
    """Positions and velocities (time, 2) of the target."""
    phases = TASK.start(np.random.default_rng(seed), LIMB.at_rest, None, {})["phases"]
    times = np.arange(round(seconds / PERIOD)) * PERIOD
    return TASK._target(phases, times)


def test_the_target_is_a_sum_of_sines_of_prime_multiples():
    position, _ = path(0)
    amplitude = 2 * np.abs(np.fft.rfft(position, axis=0)) / len(position)  # one bin is the base frequency
    there = [set(np.flatnonzero(axis[1:] > 1e-6) + 1) for axis in amplitude.T]
    assert there == [{2, 5, 11}, {3, 7, 13}]
    speed = amplitude * np.arange(len(amplitude))[:, None] * BASE * 2 * np.pi
    assert speed[[2, 5, 11], 0] == pytest.approx(np.full(3, speed[2, 0]))


def test_the_target_stays_within_its_amplitude_and_reach():
    away = np.concatenate([path(seed)[0] for seed in range(20)]) - TASK.center
    assert 0.07 < np.abs(away).max() <= 0.09
    assert LIMB.workspace.contains(away + TASK.center).all()


def test_the_velocity_is_that_of_the_position():
    position, velocity = path(1)
    assert velocity[1:-1] == pytest.approx((position[2:] - position[:-2]) / (2 * PERIOD), abs=2e-4)


def follow(on):
    """The state after 4 s in which the hand is on target for some of the steps after the first second."""
    state = TASK.start(np.random.default_rng(0), LIMB.at_rest, None, {})
    for step in range(1, 201):
        target, _ = TASK._target(state["phases"], step * PERIOD)
        off = 0.5 if step <= 50 else 0.0 if step <= 50 + on else 0.03
        state = TASK.advance({**state, "time": step * PERIOD}, {"hand_position": target + (off, 0), "hand_velocity": 0})
    return state


def test_success_is_time_on_target_and_the_first_second_does_not_count():
    state = follow(on=106)
    assert TASK.success(state) and TASK.end(state) == 0
    assert TASK.metrics(state)["time_on_target"] == pytest.approx(106 / 150)
    assert TASK.metrics(state)["error"] == pytest.approx(0.03 * np.sqrt(44 / 150))
    assert not TASK.success(follow(on=104))


def test_nothing_scored_is_no_success():
    env = Environment("ArmTrack", time_limit=0.5)
    env.reset(seed=0)
    infos = [env.step(np.zeros(6))[-1] for _ in range(25)]
    assert infos[-1]["reason"] == "time limit" and not infos[-1]["success"]
    assert np.isnan(infos[-1]["metrics"]["error"])


def test_a_target_that_leaves_the_workspace_is_refused():
    with pytest.raises(ConfigurationError, match="within reach"):
        Environment("ArmTrack", amplitude=0.3)
