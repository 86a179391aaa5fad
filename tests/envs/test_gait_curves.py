"""The normative curves: what was published comes out, smooth and periodic."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motorctl.envs.gait_curves import MOVEMENTS, PERIODS, joint_angles, period

phases = st.floats(-3, 3)
names = st.sampled_from(MOVEMENTS)


def degrees(movement, phase):
    return np.rad2deg(joint_angles(movement, phase))


def test_walking_is_that_of_schwartz_2008():
    # phase, then hip flexion less pelvic tilt, knee, ankle: middle of their band of one standard deviation
    assert degrees("walk", 0.00) == pytest.approx([35.83 - 12.19, 5.55, -2.10], abs=0.06)
    assert degrees("walk", 0.12) == pytest.approx([31.08 - 10.76, 19.29, -0.18], abs=0.06)
    assert degrees("walk", 0.52) == pytest.approx([-5.76 - 11.88, 14.48, 8.37], abs=0.06)
    assert degrees("walk", 0.72) == pytest.approx([21.39 - 11.05, 59.13, -7.87], abs=0.06)


@pytest.mark.parametrize(
    ("movement", "joint", "lowest", "highest"),
    [
        ("walk", 1, (0, 10), (55, 65)),  # Perry & Burnfield 2010: knee to 60° in swing
        ("walk", 2, (-25, -15), (8, 15)),  # ankle from 15 to 20° of plantar flexion to 10° of dorsiflexion
        ("run", 1, (10, 25), (90, 115)),  # Novacheck 1998: knee to 90° and beyond, the faster the more
        ("run", 2, (-35, -20), (12, 30)),
        ("jump", 1, (0, 10), (60, 100)),
    ],
)
def test_ranges_are_those_of_textbooks(movement, joint, lowest, highest):
    curve = degrees(movement, np.linspace(0, 1, 500))[:, joint]
    assert lowest[0] <= curve.min() <= lowest[1] and highest[0] <= curve.max() <= highest[1]


@pytest.mark.parametrize(("movement", "phase"), [("stand", 0.3), ("jump", 0.0), ("jump", 0.28), ("jump", 0.7)])
def test_the_foot_is_flat_where_it_is_stood_on(movement, phase):
    hip, knee, ankle = degrees(movement, phase)
    assert hip - knee + ankle == pytest.approx(0, abs=1.0)


@given(names, phases)
def test_periodic(movement, phase):
    assert joint_angles(movement, phase + 1) == pytest.approx(joint_angles(movement, phase), abs=1e-9)


@given(names, phases, st.sampled_from([1, 2]))
def test_derivatives(movement, phase, order):
    around = joint_angles(movement, phase + np.array([-1e-5, 1e-5]), order - 1)
    assert joint_angles(movement, phase, order) == pytest.approx((around[1] - around[0]) / 2e-5, rel=1e-4, abs=1e-3)


def test_names_and_indices_agree_with_any_leading_axes():
    phase = np.random.default_rng(0).random((5, 2))
    index = np.arange(10).reshape(5, 2) % 4
    both = joint_angles(index, phase)
    assert both.shape == (5, 2, 3) and period(index).shape == (5, 2)
    for i, j in np.ndindex(5, 2):
        movement = MOVEMENTS[index[i, j]]
        assert both[i, j] == pytest.approx(joint_angles(movement, phase[i, j]), abs=1e-12)
        assert period(movement) == PERIODS[index[i, j]]
