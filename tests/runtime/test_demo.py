"""The main job: EEG to arm, with a controller that was trained on EEG."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from motorctl.agents import Stepper
from motorctl.envs import make_env
from motorctl.person.brain import Brain
from motorctl.person.person import Person
from motorctl.person.source import SimulatedSource
from motorctl.person.user import User
from motorctl.runtime import demo as module
from motorctl.runtime.demo import DemoConfig, demo, train_on_simulation
from motorctl.runtime.loop import run_loop
from motorctl.runtime.reader import Reader
from motorctl.runtime.shuffled import shuffled_success_rate
from motorctl.runtime.summary import summarize


def test_a_trained_controller_reaches_targets_and_its_shuffled_output_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo's ceiling on simulated time, with a quarter of the data."""
    monkeypatch.setattr(module, "SESSIONS", {"ideal": 4})
    monkeypatch.setattr(module, "SESSION_SECONDS", 30.0)
    env = make_env(module.ENVIRONMENT, command="velocity", control_rate=50.0)
    checkpoint, offline_r = train_on_simulation(DemoConfig(brain="ideal"), Console(quiet=True))
    assert offline_r > 0.8
    source = SimulatedSource(Person(User(50.0), Brain(), seed=77))
    watch = [lambda step: source.see(step.hand, step.target)]
    reader = Reader(source, checkpoint.pipeline, source.now)
    steps = list(run_loop(reader, Stepper(checkpoint.controller), env, 45.0, 5, watch))
    summary = summarize(steps)
    assert summary.targets >= 22
    assert summary.success_rate is not None and summary.success_rate >= 0.9
    shuffled = shuffled_success_rate(steps[:1000], env, seed=5)
    assert shuffled is not None and shuffled < summary.success_rate / 2


@pytest.mark.parametrize(("held", "stopped", "said"), [(0.2, 0.0, ""), (0.9, 7.5, "For 8.4 s samples came too late")])
def test_a_run_on_a_busy_machine_is_told_from_a_good_one(held: float, stopped: float, said: str) -> None:
    phases = {"idle": 0.0, "armed": 0.6, "running": 11.0, "holding": held, "stopped": stopped}
    summary = replace(summarize([]), seconds=20.0, phases=phases)
    assert module.busy(summary).startswith(said) and bool(module.busy(summary)) == bool(said)


@pytest.mark.slow
def test_the_demo_of_the_ceiling(tmp_path: Path) -> None:
    demo(DemoConfig(brain="ideal", seed=7, out=tmp_path / "run", json=tmp_path / "r.json"))
    written = json.loads((tmp_path / "r.json").read_text())
    assert written == json.loads((tmp_path / "run" / "summary.json").read_text())
    assert written["success_rate"] >= 0.9
    assert written["shuffled_success_rate"] < written["success_rate"] / 2
    assert written["offline_pearson_r"] > 0.8
    assert abs(written["deadlines"] - 1000) < 20  # the grid follows the headset, by 1 % at most
    assert written["seed"] == 7
    keys = {"median_time_to_target_s", "latency_ms", "deadlines_missed", "train_seconds"}
    assert keys <= set(written) and {"p50", "p99"} <= set(written["latency_ms"])
    made = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"controller.json", "controller.safetensors", "hand_paths.png", "config.json", "summary.json"} <= made


@pytest.mark.slow
def test_the_demo_as_people_run_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The realistic brain is steered better than by chance, and what to expect of it is said before."""
    demo(DemoConfig(seconds=60.0, seed=7, out=tmp_path, json=tmp_path / "r.json", video=False))
    written = json.loads((tmp_path / "r.json").read_text())
    assert written["brain"] == "realistic" and written["targets"] >= 12
    assert written["success_rate"] > written["shuffled_success_rate"]
    assert "70 to 92 %" in capsys.readouterr().out
