"""What somebody sees who calibrates, on simulated time: a slow hand from target to target, and classes in turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from motorctl.errors import ConfigurationError
from motorctl.runtime.calibrate import (
    CalibrateConfig,
    Nobody,
    bare_pipeline,
    commands_shown,
    meanings,
    shown_environment,
)
from motorctl.runtime.demonstration import AskedAloud, ClassesShown, ReachingShown, direction
from motorctl.runtime.loop import Step, run_loop
from motorctl.runtime.reader import Reader
from motorctl.runtime.safety import Phase
from motorctl.training.steering import WAYS


def watch(env: Any, shown: Any, source: Any, seconds: float) -> list[Step]:
    reader = Reader(source, bare_pipeline(source.info, env), source.now)
    nobody = Nobody(env.get_wrapper_attr("limb").command.size)
    return list(run_loop(reader, nobody, env, seconds, 1, [shown.told], guide=shown))


def config(tmp_path: Any, **options: Any) -> CalibrateConfig:
    return CalibrateConfig("noise", tmp_path / "c.xdf", **options)


@pytest.mark.parametrize("steer", ["imagery", "reach"])
def test_the_hand_goes_from_target_to_target_no_faster_than_can_be_imagined(
    steer: Any, noise: Callable[..., Any], tmp_path: Any
) -> None:
    way, said = WAYS[steer], []
    env = shown_environment(config(tmp_path, steer=steer))
    shown = ReachingShown(way, 0.02, way.pipeline.rate, 0, lambda text, time: said.append(text))
    steps = watch(env, shown, noise(), 40.0)
    running = [s for s in steps if s.phase is Phase.RUNNING]
    assert all(s.assist == 1.0 for s in steps)
    speeds = np.linalg.norm([s.command for s in running], axis=1)
    assert np.median(speeds) <= way.hand_speed * 0.35
    assert sum(s.success for s in steps) >= (2 if steer == "imagery" else 6)
    assert set(said) <= {f"cue: {where}" for where in DIRECTIONS} and len(said) > 4
    resting = [s for s in running if np.linalg.norm(s.hand - s.target) < 0.02]
    assert len(resting) > 0.1 * len(running)  # rest is learned from too


DIRECTIONS = ("right", "forward right", "forward", "forward left", "left", "back left", "back", "back right", "stay")


@pytest.mark.parametrize("number", range(8))
def test_eight_directions_have_names(number: int) -> None:
    angle = number * np.pi / 4 + 0.1
    assert direction(0.1 * np.array([np.cos(angle), np.sin(angle)])) == DIRECTIONS[number]


def test_space_has_up_and_down() -> None:
    assert direction(np.array([0.0, 0.0, -1.0])) == "down" and direction(np.zeros(3)) == "stay"
    assert set(direction(np.array([1.0, 1.0, 1.0])).split()) == {"right", "forward", "up"}


@pytest.mark.parametrize("name", ["HandGrasp", "LegGait"])
def test_every_class_is_asked_for_as_often_and_the_limb_does_it(
    name: str, noise: Callable[..., Any], tmp_path: Any
) -> None:
    classes = ("rest", "right", "left", "feet")
    env = shown_environment(config(tmp_path, classes=classes, env=f"motorctl/{name}-v0"))
    said: list[tuple[str, float]] = []
    commands = commands_shown(classes, env)
    shown = ClassesShown(commands, 1.0, 0.5, 50.0, 0, lambda text, time: said.append((text, time)))
    steps = watch(env, shown, noise((3.0, 5.0)), 22.0)
    cues = [(text.removeprefix("cue: "), time) for text, time in said if text != "pause"]
    counted = Counter(text for text, _ in cues)
    assert set(counted) == set(classes) and max(counted.values()) - min(counted.values()) <= 1
    for text, time in cues:
        during = [s for s in steps if time < s.time <= time + 0.9 and s.phase is Phase.RUNNING][30:]
        assert all(np.allclose(s.command, commands[text]) for s in during)
    pauses = [time for text, time in said if text == "pause"]
    lasted = [end - begin for (_, begin), end in zip(cues, pauses, strict=False)]
    assert lasted[0] == pytest.approx(1.0, abs=0.03) or lasted[0] > 2  # or the silence fell into it
    assert any(s.phase is Phase.STOPPED for s in steps)  # and time stood still meanwhile


def test_classes_mean_what_is_said_or_the_commands_in_order(tmp_path: Any) -> None:
    env = shown_environment(config(tmp_path, classes=("a", "b"), env="motorctl/LegGait-v0"))
    assert meanings(("rest", "feet", "jump=run"), env) == {"rest": "stand", "feet": "walk", "jump": "run"}
    assert meanings(("walk", "a", "b", "c", "d"), env)["d"] == "rest"
    with pytest.raises(ConfigurationError, match="knows no fly"):
        meanings(("rest", "feet=fly"), env)


def test_what_a_task_asks_for_is_said_once(tmp_path: Any) -> None:
    said: list[str] = []
    aloud = AskedAloud({"rest": np.eye(2)[0], "right": np.eye(2)[1]}, lambda text, time: said.append(text))
    for asked in (0, 0, 1, 1, 0):
        aloud(SimpleNamespace(intended=np.eye(2)[asked], time=0.0))  # type: ignore[arg-type]
    assert said == ["cue: rest", "cue: right", "cue: rest"]
