"""The arm against its sources: Winter 2009 (segments), Nijhof & Kouwenhoven 2000 (muscles)."""

import mujoco
import numpy as np
import pytest

from motorctl.envs import Muscles
from motorctl.envs.limb import load
from motorctl.envs.workspace import Workspace

STATURE, MASS = 1.66, 65.0
MUSCLES = ["shoulder_flexor", "shoulder_extensor", "elbow_flexor", "elbow_extensor"]
MUSCLES += ["biarticular_flexor", "biarticular_extensor"]
FORCE = [838, 1207, 1422, 1549, 414, 603]
OPTIMAL = np.array([0.134, 0.140, 0.092, 0.093, 0.137, 0.127])
TENDON = np.array([0.039, 0.066, 0.172, 0.187, 0.204, 0.217])
# musculotendon length a0 + Σ_joint (a1 + a2·q)·q, m, with the shoulder's q counted from 90°
A0 = np.array([0.151, 0.2322, 0.2859, 0.2355, 0.3329, 0.2989])
A1 = np.array([[-0.03, 0.03, 0, 0, -0.03, 0.03], [0, 0, -0.014, 0.025, -0.016, 0.03]])
A2 = np.array([[0, 0, 0, 0, 0, 0], [0, 0, -4e-3, -2.2e-3, -5.7e-3, -3.2e-3]])


@pytest.fixture(scope="module")
def model():
    return load("arm")


def geometry(model, posture):
    """Lengths (muscle,) and moment arms (muscle, joint)."""
    data = mujoco.MjData(model)
    data.qpos = posture
    mujoco.mj_forward(model, data)
    return data.actuator_length.copy(), Muscles.of(model).moment(data.actuator_moment)


def published(posture):
    angle = (np.asarray(posture) - [np.pi / 2, 0])[:, None]
    return A0 + ((A1 + A2 * angle) * angle).sum(0), (A1 + 2 * A2 * angle).T


def postures(shoulder, elbow, count=15):
    return [(s, e) for s in np.linspace(*shoulder, count) for e in np.linspace(*elbow, count)]


def test_segments_are_winters(model):
    upper, fore = 0.186 * STATURE, 0.146 * STATURE
    assert model.body("forearm").pos[0] == pytest.approx(upper, abs=1e-4)
    assert model.site("hand").pos[0] == pytest.approx(fore + 0.108 * STATURE / 2, abs=1e-4)
    for name, length, mass, center, gyration in (
        ("upper_arm", upper, 0.028 * MASS, 0.436, 0.322),
        ("forearm", fore, 0.022 * MASS, 0.682, 0.468),
    ):
        body = model.body(name)
        assert body.mass[0] == pytest.approx(mass, abs=1e-6)
        assert body.ipos[0] == pytest.approx(center * length, abs=1e-4)
        assert body.inertia[2] == pytest.approx(mass * (gyration * length) ** 2, rel=2e-3)


def test_inertia_about_the_joints_is_that_of_nijhof_and_kouwenhoven(model):
    for name, inertia in (("upper_arm", 0.051), ("forearm", 0.057)):
        body = model.body(name)
        assert body.inertia[2] + body.mass[0] * body.ipos[0] ** 2 == pytest.approx(inertia, abs=1e-3)


def test_muscles_have_the_published_force_and_fibre_length(model):
    assert [model.actuator(i).name for i in range(model.nu)] == MUSCLES
    assert model.actuator_gainprm[:, 2].tolist() == FORCE
    assert Muscles.of(model).optimal == pytest.approx(OPTIMAL, rel=5e-3)


def test_fibres_have_the_published_length_at_rest(model):
    rest = model.key("rest").qpos
    muscles = Muscles.of(model)
    fibre = (geometry(model, rest)[0] - muscles.slack) / muscles.optimal
    assert fibre == pytest.approx((published(rest)[0] - TENDON) / OPTIMAL, abs=5e-3)


