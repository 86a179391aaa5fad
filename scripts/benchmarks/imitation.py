#!/usr/bin/env python3
"""How well the limb is steered by simulated EEG after cloning, DAgger and adaptation: `imitation.py --json F`.

Keys: `<env>.<brain>.<method>.success_rate`, `.low`, `.high` and `.time_to_target` (s, of reached targets), within 10 s,
the time that people had (Wolpaw & McFarland 2004); `.default.success_rate`, `.low`, `.high` within the environment's
own time limit, of the same reaches; `.wall_seconds` a seed, `.offline_r`; `<env>.<brain>.eeg_seconds_per_second`. Each
is the mean over seeds, success with Student's t interval. `chance` is the cloned controller given the EEG of somebody
else. `<env>.<brain>.gain.dagger` is the difference to `cloning` of the same seed, `.gain.adaptation`, `.gain.intercept`
and `.gain.readout` those to `unadapted`, the same people with the controller as DAgger left it.

Cloning and DAgger have equal data: as many people watch the expert for cloning as watch and act for DAgger. The same
people try both. For adaptation others use the controller that DAgger left, and it is fitted to each of them, who goes
on with it; `intercept` leaves the controller as it is but for its bias, which follows each of them after every trial,
from the first on, and `readout` but for its read-out (least squares); they count the same reaches. Seeds differ in
people and networks; they run side by side, which takes a fraction of the time.

With `--json` of an earlier run of the same configuration, what is in there with every method is not measured again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table
from scipy.stats import t as student

from motorctl.envs import time_limit
from motorctl.errors import ConfigurationError, MotorctlError
from motorctl.evaluation.closed_loop import ClosedLoop, Decide, Moment, run_closed_loop
from motorctl.evaluation.episodes import Episode, summarize_episodes
from motorctl.evaluation.metrics import mean_pearson_r
from motorctl.person.brain import make_brain
from motorctl.runs import check_json_path, plain, write_json
from motorctl.signals.pipeline import Pipeline
from motorctl.training.adaptation import AdaptationConfig
from motorctl.training.checkpoint import Checkpoint
from motorctl.training.dagger import DaggerConfig, act, watch
from motorctl.training.decoder_adaptation import Intercept, RecursiveLeastSquares, Rule
from motorctl.training.imitation import ImitationConfig, decode, train
from motorctl.training.in_loop import adapt_people, go_on, in_groups, one_each, stand_still, use_and_adapt
from motorctl.training.sequence import Sequence
from motorctl.training.simulated import (
    OTHERS,
    PUBLISHED_LIMIT,
    imitate,
    make_loop,
    of_another,
    ready,
    scaled,
    within,
)
from motorctl.training.steering import way_to_steer

ENVIRONMENTS = ("ArmReach", "ArmCenterOut")
BRAINS = ("ideal", "realistic", "hard")
RULES: dict[str, Rule[Any]] = {"intercept": Intercept(), "readout": RecursiveLeastSquares()}
METHODS = ("cloning", "dagger", "adaptation", *RULES)
OVER = {"dagger": "cloning", "adaptation": "unadapted", **dict.fromkeys(RULES, "unadapted")}
"""What each is held against."""
SESSIONS = {"ideal": 4, "realistic": 64, "hard": 20}
"""People who watch before DAgger, and who act in each of its rounds."""
BRIEF = AdaptationConfig(training=ImitationConfig(epochs=10, learning_rate=2e-4, weight_decay=0.0, lane=15, horizon=2))
Figures = dict[str, Any]


@dataclass(frozen=True)
class Benchmark:
    """Measure success in the closed loop."""

    json: Path | None = None
    """File for the results as JSON."""
    only: tuple[str, ...] = ()
    """Which, such as ArmReach.realistic; by default every environment with every brain."""
    seeds: int = 5
    """How many controllers are trained by each method."""
    people: int = 40
    """Who try each controller."""
    reaches: int = 2
    """Of each of them."""
    seconds: float = 40.0
    """How long each person watches or acts (s)."""
    rounds: int = 2
    """Of DAgger."""
    adapted: int = 16
    """People whom each controller is adapted to."""
    adapted_reaches: int = 3
    """Of each of them."""
    minutes: float = 1.0
    """Of use that a controller is adapted on (min)."""
    seed: int = 1000
    """Of everything; 0 served to choose settings."""


def benchmark(config: Benchmark) -> None:
    """Measure, print and write."""
    check_json_path(config.json)
    every = [f"{env}.{brain}" for env, brain in product(ENVIRONMENTS, BRAINS)]
    if wrong := [name for name in config.only if name not in every]:
        raise ConfigurationError(f"There is no {wrong[0]}.", f"Choose among {', '.join(every)}.")
    results = begun(config)
    for name in config.only or every:
        env, brain = name.split(".")
        if set(METHODS) <= set(results.setdefault(env, {}).get(brain, {})):
            continue
        started = time.perf_counter()
        results[env][brain] = over_seeds(*Cell(config, env, brain).measure())
        results[env][brain]["seconds"] = time.perf_counter() - started
        if config.json:
            write_json(config.json, results)
    Console().print(table(results))


def begun(config: Benchmark) -> dict[str, Any]:
    """What an earlier run of this configuration has measured."""
    own = {name: value for name, value in plain(asdict(config)).items() if name not in ("json", "only")}
    if config.json and config.json.exists():
        earlier: dict[str, Any] = json.loads(config.json.read_text())
        if earlier.get("config") == own:
            return earlier
    return {"config": own}


class Cell:
    """One environment with one brain: every method, all seeds side by side, each with people of its own."""

    def __init__(self, config: Benchmark, env: str, brain: Any) -> None:
        self.config, self.env, self.brain = config, f"motorctl/{env}-v0", brain
        self.way = way_to_steer(brain)
        self.raw = Pipeline(self.way.pipeline, make_brain(brain, self.way.electrodes).info)
        self.sessions = SESSIONS[brain]

    def measure(self) -> tuple[dict[str, list[Figures]], Figures]:
        """Figures of each method and seed, and what is of all."""
        people = self.sessions * (1 + self.config.rounds)
        started = time.perf_counter()
        sequences, intentions = watch(self.loop(people + 1), self.config.seconds, self.config.seed, self.way.hand_speed)
        watching = time.perf_counter() - started
        groups, held_back = self.groups(sequences), [group[-1] for group in self.groups(intentions)]
        cloned, cloning = timed(lambda: [self.clone(group[:people], seed) for seed, group in enumerate(groups)])
        learned, acting = timed(lambda: self.dagger([group[: self.sessions] for group in groups]))
        found = {}
        for method, controllers, seconds in (("cloning", cloned, cloning), ("dagger", learned, acting)):
            watched = watching * (1.0 if method == "cloning" else self.sessions / people)
            offline = [
                mean_pearson_r(decode(c.controller, c.pipeline.scale(group[-1].features).values), intended)
                for c, group, intended in zip(controllers, groups, held_back, strict=True)
            ]
            wall = (watched + seconds) / self.config.seeds
            found[method] = [{"offline_r": r, "wall_seconds": wall} for r in offline]
        adapted, episodes, found["unadapted"] = self.adapt(learned)
        found["adaptation"] = [figures | {"wall_seconds": adapted / self.config.seeds} for figures in episodes]
        found |= {name: self.follow(learned, rule) for name, rule in RULES.items()}
        for method, controllers in (("cloning", cloned), ("dagger", learned)):
            decide = in_groups([ready(one, self.brain) for one in controllers])
            found[method] = merged(found[method], self.try_out(decide))
            if method == "cloning":
                found["chance"] = self.try_out(of_another(decide))
        return found, {"eeg_seconds_per_second": len(sequences) * self.config.seconds / watching}

    def clone(self, sequences: list[Sequence], seed: int) -> Checkpoint:
        """A controller that watched."""
        return imitate(sequences, self.raw, self.env, self.brain, self.config.seed + seed)[0]

    def dagger(self, groups: list[list[Sequence]]) -> list[Checkpoint]:
        """Of each seed a controller that watched, then acted."""
        checkpoints = [self.clone(group, seed) for seed, group in enumerate(groups)]
        seen = [[scaled(c.pipeline, s) for s in group] for c, group in zip(checkpoints, groups, strict=True)]
        loop, gain, how = self.loop(self.sessions), self.way.gain, DaggerConfig()
        for number in range(self.config.rounds):
            met = act(
                loop, in_groups(checkpoints), self.config.seconds, self.config.seed + OTHERS + 10_000 * number, gain
            )
            for own, checkpoint, group in zip(seen, checkpoints, self.groups(met), strict=True):
                own += [scaled(checkpoint.pipeline, sequence) for sequence in group]
                train(checkpoint.controller, own, how.training, self.way.pipeline.rate)
        return checkpoints

    def adapt(self, checkpoints: list[Checkpoint]) -> tuple[float, list[Figures], list[Figures]]:
        """Seconds that it took, and success of people with a controller that was fitted to them, and without."""
        loop, started = self.loop(self.config.adapted), time.perf_counter()
        seed, minutes = self.config.seed + 3 * OTHERS, self.config.minutes
        adapted, moment = adapt_people(checkpoints, loop, minutes, BRIEF, seed, self.way.gain)
        seconds = time.perf_counter() - started
        with_it = self.next_reaches(loop, moment, one_each([ready(one, self.brain) for one in adapted]))
        act(loop, in_groups(checkpoints), 60 * minutes, seed, self.way.gain)  # the same minutes of the same people
        own = [replace(one, controller=deepcopy(one.controller)) for one in checkpoints]
        without = self.next_reaches(loop, stand_still(loop), in_groups([ready(one, self.brain) for one in own]))
        return seconds, with_it, without

    def follow(self, checkpoints: list[Checkpoint], rule: Rule[Any]) -> list[Figures]:
        """Success of the same people, from as late on, with a controller that follows them all the time."""
        loop, use, reaches = self.loop(self.config.adapted), self.config.minutes, self.config.adapted_reaches
        longest = use + (reaches + 1) * (PUBLISHED_LIMIT + 1.0) / 60  # one reach is under way when the others begin
        seed = self.config.seed + 3 * OTHERS
        ended, _ = use_and_adapt(checkpoints, loop, rule, longest, seed, self.way.gain)
        later = [[episode for at, episode in own if at - episode.seconds > 60 * use][:reaches] for own in ended]
        return [self.figures([episode for own in group for episode in own]) for group in self.groups(later)]

    def next_reaches(self, loop: ClosedLoop, moment: Moment, decide: Decide) -> list[Figures]:
        """Success of those who go on."""
        episodes, _ = go_on(loop, moment, decide, self.config.adapted_reaches)
        return [self.figures(group) for group in self.groups(episodes)]

    def try_out(self, decide: Decide) -> list[Figures]:
        """Success with each seed's controller, of people who are the same for every method."""
        loop = self.loop(self.config.people)
        episodes = run_closed_loop(loop, decide, self.config.seed + 2 * OTHERS, self.config.reaches)
        return [self.figures(group) for group in self.groups(episodes)]

    def figures(self, episodes: list[Episode]) -> Figures:
        """What is reported of a seed's reaches."""
        summary, own = summarize_episodes(episodes), time_limit(self.env)
        default = np.mean([within(own, episode).success for episode in episodes])
        time_to_target = summary["metrics"].get("time_to_target")
        return {"success_rate": summary["success_rate"], "default": default, "time_to_target": time_to_target}

    def loop(self, people: int) -> ClosedLoop:
        """So many people of each seed."""
        count = self.config.seeds * people
        return make_loop(self.raw, self.env, self.brain, count, time_limit=PUBLISHED_LIMIT)

    def groups(self, every: list[Any]) -> list[list[Any]]:
        """What is each seed's, of a list in the order of people."""
        share = len(every) // self.config.seeds
        return [every[k * share : (k + 1) * share] for k in range(self.config.seeds)]


