"""``motorctl evaluate reaching``: how well somebody would reach with a decoder, beside the expert and beside chance."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from motorctl.distributed import Workers, check_workers, mapping
from motorctl.errors import ConfigurationError, check_positive, check_seed
from motorctl.evaluation.reaching import EXPERT, Map, ReachingTask, Result, environment, evaluate_reaching_task, plan
from motorctl.evaluation.reaching_decoders import LEARNED, RATE
from motorctl.evaluation.reaching_people import person_of, usual_user
from motorctl.evaluation.reaching_summary import summarise_reaching
from motorctl.evaluation.reaching_tables import console_table, markdown, write_csv
from motorctl.evaluation.report import write_report
from motorctl.evaluation.session import evaluate_session, limb_stream
from motorctl.person.brain import make_brain
from motorctl.runs import check_json_path, open_run_folder, plain, write_json
from motorctl.training.checkpoint import load_checkpoint
from motorctl.training.progress import progress_bar


@dataclass(frozen=True)
class EvaluateReaching(Workers):
    """Reach with controllers in simulated closed loops, or see how recorded sessions went: scores with intervals."""

    controller: tuple[str, ...] = ()
    """Which controllers: folders of stored ones, or gru, lstm, ridge, kalman, which are then learned from simulated
    people with the same brain. The expert, who sees everything, is always there."""
    brains: tuple[str, ...] = ("ideal", "realistic", "hard")
    """Whose EEG: ideal, realistic, hard."""
    users: tuple[str, ...] = ()
    """How people steer: reaching, imagery, learning, distracted; by default by reaching with the ideal brain, by
    imagery with the others."""
    delays: tuple[float, ...] = (0.0,)
    """Delays of the technique, which add to the user's own 150 ms (s)."""
    env: str = "motorctl/ArmReach-v0"
    """Environment: a task of the arm, see 'motorctl envs'."""
    options: tuple[str, ...] = ()
    """Options of the environment as NAME=VALUE, such as time_limit=10."""
    episodes: int = 256
    """Episodes in each cell of the grid, one a person; above 256 as many for each of 256 people, rounded up."""
    seed: int = 0
    """Seed of everything random."""
    sessions: tuple[Path, ...] = ()
    """Recorded sessions, such as session.xdf of 'motorctl live --record', to be scored the same way."""
    target_radius: float = 0.02
    """Of the targets of recorded sessions (m)."""
    report: bool = True
    """Write report.html into the run folder too."""
    out: Path | None = None
    """Run folder to write; by default a new one under runs/. That of an interrupted run is taken up where it ended."""
    json: Path | None = None
    """File for the results as JSON."""


def evaluate_reaching(config: EvaluateReaching) -> None:
    """Run the command.

    Raises:
        ConfigurationError: an option has a value that cannot be used.
        CheckpointError: there is no controller in a folder.
        RecordingError: a session is missing, damaged, or has no limb in it.
    """
    console = Console()
    check_json_path(config.json)
    check_options(config)
    folder = open_run_folder(config.out, "evaluate reaching", config)
    with mapping(config, folder / "finished", data_hashes(config)) as mapped:
        with progress_bar(console, "cells", len(tasks_of(config)) + len(config.sessions)) as advance:
            results = evaluate(config, mapped, advance)
    for path in filter(None, (folder / "results.json", config.json)):
        write_json(path, results)
    write_csv(folder / "results.csv", results)
    (folder / "table.md").write_text(markdown(results), encoding="utf-8")
    if config.report:
        write_report(folder / "report.html", results, json.loads((folder / "config.json").read_text(encoding="utf-8")))
    console.print(console_table(results))
    report = "report.html, " if config.report else ""
    console.print(f"{report}results.json, results.csv and table.md are in {folder}.", highlight=False, soft_wrap=True)


def evaluate(
    config: EvaluateReaching, mapped: Map = map, progress: Callable[[int], None] = lambda done: None
) -> dict[str, Any]:
    """The results of every cell and session, as JSON types.

    Args:
        config: what to do.
        mapped: runs the cells, here or elsewhere, and gives their results in order.
        progress: told how many are done.
    """
    started = time.perf_counter()
    results: list[Result] = []
    for result in mapped(evaluate_reaching_task, tasks_of(config)):
        results.append(result)
        progress(len(results))
    for path in config.sessions:
        results.append(evaluate_session(path, config.target_radius))
        progress(len(results))
    summary: dict[str, Any] = plain(
        {
            "command": "evaluate reaching",
            "env": config.env,
            "seed": config.seed,
            "data": data_hashes(config),
        }
        | summarise_reaching(results, config.seed)
        | {"seconds": time.perf_counter() - started}
    )
    return summary


def data_hashes(config: EvaluateReaching) -> dict[str, str]:
    """SHA-256 of each stored controller and session."""
    known = (*LEARNED, EXPERT)
    stored = [Path(name) / "controller.safetensors" for name in config.controller if name not in known]
    there = [path for path in (*stored, *config.sessions) if path.is_file()]  # else whoever reads it says so
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in there}


def tasks_of(config: EvaluateReaching) -> Sequence[ReachingTask]:
    """Every cell to run; none where there are sessions alone."""
    if config.sessions and not config.controller:
        return []
    c = config
    return plan(c.controller, c.brains, c.users, c.delays, c.env, c.options, c.episodes, c.seed)


def check_options(config: EvaluateReaching) -> None:
    """Say before a long run what none could use.

    Raises:
        ConfigurationError: an option is out of its range, something is named twice, or does not exist.
        CheckpointError: there is no controller in a folder.
    """
    check_seed(config.seed)
    check_workers(config)
    check_positive("target_radius", config.target_radius)
    if config.episodes < 2:
        raise ConfigurationError(
            f"episodes is {config.episodes}.", "Give 2 or more: chance is other people's commands."
        )
    for name in ("controller", "brains", "users", "delays"):
        given = getattr(config, name)
        if len(set(given)) < len(given):
            raise ConfigurationError(f"Something is named twice with --{name}.", "Name it once.")
    for brain in config.brains:
        make_brain(brain)
    for user in config.users or map(usual_user, config.brains):
        for delay in config.delays:
            person_of(user, RATE, delay)
    for path in config.sessions:
        limb_stream(path)
    for task in tasks_of(config)[:1]:
        environment(task, 1, RATE)
    for name in config.controller:
        if name not in (*LEARNED, EXPERT):
            load_checkpoint(Path(name))