def test_moment_arms_follow_the_published_ones_in_the_working_range(model):
    errors = np.array(
        [geometry(model, q)[1] - published(q)[1] for q in postures(np.deg2rad([10, 110]), np.deg2rad([20, 125]))]
    )
    assert np.sqrt((errors**2).mean(0)).max() < 0.005
    assert np.abs(errors).max() < 0.010


def test_moment_arms_never_change_sign(model):
    wide = model.jnt_range + np.array([-0.1, 0.1])  # what momentum adds to the joint range
    arms = np.array([geometry(model, q)[1] for q in postures(*wide)])
    acts = published([1.0, 1.0])[1] != 0
    assert (np.sign(arms) == np.sign(published([1.0, 1.0])[1]))[:, acts].all()
    assert np.abs(arms[:, acts]).min() > 0.004
    assert np.abs(arms[:, ~acts]).max() < 1e-9


def test_length_ranges_are_those_of_the_joint_range(model):
    lengths = np.array([geometry(model, q)[0] for q in postures(*model.jnt_range, count=30)])
    assert model.actuator_lengthrange == pytest.approx(np.stack([lengths.min(0), lengths.max(0)], axis=1), abs=2e-4)


def test_passive_force_follows_thelen(model):
    muscles = Muscles.of(model)
    for fibre in (1.05, 1.1, 1.2, 1.3):
        passive = -muscles.bias(muscles.slack + fibre * muscles.optimal) / muscles.force
        assert passive == pytest.approx((np.exp(5 * (fibre - 1) / 0.6) - 1) / (np.exp(5) - 1), abs=0.02)


@pytest.mark.parametrize("excitation", list(np.eye(6)) + [np.ones(6)], ids=[*MUSCLES, "all"])
def test_ligaments_hold_every_muscle_near_the_joint_range(model, excitation):
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, 0)
    data.ctrl = excitation
    mujoco.mj_step(model, data, nstep=1000)
    slack = np.deg2rad(6)
    assert ((data.qpos > model.jnt_range[:, 0] - slack) & (data.qpos < model.jnt_range[:, 1] + slack)).all()
    assert data.nefc == 0  # no constraint solver


def test_hand_of_the_rest_posture_is_in_front_of_the_chest(model):
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, 0)
    mujoco.mj_forward(model, data)
    assert np.rad2deg(data.qpos) == pytest.approx([45, 90])
    assert data.site("hand").xpos == pytest.approx([-0.0164, 0.4531, 0], abs=1e-3)


def test_workspace_holds_exactly_what_clear_joints_reach(model):
    workspace = Workspace.of(model)
    data = mujoco.MjData(model)

    def hand(posture):
        data.qpos = posture
        mujoco.mj_kinematics(model, data)
        return data.site("hand").xpos[:2].copy()

    inside = np.array([hand(q) for q in postures(workspace.shoulder, workspace.elbow)])
    assert workspace.contains(inside).all()
    for shoulder, elbow in ((-0.02, 0.5), (1.02, 0.5), (0.5, -0.02), (0.5, 1.02)):
        posture = [
            low + part * (high - low)
            for part, (low, high) in zip((shoulder, elbow), (workspace.shoulder, workspace.elbow), strict=True)
        ]
        assert not workspace.contains(hand(posture))


def test_clipping_lands_in_the_workspace_and_leaves_what_is_inside(model):
    workspace = Workspace.of(model)
    points = np.random.default_rng(0).uniform(-1, 1, (2000, 2))
    clipped = workspace.clip(points)
    assert workspace.contains(clipped).all()
    assert workspace.contains(points).any() and not workspace.contains(points).all()
    assert workspace.clip(clipped) == pytest.approx(clipped)
    assert workspace.clip(points[0]).shape == (2,)


def test_all_targets_are_in_the_workspace(model):
    angle, radius = np.meshgrid(np.linspace(0, 2 * np.pi, 60), np.linspace(0, 0.15, 10))
    disc = np.array([-0.0164, 0.4531]) + np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
    assert Workspace.of(model).contains(disc).all()
