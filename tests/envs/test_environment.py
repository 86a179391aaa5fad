"""The environment on the arm's reaching task, and what does not depend on the task; see also test_contract.py."""

import copy
import functools
import pickle
import subprocess
import sys
import warnings

import gymnasium
import numpy as np
import pytest
from stable_baselines3.common.env_checker import check_env as check_env_sb3

from motorctl.envs import Environment, time_limit
from motorctl.errors import ConfigurationError

ArmReach = functools.partial(Environment, "ArmReach")
COMMANDS = ["muscles", "velocity", "torque"]
TARGET = (0.05, 0.5)


@pytest.fixture(params=COMMANDS)
def env(request):
    return ArmReach(command=request.param)


@pytest.mark.parametrize("command", COMMANDS)
def test_stable_baselines_checker_has_nothing_to_say(command):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = gymnasium.make("motorctl/ArmReach-v0", command=command)
        check_env_sb3(made, warn=True, skip_render_check=True)


def test_can_be_made_by_naming_its_module():
    code = "import gymnasium; print(gymnasium.make('motorctl.envs:motorctl/ArmReach-v0').unwrapped.control_rate)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "50.0\n", done.stderr


def test_an_episode_lasts_as_long_as_its_time_limit():
    env, steps, over = ArmReach(command="velocity"), 0, False
    env.reset(seed=0)
    while not over:
        *_, terminated, over, _ = env.step(np.zeros(2))
        assert not terminated
        steps += 1
    assert steps / env.control_rate == time_limit("motorctl/ArmReach-v0")
    with pytest.raises(ConfigurationError, match="no environment"):
        time_limit("motorctl/Nowhere-v0")


def test_importing_needs_no_opengl():
    code = "import sys, motorctl.envs; print([m for m in sys.modules if m in ('OpenGL.GL', 'mujoco.egl')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize("rate", [25, 50, 250])
def test_finite_and_within_bounds_at_any_rate(env, rate):
    env = ArmReach(command=env.command, control_rate=rate, time_limit=1e6)
    env.reset(seed=0)
    random = np.random.default_rng(0)
    for step in range(700):
        if step % 20 == 0:
            action = random.choice([-1.0, 1.0, 1e9], env.action_space.shape)
        observation, reward, terminated, _, info = env.step(action if step % 40 < 20 else env.action_space.sample())
        assert env.observation_space.contains(observation)
        assert -2.0 <= reward <= 0.0 and info["reason"] in ("", "reached")
        if terminated:
            env.reset(options={"keep_limb": True})


def test_observation_and_info_say_the_same(env):
    observation, info = env.reset(seed=1)
    for _ in range(20):
        observation, reward, _, _, info = env.step(env.action_space.sample())
    assert observation[4:6] == pytest.approx(info["hand_position"], abs=1e-6)
    assert observation[6:8] == pytest.approx(info["hand_velocity"], abs=1e-6)
    assert observation[8:10] == pytest.approx(info["target_position"], abs=1e-6)
    assert reward == pytest.approx(sum(info["reward_terms"].values()))
    shoulder, both = observation[0], observation[:2].sum()
    upper, fore = env.workspace.lengths
    hand = [upper * np.cos(shoulder) + fore * np.cos(both), upper * np.sin(shoulder) + fore * np.sin(both)]
    assert info["hand_position"] == pytest.approx(hand, abs=1e-6)  # of this state, not of one a step old


def test_velocity_in_info_is_that_of_the_hand():
    env = ArmReach(control_rate=250)
    _, before = env.reset(seed=0)
    for _ in range(30):
        *_, info = env.step(env.to_action([0.1, 0, 0, 0, 0, 0.05]))
        moved = (info["hand_position"] - before["hand_position"]) * 250
        assert info["hand_velocity"] == pytest.approx(moved, abs=0.02)
        before = info


def test_to_action_undoes_the_scaling():
    muscles, velocity, torque = ArmReach("muscles"), ArmReach("velocity"), ArmReach("torque")
    assert torque.to_action([22.5, -80]) == pytest.approx([0.5, -1.0])
    assert muscles.to_action([0, 0.25, 0.5, 0.75, 1, 2]) == pytest.approx([-1, -0.5, 0, 0.5, 1, 1])
    assert velocity.to_action([0.3, -9.0]) == pytest.approx([0.5, -1.0])
    assert velocity.to_action([0.3, -9.0]).dtype == np.float32
    velocity.reset(seed=0)
    for _ in range(40):
        *_, info = velocity.step(velocity.to_action([0.0, 0.2]))
    assert info["hand_velocity"] == pytest.approx([0.0, 0.2], abs=0.03)


