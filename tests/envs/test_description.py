"""What is said of the environments, against what they are."""

import json
import re

import numpy as np
import pytest

from motorctl.envs import describe_env, env_ids, joint_names, make_env
from motorctl.envs.description import UNITS
from motorctl.envs.episodes import OPTIONS
from motorctl.envs.registry import DEFINITIONS
from motorctl.errors import ConfigurationError

DESCRIBED = {id_: describe_env(id_) for id_ in env_ids()}
each = pytest.mark.parametrize("id_", DESCRIBED)


@each
def test_every_action_is_explained_with_its_size(id_):
    definition = DEFINITIONS[make_env(id_).unwrapped.name]
    actions = DESCRIBED[id_]["actions"]
    assert tuple(actions) == definition.commands
    for command, action in actions.items():
        assert make_env(id_, command=command).action_space.shape == (action["size"],)
        assert f"| ({action['size']},) " in re.search(rf"\| `{command}` .*", definition.limb.__doc__)[0]
        assert len(action["meaning"]) > 10 and "|" not in action["meaning"]


def test_a_row_that_goes_on_is_read_to_its_end():
    assert DESCRIBED["motorctl/LegGait-v0"]["actions"]["muscles"]["meaning"].endswith("soleus, tibialis anterior")


@each
def test_the_observation_is_described_without_a_gap(id_):
    env = make_env(id_)
    space, at = env.observation_space, 0
    for row in DESCRIBED[id_]["observation"]:
        part = slice(at, at + row["width"])
        last = part.stop - 1
        assert row["index"] == (f"{at}-{last}" if last > at else f"{at}")
        assert env.unwrapped.observed[row["name"]] == part and row["unit"] == UNITS[row["name"]]
        assert float(row["low"]) == pytest.approx(space.low[part].min(), rel=5e-3)
        assert float(row["high"]) == pytest.approx(space.high[part].max(), rel=5e-3)
        at = part.stop
    assert space.shape == (at,)


@each
def test_everything_has_a_meaning(id_):
    d = DESCRIBED[id_]
    meanings = d["reward"] | d["reset_options"]
    meanings |= {name: option["meaning"] for name, option in (d["options"] | d["common_options"]).items()}
    assert all(len(said) > 5 and "as `" not in said for said in meanings.values()), meanings
    assert all(f"`{name}`" in d["metrics_text"] or "each joint's" in d["metrics_text"] for name in d["metrics"])
    assert d["limb"] and d["task"] and d["metrics"] and set(d["common_options"]) == set(OPTIONS)
    assert 10 < len(d["summary"]) <= 60 and d["summary"].endswith(".")
    json.dumps(d)


@each
def test_what_is_described_is_what_there_is(id_):
    env, d = make_env(id_, time_limit=0.02).unwrapped, DESCRIBED[id_]
    env.reset(seed=0)
    *_, info = env.step(np.zeros(env.action_space.shape))
    assert set(d["reward"]) == set(info["reward_terms"]) and set(d["metrics"]) == set(info["metrics"])
    assert len(d["joints"]) == len(info["joint_angles"]) and len(d["muscles"]) == len(info["activation"])
    for name, option in d["options"].items():
        make_env(id_, **{name: option["default"]})
    env.reset(seed=0, options={"keep_limb": True})
    for option in d["reset_options"]:
        with pytest.raises(ConfigurationError, match=option):
            env.reset(options={"no_such_option": 0})


def test_joints_are_named_in_the_order_of_their_angles():
    assert joint_names(make_env("motorctl/LegGait-v0").unwrapped.limb) == ["hip", "knee", "ankle"]
    names = joint_names(make_env("motorctl/HandGrasp-v0").unwrapped.limb)
    assert (names[0], names[-1], len(names)) == ("index_mcp", "thumb_ip", 14)


def test_an_unknown_environment_is_refused():
    with pytest.raises(ConfigurationError, match="There is no environment 'ArmReach'"):
        describe_env("ArmReach")


def test_one_whose_observation_is_eeg_is_not_described_here():
    with pytest.raises(ConfigurationError, match="no environment 'motorctl/ArmReachEEG-v0' here"):
        describe_env("motorctl/ArmReachEEG-v0")
