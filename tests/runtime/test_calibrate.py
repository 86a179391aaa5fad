"""``motorctl calibrate`` as people run it: a simulated person with a headset in another process, real LSL between."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from motorctl.errors import ConfigurationError, MotorctlError
from motorctl.runtime.calibrate import CalibrateConfig, calibrate
from motorctl.signals.lsl import open_markers
from motorctl.training.calibrated import Calibration, calibration_in, read_with_intention, seconds_moved

PATIENCE = 150.0
CALM = ["--safety.hold-after", 5, "--safety.fade-after", 5, "--safety.stop-after", 10, "--safety.settle", 0]
"""What a machine may be late by that is busy with other tests."""


@pytest.mark.slow
def test_a_calibration_is_recorded_whole_and_says_what_it_is(
    command: Callable[..., Any], stream_name: str, tmp_path: Path
) -> None:
    limb, path = f"{stream_name}-limb", tmp_path / "c.xdf"
    command("headset", "--name", stream_name, "--limb-stream", limb)
    options = ["--minutes", 0.1, "--check", 0, "--steer", "reach", "--limb-stream", limb, "--timeout", 60, *CALM]
    run = command("calibrate", "--stream", stream_name, "--out", path, "--json", tmp_path / "c.json", *options)
    said, complaints = run.communicate(timeout=PATIENCE)
    assert run.returncode == 0, said + complaints
    written = json.loads((tmp_path / "c.json").read_text())
    assert written["ended"] == "complete" and written["seconds"] == pytest.approx(6.0, abs=0.5)
    assert sum(written["cues"].values()) >= 1 and "train imitation" in said
    assert calibration_in([path]) == Calibration("motorctl/ArmCenterOut-v0", "reach")
    assert seconds_moved(path) == pytest.approx(6.0, abs=0.7)
    eeg, kinematics = read_with_intention(path, "reach")
    assert eeg.duration >= 5.5 and len(kinematics.values) == 2


@pytest.mark.slow
def test_a_calibration_of_classes_that_is_interrupted_is_of_use(
    command: Callable[..., Any], stream_name: str, tmp_path: Path
) -> None:
    limb, path = f"{stream_name}-limb", tmp_path / "c.xdf"
    command("headset", "--name", stream_name, "--limb-stream", limb, "--steer", "cues")
    options = ["--classes", "rest", "right", "--env", "motorctl/HandGrasp-v0", "--cue", 1, "--pause", 0.5]
    options += ["--limb-stream", limb, "--timeout", 60, "--check", 0, "--json", tmp_path / "c.json", *CALM]
    run = command("calibrate", "--stream", stream_name, "--out", path, *options)
    with open_markers(f"{limb} events", timeout=PATIENCE) as events:
        heard: list[str] = []
        while sum(text.startswith("cue: ") for text in heard) < 3:
            heard += [text for _, text in events.read(1.0)]
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=PATIENCE)
    assert json.loads((tmp_path / "c.json").read_text())["ended"] == "interrupted"
    assert calibration_in([path]) == Calibration("motorctl/HandGrasp-v0", "classes")
    assert seconds_moved(path) > 3


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"minutes": 0.0}, "minutes"),
        ({"out": Path("c.csv")}, "XDF"),
        ({"classes": ("rest",)}, "classes"),
        ({"classes": ("rest", "rest")}, "classes"),
        ({"check": -1.0}, "check"),
        ({"env": "motorctl/LegGait-v0"}, "velocity"),
        ({"env": "motorctl/ArmReach-v0", "classes": ("rest", "right")}, "class"),
        ({"env": "motorctl/LegGait-v0", "classes": ("rest", "feet=fly")}, "fly"),
    ],
)
def test_what_cannot_be_calibrated_is_refused_before_anybody_waits(option: dict[str, Any], said: str) -> None:
    with pytest.raises(MotorctlError, match=said):
        calibrate(CalibrateConfig(**({"stream": "none", "out": Path("c.xdf"), "timeout": 0.1} | option)))


def test_a_recording_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "c.xdf").touch()
    with pytest.raises(ConfigurationError, match="there already"):
        calibrate(CalibrateConfig("none", tmp_path / "c.xdf"))
