"""The leg against its sources: Winter 2009 (segments), Song & Geyer 2015 (muscles)."""

import mujoco
import numpy as np
import pytest

from motorctl.envs import Muscles
from motorctl.envs.leg import leg
from motorctl.envs.limb import MOTORS, load

STATURE, MASS = 1.66, 65.0
MUSCLES = ("iliopsoas", "glutei", "hamstrings", "rectus_femoris", "vasti", "biceps_short_head")
MUSCLES += ("gastrocnemius", "soleus", "tibialis_anterior")
FORCE = [2000, 1500, 3000, 1200, 6000, 350, 1500, 4000, 800]
OPTIMAL = np.array([0.11, 0.11, 0.10, 0.08, 0.08, 0.12, 0.05, 0.04, 0.06])
PENNATION = np.array([0.5, 0.5, 0.5, 0.4, 0.6, 0.7, 0.7, 0.5, 0.7])
# their reference angles, as flexion of hip and knee and dorsiflexion, degrees; 0 where a muscle does not pass
REFERENCE = [
    (20, 0, 0),
    (60, 0, 0),
    (30, 0, 0),
    (10, 55, 0),
    (0, 60, 0),
    (0, 20, 0),
    (0, 15, 10),
    (0, 0, 0),
    (0, 0, -20),
]
# their moment arms dl/dq, m; of vasti, rectus, gastrocnemius, soleus, tibialis the middle of the range
ARMS = {
    ("iliopsoas", 0): -0.08, ("glutei", 0): 0.08, ("hamstrings", 0): 0.08, ("rectus_femoris", 0): -0.08,
    ("hamstrings", 1): -0.05, ("rectus_femoris", 1): 0.05, ("vasti", 1): 0.05, ("biceps_short_head", 1): -0.04,
    ("gastrocnemius", 1): -0.035, ("gastrocnemius", 2): 0.04, ("soleus", 2): 0.04, ("tibialis_anterior", 2): -0.025,
}  # fmt: skip
WORKING = np.deg2rad([np.linspace(-20, 60, 9), np.linspace(0, 105, 9), np.linspace(-35, 20, 9)])


@pytest.fixture(scope="module")
def model():
    return load("leg")


def geometry(model, posture):
    """Lengths (muscle,) and moment arms (muscle, joint)."""
    data = mujoco.MjData(model)
    data.qpos[2:] = posture
    mujoco.mj_forward(model, data)
    return data.actuator_length.copy(), Muscles.of(model).moment(data.actuator_moment)[:, 2:]


def test_segments_are_winters(model):
    thigh, shank = 0.245 * STATURE, 0.246 * STATURE
    assert model.body("shank").pos[2] == pytest.approx(-thigh, abs=1e-4)
    assert model.body("foot").pos[2] == pytest.approx(-shank, abs=1e-4)
    for name, length, mass, center, gyration in (
        ("thigh", thigh, 0.100 * MASS, 0.433, 0.323),
        ("shank", shank, 0.0465 * MASS, 0.433, 0.302),
    ):
        body = model.body(name)
        assert body.mass[0] == pytest.approx(mass, abs=1e-6)
        assert body.ipos[2] == pytest.approx(-center * length, abs=1e-4)
        assert body.inertia[1] == pytest.approx(mass * (gyration * length) ** 2, rel=2e-3)
    assert model.body("foot").mass[0] == pytest.approx(0.0145 * MASS, abs=1e-6)
    assert model.body("trunk").mass[0] == pytest.approx(0.678 * MASS / 2, abs=1e-3)


def test_muscles_have_the_published_force_speed_and_fibre_length(model):
    muscles = Muscles.of(model)
    assert tuple(model.actuator(i).name for i in range(model.nu)) == MUSCLES
    assert muscles.force.tolist() == FORCE
    assert muscles.optimal * PENNATION == pytest.approx(OPTIMAL, rel=5e-3)
    assert muscles.fastest / muscles.optimal == pytest.approx([12] * 7 + [6, 12])


def test_fibres_are_at_their_optimum_at_the_published_angles(model):
    muscles = Muscles.of(model)
    for i, reference in enumerate(REFERENCE):
        length, _ = geometry(model, np.deg2rad(reference))
        assert (length[i] - muscles.slack[i]) / muscles.optimal[i] == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize(("muscle", "joint"), ARMS)
def test_moment_arms_are_close_to_the_published_ones(model, muscle, joint):
    postures = np.tile(np.deg2rad([15.0, 20.0, 0.0]), (9, 1))
    postures[:, joint] = WORKING[joint]
    arms = np.array([geometry(model, posture)[1][MUSCLES.index(muscle), joint] for posture in postures])
    assert (np.sign(arms) == np.sign(ARMS[muscle, joint])).all()
    assert np.sqrt(((arms - ARMS[muscle, joint]) ** 2).mean()) < 0.022
    assert np.abs(arms).min() > 0.01


def test_muscles_act_on_no_other_joint(model):
    arms = geometry(model, np.deg2rad([15, 20, 0]))[1]
    for i, joint in np.ndindex(9, 3):
        if (MUSCLES[i], joint) not in ARMS:
            assert abs(arms[i, joint]) < 1e-9


def test_bending_the_knee_takes_little(model):
    muscles = Muscles.of(model)
    length, arms = geometry(model, np.deg2rad([10, 100, 0]))
    passive = (arms * muscles.bias(length)[:, None]).sum(0)
    assert abs(passive[1]) < 25  # N m; about 15 in people (Silder et al. 2007)


@pytest.mark.parametrize("excitation", [*np.eye(9), np.ones(9)], ids=[*MUSCLES, "all"])
def test_ligaments_hold_every_muscle_near_the_joint_range(model, excitation):
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, 0)
    data.ctrl = excitation
    for _ in range(400):
        data.qpos[1], data.qvel[1] = 2.0, 0.0  # the trunk held up in the air
        mujoco.mj_step(model, data)
        slack = np.deg2rad(20)  # a kick overshoots
        assert (data.qpos[2:] > model.jnt_range[2:, 0] - slack).all()
        assert (data.qpos[2:] < model.jnt_range[2:, 1] + slack).all()
    assert data.warning.number.sum() == 0


def test_rest_is_on_the_floor(model):
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, 0)
    mujoco.mj_forward(model, data)
    soles = [data.site(name).xpos[2] for name in ("heel", "ball")]
    assert soles == pytest.approx([0, 0], abs=1e-3)
    assert data.site("ball").xpos[0] > data.site("heel").xpos[0]  # it looks forward


def test_motors_replace_the_muscles():
    model = load("leg", MOTORS)
    assert [model.actuator(i).name for i in range(model.nu)] == ["hip", "knee", "ankle"] and model.na == 0
    data = mujoco.MjData(model)
    data.qpos[1] = 2.0
    data.ctrl = [10.0, -20.0, 5.0]
    mujoco.mj_forward(model, data)
    assert data.qfrc_actuator == pytest.approx([0, 0, 10, -20, 5])


@pytest.mark.parametrize(("command", "size"), [("muscles", 9), ("torque", 3), ("class", 4)])
def test_commands(command, size):
    limb = leg(command, 0.02)
    assert limb.command.size == size
    assert limb.at_rest["sole_heights"] == pytest.approx([0, 0], abs=1e-3)
