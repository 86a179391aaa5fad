"""The hand against its sources, and the command `class`."""

import mujoco
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motorctl.envs.hand import CLOSE, GRIP, LIFTED, OPEN, OpenClose, hand

LIMB = hand("tendons", 0.02)
MODEL = LIMB.model
FINGERS = ["index", "middle", "ring", "little"]
DIGITS = ["thumb", *FINGERS]
PHALANGES = {  # mm; Buryanov & Kotiuk 2010
    "thumb": [31.6, 21.7 + 5.7],
    "index": [39.8, 22.4, 15.8 + 3.8],
    "middle": [44.6, 26.3, 17.4 + 4.0],
    "ring": [41.4, 25.7, 17.3 + 4.0],
    "little": [32.7, 18.1, 16.0 + 3.7],
}
MOMENT_ARMS = {  # mm; Ketchum et al. 1978, flexor digitorum profundus
    "index": [10.1, 9.8, 6.5],
    "middle": [11.6, 10.7, 7.0],
    "ring": [10.4, 10.4, 6.8],
    "little": [8.9, 8.5, 6.0],
}


def segments(digit):
    return [f"{digit}_{name}" for name in ("proximal", "middle", "distal") if digit != "thumb" or name != "middle"]


def without_object():
    data = mujoco.MjData(MODEL)
    mujoco.mj_resetDataKeyframe(MODEL, data, 0)
    data.joint("object").qpos[:3] = 0.4, 0.4, 0
    return data


@pytest.mark.parametrize("digit", DIGITS)
def test_phalanges_have_the_published_lengths(digit):
    names = segments(digit)
    lengths = [MODEL.body(name).pos[1] for name in names[1:]]
    tip = MODEL.geom(names[-1])
    lengths.append(tip.pos[1] + tip.size[1] + tip.size[0])  # a capsule along y: center, half length, radius
    assert np.array(lengths) * 1000 == pytest.approx(PHALANGES[digit], abs=0.15)


def test_joint_ranges_are_the_surgeons():
    ranges = {name: np.rad2deg(MODEL.joint(name).range).round(3).tolist() for name in ("thumb_mcp", "thumb_ip")}
    assert ranges == {"thumb_mcp": [-10, 55], "thumb_ip": [0, 80]}
    for finger in FINGERS:
        high = [np.rad2deg(MODEL.joint(f"{finger}_{joint}").range[1]) for joint in ("mcp", "pip", "dip")]
        assert high == pytest.approx([90, 100, 80])


@pytest.mark.parametrize("finger", FINGERS)
def test_mean_moment_arms_are_the_published_ones(finger):
    data, tendon = without_object(), f"{finger}_flexor"
    for joint, published in zip(("mcp", "pip", "dip"), MOMENT_ARMS[finger], strict=True):
        lengths = []
        low, high = MODEL.joint(f"{finger}_{joint}").range
        for angle in np.linspace(low, high, 10):
            data.joint(f"{finger}_{joint}").qpos = angle
            mujoco.mj_forward(MODEL, data)
            lengths.append(data.tendon(tendon).length[0])
        data.joint(f"{finger}_{joint}").qpos = 0
        assert (np.diff(lengths) < 0).all()  # it flexes everywhere
        assert (lengths[0] - lengths[-1]) / (high - low) * 1000 == pytest.approx(published, rel=0.03)


def test_flexors_pull_with_60_newtons_after_a_while():
    data = without_object()
    data.ctrl[:5] = 1
    mujoco.mj_step(MODEL, data, nstep=10)
    assert data.act == pytest.approx([1 - np.exp(-1)] * 5)  # 40 ms
    mujoco.mj_step(MODEL, data, nstep=100)
    assert data.actuator_force[:5] == pytest.approx([-60] * 5, rel=1e-3)


def test_each_flexor_bends_its_digit_and_springs_open_it():
    data = without_object()
    for i, digit in enumerate(DIGITS):
        data.ctrl[:5] = np.eye(5)[i] * 0.4
        mujoco.mj_step(MODEL, data, nstep=250)
        bent = {name: sum(data.joint(MODEL.body(s).jntadr[0]).qpos[0] for s in segments(name)) for name in DIGITS}
        assert bent.pop(digit) > np.deg2rad(90)
        assert max(bent.values()) < np.deg2rad(10)
        data.ctrl[:5] = 0
        mujoco.mj_step(MODEL, data, nstep=250)
    assert (data.qpos[1:15] < np.deg2rad(1)).all()


def test_stays_within_reason_whatever_the_tendons_do():
    data, random = mujoco.MjData(MODEL), np.random.default_rng(0)
    mujoco.mj_resetDataKeyframe(MODEL, data, 0)
    beyond = np.zeros(15)
    low, high = MODEL.jnt_range[:15].T
    for step in range(400):
        data.ctrl = random.choice([0, 1], MODEL.nu) * MODEL.actuator_ctrlrange[:, 1]
        mujoco.mj_step(MODEL, data, nstep=1 if step % 2 else 10)
        beyond = np.maximum(beyond, np.maximum(data.qpos[:15] - high, low - data.qpos[:15]))
    assert data.warning.number.sum() == 0
    assert beyond[0] < 0.02 and np.rad2deg(beyond[1:]).max() < 25


def follow(scores, period=0.02):
    """Controls (time, 6) and the place on the path (time, 1) of the command `class`."""
    command, along, rows = OpenClose(period), np.zeros(1), []
    for score in scores:
        control, along = command(np.asarray(score, float), along, mujoco.MjData(MODEL))
        rows.append((control, along))
    return tuple(map(np.array, zip(*rows, strict=True)))


def test_closing_grips_then_lifts_and_opening_goes_back():
    closing, opening = [-1, 1], [1, -1]
    controls, along = follow([closing] * 70 + [opening] * 70)
    grip, height = controls[:, :5] / GRIP, controls[:, 5]
    assert height[:30].max() < 1e-9 and grip[30:100].min() == pytest.approx(1)
    assert height[60:70] == pytest.approx([LIFTED] * 10)
    assert along[-1] == 0 and (controls[-1] == 0).all()
    assert (np.diff(height[:70]) >= 0).all() and (np.diff(height[70:]) <= 0).all()


def test_equal_scores_change_nothing_and_a_flicker_little():
    controls, _ = follow([[-1, 1]] * 70 + [[0, 0]] * 20 + [[1, -1]] + [[-1, 1]])
    assert (controls[70:90] == controls[69]).all()
    assert controls[90, 5] == pytest.approx(LIFTED, abs=0.003) and controls[91, 5] == pytest.approx(LIFTED)


score = st.lists(st.floats(-1, 1), min_size=2, max_size=2)


@given(st.lists(score, min_size=1, max_size=50), st.sampled_from([0.004, 0.02, 0.04]))
def test_controls_stay_in_their_ranges(scores, period):
    controls, along = follow(scores, period)
    assert ((along >= 0) & (along <= 1)).all()
    assert ((controls >= 0) & (controls <= MODEL.actuator_ctrlrange[:, 1])).all()


def test_probabilities_become_actions():
    command = OpenClose(0.02)
    assert command.to_action(np.array([0.25, 1.0])) == pytest.approx([-0.5, 1.0])
    assert (OPEN, CLOSE) == (0, 1)
