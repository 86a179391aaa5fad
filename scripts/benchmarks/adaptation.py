#!/usr/bin/env python3
"""What adapting to a session and to a person gives: `adaptation.py --json F`.

A controller is trained on sessions of simulated people: one long session of the `ideal_drifting` brain, which is easily
read but whose sessions differ as those of `hard` do; many short ones of the `realistic` brain. Then others come, with
cap, tuning and strengths of their own; each watches an expert for five minutes and then reaches with decoders that were
fitted to some of these minutes, all of them in turn, in an order of their own. Episodes last at most 10 s, as long as
people had (Wolpaw & McFarland 2004).

Keys: `<brain>.<people>.<method>.minutes_<m>` with `success_rate`, `low`, `high` (95 % interval by Student's t over
seeds) and `episodes`. People: `sessions`, the same user; and users who are `slow`, `noisy` or `faint`. Methods:
`stored` (0 minutes), `scaling` (the scaling alone is refitted; no labels), `fine_tuned`, `afresh` (the same network
from random weights on the same minutes).

`<brain>.closed_loop.<decoder>.<user>.half_minute_<k>`: success of episodes that end in the k-th half minute of use,
begun with the stored controller in another session; decoder `fixed`, `smooth_batch` or `rls`, user `naive` or
`learning` (has an internal model of the decoder that adapts too).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.stats import t as student

from motorctl.agents import ControllerConfig, RecurrentController
from motorctl.envs import make_vec
from motorctl.errors import ConfigurationError, MotorctlError
from motorctl.evaluation.closed_loop import ClosedLoop
from motorctl.person.brain import Brain, make_brain
from motorctl.person.instability import Instability
from motorctl.person.user import User
from motorctl.runs import check_json_path, write_json
from motorctl.signals.pipeline import Pipeline
from motorctl.training.adaptation import AdaptationConfig, fine_tune, first_minutes, unfitted
from motorctl.training.checkpoint import Checkpoint
from motorctl.training.dagger import watch
from motorctl.training.decoder_adaptation import RecursiveLeastSquares, SmoothBatch
from motorctl.training.imitation import ImitationConfig, train
from motorctl.training.in_loop import go_on, one_each, stand_still, use_and_adapt
from motorctl.training.sequence import Sequence
from motorctl.training.simulated import PUBLISHED_LIMIT
from motorctl.training.steering import IMAGINING, REACHING, Way

RATE = 25.0
UNSTABLE = Instability(strength=0.2, minutes=3.0, tuning=0.5, cap=0.08)


@dataclass(frozen=True)
class Setting:
    """A brain, how its people steer, and how many of them a controller learns from, for how long (s)."""

    brain: Brain
    way: Way
    people: int
    seconds: float


SETTINGS = {
    "ideal_drifting": Setting(
        replace(make_brain("ideal"), instability=UNSTABLE),
        replace(REACHING, pipeline=replace(REACHING.pipeline, rate=RATE)),
        people=1,
        seconds=360.0,
    ),
    "realistic": Setting(make_brain("realistic", IMAGINING.electrodes), IMAGINING, people=16, seconds=60.0),
}
USERS = {
    "sessions": User(RATE),
    "slow": User(RATE, delay=0.25, gain=1.5),
    "noisy": User(RATE, noise=0.01),
    "faint": User(RATE),
}
FAINT = 0.5
"""How strongly who is `faint` shows an intention in the EEG, a share of the others."""
RULES = {
    "fixed": None,
    "smooth_batch": SmoothBatch(batch=20.0, half_life=30.0),
    "rls": RecursiveLeastSquares(half_life=60.0),
}
LEARNERS = {"naive": User(RATE), "learning": User(RATE, learning=0.5)}
MINUTES = (1, 2, 3, 5)
FEW_MINUTES = (1, 3)
"""What is tried with the same user and with the others."""
BRIEF = ImitationConfig(epochs=20, learning_rate=1e-3, weight_decay=0.0, horizon=2.0)


@dataclass(frozen=True)
class Benchmark:
    """Measure what adapting to a session and to a person gives."""

    json: Path | None = None
    """File for the results as JSON."""
    seeds: int = 5
    """How many controllers are trained, each tried on people of its own."""
    people: int = 3
    """How many people each of them meets, of each kind."""
    episodes: int = 4
    """Reaches of each person with each decoder."""
    brains: tuple[str, ...] = tuple(SETTINGS)
    """Which brains."""
    users: tuple[str, ...] = tuple(USERS)
    """Which people."""
    use: float = 3.0
    """How long decoders are adapted while they are used (min); 0 leaves that out."""
    controller: ControllerConfig = field(default_factory=lambda: ControllerConfig(widths=(32,), dropout=0.3))
    """The recurrent network."""
    training: ImitationConfig = field(default_factory=lambda: ImitationConfig(epochs=15, horizon=2.0))
    """How the stored controller is trained, and with twice the epochs those that are trained afresh."""


def benchmark(config: Benchmark) -> None:
    """Measure, print and write; after each seed too, so that a long run can be looked at."""
    check_json_path(config.json)
    for asked, known in ((config.users, USERS), (config.brains, SETTINGS)):
        if unknown := set(asked) - set(known):
            raise ConfigurationError(f"There is no '{min(unknown)}'.", f"Choose among {', '.join(known)}.")
    started = time.perf_counter()
    found: dict[str, list[tuple[float, int]]] = {}
    jobs = list(product(range(config.seeds), config.brains))
    results: dict[str, Any] = {}
    for seed, name in track(jobs, "measuring", console=Console(stderr=True)):
        setting = SETTINGS[name]
        stored = train_stored(setting, config, seed)
        for who in config.users:
            for method, outcome in across_minutes(setting, stored, who, config, seed).items():
                found.setdefault(f"{name}.{who}.{method}", []).append(outcome)
        for condition, outcome in in_use(setting, stored, config, seed).items():
            found.setdefault(f"{name}.closed_loop.{condition}", []).append(outcome)
        results = nested({key: interval(outcomes) for key, outcomes in found.items()})
        results |= {"seeds": seed + 1, "seconds": time.perf_counter() - started}
        if config.json:
            write_json(config.json, results)
    Console().print(table(found))


def make_loop(setting: Setting, pipeline: Pipeline, user: User, people: int) -> ClosedLoop:
    env = make_vec(
        "motorctl/ArmReach-v0",
        people,
        num_threads=1,
        command="velocity",
        control_rate=RATE,
        time_limit=PUBLISHED_LIMIT,
    )
    return ClosedLoop(env, user, setting.brain, pipeline, setting.way.imagine)


def train_stored(setting: Setting, config: Benchmark, seed: int) -> Checkpoint:
    """The controller that is stored, before other people come."""
    raw = Pipeline(setting.way.pipeline, setting.brain.info)
    loop = make_loop(setting, raw, USERS["sessions"], setting.people)
    sequences, _ = watch(loop, setting.seconds, seed, setting.way.hand_speed)
    return train_afresh(raw, sequences, config, config.training, seed)


def train_afresh(
    raw: Pipeline, sequences: list[Sequence], config: Benchmark, training: ImitationConfig, seed: int
) -> Checkpoint:
    """A controller from random weights."""
    pipeline = raw.fit([s.features for s in sequences])
    torch.manual_seed(seed)
    controller = RecurrentController(config.controller, len(pipeline.names), 2, scale=USERS["sessions"].max_speed)
    train(controller, [s.with_features(pipeline.scale(s.features)) for s in sequences], training, RATE)
    return Checkpoint(controller, pipeline, "velocity", "motorctl/ArmReach-v0")


def across_minutes(
    setting: Setting, stored: Checkpoint, who: str, config: Benchmark, seed: int
) -> dict[str, tuple[float, int]]:
    """Success with each way of adapting, of each so many minutes: rate and episodes."""
    minutes = MINUTES if who == "sessions" else FEW_MINUTES
    raw, longer = unfitted(stored.pipeline), replace(config.training, epochs=2 * config.training.epochs)
    loop = make_loop(fainter(setting) if who == "faint" else setting, raw, USERS[who], config.people)
    sequences, _ = watch(loop, 60.0 * max(minutes) + 1.0, 1000 + seed, setting.way.hand_speed)
    fits: dict[str, Callable[[Sequence], Checkpoint]] = {
        "stored.minutes_0": lambda s: stored,
        "scaling.minutes_1": lambda s: fine_tune(stored, [s], 1, AdaptationConfig("none"), seed),
    }
    for m in minutes:
        fits[f"fine_tuned.minutes_{m}"] = lambda s, m=m: fine_tune(  # type: ignore[misc]
            stored, [s], m, AdaptationConfig(training=BRIEF), seed
        )
        fits[f"afresh.minutes_{m}"] = lambda s, m=m: train_afresh(  # type: ignore[misc]
            raw, first_minutes([s], m, RATE), config, longer, seed
        )
    decoders = {name: [with_gain(fit(s), setting.way.gain) for s in sequences] for name, fit in fits.items()}
    names, successes, moment = list(fits), dict.fromkeys(fits, 0), stand_still(loop)
    for turn in range(len(names)):  # everybody has every decoder once, each beginning with another one
        now = [names[(turn + person) % len(names)] for person in range(config.people)]
        mine = [decoders[name][person] for person, name in enumerate(now)]
        episodes, moment = go_on(loop, moment, one_each(mine), config.episodes)
        for i, episode in enumerate(episodes):
            successes[now[i // config.episodes]] += episode.success
    count = config.people * config.episodes
    return {name: (successes[name] / count, count) for name in names}


def with_gain(checkpoint: Checkpoint, gain: float) -> Checkpoint:
    """The controller with commands of the loop's gain."""
    controller = deepcopy(checkpoint.controller)
    controller.scale *= gain
    return replace(checkpoint, controller=controller)