def test_success_needs_the_whole_dwell_and_terminates():
    env = ArmReach(command="velocity", dwell=0.2, control_rate=50)
    _, info = env.reset(seed=2)
    inside = 0
    for _ in range(200):
        wish = 4 * (info["target_position"] - info["hand_position"])
        _, _, terminated, truncated, info = env.step(env.to_action(wish))
        inside = inside + 1 if np.linalg.norm(info["target_position"] - info["hand_position"]) <= 0.02 else 0
        assert terminated == (inside == 10) and not truncated
        assert info["success"] == terminated and info["reason"] == ("reached" if terminated else "")
        if terminated:
            return
    pytest.fail("never reached")


def test_reset_starts_from_rest(env):
    env.reset(seed=0)
    for _ in range(20):
        env.step(np.ones(env.action_space.shape))
    observation, info = env.reset()
    assert np.rad2deg(observation[:2]) == pytest.approx([45, 90], abs=1e-4)
    assert (observation[[2, 3, *range(10, observation.size)]] == 0).all()
    assert info["hand_position"] == pytest.approx(env.rest_position)
    assert info["reward_terms"] == {} and info["reason"] == "" and info["success"] is False


def test_targets_are_drawn_where_documented(env):
    for seed in range(200):
        target = env.reset(seed=seed)[1]["target_position"]
        assert 0.05 <= np.linalg.norm(target - env.rest_position) <= 0.15


def test_keep_limb_moves_nothing_but_the_target(env):
    env.reset(seed=0)
    for _ in range(15):
        observation, _, _, _, before = env.step(0.3 * np.ones(env.action_space.shape))
    kept, after = env.reset(options={"keep_limb": True})
    assert (np.delete(kept, [8, 9]) == np.delete(observation, [8, 9])).all()
    assert (after["target_position"] != before["target_position"]).all()
    assert np.linalg.norm(after["target_position"] - after["hand_position"]) >= 0.05


def test_keep_limb_before_anything_happened_is_the_rest_posture(env):
    _, info = env.reset(seed=0, options={"keep_limb": True})
    assert info["hand_position"] == pytest.approx(env.rest_position)


def test_a_target_can_be_given(env):
    assert env.reset(options={"target": TARGET})[1]["target_position"] == pytest.approx(TARGET)
    for wrong in ((0.0, 0.9), (0.0, 0.1), (0.0, -0.5), (np.nan, 0.5), (0.0, 0.5, 0.0)):
        with pytest.raises(ConfigurationError, match="within reach"):
            env.reset(options={"target": wrong})


def test_unknown_reset_options_are_refused(env):
    with pytest.raises(ConfigurationError, match="keep_arm"):
        env.reset(options={"keep_arm": True})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"control_rate": 60}, "50, 125"),
        ({"control_rate": 500.0}, "250"),
        ({"command": "thought"}, "'muscles', 'velocity', 'torque'"),
        ({"render_mode": "ansi"}, "'rgb_array'"),
        ({"time_limit": 0.0}, "time_limit"),
        ({"dwell": np.nan}, "dwell"),
        ({"target_radius": -0.1}, "target_radius"),
    ],
)
def test_unusable_options_are_refused_with_a_cure(options, said):
    with pytest.raises(ConfigurationError, match=said):
        ArmReach(**options)


def test_every_whole_number_of_physics_steps_makes_a_control_rate():
    env = ArmReach(control_rate=62.5)
    env.reset(seed=0)
    env.step(np.zeros(6))
    assert env.physics.time == pytest.approx(1 / 62.5)


def test_copies_are_fresh_environments_with_the_same_options():
    env = ArmReach("velocity", control_rate=25, target_radius=0.03)
    env.reset(seed=0)
    for twin in (pickle.loads(pickle.dumps(env)), copy.deepcopy(env)):
        assert (twin.command, twin.control_rate, twin.task.target_radius) == ("velocity", 25, 0.03)
        assert (twin.reset(seed=9)[0] == env.reset(seed=9)[0]).all()
        assert (twin.step([1, 0])[0] == env.step([1, 0])[0]).all()
