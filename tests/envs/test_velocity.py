"""Does the hand do what is commanded: the figures that the controller is documented with."""

import mujoco
import numpy as np
import pytest
from mujoco.batch import Batch

from motorctl.envs import VelocityController
from motorctl.envs.limb import load
from motorctl.envs.workspace import Workspace

RATES = [25, 50, 250]
DIRECTIONS = [np.array([np.cos(a), np.sin(a)]) for a in np.arange(8) * np.pi / 4]
MODEL = load("arm")
WORKSPACE = Workspace.of(MODEL)
REST = MODEL.key("rest").qpos


def move(rate, commands, posture=REST):
    """Hand positions and velocities (time, 2), joint angles (time, joint), excitations (time, muscle)."""
    data = mujoco.MjData(MODEL)
    data.qpos = posture
    mujoco.mj_step1(MODEL, data)
    controller = VelocityController(MODEL, WORKSPACE, 1 / rate)
    reference = data.sensordata[:2].copy()
    rows = []
    for command in commands:
        data.ctrl, reference = controller(command, reference, data)
        excitation = data.ctrl.copy()
        mujoco.mj_step(MODEL, data, nstep=250 // rate)
        mujoco.mj_step1(MODEL, data)
        rows.append((data.sensordata[:2].copy(), data.sensordata[3:5].copy(), data.qpos.copy(), excitation))
    assert data.warning.number.sum() == 0
    return tuple(map(np.array, zip(*rows, strict=True)))


@pytest.mark.parametrize("rate", RATES)
def test_holds_still_anywhere(rate):
    random = np.random.default_rng(0)
    low, high = zip(WORKSPACE.shoulder, WORKSPACE.elbow, strict=True)
    for posture in random.uniform(low, high, (10, 2)):
        hand, velocity, _, _ = move(rate, np.zeros((2 * rate, 2)), posture)
        assert np.abs(velocity[rate:]).max() < 1e-3
        assert np.linalg.norm(hand[-1] - hand[0]) < 2e-3


@pytest.mark.parametrize("rate", RATES)
def test_tracks_a_constant_velocity_within_15_percent(rate):
    for direction in DIRECTIONS:
        _, velocity, _, _ = move(rate, np.tile(0.2 * direction, (int(0.65 * rate), 1)))
        along = velocity[int(0.4 * rate) :] @ direction
        assert along == pytest.approx(np.full(along.shape, 0.2), rel=0.15)
        assert np.abs(velocity[int(0.4 * rate) :] - 0.2 * direction).max() < 0.03


@pytest.mark.parametrize("rate", RATES)
def test_reaches_10_cm_in_800_ms_within_1_cm(rate):
    time = np.arange(round(0.8 * rate)) / rate / 0.8
    speed = 0.1 / 0.8 * 30 * time**2 * (1 - time) ** 2  # minimum jerk, Flash & Hogan, J Neurosci 5, 1985
    start = move(rate, np.zeros((1, 2)))[0][0]
    for direction in DIRECTIONS:
        hand, velocity, _, _ = move(rate, np.concatenate([speed[:, None] * direction, np.zeros((rate, 2))]))
        goal = start + 0.1 * direction
        assert np.linalg.norm(hand[len(time) - 1] - goal) < 0.01
        assert np.linalg.norm(hand[-1] - goal) < 0.002
        assert np.abs(velocity[-1]).max() < 1e-3


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("hold", [1, 10, 40], ids="held for {} steps".format)
def test_stays_sane_whatever_is_commanded(rate, hold):
    steps = 2000 if rate == 250 else 1200
    commands = np.repeat(np.random.default_rng(hold).uniform(-1, 1, (steps // hold, 2)), hold, axis=0)
    _, velocity, posture, excitation = move(rate, commands)
    assert np.abs(velocity).max() < 4.0
    assert (posture > MODEL.jnt_range[:, 0]).all() and (posture < MODEL.jnt_range[:, 1]).all()
    assert ((excitation >= 0) & (excitation <= 1)).all()
    # and when it is over, all is still
    _, velocity, _, _ = move(rate, np.concatenate([commands[:400], np.zeros((2 * rate, 2))]))
    assert np.abs(velocity[-rate // 2 :]).max() < 1e-2


def test_stops_at_the_edge_of_the_workspace():
    hand, velocity, _, _ = move(50, np.tile([0.0, 0.5], (150, 1)))
    assert np.abs(velocity[-25:]).max() < 0.02
    assert np.linalg.norm(hand[-1]) == pytest.approx(WORKSPACE.radii[1], abs=0.01)
    # no debt has built up: the hand turns back at once
    hand, _, _, _ = move(50, np.concatenate([np.tile([0.0, 0.5], (150, 1)), np.tile([0.0, -0.3], (15, 1))]))
    assert hand[-1, 1] < hand[149, 1] - 0.02


def test_a_batch_moves_as_its_members_do():
    batch = Batch(MODEL, nsim=8, nthread=1)
    fields = ("sensordata", "xanchor", "M", "qfrc_bias", "actuator_moment", "actuator_length", "actuator_velocity")
    for name in fields:
        batch.bind(name)
    batch.qpos[:] = REST
    batch.forward()
    controller = VelocityController(MODEL, WORKSPACE, 0.02)
    command = 0.2 * np.array(DIRECTIONS)
    reference = batch.sensordata[:, :2].copy()
    for _ in range(20):
        batch.ctrl, reference = controller(command, reference, batch)
        batch.step(nstep=5, stage=mujoco.mjtStage.mjSTAGE_VEL.value)
    alone = np.array([move(50, np.tile(one, (20, 1)))[0][-1] for one in command])
    assert batch.sensordata[:, :2] == pytest.approx(alone, abs=1e-5)