def fainter(setting: Setting) -> Setting:
    """The same brain with everything that a decoder lives on weaker."""
    brain = setting.brain
    weaker = {
        name: replace(rhythm, desynchronisation=FAINT * rhythm.desynchronisation)
        for name in ("mu", "beta")
        if (rhythm := getattr(brain, name))
    }
    if brain.velocity:
        weaker["velocity"] = replace(brain.velocity, per_velocity=FAINT * brain.velocity.per_velocity)
    return replace(setting, brain=replace(brain, **weaker))


def in_use(setting: Setting, stored: Checkpoint, config: Benchmark, seed: int) -> dict[str, tuple[float, int]]:
    """Success in each half minute of use, with decoder and user fixed or learning."""
    found = {}
    for (decoder, rule), (learner, user) in product(RULES.items(), LEARNERS.items()):
        loop = make_loop(setting, stored.pipeline, user, config.people)
        ended, _ = use_and_adapt(loop, stored.controller, rule, config.use, 2000 + seed, setting.way.gain)
        for k in range(round(2 * config.use)):
            now = [success for at, success in ended if 30 * k < at <= 30 * (k + 1)]
            if now:
                found[f"{decoder}.{learner}.half_minute_{k + 1}"] = (float(np.mean(now)), len(now))
    return found


