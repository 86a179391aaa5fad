#!/usr/bin/env python3
"""How well the limb is steered by simulated EEG after cloning, DAgger and adaptation: `imitation.py --json F`.

Keys: `<env>.<brain>.<method>.success_rate`, `.low`, `.high` and `.time_to_target` (s, of reached targets), within 10 s,
the time that people had (Wolpaw & McFarland 2004); but for adaptation, `.default.success_rate`, `.low`, `.high` within
the environment's own time limit; `.offline_r`, `.wall_seconds` (training), `.eeg_seconds_per_second`. Each is the mean
over seeds, success with Student's t interval. `chance` is the cloned controller given the EEG of somebody else.
`<env>.<brain>.gain.dagger` and `.gain.adaptation` are the differences to `cloning` of the same seed.

Cloning and DAgger have equal data: as many people watch the expert for cloning as watch and act for DAgger. Adaptation
fits the clone to each person from three minutes of watching, and tries it on that person, who goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table
from scipy.stats import t as student

from motorctl.errors import ConfigurationError, MotorctlError
from motorctl.evaluation.episodes import summarize_episodes
from motorctl.runs import check_json_path, write_json
from motorctl.training.adaptation import AdaptationConfig, unfitted
from motorctl.training.checkpoint import Checkpoint
from motorctl.training.in_loop import adapt_people, go_on, one_each
from motorctl.training.simulated import PUBLISHED_LIMIT, SimulatedImitation, learn, make_loop, ready, try_out
from motorctl.training.steering import way_to_steer

ENVIRONMENTS = ("ArmReach", "ArmCenterOut")
BRAINS = ("ideal", "realistic", "hard")
METHODS = ("cloning", "dagger", "adaptation")
REACHES = 4
"""Of each person who is adapted to."""
OTHERS = 3_000_000
"""Added to the seed for the people who are adapted to."""


@dataclass(frozen=True)
class Benchmark:
    """Measure success in the closed loop."""

    json: Path | None = None
    """File for the results as JSON."""
    only: tuple[str, ...] = ()
    """Which, such as ArmReach.realistic; by default every environment with every brain."""
    seeds: int = 5
    """How many seeds everything is done from."""
    people: int = 64
    """Who try each controller, one reach each."""
    sessions: int = 32
    """People who watch before DAgger, and who act in each of its rounds."""
    rounds: int = 2
    """Of DAgger."""
    adapted: int = 12
    """People who are adapted to."""
    minutes: float = 3.0
    """Of watching that a controller is adapted on (min)."""
    jobs: int = 2
    """Processes, each of which does a seed."""


def benchmark(config: Benchmark) -> None:
    """Measure, print and write."""
    check_json_path(config.json)
    started = time.perf_counter()
    every = [f"{env}.{brain}" for env, brain in product(ENVIRONMENTS, BRAINS)]
    wrong = [name for name in config.only if name not in every]
    if wrong:
        raise ConfigurationError(f"There is no {wrong[0]}.", f"Choose among {', '.join(every)}.")
    results: dict[str, Any] = {"seeds": config.seeds}
    with ProcessPoolExecutor(config.jobs, mp_context=get_context("spawn")) as pool:
        for name in config.only or every:
            env, brain = name.split(".")
            arguments = [(config, env, brain, seed) for seed in range(config.seeds)]
            results.setdefault(env, {})[brain] = over_seeds(list(pool.map(measure, *zip(*arguments, strict=True))))
            results["seconds"] = time.perf_counter() - started
            if config.json:
                write_json(config.json, results)
    Console().print(table(results))


def measure(config: Benchmark, env: str, brain: Any, seed: int) -> dict[str, dict[str, Any]]:
    """Every method from one seed."""
    console = Console(quiet=True)
    few = SimulatedImitation(env=f"motorctl/{env}-v0", brain=brain, sessions=config.sessions, people=config.people)
    few = replace(few, seed=1000 * (seed + 1), dagger=config.rounds)  # 0 served to choose settings
    many = replace(few, sessions=config.sessions * (1 + config.rounds), dagger=0)
    found: dict[str, dict[str, Any]] = {}
    for method, how in (("cloning", many), ("dagger", few)):
        started = time.perf_counter()
        cloned, _ = learn(how, console)
        seconds = time.perf_counter() - started
        if method == "cloning":
            adaptation = adapt(config, cloned.checkpoint, brain, how.seed)
        tried = try_out(ready(cloned.checkpoint, brain), brain, config.people, how.seed)
        found[method] = figures(tried, "controller") | {
            "offline_r": cloned.offline_r,
            "eeg_seconds_per_second": cloned.eeg_per_second,
            "wall_seconds": seconds,
        }
        if method == "cloning":
            found |= {"adaptation": adaptation, "chance": figures(tried, "chance")}
    return found


def adapt(config: Benchmark, checkpoint: Checkpoint, brain: str, seed: int) -> dict[str, Any]:
    """The cloned controller fitted to each of a few people, and tried on them."""
    started = time.perf_counter()
    pipeline, speed = unfitted(checkpoint.pipeline), way_to_steer(brain).hand_speed
    loop = make_loop(pipeline, checkpoint.environment, brain, config.adapted, time_limit=PUBLISHED_LIMIT)
    adapted, moment = adapt_people(checkpoint, loop, config.minutes, AdaptationConfig(), seed + OTHERS, speed)
    seconds = time.perf_counter() - started
    episodes, _ = go_on(loop, moment, one_each([ready(one, brain) for one in adapted]), REACHES)
    summary = summarize_episodes(episodes)
    return shares(summary) | {"wall_seconds": seconds}


def figures(tried: dict[str, Any], who: str) -> dict[str, Any]:
    """What is reported of a seed."""
    return shares(tried["success_10_s"][who]) | {"default": tried["success"][who]["success_rate"]}


def shares(summary: dict[str, Any]) -> dict[str, Any]:
    """Success and time of a summary of episodes."""
    return {"success_rate": summary["success_rate"], "time_to_target": summary["metrics"].get("time_to_target")}


def over_seeds(found: list[dict[str, dict[str, Any]]]) -> dict[str, Any]:
    """Means over seeds, with intervals of success, and differences to cloning."""

    def of(method: str, get: Callable[[dict[str, Any]], float]) -> list[float]:
        return [get(one[method]) for one in found]

    results: dict[str, Any] = {}
    for method in found[0]:
        results[method] = interval(of(method, lambda f: f["success_rate"]), 0.0, 1.0)
        if "default" in found[0][method]:
            results[method]["default"] = interval(of(method, lambda f: f["default"]), 0.0, 1.0)
        for name in ("time_to_target", "offline_r", "wall_seconds", "eeg_seconds_per_second"):
            values = [f[method][name] for f in found if f[method].get(name) is not None]
            if values:
                results[method][name] = float(np.mean(values))
    cloned = of("cloning", lambda f: f["success_rate"])
    gains = {m: np.subtract(of(m, lambda f: f["success_rate"]), cloned).tolist() for m in ("dagger", "adaptation")}
    return results | {"gain": {method: interval(values, -1.0, 1.0) for method, values in gains.items()}}


def interval(values: list[float], least: float, most: float) -> dict[str, Any]:
    """Mean over seeds with Student's 95 % interval, none of a single seed."""
    mean, half = float(np.mean(values)), float("nan")
    if len(values) > 1:
        half = float(student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    low, high = (float(np.clip(mean + side * half, least, most)) for side in (-1, 1))
    return {"success_rate": mean, "low": low, "high": high, "seeds": values}


def table(results: dict[str, Any]) -> Table:
    """For the console."""
    shown = Table("environment", "brain", "method", "within 10 s", "in the environment's time", "time, s", "offline r")
    for env in ENVIRONMENTS:
        for brain, of in results.get(env, {}).items():
            for method in (*METHODS, "chance"):
                own = of[method]
                limits = (own, own.get("default"))
                ends = [f"{v['success_rate']:.2f} ({v['low']:.2f} to {v['high']:.2f})" if v else "" for v in limits]
                rest = [f"{own[name]:.2f}" if name in own else "" for name in ("time_to_target", "offline_r")]
                shown.add_row(env, brain, method, *ends, *rest)
    return shown


if __name__ == "__main__":
    try:
        benchmark(tyro.cli(Benchmark))
    except (MotorctlError, OSError) as error:
        raise SystemExit(f"imitation.py: {error}") from None