def timed(work: Callable[[], list[Checkpoint]]) -> tuple[list[Checkpoint], float]:
    """What it gives, and how long that took (s)."""
    started = time.perf_counter()
    return work(), time.perf_counter() - started


def merged(first: list[Figures], second: list[Figures]) -> list[Figures]:
    """Figures of each seed together."""
    return [one | other for one, other in zip(first, second, strict=True)]


def over_seeds(found: dict[str, list[Figures]], of_all: Figures) -> dict[str, Any]:
    """Means over seeds, with intervals of success, and differences to cloning."""
    results: dict[str, Any] = {}
    for method, seeds in found.items():
        results[method] = interval([f["success_rate"] for f in seeds], 0.0, 1.0)
        results[method]["default"] = interval([f["default"] for f in seeds], 0.0, 1.0)
        for name in ("time_to_target", "offline_r", "wall_seconds"):
            if values := [f[name] for f in seeds if f.get(name) is not None]:
                results[method][name] = float(np.mean(values))
    gains = {m: np.subtract(results[m]["seeds"], results[other]["seeds"]).tolist() for m, other in OVER.items()}
    return results | {"gain": {method: interval(values, -1.0, 1.0) for method, values in gains.items()}} | of_all


def interval(values: list[float], least: float, most: float) -> dict[str, Any]:
    """Mean over seeds with Student's 95 % interval, none of a single seed."""
    mean, half = float(np.mean(values)), float("nan")
    if len(values) > 1:
        half = float(student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    low, high = (float(np.clip(mean + side * half, least, most)) for side in (-1, 1))
    return {"success_rate": mean, "low": low, "high": high, "seeds": [float(value) for value in values]}


def table(results: dict[str, Any]) -> Table:
    """For the console."""
    shown = Table("environment", "brain", "method", "within 10 s", "in the environment's time", "time, s", "offline r")
    for env in ENVIRONMENTS:
        for brain, of in results.get(env, {}).items():
            for method in filter(of.__contains__, (*METHODS, "unadapted", "chance")):
                own = of[method]
                ends = [f"{v['success_rate']:.2f} ({v['low']:.2f} to {v['high']:.2f})" for v in (own, own["default"])]
                rest = [f"{own[name]:.2f}" if name in own else "" for name in ("time_to_target", "offline_r")]
                shown.add_row(env, brain, method, *ends, *rest)
            for method, gain in of["gain"].items():
                text = f"{gain['success_rate']:+.2f} ({gain['low']:+.2f} to {gain['high']:+.2f})"
                shown.add_row(env, brain, f"{method} over {OVER[method]}", text, "", "", "")
    return shown


if __name__ == "__main__":
    try:
        benchmark(tyro.cli(Benchmark))
    except (MotorctlError, OSError) as error:
        raise SystemExit(f"imitation.py: {error}") from None
