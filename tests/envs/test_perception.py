import numpy as np
import pytest
from scipy import stats

from motorctl.envs import Environment, make_env
from motorctl.envs.perception import standard_normal


def run(steps=30, **options):
    env = Environment("ArmReach", "velocity", **options)
    rows = [env.reset(seed=0)[0]]
    for step in range(steps):
        rows.append(env.step(env.to_action([0.2 * np.cos(step / 5), 0.2]))[0])
    return np.array(rows)


@pytest.mark.parametrize(("delay", "steps"), [(0.0, 0), (0.02, 1), (0.1, 5), (0.109, 5)])
def test_delay_is_in_whole_steps_and_begins_with_the_start(delay, steps):
    present, seen = run(), run(delay=delay)
    assert (seen[steps:] == present[: len(present) - steps]).all()
    assert (seen[:steps] == present[0]).all()


def test_noise_has_the_deviation_asked_for():
    env = make_env("motorctl/ArmReach-v0").unwrapped
    half_range = (env.observation_space.high - env.observation_space.low) / 2
    noise = (run(400, noise=0.01, time_limit=1e3) - run(400, time_limit=1e3))[:, :10] / half_range[:10]
    assert noise.std(0) == pytest.approx(np.full(10, 0.01), rel=0.15)
    assert np.abs(noise.mean(0)).max() < 0.003


def test_noise_stays_within_the_bounds():
    env = Environment("ArmReach", noise=2.0)
    env.reset(seed=0)
    for _ in range(50):
        assert env.step(np.ones(6))[0] in env.observation_space


def test_numbers_are_normal_and_independent():
    keys = np.random.default_rng(0).integers(2**64, size=200, dtype=np.uint64)
    numbers = np.array([standard_normal(keys, np.full(200, step), 16) for step in range(20)])
    assert stats.kstest(numbers.ravel(), "norm").pvalue > 0.01
    for axis in range(3):  # neighbours in time, from one environment to the next, and in the observation
        first, second = (np.moveaxis(numbers, axis, 0)[part].ravel() for part in (slice(None, -1), slice(1, None)))
        assert abs(np.corrcoef(first, second)[0, 1]) < 0.02


def test_numbers_depend_on_nothing_but_key_and_step():
    keys = np.array([5, 7], np.uint64)
    together = standard_normal(keys, np.array([3, 4]), 6)
    assert (standard_normal(keys[1], np.array(4), 6) == together[1]).all()
    assert (standard_normal(keys[1], np.array(3), 6) != together[1]).any()
