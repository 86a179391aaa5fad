#!/usr/bin/env python3
"""How well, how surely and how fast decoders read recordings: `evaluation.py --data DIR --json F`.

`DIR` holds subject 1 of PhysioNet's EEG Motor Movement/Imagery Database (Schalk et al. 2004). All decoders of classes
are compared by leave-one-run-out in each of its four problems, with chance from permuted labels; `decoding.seconds` is
how long that takes in all, on two processes.

`reaching.BRAIN` is what evaluating reaches costs in one process: closed-loop reaches on ArmReach of people with a GRU
that was learned from such people before, the same for shuffled commands, and every score with its interval.
`reaching.seconds` is that of the first brain; reaches of the others, which fail more often, go on longer.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import tyro
from rich.console import Console

from motorctl.errors import MotorctlError, RecordingError
from motorctl.evaluation.decoding_command import EvaluateDecoding, evaluate
from motorctl.evaluation.decoding_tables import console_table, markdown
from motorctl.evaluation.protocols import Protocol
from motorctl.evaluation.reaching import ReachingTask, evaluate_reaching_task
from motorctl.evaluation.reaching_decoders import decoder
from motorctl.evaluation.reaching_summary import summarise_reaching
from motorctl.runs import check_json_path, write_json

PROBLEMS = {
    "fists_feet_executed": (5, 9, 13),
    "fists_feet_imagined": (6, 10, 14),
    "left_right_executed": (3, 7, 11),
    "left_right_imagined": (4, 8, 12),
}
"""The runs of each problem, of which a copy of the database may lack the third."""

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
DATA = Path(os.environ.get("MOTORCTL_TEST_DATA", SHARED)) / "eegmmi"


@dataclass(frozen=True)
class Benchmark:
    """Measure the evaluation of decoders."""

    data: Path = DATA
    """Folder with the EDF+ files of subject 1; by default in ../shared/data, or in MOTORCTL_TEST_DATA."""
    json: Path | None = None
    """File for the results as JSON."""
    tables: Path | None = None
    """File for the tables as Markdown."""
    permutations: int = 10
    """How often labels are permuted."""
    jobs: int = 2
    """Processes."""
    only: Literal["decoding", "reaching"] | None = None
    """Measure this alone."""
    reaches: int = 1000
    """How many reaches are evaluated."""
    brains: tuple[str, ...] = ("ideal", "realistic")
    """Whose, the first of which counts."""


def benchmark(config: Benchmark) -> None:
    """Measure, print and write."""
    for path in (config.json, config.tables):
        check_json_path(path)
    console = Console()
    results: dict[str, Any] = {}
    if config.only != "reaching":
        results["decoding"] = decoding(config, console)
    if config.only != "decoding":
        results["reaching"] = reaching(config)
    if config.json:
        write_json(config.json, results)
    for name, told in results.items():
        console.print(f"{name}.seconds: {told['seconds']:.1f}")


def decoding(config: Benchmark, console: Console) -> dict[str, Any]:
    """Every decoder on every problem."""
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that are started
    started, busy = time.perf_counter(), cpu_seconds()
    found, tables = {}, []
    with ProcessPoolExecutor(config.jobs, get_context("spawn")) as pool:
        for name, runs in PROBLEMS.items():
            paths = tuple(path for run in runs if (path := config.data / f"S001R{run:02}.edf").is_file())
            if len(paths) < 2:
                raise RecordingError(
                    f"'{config.data}' holds fewer than two of S001R{runs[0]:02}.edf and so on.",
                    "Name the folder with --data; 'motorctl data eegmmi --subjects 1' fetches them.",
                )
            options = EvaluateDecoding(
                paths,
                ("T1=T1", "T2=T2"),
                protocol=Protocol("leave-one-run-out"),
                permutations=config.permutations,
            )
            results = evaluate(options, pool.map)
            console.print(f"\n{name}")
            console.print(console_table(results))
            tables.append(f"## {name}\n\n{markdown(results)}")
            found[name] = {
                decoder: summary["scores"] | {"cost": summary["cost"]}
                for decoder, summary in results["decoders"].items()
            }
    spent = {"seconds": time.perf_counter() - started, "cpu_seconds": cpu_seconds() - busy}
    if config.tables:
        config.tables.write_text("\n".join(tables), encoding="utf-8")
    return found | spent | {"permutations": config.permutations, "jobs": config.jobs}


def cpu_seconds() -> float:
    """Of this process and of those that it started and that have ended (s): what does not depend on who else works."""
    return sum(os.times()[:4])


def reaching(config: Benchmark) -> dict[str, Any]:
    """Reaches with a GRU, timed, of each brain."""
    found: dict[str, Any] = {}
    for brain in config.brains:
        task = ReachingTask("gru", brain=brain, user="reaching", episodes=config.reaches)
        started = time.perf_counter()
        decoder(task.controller, task.env, brain, task.user, task.delay, task.seed + 1)  # kept for the next call
        ready, busy = time.perf_counter(), cpu_seconds()
        summary = summarise_reaching([evaluate_reaching_task(task)], task.seed)["controllers"][0]
        done = time.perf_counter()
        found[brain] = {
            "seconds": done - ready,
            "cpu_seconds": cpu_seconds() - busy,
            "learning_seconds": ready - started,
            "reaches": len(summary["episodes"]),
            "scores": summary["scores"],
        }
    return found | {"seconds": found[config.brains[0]]["seconds"]}


if __name__ == "__main__":
    try:
        benchmark(tyro.cli(Benchmark))
    except (MotorctlError, OSError) as error:
        raise SystemExit(f"evaluation.py: {error}") from None
