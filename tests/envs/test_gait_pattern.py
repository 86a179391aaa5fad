"""The reference: tables, and how one movement gives way to another."""

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motorctl.envs.gait_curves import MOVEMENTS, PERIODS, joint_angles
from motorctl.envs.gait_pattern import SPEEDS, STANCE, START, Pattern
from motorctl.envs.limb import load

MODEL = load("leg")
PATTERN = Pattern.of(MODEL)
ONE = np.eye(4)


def course(movement, clock):
    return np.concatenate([[clock], ONE[MOVEMENTS.index(movement)], ONE[MOVEMENTS.index(movement)]])


@pytest.mark.parametrize("movement", MOVEMENTS)
def test_tables_are_the_curves(movement):
    period = PERIODS[MOVEMENTS.index(movement)]
    for clock in np.linspace(0, 5, 37):
        reference = PATTERN.at(course(movement, clock))
        for order, value in enumerate(reference[:3]):
            exact = joint_angles(movement, clock / period, order) / period**order
            assert value == pytest.approx(exact, abs=0.002 * (40**order))


@pytest.mark.parametrize("movement", ["walk", "run"])
def test_the_belt_goes_with_the_foot(movement):
    """On the floor, the ankle goes back against the hip as fast as the belt does, in the mean."""
    index, data = MOVEMENTS.index(movement), mujoco.MjData(MODEL)
    phases = np.linspace(0.08, 0.8 * STANCE[index], 20)
    places = []
    for phase in phases:
        data.qpos[2:] = joint_angles(index, phase)
        mujoco.mj_kinematics(MODEL, data)
        places.append(data.site("ball").xpos[0])
    speed = (places[0] - places[-1]) / (phases[-1] - phases[0]) / PERIODS[index]
    assert speed == pytest.approx(SPEEDS[index], rel=0.05)


def test_heights_are_those_of_people():
    stand, walk = PATTERN.table[0, 0, 9], PATTERN.table[1, :120, 9]  # in stance
    assert stand == pytest.approx(0.53 * 1.66, abs=0.01)  # Winter 2009: the hip at 0.530 H
    assert np.ptp(walk) == pytest.approx(0.045, abs=0.01)  # Gard et al. 2004: 4 to 5 cm


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 60)), min_size=1, max_size=6))
def test_whatever_is_asked_for_the_weights_sum_to_one(orders):
    state = START
    for asked, count in orders:
        for _ in range(count):
            state = PATTERN.follow(state, ONE[asked], 0.02)
    assert state[1:5].sum() == 1 and state[5:].sum() == pytest.approx(1) and (state[5:] >= 0).all()
    for _ in range(200):  # two cycles of the slowest
        state = PATTERN.follow(state, ONE[orders[-1][0]], 0.02)
    assert state[1:5] == pytest.approx(ONE[orders[-1][0]])


@pytest.mark.parametrize("movement", MOVEMENTS)
def test_one_that_is_begun_late_is_in_step(movement):
    early = late = START
    for step in range(300):
        early = PATTERN.follow(early, ONE[MOVEMENTS.index(movement)], 0.02)
        late = PATTERN.follow(late, ONE[MOVEMENTS.index(movement if step > 37 else "stand")], 0.02)
    assert PATTERN.at(late).angles == pytest.approx(PATTERN.at(early).angles, abs=1e-3)


def test_rows_are_independent():
    random = np.random.default_rng(0)
    many = np.tile(START, (5, 1))
    alone = [START] * 5
    for _ in range(60):
        asked = ONE[random.integers(4, size=5)]
        many = PATTERN.follow(many, asked, 0.05)
        alone = [PATTERN.follow(one, row, 0.05) for one, row in zip(alone, asked, strict=True)]
    assert (many == np.array(alone)).all()
    together, references = PATTERN.at(many, 0.01), [PATTERN.at(one, 0.01) for one in alone]
    for i, values in enumerate(together):
        assert (values == np.array([reference[i] for reference in references])).all()
