"""Environments whose observation is the EEG of somebody who looks at the task."""

import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict
from gymnasium.utils.env_checker import check_env

from motorctl.envs import eeg_ids, env_ids, make_env
from motorctl.errors import ConfigurationError
from motorctl.person.brain import MONTAGE


def run(env, steps, seed=0):
    """The observations of ``steps`` steps of one seed, through as many episodes as that takes."""
    env.action_space.seed(seed)
    seen = [env.reset(seed=seed)[0]]
    for _ in range(steps):
        observation, _, terminated, truncated, _ = env.step(env.action_space.sample())
        seen.append(observation)
        if terminated or truncated:
            seen.append(env.reset()[0])
    return seen


def test_every_environment_has_one():
    assert len(eeg_ids()) == len(env_ids())
    assert all(id_ in gymnasium.registry for id_ in eeg_ids())


@pytest.mark.parametrize("id_", eeg_ids())
def test_gymnasium_finds_nothing_wrong(id_):
    env = gymnasium.make(f"motorctl.envs:{id_}", proprioception=True)
    assert isinstance(env.observation_space, Dict)
    check_env(env.unwrapped, skip_render_check=True)


@pytest.mark.parametrize("id_", ["motorctl/ArmReachEEG-v0", "motorctl/LegGaitEEG-v0"])
@pytest.mark.parametrize("observe", ["eeg", "features"])
def test_a_seed_fixes_everything(id_, observe):
    first, second, other = (np.stack(run(make_env(id_, observe=observe), 30, seed=seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, second)
    assert np.isfinite(first).all() and not np.array_equal(first, other)


def test_eeg_comes_a_control_period_at_a_time():
    env = make_env("motorctl/ArmReachEEG-v0", electrodes=("C3", "Cz", "C4"), eeg_rate=500.0, brain="ideal")
    assert env.observation_space == Box(-3276.8, 3276.8, (10, 3), np.float32)
    eeg = np.concatenate(run(env, 100))
    assert eeg.shape[1] == 3 and 3 < eeg.std() < 60  # µV


def test_features_are_in_standard_deviations_of_rest():
    env = make_env("motorctl/ArmReachEEG-v0", observe="features", brain="ideal", command="velocity")
    assert env.observation_space.shape == (3 * len(MONTAGE),)
    env.reset(seed=0)
    action = np.zeros(2, np.float32)
    seen = np.stack([env.step(action)[0] for _ in range(150)])
    assert 0.1 < seen.std() < 10


def test_the_eeg_follows_what_is_intended():
    env = make_env("motorctl/ArmReachEEG-v0", brain="ideal", command="velocity", time_limit=100.0)
    slow = []
    for target in ([0.1, 0.45], [-0.12, 0.45]):
        env.reset(seed=0, options={"target": target})
        blocks = [env.step(np.zeros(2, np.float32)) for _ in range(150)]
        assert np.sign(blocks[-1][-1]["intention"][0]) == np.sign(target[0])
        slow.append(np.concatenate([block[0] for block in blocks[25:]])[:, MONTAGE.index("C3")].mean())
    assert slow[0] - slow[1] > 5  # µV: velocity is coded at the left hand area


def test_a_class_is_imagined():
    env = make_env("motorctl/LegGaitEEG-v0", brain="ideal", command="class")
    env.reset(seed=0, options={"movement": "walk"})
    for _ in range(40):
        *_, info = env.step(np.zeros(4, np.float32))
    assert info["intention"].tolist() == [0, 0, 0, 1, 0, 0]  # feet


def test_proprioception_is_the_limb_without_the_target():
    env = make_env("motorctl/ArmReachEEG-v0", proprioception=True)
    observation, info = env.reset(seed=0)
    assert sorted(observation) == ["body", "eeg"]
    np.testing.assert_allclose(observation["body"][:2], info["joint_angles"], atol=1e-6)
    assert observation["body"].shape == (2 + 2 + 6,)


def test_a_session_goes_on_over_episodes():
    env = make_env("motorctl/ArmReachEEG-v0", brain="ideal")
    first, _ = env.reset(seed=0)
    second, _ = env.reset()
    again, _ = env.reset(seed=0)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, second)


def test_a_pickled_one_is_the_same():
    env = make_env("motorctl/ArmReachEEG-v0", brain="hard", electrodes=("C3", "C4"))
    twin = pickle.loads(pickle.dumps(env))
    np.testing.assert_array_equal(np.stack(run(env, 5)), np.stack(run(twin, 5)))


@pytest.mark.parametrize(
    "options, match",
    [
        ({"brain": "easy"}, "no brain 'easy'"),
        ({"observe": "spikes"}, "observe is 'spikes'"),
        ({"eeg_rate": 333.0}, "does not divide"),
        ({"electrodes": ("C99",)}, "C99"),
        ({"electrode": ("C3",)}, "electrode"),
    ],
)
def test_what_cannot_be_is_said(options, match):
    with pytest.raises(ConfigurationError, match=match):
        make_env("motorctl/ArmReachEEG-v0", **options)
