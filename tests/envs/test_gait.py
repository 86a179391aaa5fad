"""Gait: the expert does it, who does not do it fails, and what was asked for late is done late."""

import numpy as np
import pytest

from motorctl.envs import expert, make_env, make_vec
from motorctl.envs.gait_curves import MOVEMENTS, SPREAD
from motorctl.envs.gait_pattern import START
from motorctl.errors import ConfigurationError

ID = "motorctl/LegGait-v0"
ONE = np.eye(4)


def episode(env, policy, **options):
    """Infos of an episode."""
    _, info = env.reset(seed=0, options=options)
    infos, over = [info], False
    while not over:
        _, _, terminated, truncated, info = env.step(policy(info))
        infos.append(info)
        over = terminated or truncated
    return infos


@pytest.mark.parametrize("command", ["muscles", "torque", "class"])
@pytest.mark.parametrize("movement", MOVEMENTS)
def test_the_expert_does_each_movement(command, movement):
    env = make_env(ID, command=command, time_limit=3.0)
    infos = episode(env, expert(env), movement=movement)
    assert infos[-1]["success"] and infos[-1]["reason"] == "time limit"
    off = np.mean([np.abs(info["joint_angles"] - info["reference_angles"]) for info in infos[1:]], axis=0)
    metrics = infos[-1]["metrics"]
    assert [metrics[f"{joint}_error"] for joint in ("hip", "knee", "ankle")] == pytest.approx(off)
    assert metrics["error"] == pytest.approx((off / SPREAD).max()) and (off <= SPREAD).all()
    clearance = max(info["sole_heights"].min() for info in infos)
    assert clearance < 0.005 if movement == "stand" else clearance > 0.02  # the foot does leave the floor
    if movement == "jump":
        assert max(info["hip_height"][0] for info in infos) > infos[0]["hip_height"][0] + 0.05
        assert min(info["hip_height"][0] for info in infos) < infos[0]["hip_height"][0] - 0.15


@pytest.mark.parametrize("command", ["muscles", "torque"])
def test_the_expert_goes_from_one_movement_to_the_next(command):
    vector = make_vec(ID, 20, 1, command=command, randomize={"body_mass": (0.95, 1.05), "strength": (0.9, 1.1)})
    policy, successes = expert(vector), []
    _, info = vector.reset(seed=0)
    while len(successes) < 20:
        _, _, terminated, truncated, info = vector.step(policy(info))
        successes += info["success"][terminated | truncated].tolist()
    assert np.mean(successes) >= 0.85


def test_a_limp_leg_falls():
    env = make_env(ID)
    infos = episode(env, lambda info: env.unwrapped.to_action(np.zeros(9)), movement="stand")
    assert infos[-1]["reason"] == "fell" and not infos[-1]["success"]


@pytest.mark.parametrize(("done", "succeeds"), [("walk", True), ("run", False), ("stand", False)])
def test_a_class_that_is_decoded_late_is_done_and_a_wrong_one_is_not_what_was_asked_for(done, succeeds):
    env = make_env(ID, command="class", time_limit=6.0)
    right, late = ONE[MOVEMENTS.index(done)], ONE[MOVEMENTS.index("stand")]

    def policy(info):
        return env.unwrapped.to_action(late if info["course"][0] < 0.6 else right)

    assert episode(env, policy, movement="walk")[-1]["success"] == succeeds


def test_classes_need_not_be_certain():
    env, twin = (make_env(ID, command="class") for _ in range(2))
    env.reset(seed=0), twin.reset(seed=0)
    for _ in range(40):
        sure = env.step(env.unwrapped.to_action([0, 1, 0, 0]))[0]
        unsure = twin.step(twin.unwrapped.to_action([0.2, 0.4, 0.3, 0.1]))[0]
    assert (sure == unsure).all()


def test_movements_are_drawn_from_those_named_and_change_after_the_hold():
    env = make_env(ID, movements=["walk", "jump"], hold=0.5, command="torque", time_limit=5.0)
    policy = expert(env)
    firsts = {int(env.reset(seed=seed)[1]["movement"]) for seed in range(10)}
    assert firsts == {1, 3}
    asked = [int(info["movement"]) for info in episode(env, policy)]
    assert all(len(set(asked[i : i + 25])) == 1 for i in range(0, 250, 25))
    assert all(asked[i] != asked[i + 25] for i in range(0, 225, 25))


def test_keep_limb_goes_on_where_it_was():
    env = make_env(ID, command="class", time_limit=2.2)
    policy = expert(env)
    last = episode(env, policy, movement="walk")[-1]
    observation, info = env.reset(options={"keep_limb": True, "movement": "walk"})
    assert (info["joint_angles"] == last["joint_angles"]).all() and (info["course"] == last["course"]).all()
    over = False
    while not over:  # in step with the command, which has gone on too
        _, _, terminated, truncated, info = env.step(policy(info))
        over = terminated or truncated
    assert info["success"]
    assert (env.reset(options={"movement": "walk"})[1]["course"] == START).all()


def test_the_floor_carries_half_the_body_in_standing():
    env = make_env(ID, command="torque", time_limit=1.5).unwrapped
    episode(env, expert(env), movement="stand")
    assert env.physics.qfrc_constraint[1] == pytest.approx((0.678 / 2 + 0.161) * 65 * 9.81, rel=0.02)


@pytest.mark.parametrize(
    ("options", "said"), [({"movements": ["hop"]}, "'hop'"), ({"movements": []}, "empty"), ({"hold": 0}, "hold")]
)
def test_unusable_options_are_refused(options, said):
    with pytest.raises(ConfigurationError, match=said):
        make_env(ID, **options)


def test_an_unknown_movement_is_refused():
    with pytest.raises(ConfigurationError, match="'hop'"):
        make_env(ID).reset(options={"movement": "hop"})
