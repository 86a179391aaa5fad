"""What holds for every registered environment under every command, alone and in a vector."""

import pickle
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from motorctl.envs import ActionError, env_ids, make_env, make_vec
from motorctl.envs.registry import DEFINITIONS
from motorctl.errors import ConfigurationError

KINDS = [
    pytest.param(f"motorctl/{name}-v0", command, id=f"{name}-{command}")
    for name, definition in DEFINITIONS.items()
    for command in definition.commands
]
each_kind = pytest.mark.parametrize(("id_", "command"), KINDS)
each_id = pytest.mark.parametrize("id_", env_ids())
VARIED = {"delay": 0.04, "noise": 0.01, "randomize": {"body_mass": (0.9, 1.1), "strength": (0.8, 1.0)}}


def actions(env, steps, seed=0):
    """Random actions, each held for ten steps: now anywhere, now at the bounds and beyond."""
    random = np.random.default_rng(seed)
    shape = env.action_space.shape
    for step in range(steps):
        if step % 20 == 0:
            action = random.choice([-1.0, 1.0, 1e9], shape)
        elif step % 10 == 0:
            action = random.uniform(-1, 1, shape)
        yield action


def same(one, other):
    """Infos, or parts of them, are equal to rounding; NaN is equal to NaN."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for name in one:
            same(one[name], other[name])
    elif isinstance(one, str):
        assert one == other
    else:
        one, other = np.asarray(one, float), np.asarray(other, float)
        assert one.shape == other.shape
        assert ((np.abs(one - other) <= 1e-9) | (np.isnan(one) & np.isnan(other))).all()


def of_one(infos, index):
    """The info that one environment of a vector was given."""
    return {
        name: of_one(value, index) if isinstance(value, dict) else value[index]
        for name, value in infos.items()
        if not name.startswith("_") and infos[f"_{name}"][index]
    }


@each_kind
def test_gymnasiums_checker_has_nothing_to_say(id_, command):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(id_, command=command).unwrapped, skip_render_check=True)


@each_kind
def test_seeded_twins_are_equal(id_, command):
    env, twin = (make_env(id_, command=command, **VARIED) for _ in range(2))
    assert (env.reset(seed=3)[0] == twin.reset(seed=3)[0]).all()
    for action in actions(env, 60):
        (a, *rest, info), (b, *twin_rest, twin_info) = env.step(action), twin.step(action)
        assert (a == b).all() and rest == twin_rest
        same(info, twin_info)
        if rest[1] or rest[2]:
            assert (env.reset()[0] == twin.reset()[0]).all()


def run(id_, command, steps):
    env = make_env(id_, command=command)
    env.reset(seed=0)
    for action in actions(env, steps):
        observation, reward, terminated, truncated, info = env.step(action)
        assert observation in env.observation_space
        assert np.isfinite(reward) and abs(reward - sum(info["reward_terms"].values())) < 1e-9
        assert info["reason"] != "unstable"
        assert (info["reason"] != "") == (terminated or truncated) == (info["metrics"] != {})
        assert truncated == (info["reason"] == "time limit") and isinstance(info["success"], bool)
        for value in info.values():
            assert not isinstance(value, np.ndarray) or np.isfinite(value).all()
        if terminated or truncated:
            env.reset()


@each_kind
def test_finite_and_within_bounds_for_500_random_steps(id_, command):
    run(id_, command, 500)


@pytest.mark.slow
@each_kind
def test_finite_and_within_bounds_for_10000_random_steps(id_, command):
    run(id_, command, 10_000)


@each_kind
def test_actions_beyond_the_space_are_clipped(id_, command):
    env, twin = make_env(id_, command=command), make_env(id_, command=command)
    env.reset(seed=0), twin.reset(seed=0)
    for sign in (1, -1):
        ones = sign * np.ones(env.action_space.shape)
        assert (env.step(1e200 * ones)[0] == twin.step(ones)[0]).all()


@each_kind
def test_unusable_actions_are_refused(id_, command):
    env, vector = make_env(id_, command=command), make_vec(id_, 2, 1, command=command)
    for one in (env, vector):
        one.reset(seed=0)
        for bad in (np.nan, np.inf, -np.inf):
            action = np.zeros(one.action_space.shape)
            action[..., 0] = bad
            with pytest.raises(ActionError, match="not finite"):
                one.step(action)
            with pytest.raises(ValueError, match="not finite"):
                one.unwrapped.to_action(action)
        for shape in ((), (31,), (1, *one.action_space.shape)):
            with pytest.raises(ActionError, match="shape"):
                one.step(np.zeros(shape))


@each_kind
def test_a_vector_does_what_single_environments_do(id_, command):
    """With its autoreset: the step after the end is the reset."""
    options = {"command": command, "time_limit": 0.3, **VARIED}
    vector, singles = make_vec(id_, 3, 2, **options), [make_env(id_, **options) for _ in range(3)]
    assert vector.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    observations, infos = vector.reset(seed=5)
    assert observations in vector.observation_space
    over = [False] * 3
    for i, env in enumerate(singles):
        observation, info = env.reset(seed=5 + i)
        assert np.abs(observations[i] - observation).max() < 1e-6
        same({"metrics": {}, **of_one(infos, i)}, info)
    for action in actions(vector, 35):
        observations, rewards, terminated, truncated, infos = vector.step(action)
        for i, env in enumerate(singles):
            if over[i]:
                observation, info = env.reset()
                reward, ends = 0.0, (False, False)
            else:
                observation, reward, *ends, info = env.step(action[i])
            assert np.abs(observations[i] - observation).max() < 1e-6  # float32
            assert abs(rewards[i] - reward) < 1e-9
            assert (terminated[i], truncated[i]) == tuple(ends)
            told = of_one(infos, i)
            if over[i]:
                told["reward_terms"] = {}
            same({"metrics": {}, **told}, info)
            over[i] = any(ends)


@each_kind
def test_an_unstable_simulation_ends_with_its_reason(id_, command, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # MuJoCo writes a log
    env, vector = make_env(id_, command=command).unwrapped, make_vec(id_, 3, 1, command=command)
    env.reset(seed=0), vector.reset(seed=0)
    env.physics.qvel[0], vector.physics.qvel[1, 0] = 1e12, 1e12
    observation, reward, terminated, truncated, info = env.step(np.zeros(env.action_space.shape))
    assert terminated and not truncated and info["reason"] == "unstable" and not info["success"]
    assert reward < -10 and observation in env.observation_space
    _, info = env.reset(options={"keep_limb": True})  # there is no limb worth keeping
    assert env.step(np.zeros(env.action_space.shape))[-1]["reason"] != "unstable"

    observations, _, terminated, truncated, infos = vector.step(np.zeros(vector.action_space.shape))
    assert infos["reason"][1] == "unstable" and terminated[1] and not infos["success"][1]
    assert (np.delete(infos["reason"], 1) != "unstable").all() and observations in vector.observation_space
    assert vector.step(np.zeros(vector.action_space.shape))[-1]["reason"][1] == ""


@each_id
def test_the_time_limit_truncates(id_):
    env = make_env(id_, time_limit=0.1, control_rate=50)
    env.reset(seed=0)
    ends = [env.step(np.zeros(env.action_space.shape)) for _ in range(5)]
    assert [truncated for _, _, _, truncated, _ in ends] == [False] * 4 + [True]
    info = ends[-1][-1]
    assert info["reason"] == "time limit" and not ends[-1][2]
    assert info["metrics"] and all(isinstance(value, float) for value in info["metrics"].values())


@each_id
def test_pickles_are_fresh_environments_with_the_same_options(id_):
    command = DEFINITIONS[id_.split("/")[1].removesuffix("-v0")].commands[-1]
    env = make_env(id_, command=command, control_rate=25, noise=0.01).unwrapped
    twin = pickle.loads(pickle.dumps(env))
    assert (twin.command, twin.control_rate) == (command, 25)
    assert (twin.reset(seed=9)[0] == env.reset(seed=9)[0]).all()
    vector = make_vec(id_, 2, 1, command=command)
    assert (pickle.loads(pickle.dumps(vector)).reset(seed=9)[0] == vector.reset(seed=9)[0]).all()


@each_id
def test_observed_tells_where_everything_is(id_):
    env = make_env(id_).unwrapped
    observation, info = env.reset(seed=0)
    assert sorted(i for where in env.observed.values() for i in range(*where.indices(99))) == list(
        range(len(observation))
    )
    for name in set(env.observed) & set(env.limb.observed):
        expected = np.clip(
            info[name], env.observation_space.low[env.observed[name]], env.observation_space.high[env.observed[name]]
        )
        assert observation[env.observed[name]] == pytest.approx(expected, abs=1e-6)


@each_id
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"command": "thought"}, "'thought'"),
        ({"control_rate": 60}, "control_rate"),
        ({"control_rate": 0}, "control_rate"),
        ({"time_limit": 0.0}, "time_limit"),
        ({"delay": -1.0}, "delay"),
        ({"noise": np.nan}, "noise"),
        ({"randomize": {"length": (1, 2)}}, "length"),
        ({"randomize": {"strength": (2, 1)}}, "strength"),
        ({"colour": "red"}, "'colour'"),
    ],
)
def test_unusable_options_are_refused_with_a_cure(id_, options, said):
    with pytest.raises(ConfigurationError, match=said):
        make_env(id_, **options)
    with pytest.raises(ConfigurationError, match=said):
        make_vec(id_, 2, 1, **options)
    env = make_env(id_)
    with pytest.raises(ConfigurationError, match="keep_arm"):
        env.reset(options={"keep_arm": True})
