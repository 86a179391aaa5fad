"""Reaching through the whole loop: the same for the same task, chance at chance, figures that are the task's own."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import Tensor

from motorctl.cli import main
from motorctl.envs import expert, make_vec
from motorctl.errors import CheckpointError, ConfigurationError
from motorctl.evaluation import reaching
from motorctl.evaluation.closed_loop import ClosedLoop
from motorctl.evaluation.episodes import run_episodes
from motorctl.evaluation.reaching import (
    ReachingTask,
    decoded_steps,
    evaluate_reaching_task,
    expert_steps,
    figures_of,
    movements_of,
    plan,
    record,
)
from motorctl.evaluation.reaching_people import person_of
from motorctl.evaluation.reaching_summary import summarise_reaching
from motorctl.person.brain import Brain
from motorctl.signals.pipeline import Pipeline, PipelineConfig

REACH, CENTER_OUT, TRACK = (f"motorctl/Arm{name}-v0" for name in ("Reach", "CenterOut", "Track"))


@pytest.mark.parametrize("env_id", [REACH, CENTER_OUT])
def test_figures_of_the_expert_are_the_tasks_own(env_id: str) -> None:
    env = make_vec(env_id, 12, 1, command="velocity")
    run = record(env, expert_steps(env, 5), 1)
    policy_alone = run_episodes(make_vec(env_id, 12, 1, command="velocity"), expert(env), 5)
    told = figures_of(run.episodes, env, 1)
    first = [next(m for m in told["movements"] if m["person"] == k) for k in range(12)]
    for figures, episode, again in zip(first, run.episodes, policy_alone, strict=True):
        assert episode.metrics == pytest.approx(again.metrics) and episode.success
        assert figures["seconds"] == pytest.approx(episode.metrics["time_to_target"], abs=1e-9)
        assert figures["path_efficiency"] == pytest.approx(episode.metrics["path_efficiency"], rel=1e-6)
        dwell = env.task.dwell_steps - 1
        assert figures["acquisition"] == pytest.approx(figures["seconds"] - dwell / env.control_rate)
    for what, of in (("command_effort", 0.2), ("muscle_effort", 0.2), ("work", 20)):
        assert all(0 < figures[what] < of for figures in first)


def test_a_center_out_trial_is_two_movements() -> None:
    env = make_vec(CENTER_OUT, 2, 1, command="velocity")
    for number, episode in enumerate(record(env, expert_steps(env, 0), 1).episodes):
        out, back = movements_of(episode, env, number)
        assert out.reached and back.reached and out.person == number
        assert np.linalg.norm(out.target - back.target) == pytest.approx(0.10)
        assert_allclose(out.hand[-1], back.hand[0])


def test_a_limb_that_rests_does_no_work() -> None:
    env = make_vec(REACH, 2, 1, command="velocity", time_limit=0.5)
    resting = record(env, reaching.dealt_steps(env, np.zeros((1, 2, 2)), 1), 1)
    moving = record(env, expert_steps(env, 1), 1)
    work = [[m["work"] for m in figures_of(run.episodes, env, 1)["movements"]] for run in (resting, moving)]
    assert max(work[0]) < 0.02 < 0.1 < min(work[1])


def clairvoyant(loop: ClosedLoop) -> Any:
    """A decoder that reads intentions themselves."""
    seen: dict[str, Tensor] = {}
    watch = loop._watch

    def watched(*given: Any, **named: Any) -> Any:
        moment = watch(*given, **named)
        seen["intention"] = moment.intention
        return moment

    loop._watch = watched  # type: ignore[method-assign]
    return lambda features, state: (seen["intention"], None)


def test_shuffled_commands_are_at_chance_and_the_loop_is_not() -> None:
    pipeline = Pipeline(PipelineConfig(amplitude_band=(0.0, 8.0), power_bands=()), Brain().info)
    env = make_vec(REACH, 32, 1, command="velocity", time_limit=2.0)
    loop = ClosedLoop(env, person_of("reaching", 50.0, 0.0).user, Brain(), pipeline)
    run = record(env, decoded_steps(loop, clairvoyant(loop), 0), 1)
    again = record(env, reaching.dealt_steps(env, run.commands, 0), 1)
    assert np.mean([e.success for e in run.episodes]) == 1
    assert np.mean([e.success for e in again.episodes]) < 0.15
    assert run.commands.shape == (len(run.commands), 32, 2)
    assert [e.traces["target_position"][0].tolist() for e in run.episodes] == [
        e.traces["target_position"][0].tolist() for e in again.episodes
    ]


@pytest.fixture
def task(small_controller: Path) -> ReachingTask:
    """A few reaches with an untrained controller."""
    return ReachingTask(
        str(small_controller), brain="ideal", user="reaching", options=("time_limit=0.5",), episodes=6, seed=2
    )


def test_a_task_gives_the_same_whenever_it_is_run(task: ReachingTask) -> None:
    first, again = ({k: v for k, v in evaluate_reaching_task(task).items() if k != "seconds"} for _ in range(2))
    latency, _ = first["cost"].pop("latency_ms"), again["cost"].pop("latency_ms")
    assert first == again and latency > 0 and first["cost"]["parameters"] > 100
    assert json.loads(json.dumps(first)) == first
    assert first["people"] == len(first["episodes"]) == len(first["shuffled"]["episodes"]) == 6
    assert first["targets"] == pytest.approx(56.25)


def test_more_episodes_than_people_are_several_of_each(task: ReachingTask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaching, "PEOPLE", 2)
    told = evaluate_reaching_task(ReachingTask(**{**vars(task), "episodes": 5}))
    assert [e["person"] for e in told["episodes"]] == [0, 0, 0, 1, 1, 1]
    summary = summarise_reaching([told], 0)["controllers"][0]
    assert summary["scores"]["success_rate"]["value"] == np.mean([e["success"] for e in told["episodes"]])


def test_the_delay_of_the_technique_adds_to_the_users() -> None:
    assert person_of("reaching", 50.0, 0.1).user.delay_steps == person_of("reaching", 50.0, 0.0).user.delay_steps + 5
    with pytest.raises(ConfigurationError, match="no user 'nobody'"):
        person_of("nobody", 50.0, 0.0)
    with pytest.raises(ConfigurationError, match="delay"):
        person_of("reaching", 50.0, -0.1)


def test_the_expert_is_planned_once_and_first() -> None:
    tasks = plan(("a", "expert", "b"), ("ideal", "hard"), ("reaching",), (0.0, 0.1), REACH, (), 8, 0)
    assert [t.controller for t in tasks] == ["expert", *"abababab"]
    assert {t.user for t in tasks[1:]} == {"reaching"}
    usual = plan(("a",), ("ideal", "realistic"), (), (0.0,), REACH, (), 8, 0)
    assert [t.user for t in usual] == ["", "reaching", "imagery"]
    assert {(t.brain, t.delay) for t in tasks[1:]} == {(b, d) for b in ("ideal", "hard") for d in (0.0, 0.1)}


def test_pursuit_of_the_expert() -> None:
    summary = summarise_reaching([evaluate_reaching_task(ReachingTask("expert", TRACK, episodes=2))], 0)
    scores = summary["controllers"][0]["scores"]
    assert scores["success_rate"]["value"] == 1
    assert scores["tracking_error"]["value"] < 0.02 < 0.6 < scores["bandwidth"]["value"]
    assert scores["coherent"]["value"] > 0.99
    assert "throughput" not in scores


def test_the_command_writes_what_it_found(
    task: ReachingTask, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, file = tmp_path / "run", tmp_path / "results.json"
    words = f"evaluate reaching --controller {task.controller} --brains ideal hard --options time_limit=0.5"
    assert main(f"{words} --episodes 4 --json {file} --out {out}".split()) == 0
    results = json.loads(file.read_text())
    assert json.loads((out / "results.json").read_text()) == results
    assert [c["brain"] for c in results["controllers"]] == ["", "ideal", "hard"]
    for controller in results["controllers"][1:]:
        success = controller["scores"]["success_rate"]
        low, high = success["interval"]
        assert 0 <= low <= success["value"] <= high <= 1
        assert (
            success["chance"] is not None
            and success["expert"] == results["controllers"][0]["scores"]["success_rate"]["value"]
        )
    rows = list(csv.DictReader((out / "results.csv").read_text().splitlines()))
    assert {row["brain"] for row in rows} == {"", "ideal", "hard"}
    expert, decoded = results["controllers"][:2]
    assert {row["score"] for row in rows if row["controller"] == "expert"} == set(expert["scores"])
    assert {row["score"] for row in rows if row["brain"] == "ideal"} == {*decoded["scores"], *decoded["cost"]}
    table = (out / "table.md").read_text()
    assert "ISO 9241-411" in table and f"{task.controller}, hard, imagery" in table
    assert "chance" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--controller /nowhere", "/nowhere"),
        ("--brains dull", "no brain 'dull'"),
        ("--users nobody", "no user 'nobody'"),
        ("--env motorctl/LegGait-v0", "has no hand"),
        ("--env motorctl/Arm3dReach-v0", "has no hand"),
        ("--options command=torque", "not of the form|command"),
        ("--episodes 1", "episodes is 1"),
        ("--brains ideal ideal", "named twice"),
        ("--sessions /nowhere.xdf", "no recording"),
        ("--controller ridge --delays -1", "delay is -1"),
    ],
)
def test_a_mistake_is_said_in_one_line(
    words: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(f"evaluate reaching {words} --out {tmp_path / 'run'}".split()) == 1
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1
    assert re.search(message, said) and not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ridge", "kalman", "gru", "lstm"])
def test_decoders_that_are_learned_reach_what_ideal_people_want(name: str) -> None:
    torch.manual_seed(0)
    told = evaluate_reaching_task(ReachingTask(name, brain="ideal", user="reaching", episodes=32))
    assert np.mean([e["success"] for e in told["episodes"]]) > 0.9
    assert np.mean([e["success"] for e in told["shuffled"]["episodes"]]) < 0.3
    assert bool(told["losses"]) == (name in ("gru", "lstm")) and told["losses"][-1:] <= told["losses"][:1]


def test_a_missing_controller_is_said_before_anything_runs() -> None:
    with pytest.raises(CheckpointError):
        evaluate_reaching_task(ReachingTask("/nowhere", brain="ideal", user="reaching", episodes=2))
