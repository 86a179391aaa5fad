"""``motorctl session``: what it remembers, how it goes on, and all of it once (slow)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from motorctl.errors import ConfigurationError, MotorctlError
from motorctl.runtime.calibrate import CalibrateConfig
from motorctl.runtime.live_config import LiveConfig
from motorctl.runtime.session import STATE, SessionConfig, State, replace_folder, session, steps_of, unused
from motorctl.training.classify import ClassifyRecordings
from motorctl.training.recordings import ImitationFromRecordings

PATIENCE = 600.0


def test_a_finished_step_is_remembered_and_the_options_are_those_it_was_begun_with(tmp_path: Path) -> None:
    config = SessionConfig("cap", tmp_path / "mine")
    State.of(config).finish("calibrate", {"seconds": 300.0, "files": [tmp_path / "c.xdf"]})
    again = State.of(replace(config, stream="another", yes=True))  # these may be others
    assert again.done == {"calibrate": {"seconds": 300.0, "files": [str(tmp_path / "c.xdf")]}}
    with pytest.raises(ConfigurationError, match="begun with --minutes 5.0"):
        State.of(replace(config, minutes=3.0))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"config": {}, "steps": 3}'])
def test_a_damaged_state_is_said_in_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / STATE).write_text(text)
    with pytest.raises(ConfigurationError, match=r"damaged|begun with"):
        State.of(SessionConfig("cap", tmp_path))


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(ConfigurationError, match="no session"):
        session(SessionConfig("cap", tmp_path))


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"cockpit": True, "tui": True}, ["calibrate", "train", "assisted", "adapt", "alone"]),
        ({"assisted": 0.0, "adapting": 0.0}, ["calibrate", "train", "alone"]),
        ({"classes": ("rest", "right"), "env": "motorctl/HandGrasp-v0"}, ["calibrate", "train", "assisted", "alone"]),
    ],
)
def test_the_steps_are_commands_that_can_be_typed(options: dict[str, Any], names: list[str], tmp_path: Path) -> None:
    from motorctl import cli

    configurations = {
        "calibrate": (CalibrateConfig, ["--out", "c.xdf"]),
        "live": (LiveConfig, []),
        "train imitation": (ImitationFromRecordings, ["--recordings", "c.xdf"]),
        "train classify": (ClassifyRecordings, ["--recordings", "c.xdf"]),
    }
    steps = list(steps_of(SessionConfig("cap", tmp_path, **options)))
    assert [step.name for step in steps] == names
    for step in steps:
        kind, more = configurations[step.command]
        _, parsed = cli.parse(step.command, [*step.words, *more])
        assert isinstance(parsed, kind)
    last = cli.parse("live", list(steps[-1].words))[1]
    assert last.controller == tmp_path / ("adapted" if "adapt" in names else "controller") and last.chance


@pytest.mark.parametrize("option", [{"minutes": 0.1}, {"assist": 2.0}, {"alone": 0.0}, {"assisted": -1.0}])
def test_impossible_sessions_are_refused(option: dict[str, float], tmp_path: Path) -> None:
    with pytest.raises(MotorctlError, match=next(iter(option))):
        session(SessionConfig("cap", tmp_path / "mine", **option))
    assert not (tmp_path / "mine").exists()


def test_names_and_folders_are_never_taken_twice(tmp_path: Path) -> None:
    (tmp_path / "adapt-1").mkdir()
    assert unused(tmp_path, "adapt", "").name == "adapt-2"
    (tmp_path / "adapt-1" / "controller.json").write_text("new")
    (tmp_path / "adapted").mkdir()
    (tmp_path / "adapted" / "controller.json").write_text("old")
    replace_folder(tmp_path / "adapt-1", tmp_path / "adapted")
    assert (tmp_path / "adapted" / "controller.json").read_text() == "new" and not (tmp_path / "adapt-1").exists()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_all_of_it_with_a_kill_in_between(command: Callable[..., Any], stream_name: str, tmp_path: Path) -> None:
    limb, out = f"{stream_name}-limb", tmp_path / "mine"
    command("headset", "--name", stream_name, "--limb-stream", limb)
    options = ["--stream", stream_name, "--out", out, "--steer", "reach", "--minutes", 1, "--yes", "--timeout", 90]
    options += ["--assisted", 0.3, "--adapting", 0.3, "--alone", 0.5, "--limb-stream", limb]
    first = command("session", *options)
    for line in first.stdout:
        if "$ motorctl train" in line:
            break
    first.kill()
    first.communicate()
    assert list(json.loads((out / STATE).read_text())["steps"]) == ["calibrate"]
    second = command("session", *options)
    said, complaints = second.communicate(timeout=PATIENCE)
    assert second.returncode == 0, said + complaints
    assert "goes on: calibrate done" in " ".join(said.split()) and "$ motorctl calibrate" not in said  # lines wrap
    written = json.loads((out / "summary.json").read_text())
    assert written["assisted"]["helped"]["trials"] > 0
    assert written["adapt"]["adapted"]["rows"] > 100
    assert written["alone"]["own"]["success_rate"] > 0.5 > written["alone"]["shuffled_success_rate"]
    assert (out / "adapted" / "controller.json").is_file() and (out / "alone-1.xdf").is_file()
    third = command("session", *options)
    said, _ = third.communicate(timeout=PATIENCE)
    assert third.returncode == 0 and "$ motorctl" not in said
