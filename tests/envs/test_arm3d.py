"""The arm in space against its sources, and what its velocity controller promises."""

import mujoco
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motorctl.envs import RenderingError, expert, make_env, make_vec
from motorctl.envs.arm3d import RADIUS, Ball, arm3d

STATURE, MASS = 1.66, 65.0
ID = "motorctl/Arm3dReach-v0"
JOINTS = ["shoulder_flexion", "shoulder_abduction", "shoulder_rotation", "elbow_flexion", "pronation"]
JOINTS += ["wrist_flexion", "wrist_deviation"]
MODEL = arm3d("torque", 0.02).model
REST = MODEL.key("rest").qpos


def test_segments_are_winters():
    upper, fore, hand = 0.186 * STATURE, 0.146 * STATURE, 0.108 * STATURE
    assert MODEL.body("forearm").pos == pytest.approx([0, 0, -upper], abs=1e-4)
    assert MODEL.body("hand").pos == pytest.approx([0, 0, -fore], abs=1e-4)
    assert MODEL.site("hand").pos == pytest.approx([0, 0, -hand / 2], abs=1e-4)
    for name, length, mass, center, gyration in (
        ("upper_arm", upper, 0.028, 0.436, 0.322),
        ("forearm", fore, 0.016, 0.430, 0.303),
        ("hand", hand, 0.006, 0.506, 0.297),
    ):
        body = MODEL.body(name)
        assert body.mass[0] == pytest.approx(mass * MASS, abs=1e-6)
        assert body.ipos[2] == pytest.approx(-center * length, abs=1e-4)
        assert body.inertia[:2] == pytest.approx(mass * MASS * (gyration * length) ** 2, rel=5e-3)


def test_joint_ranges_are_those_of_the_surgeons():
    ranges = [[-60, 180], [-40, 80], [-90, 70], [0, 150], [-80, 80], [-70, 80], [-30, 20]]
    assert [MODEL.joint(i).name for i in range(MODEL.njnt)] == JOINTS
    assert np.rad2deg(MODEL.jnt_range) == pytest.approx(np.array(ranges), abs=0.01)


@pytest.mark.parametrize(
    ("joint", "moves"),
    [
        ("shoulder_flexion", [0, 1, 0]),  # forward
        ("shoulder_abduction", [1, 0, 0]),  # sideways
        ("shoulder_rotation", [-1, 0, 0]),  # the hand of the bent arm, to the left
        ("elbow_flexion", [0, 0, 1]),  # the hand of the bent arm, up
        ("pronation", [0, 0, 0]),
        ("wrist_flexion", [-1, 0, 0]),  # to the side of the palm
        ("wrist_deviation", [0, 0, 1]),  # to the side of the thumb
    ],
)
def test_joints_turn_as_anatomy_names_them(joint, moves):
    data = mujoco.MjData(MODEL)
    bent = [] if joint in JOINTS[:2] else ["elbow_flexion"]
    for name in bent:
        data.joint(name).qpos = np.pi / 2
    mujoco.mj_forward(MODEL, data)
    before = data.site("hand").xpos.copy()
    data.joint(joint).qpos += 0.01
    mujoco.mj_forward(MODEL, data)
    moved = data.site("hand").xpos - before
    distance = np.linalg.norm(moved)
    assert moved / max(distance, 1e-9) == pytest.approx(moves, abs=0.02)
    if joint == "pronation":  # palm down: from the left side of the hand to below
        palm = -data.site("hand").xmat.reshape(3, 3)[:, 0]
        assert palm == pytest.approx([-np.cos(0.01), 0, -np.sin(0.01)])


@pytest.mark.parametrize("sign", [1, -1], ids=["up", "down"])
@pytest.mark.parametrize("joint", JOINTS)
def test_ligaments_hold_every_motor_near_the_joint_range(joint, sign):
    data = mujoco.MjData(MODEL)
    mujoco.mj_resetDataKeyframe(MODEL, data, 0)
    data.actuator(joint).ctrl = sign * MODEL.actuator(joint).ctrlrange[1]
    low, high = MODEL.joint(joint).range + np.deg2rad([-6, 6])
    mujoco.mj_step(MODEL, data, nstep=1000)
    assert low < data.joint(joint).qpos[0] < high
    assert data.nefc == 0 and data.warning.number.sum() == 0


def test_stays_within_reason_whatever_the_motors_do():
    data = mujoco.MjData(MODEL)
    mujoco.mj_resetDataKeyframe(MODEL, data, 0)
    random = np.random.default_rng(0)
    beyond = np.zeros(MODEL.nq)
    for step in range(1000):
        data.ctrl = random.choice([-1, 1], MODEL.nu) * MODEL.actuator_ctrlrange[:, 1]
        mujoco.mj_step(MODEL, data, nstep=1 if step % 2 else 10)
        beyond = np.maximum(beyond, np.maximum(data.qpos - MODEL.jnt_range[:, 1], MODEL.jnt_range[:, 0] - data.qpos))
    assert data.warning.number.sum() == 0
    assert np.rad2deg(beyond).max() < 35  # momentum of all joints at full torque