def interval(outcomes: list[tuple[float, int]]) -> dict[str, float]:
    """Mean over seeds with its 95 % interval by Student's t, within 0 and 1."""
    rates = np.array([rate for rate, _ in outcomes])
    half = 1.0
    if len(rates) > 1:
        half = float(student.ppf(0.975, len(rates) - 1) * rates.std(ddof=1) / np.sqrt(len(rates)))
    mean = float(rates.mean())
    episodes = sum(count for _, count in outcomes)
    return {"success_rate": mean, "low": max(0.0, mean - half), "high": min(1.0, mean + half), "episodes": episodes}


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    """`a.b.c` as dictionaries in dictionaries."""
    found: dict[str, Any] = {}
    for key, value in flat.items():
        *places, last = key.split(".")
        inner = found
        for place in places:
            inner = inner.setdefault(place, {})
        inner[last] = value
    return found


def table(found: dict[str, list[tuple[float, int]]]) -> Table:
    """For the console."""
    shown = Table("", "success", "95 % interval")
    for key, outcomes in found.items():
        of = interval(outcomes)
        shown.add_row(key, f"{100 * of['success_rate']:.0f} %", f"{100 * of['low']:.0f}-{100 * of['high']:.0f} %")
    return shown


if __name__ == "__main__":
    try:
        benchmark(tyro.cli(Benchmark))
    except (MotorctlError, OSError) as error:
        raise SystemExit(f"adaptation.py: {error}") from None
