"""``motorctl train simulated``: clone, act, learn on, test in the loop."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from motorctl.errors import ConfigurationError
from motorctl.evaluation.episodes import Episode
from motorctl.training.checkpoint import load_checkpoint
from motorctl.training.dagger import DaggerConfig
from motorctl.training.simulated import (
    SimulatedImitation,
    of_another,
    train_on_simulated_people,
    within,
)
from motorctl.training.steering import way_to_steer


def run(folder: Path, config: SimulatedImitation) -> dict[str, Any]:
    train_on_simulated_people(config)
    written: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    assert json.loads((folder / "r.json").read_text()) == written
    return written


@pytest.mark.slow
def test_a_controller_of_simulated_people_reaches_where_by_chance_it_does_not(tmp_path: Path) -> None:
    config = SimulatedImitation(
        brain="ideal", sessions=4, seconds=24.0, people=12, out=tmp_path, json=tmp_path / "r.json"
    )
    written = run(tmp_path, config)
    for limit in ("success", "success_10_s"):
        found = written[limit]
        assert found["controller"]["success_rate"] >= 0.9
        assert found["controller"]["low"] <= found["controller"]["success_rate"] <= found["controller"]["high"]
        assert found["chance"]["success_rate"] < found["controller"]["low"]
    assert written["offline_pearson_r"] > 0.8 and written["eeg_seconds_per_second"] > 1
    checkpoint = load_checkpoint(tmp_path)
    assert checkpoint.command == "velocity" and checkpoint.pipeline.config == way_to_steer("ideal").pipeline
    assert len(checkpoint.history["loss"]) == way_to_steer("ideal").training.epochs


@pytest.mark.slow
def test_the_realistic_brain_is_steered_after_dagger_and_a_seed_gives_the_same_numbers(tmp_path: Path) -> None:
    config = SimulatedImitation(sessions=24, dagger=1, out=tmp_path, json=tmp_path / "r.json", people=48)
    first, again = run(tmp_path, config), run(tmp_path, config)
    for key in ("success", "success_10_s", "offline_pearson_r"):
        assert first[key] == again[key]
    found = first["success_10_s"]
    assert found["controller"]["low"] > found["chance"]["high"]


def test_an_episode_is_judged_with_a_shorter_limit_as_if_it_had_ended_then() -> None:
    early = Episode("reached", True, 3.0, -1.0, {"error": 0.01}, {})
    late = replace(early, seconds=5.0)
    assert within(4.0, early) == early
    judged = within(4.0, late)
    assert (judged.reason, judged.success, judged.seconds) == ("time limit", False, 4.0)


def test_chance_gives_each_person_the_answers_to_another() -> None:
    decide = of_another(lambda features, state: (2 * features, state))
    commands, _ = decide(torch.tensor([[1.0], [2.0], [3.0]]), None)
    assert commands[:, 0].tolist() == [6.0, 2.0, 4.0]


@pytest.mark.parametrize(
    "config",
    [
        SimulatedImitation(sessions=0),
        SimulatedImitation(dagger=-1),
        SimulatedImitation(acting=DaggerConfig(expert_share=2.0)),
        SimulatedImitation(env="motorctl/Nowhere-v0"),
        SimulatedImitation(people=1),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_written(tmp_path: Path, config: SimulatedImitation) -> None:
    with pytest.raises(ConfigurationError):
        train_on_simulated_people(replace(config, out=tmp_path / "run"))
    assert not (tmp_path / "run").exists()
