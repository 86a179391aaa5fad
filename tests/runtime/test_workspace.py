"""The hand is not commanded further out of its workspace, and slows down towards its walls."""

from __future__ import annotations

import numpy as np
import pytest

from motorctl.envs import make_env
from motorctl.errors import ConfigurationError
from motorctl.runtime.loop import command_range, run_loop
from motorctl.runtime.reader import Reader
from motorctl.runtime.safety import SafetyConfig
from motorctl.runtime.workspace import APPROACH, limits_near

from .test_loop import PIPELINE, Constant, Scripted

BOX = (-0.05, 0.1, 0.3, 0.55)  # the hand rests at (0, 0.43)
QUICK = {"settle": 0.0, "rate": 1e3, "acceleration": 1e6}


def arm(command: str = "velocity"):
    return make_env("motorctl/ArmReach-v0", command=command, control_rate=50.0, time_limit=60.0)


@pytest.mark.parametrize("way", [(0.4, 0.0), (-0.4, 0.0), (0.0, 0.4), (0.3, -0.4)])
def test_the_hand_stays_in_the_box_and_slows_down_towards_its_wall(way):
    source = Scripted()
    reader = Reader(source, PIPELINE, source.now)
    safety = SafetyConfig(workspace=BOX, **QUICK)
    steps = list(run_loop(reader, Constant(*way), arm(), 4.0, 1, safety=safety))
    low, high = np.reshape(BOX, (2, 2)).T
    hands = np.array([step.hand for step in steps])
    assert (hands > low - 0.01).all() and (hands < high + 0.01).all()
    before = [(hand, step.command) for hand, step in zip(hands, steps[1:], strict=False)]
    for hand, command in before:
        assert (command <= np.maximum(APPROACH * (high - hand), 0) + 1e-9).all()
        assert (command >= -np.maximum(APPROACH * (hand - low), 0) - 1e-9).all()


def test_outside_of_it_only_the_way_back_is_allowed():
    env = arm()
    low, high = command_range(env)
    limits = SafetyConfig(workspace=BOX).limits(low, high, 0.02)
    at = limits_near(SafetyConfig(workspace=BOX), limits, env)({"hand_position": np.array([0.2, 0.2])})
    np.testing.assert_allclose([at.low, at.high], [[-0.6, 0.0], [0.0, 0.6]])
    middle = limits_near(SafetyConfig(workspace=BOX), limits, env)({"hand_position": np.array([0.0, 0.43])})
    assert (middle.low < 0).all() and (middle.high > 0).all()


@pytest.mark.parametrize(
    ("command", "workspace", "problem"),
    [
        ("velocity", (0.0, 1.0), "2 numbers for 2 axes"),
        ("velocity", (0.1, 0.2, 0.3, 0.6), "outside the workspace"),
        ("muscles", BOX, "the command is 'muscles'"),
    ],
)
def test_a_workspace_that_does_not_fit_is_refused(command, workspace, problem):
    env = arm(command)
    safety = SafetyConfig(workspace=workspace)
    low, high = command_range(env)
    with pytest.raises(ConfigurationError, match=problem):
        limits_near(safety, safety.limits(low, high, 0.02), env)


@pytest.mark.parametrize("workspace", [(0.2, 0.1, 0.0, 1.0), (float("nan"), 1.0, 0.0, 1.0)])
def test_what_is_no_box_is_refused(workspace):
    with pytest.raises(ConfigurationError, match="is no box"):
        SafetyConfig(workspace=workspace)
