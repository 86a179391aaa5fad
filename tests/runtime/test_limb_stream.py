"""What a run says over LSL, of every kind of environment, to somebody who joins late."""

from __future__ import annotations

import numpy as np
import pylsl
import pytest
from pylsl import StreamInlet

from motorctl.envs import make_env
from motorctl.runtime.limb_stream import PHASES, STATUS, TIMING, LoopStreams, limb_parts, read_description
from motorctl.runtime.loop import run_loop
from motorctl.runtime.operator import Operator
from motorctl.runtime.reader import Reader
from motorctl.runtime.safety import SafetyConfig
from motorctl.signals.lsl import find_stream

from .test_loop import AT_ONCE, PIPELINE, Constant, Scripted

PATIENCE = 30.0
ARM = [
    f"{what}_{axis}" for what in ("hand", "hand_velocity", "target", "command", "wanted", "intended") for axis in "xy"
]


@pytest.mark.parametrize(
    ("environment", "command", "labels"),
    [
        ("ArmReach", "velocity", [*ARM, "shoulder", "elbow"]),
        ("Arm3dReach", "velocity", ["hand_z", "target_z", "command_z", "wrist_flexion"]),
        ("ArmReach", "muscles", ["command_elbow_flexor", "intended_biarticular_extensor"]),
        ("ArmReach", "torque", ["command_elbow_motor"]),
        ("LegGait", "class", ["command_walk", "intended_jump", "hip", "knee", "trunk", "movement", "sole_heights_2"]),
        ("HandGrasp", "class", ["command_close", "lift", "thumb_ip", "touch_5", "object_position_z", "phase"]),
        ("HandGrasp", "tendons", ["wanted_thumb_flexor", "command_lift"]),
    ],
)
def test_every_environment_says_what_it_has(environment, command, labels):
    env = make_env(f"motorctl/{environment}-v0", command=command)
    channels = [channel for part in limb_parts(env) for channel in part.channels]
    names = [channel.label for channel in channels]
    assert set(labels) <= set(names) and len(set(names)) == len(names)
    assert labels != ARM or names == ARM
    units = dict(zip(names, (channel.unit for channel in channels), strict=True))
    expected = {"hand_x": "m", "hand_velocity_x": "m/s", "shoulder": "rad", "command_elbow_motor": "N·m", "lift": "m"}
    assert all(units[name] == unit for name, unit in expected.items() if name in units)


def inlet(name):
    listening = StreamInlet(find_stream(name=name, timeout=PATIENCE))
    description = listening.info(PATIENCE)
    listening.open_stream(PATIENCE)
    return listening, read_description(description)


def pulled(listening, count):
    rows, stamps = [], []
    deadline = pylsl.local_clock() + PATIENCE
    while len(rows) < count and pylsl.local_clock() < deadline:
        more, when = listening.pull_chunk(1.0, min_samples=1)
        rows, stamps = rows + more, stamps + when
    return rows, np.array(stamps)


def test_the_streams_of_a_run_hold_its_steps(stream_name):
    env = make_env("motorctl/ArmReach-v0", command="velocity", control_rate=50.0)
    streams = LoopStreams(stream_name, env, SafetyConfig(rate=7.0), "runs/x", 0.1, lambda: 0.25)
    inlets = {name: inlet(name) for name in streams.names}
    for _, said in inlets.values():
        assert said["environment"] == "motorctl/ArmReach-v0" and said["control_rate"] == 50
        assert said["command"] == "velocity" and said["components"] == [["x", "m/s"], ["y", "m/s"]]
        assert said["high"] == pytest.approx([0.6, 0.6]) and said["safety"]["rate"] == 7
        assert said["controller"] == "runs/x" and said["phases"] == list(PHASES) and said["version"]

    class Halfway:
        assist = 0.5

        def __call__(self, wanted, intended, info):
            assert info["target_position"].shape == intended.shape == (2,)
            return (wanted + intended) / 2

    source, operator = Scripted(), Operator()

    def stop_late(step):
        if round(step.time, 2) == 1.5:
            operator.ask("stop", "the cockpit was killed")

    reader = Reader(source, PIPELINE, source.now)
    options = {"safety": AT_ONCE, "operator": operator, "guide": Halfway()}
    steps = list(run_loop(reader, Constant(0.1, 0.0), env, 2.0, 1, (streams, stop_late), **options))

    moved, stamps = pulled(inlets[stream_name][0], len(steps))
    np.testing.assert_allclose(stamps, [s.time for s in steps], atol=1e-6)
    hand, target, command, wanted, intended = (np.array(moved)[:, k : k + 2] for k in (0, 4, 6, 8, 10))
    np.testing.assert_allclose(hand, [s.hand for s in steps], rtol=1e-6)
    assert (wanted == np.float32([0.1, 0.0])).all()
    seen = np.array([hand[k] for k in range(len(steps) - 1)])
    away = target[1:] - seen
    assert (np.sign(intended[1:75]) == np.sign(away[:74])).all()  # the expert's is towards the target
    np.testing.assert_allclose(command[5:70], (wanted + intended)[5:70] / 2, atol=1e-6)

    timing, _ = pulled(inlets[f"{stream_name} timing"][0], len(steps))
    named = dict(zip((c.label for c in TIMING), np.array(timing).T, strict=True))
    np.testing.assert_allclose(named["newest_age"], 0, atol=1e-6)
    np.testing.assert_allclose(named["oldest_age"], 0.01, atol=1e-6)  # two samples a command
    assert (named["delay"] == np.float32(0.1)).all() and (named["missed"] == 0).all()

    status, when = pulled(inlets[f"{stream_name} status"][0], 4)
    rows = [dict(zip((c.label for c in STATUS), row, strict=True)) for row in status]
    assert PHASES[int(rows[0]["phase"])] == "running" and rows[0]["assist"] == 0.5 and rows[0]["gated"] == 0.25
    assert PHASES[int(rows[-1]["phase"])] == "stopped" and np.diff(when).max() <= 0.5 + 1e-6
    assert rows[-1]["trial"] == 2 and rows[-1]["targets"] == 0  # the expert had a share in it
    events, _ = pulled(inlets[f"{stream_name} events"][0], 4)
    assert [row[0] for row in events] == ["running", "assist 0.5", "reached", "stopped: the cockpit was killed"]
