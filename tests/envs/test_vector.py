"""What is special about the vector; that it does what single environments do is in test_contract.py."""

import gymnasium
import numpy as np
import pytest

from motorctl.envs import VectorEnvironment, make_vec
from motorctl.errors import ConfigurationError

ID = "motorctl/ArmReach-v0"


def roll(vector, steps=30, seed=0):
    random = np.random.default_rng(0)
    observations = [vector.reset(seed=seed)[0]]
    for _ in range(steps):
        observations.append(vector.step(random.uniform(-1, 1, vector.action_space.shape))[0])
    return np.array(observations)


def test_gymnasium_makes_the_same():
    vector = gymnasium.make_vec(ID, num_envs=3, command="velocity")
    assert isinstance(vector, VectorEnvironment)
    assert (roll(vector) == roll(make_vec(ID, 3, command="velocity"))).all()
    assert vector.spec.id == ID


def test_threads_change_nothing():
    assert (roll(make_vec(ID, 8, 1)) == roll(make_vec(ID, 8, 2))).all()


def test_seeds_can_be_given_one_by_one():
    together = roll(make_vec(ID, 3), seed=[7, 3, 7])
    assert (together[0, 0] == together[0, 2]).all() and (together[0, 0] != together[0, 1]).any()
    with pytest.raises(ConfigurationError, match="2 seeds for 3"):
        make_vec(ID, 3).reset(seed=[1, 2])


def test_without_a_seed_environments_go_on_with_their_generators():
    vector, twin = make_vec(ID, 2), make_vec(ID, 2)
    vector.reset(seed=0), twin.reset(seed=0)
    first, second = vector.reset()[0], vector.reset()[0]
    assert (first != second).any() and (twin.reset()[0] == first).all()


def test_gymnasiums_wrappers_understand_its_info():
    vector = gymnasium.wrappers.vector.DictInfoToList(make_vec(ID, 2, time_limit=0.04))
    vector.reset(seed=0)
    vector.step(vector.action_space.sample())
    *_, infos = vector.step(vector.action_space.sample())
    assert [info["reason"] for info in infos] == ["time limit"] * 2
    assert infos[0]["hand_position"].shape == (2,) and set(infos[0]["metrics"]) == {
        "time_to_target",
        "path_efficiency",
        "error",
    }


def test_what_was_told_does_not_change_afterwards():
    vector = make_vec(ID, 2, time_limit=0.04)
    kept = []
    vector.reset(seed=0)
    for _ in range(6):
        *_, info = vector.step(vector.action_space.sample())
        kept.append((info, {name: np.copy(value) for name, value in info.items() if isinstance(value, np.ndarray)}))
    for info, copies in kept:
        for name, value in copies.items():
            assert (info[name] == value).all(), name


@pytest.mark.parametrize("options", [{"num_envs": 0}, {"num_envs": 2.0}, {"num_envs": 2, "num_threads": 0}])
def test_unusable_counts_are_refused(options):
    with pytest.raises(ConfigurationError, match="num_"):
        make_vec(ID, **options)


def test_unknown_ids_are_refused():
    with pytest.raises(ConfigurationError, match="ArmReach"):
        make_vec("motorctl/LegFly-v0", 2)
