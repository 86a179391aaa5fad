"""The experts of the arm do their tasks, with each command: 95 % at least."""

import numpy as np
import pytest

from motorctl.envs import expert, make_env, make_vec

DISTURBED = {"ArmForceField": {"block_trials": 2}, "ArmRotation": {"block_trials": 2}}


@pytest.mark.parametrize("command", ["muscles", "velocity", "torque"])
@pytest.mark.parametrize("name", ["ArmReach", "ArmCenterOut", "ArmTrack", "ArmForceField", "ArmRotation"])
def test_success(name, command):
    options = {"command": command, **DISTURBED.get(name, {}), **({"time_limit": 5.0} if name == "ArmTrack" else {})}
    vector = make_vec(f"motorctl/{name}-v0", 20, 1, **options)
    policy, successes = expert(vector), []
    _, info = vector.reset(seed=0)
    while len(successes) < 60:
        _, _, terminated, truncated, info = vector.step(policy(info))
        successes += info["success"][terminated | truncated].tolist()
    assert np.mean(successes) >= 0.95


def test_alone_as_in_a_vector():
    env, vector = (
        make_env("motorctl/ArmReach-v0", command="torque"),
        make_vec("motorctl/ArmReach-v0", 2, 1, command="torque"),
    )
    info, infos = env.reset(seed=1)[1], vector.reset(seed=0)[1]
    for _ in range(10):
        action, actions = expert(env)(info), expert(vector)(infos)
        assert action.shape == (2,) and actions[1] == pytest.approx(action, abs=1e-6)
        *_, info = env.step(action)
        *_, infos = vector.step(actions)


def test_delay_and_noise_do_not_touch_an_expert():
    env = make_env("motorctl/ArmReach-v0", command="velocity", delay=0.2, noise=0.1)
    policy = expert(env)
    _, info = env.reset(seed=0)
    for _ in range(200):
        *_, info = env.step(policy(info))
        if info["reason"]:
            break
    assert info["reason"] == "reached"