def move(rate, commands, posture=REST):
    """Hand positions and velocities (time, 3), joint angles and torques (time, joint)."""
    limb = arm3d("velocity", 1 / rate)
    data = mujoco.MjData(limb.model)
    data.qpos = posture
    mujoco.mj_step1(limb.model, data)
    reference = data.sensordata[:3].copy()
    rows = []
    for command in commands:
        torque, reference = limb.command(limb.command.to_action(np.asarray(command)), reference, data)
        data.ctrl = torque
        mujoco.mj_step(limb.model, data, nstep=250 // rate)
        mujoco.mj_step1(limb.model, data)
        rows.append((data.sensordata[:3].copy(), data.sensordata[3:6].copy(), data.qpos.copy(), torque))
    assert data.warning.number.sum() == 0
    return tuple(map(np.array, zip(*rows, strict=True)))


def directions(count, seed=0):
    vectors = np.random.default_rng(seed).standard_normal((count, 3))
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


RATES = [25, 50, 250]


@pytest.mark.parametrize("rate", RATES)
def test_holds_still_against_gravity(rate):
    hand, velocity, posture, torque = move(rate, np.zeros((rate, 3)))
    assert np.abs(velocity).max() < 1e-3 and np.linalg.norm(hand[-1] - hand[0]) < 1e-3
    assert posture[-1] == pytest.approx(REST, abs=1e-3)
    assert np.linalg.norm(torque[-1]) > 3  # it takes effort


@pytest.mark.parametrize("rate", RATES)
def test_reaches_10_cm_in_800_ms_within_1_cm(rate):
    time = np.arange(round(0.8 * rate)) / rate / 0.8
    speed = 0.1 / 0.8 * 30 * time**2 * (1 - time) ** 2  # minimum jerk, Flash & Hogan, J Neurosci 5, 1985
    start = arm3d("velocity", 0.02).workspace.center
    for direction in directions(5):
        hand, velocity, _, _ = move(rate, np.concatenate([speed[:, None] * direction, np.zeros((rate, 3))]))
        assert np.linalg.norm(hand[len(time) - 1] - start - 0.1 * direction) < 0.01
        assert np.linalg.norm(hand[-1] - start - 0.1 * direction) < 0.003
        assert np.abs(velocity[-1]).max() < 5e-3


@pytest.mark.parametrize("rate", RATES)
def test_tracks_a_constant_velocity_within_15_percent(rate):
    for direction in directions(5, 1):
        _, velocity, _, _ = move(rate, np.tile(0.2 * direction, (int(0.65 * rate), 1)))
        assert np.linalg.norm(velocity[int(0.4 * rate) :] - 0.2 * direction, axis=-1).max() < 0.03


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("hold", [1, 20], ids="held for {} steps".format)
def test_stays_sane_whatever_is_commanded(rate, hold):
    commands = np.repeat(np.random.default_rng(hold).uniform(-0.6, 0.6, (600 // hold, 3)), hold, axis=0)
    hand, velocity, posture, _ = move(rate, np.concatenate([commands, np.zeros((rate, 3))]))
    assert np.abs(velocity).max() < 2.0 and np.abs(velocity[-1]).max() < 0.02
    assert (posture > MODEL.jnt_range[:, 0]).all() and (posture < MODEL.jnt_range[:, 1]).all()
    assert np.linalg.norm(hand - arm3d("velocity", 0.02).workspace.center, axis=-1).max() < RADIUS + 0.04


def test_all_of_the_workspace_can_be_reached():
    workspace = arm3d("velocity", 0.04).workspace
    for direction in directions(20, 2):
        hand, *_ = move(25, np.tile(0.6 * direction, (60, 1)))
        assert hand[-1] == pytest.approx(workspace.center + RADIUS * direction, abs=0.02)


position = st.lists(st.floats(-1, 1), min_size=3, max_size=3).map(np.array)


@given(position, st.floats(0.01, 0.5))
def test_clipping_lands_in_the_ball_and_leaves_what_is_inside(point, radius):
    ball = Ball(np.array([0.1, 0.2, 0.3]), radius)
    clipped = ball.clip(point)
    assert ball.contains(clipped)
    assert clipped == pytest.approx(point, abs=1e-9) if ball.contains(point) else (clipped != point).any()


def test_a_push_is_felt_as_by_mujocos_jacobian():
    limb = arm3d("torque", 0.02)
    data = mujoco.MjData(limb.model)
    data.qpos = REST + 0.2
    mujoco.mj_step1(limb.model, data)
    jacobian = np.zeros((3, limb.model.nv))
    mujoco.mj_jacSite(limb.model, data, jacobian, None, limb.model.site("hand").id)
    force = np.array([3.0, -5.0, 7.0])
    assert limb.push is not None
    limb.push(data, force)
    assert data.qfrc_applied == pytest.approx(jacobian.T @ force)


@pytest.mark.parametrize("command", ["torque", "velocity"])
def test_the_expert_reaches_19_of_20_targets(command):
    envs = make_vec(ID, 40, 1, command=command)
    policy, reached = expert(envs), np.zeros(40, bool)
    _, info = envs.reset(seed=0)
    targets = info["target_position"]
    away = np.linalg.norm(targets - arm3d(command, 0.02).workspace.center, axis=-1)
    assert away.max() < 0.15 and (away > 0.15 * 0.5 ** (1 / 3)).mean() == pytest.approx(0.5, abs=0.2)  # fill the ball
    for _ in range(200):
        _, _, _, _, info = envs.step(policy(info))
        reached |= info["success"]
    assert reached.mean() >= 0.95


def test_the_picture_shows_the_target_and_follows_it():
    env = make_env(ID, render_mode="rgb_array")

    def green(target):
        env.reset(seed=0, options={"target": target})
        picture = env.render().astype(int)
        return np.argwhere(picture[..., 1] - picture[..., [0, 2]].max(-1) > 40)

    try:
        low = green((-0.1, 0.4, -0.2))
    except RenderingError as error:
        pytest.skip(str(error))
    high = green((-0.1, 0.4, 0.03))
    env.close()
    assert len(low) > 100 and len(high) > 100
    assert high[:, 0].mean() < low[:, 0].mean() - 50  # rows count downwards
