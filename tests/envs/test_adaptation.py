import numpy as np
import pytest

from motorctl.envs import Environment, expert, make_vec
from motorctl.envs.adaptation import turned
from motorctl.errors import ConfigurationError


def test_the_field_pushes_across_the_movement_in_proportion_to_speed():
    """A hand at rest feels nothing; 0.5 m/s forward with 13 N·s/m, 6.5 N to the right."""
    task = Environment("ArmForceField", "velocity").task
    velocity = np.array([[0.0, 0.5], [0.0, 0.0], [1.0, 0.0]])
    force = task.force({"disturbance": np.full(3, 13.0), "ahead": velocity})
    assert force == pytest.approx(np.array([[6.5, 0.0], [0.0, 0.0], [0.0, -13.0]]))
    assert (force * velocity).sum(-1) == pytest.approx(np.zeros(3))  # it does no work


def test_the_force_at_the_hand_accelerates_it_as_its_inertia_says():
    """a = J M⁻¹ Jᵀ f, by finite differences of one physics step from rest."""
    env = Environment("ArmReach", "torque", control_rate=250)
    env.reset(seed=0)
    data, force = env.physics, np.array([2.0, -1.0])
    lever = data.sensordata[:2] - data.xanchor[:, :2]
    jacobian = np.stack([-lever[:, 1], lever[:, 0]])
    inertia = np.array([[data.M[0], data.M[1]], [data.M[1], data.M[2]]])
    env.limb.push(data, force)
    env._episodes.simulation.step(1)
    moved = data.qvel / 0.004
    damped = inertia + 0.004 * np.diag(env.limb.model.dof_damping)  # which Euler takes implicitly
    assert moved == pytest.approx(np.linalg.solve(damped, jacobian.T @ force), rel=1e-6)


@pytest.mark.parametrize("rate", [250, 50])
def test_the_field_adds_no_energy(rate):
    """A hand that nothing brakes keeps its energy for a second, while it goes round and round."""
    env = Environment("ArmForceField", "torque", control_rate=rate, block_trials=0)
    env.reset(seed=0)
    data, model = env.physics, env.limb.model
    model.actuator_biasprm[:], model.dof_damping[:] = 0, 0
    data.qvel[:] = 1.0, -1.5
    env._episodes.refresh([()])
    energies, turned_by = [], 0.0
    for _ in range(rate):
        before = data.sensordata[3:5].copy()
        env.step([0, 0])
        after = data.sensordata[3:5]
        turned_by += np.arctan2(before[0] * after[1] - before[1] * after[0], before @ after)
        energies.append(data.qvel @ [[data.M[0], data.M[1]], [data.M[1], data.M[2]]] @ data.qvel / 2)
    assert turned_by < -2 * np.pi  # clockwise, once at least
    assert energies[-1] == pytest.approx(energies[1], rel=0.15)  # the velocity of the step before would treble it


def deviations(name, **options):
    """Mean deviation of trials, by whether the disturbance was on."""
    vector = make_vec(f"motorctl/{name}-v0", 8, 1, command="velocity", **options)
    policy, on, off = expert(vector), [], []
    _, info = vector.reset(seed=0)
    while min(len(on), len(off)) < 16:
        _, _, terminated, _, info = vector.step(policy(info))
        for i in np.flatnonzero(terminated):
            (on if info["field"][i] else off).append(info["metrics"]["deviation"][i])
    return np.mean(on), np.mean(off)


@pytest.mark.parametrize("strength", [13.0, -13.0])
def test_the_field_bends_reaches_to_its_side_in_every_other_block(strength):
    on, off = deviations("ArmForceField", strength=strength, block_trials=2)
    assert 0.01 < on * np.sign(strength) < 0.05  # as in people before they adapt: 2 to 3 cm of 10 cm
    assert abs(off) < 0.005


def test_blocks_take_turns():
    env = Environment("ArmForceField", block_trials=3)
    told = [env.reset(seed=0)[1]["field"], *(env.reset()[1]["field"] for _ in range(8))]
    assert told == [0] * 3 + [13] * 3 + [0] * 3
    always = Environment("ArmForceField", block_trials=0)
    assert [always.reset()[1]["field"] for _ in range(3)] == [13] * 3


def test_the_shown_hand_is_turned_about_the_center():
    env = Environment("ArmRotation", "velocity", block_trials=0, angle=90.0)
    env.reset(seed=0)
    for _ in range(20):
        observation, *_, info = env.step(env.to_action([0.2, 0.0]))
    moved = info["hand_position"] - env.rest_position
    assert moved[0] > 0.05 and abs(moved[1]) < 0.01
    shown = info["shown_position"] - env.rest_position
    assert shown == pytest.approx([-moved[1], moved[0]], abs=1e-9)
    assert observation[env.observed["hand_position"]] == pytest.approx(info["shown_position"], abs=1e-6)
    assert observation[env.observed["hand_velocity"]] == pytest.approx(
        turned(info["hand_velocity"], np.pi / 2), abs=1e-5
    )
    assert observation[env.observed["joint_angles"]] == pytest.approx(info["joint_angles"], abs=1e-6)


def test_success_is_that_of_the_shown_hand():
    """One who does not know of the rotation aims 90° off, and never gets there."""
    env = Environment("ArmRotation", "velocity", block_trials=0, angle=90.0)
    policy = expert(env)
    _, info = env.reset(seed=0)
    for _ in range(150):
        *_, info = env.step(policy({**info, "rotation": 0.0}))
    assert info["reason"] == ""
    _, info = env.reset()
    for _ in range(150):
        *_, info = env.step(policy(info))
        if info["reason"]:
            break
    assert info["reason"] == "reached"


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("ArmForceField", {"strength": np.nan}, "strength"),
        ("ArmForceField", {"block_trials": -1}, "block_trials"),
        ("ArmRotation", {"block_trials": 2.5}, "block_trials"),
        ("ArmRotation", {"angle": np.inf}, "angle"),
    ],
)
def test_unusable_options_are_refused(name, options, said):
    with pytest.raises(ConfigurationError, match=said):
        Environment(name, **options)
