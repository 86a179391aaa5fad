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
begun with the stored controller in another session; decoder `fixed`, `smooth_batch`, `rls` or `intercept`, user `naive`
or `learning` (has an internal model of the decoder that adapts too), or `chance`: everybody has somebody else's EEG.

Seeds run side by side, each with people of its own, which takes a fraction of the time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import partial
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
from motorctl.training.decoder_adaptation import Intercept, RecursiveLeastSquares, SmoothBatch
from motorctl.training.imitation import ImitationConfig, train
from motorctl.training.in_loop import go_on, one_each, stand_still, use_and_adapt
from motorctl.training.sequence import Sequence
from motorctl.training.simulated import OTHERS, PUBLISHED_LIMIT
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
    "rls": RecursiveLeastSquares(half_life=120.0),
    "intercept": Intercept(),
}
LEARNERS = {"naive": User(RATE), "learning": User(RATE, learning=0.5), "chance": User(RATE)}
SEED = 1000
"""Of all people; that of each network is its number."""
Rates = dict[str, list[tuple[float, int]]]
"""Of each condition and seed the share of successes, and of how many reaches."""

MINUTES = (1, 2, 3, 5)
FEW_MINUTES = (1, 3)
"""What is tried with the same user and with the others."""
BRIEF = ImitationConfig(epochs=20, learning_rate=1e-3, weight_decay=0.0, horizon=2.0, lane=10.0)


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
    controller: ControllerConfig = field(default_factory=lambda: ControllerConfig(widths=(16,), dropout=0.3))
    """The recurrent network."""
    training: ImitationConfig = field(default_factory=lambda: ImitationConfig(epochs=15, horizon=2.0, lane=10.0))
    """How the stored controller is trained, and with twice the epochs those that are trained afresh."""


def benchmark(config: Benchmark) -> None:
    """Measure, print and write; after each kind of people too, so that a long run can be looked at."""
    check_json_path(config.json)
    for asked, known in ((config.users, USERS), (config.brains, SETTINGS)):
        if unknown := set(asked) - set(known):
            raise ConfigurationError(f"There is no '{min(unknown)}'.", f"Choose among {', '.join(known)}.")
    started, found = time.perf_counter(), Rates()
    for name in config.brains:
        setting = SETTINGS[name]
        stored = train_stored(setting, config)
        parts = {who: partial(across_minutes, setting, stored, who, config) for who in config.users}
        if config.use:
            parts["closed_loop"] = partial(in_use, setting, stored, config)
        for part, measure in track(parts.items(), name, console=Console(stderr=True)):
            found |= {f"{name}.{part}.{method}": rates for method, rates in measure().items()}
            results = nested({key: interval(rates) for key, rates in found.items()})
            results |= {"seeds": config.seeds, "seconds": time.perf_counter() - started}
            if config.json:
                write_json(config.json, results)
    Console().print(table(found))


def make_loop(setting: Setting, pipeline: Pipeline, user: User, people: int) -> ClosedLoop:
    """So many people of every seed."""
    env = make_vec(
        "motorctl/ArmReach-v0",
        people,
        num_threads=1,
        command="velocity",
        control_rate=RATE,
        time_limit=PUBLISHED_LIMIT,
    )
    return ClosedLoop(env, user, setting.brain, pipeline, setting.way.imagine)


def train_stored(setting: Setting, config: Benchmark) -> list[Checkpoint]:
    """The controller of each seed that is stored, before other people come."""
    raw = Pipeline(setting.way.pipeline, setting.brain.info)
    loop = make_loop(setting, raw, USERS["sessions"], config.seeds * setting.people)
    sequences, _ = watch(loop, setting.seconds, SEED, setting.way.hand_speed)
    return [train_afresh(raw, own, config, config.training, seed) for seed, own in enumerate(groups(sequences, config))]


def groups(every: list[Any], config: Benchmark) -> list[list[Any]]:
    """What is each seed's, of a list in the order of people."""
    share = len(every) // config.seeds
    return [every[k * share : (k + 1) * share] for k in range(config.seeds)]


def train_afresh(
    raw: Pipeline, sequences: list[Sequence], config: Benchmark, training: ImitationConfig, seed: int
) -> Checkpoint:
    """A controller from random weights."""
    pipeline = raw.fit([s.features for s in sequences])
    torch.manual_seed(seed)
    controller = RecurrentController(config.controller, len(pipeline.names), 2, scale=USERS["sessions"].max_speed)
    train(controller, [s.with_features(pipeline.scale(s.features)) for s in sequences], training, RATE)
    return Checkpoint(controller, pipeline, "velocity", "motorctl/ArmReach-v0")


def across_minutes(setting: Setting, stored: list[Checkpoint], who: str, config: Benchmark) -> Rates:
    """Success with each way of adapting, of each so many minutes: of every seed."""
    minutes = MINUTES if who == "sessions" else FEW_MINUTES
    raw, longer = unfitted(stored[0].pipeline), replace(config.training, epochs=2 * config.training.epochs)
    people = config.seeds * config.people
    loop = make_loop(fainter(setting) if who == "faint" else setting, raw, USERS[who], people)
    sequences, _ = watch(loop, 60.0 * max(minutes) + 1.0, SEED + OTHERS, setting.way.hand_speed)
    fits: dict[str, Callable[[Checkpoint, Sequence, int], Checkpoint]] = {
        "stored.minutes_0": lambda c, s, seed: c,
        "scaling.minutes_1": lambda c, s, seed: fine_tune(c, [s], 1, AdaptationConfig("none"), seed),
    }
    for m in minutes:
        fits[f"fine_tuned.minutes_{m}"] = lambda c, s, seed, m=m: fine_tune(  # type: ignore[misc]
            c, [s], m, AdaptationConfig(training=BRIEF), seed
        )
        fits[f"afresh.minutes_{m}"] = lambda c, s, seed, m=m: train_afresh(  # type: ignore[misc]
            raw, first_minutes([s], m, RATE), config, longer, seed
        )
    begun = [(stored[k // config.people], sequence, k // config.people) for k, sequence in enumerate(sequences)]
    decoders = {name: [with_gain(fit(*one), setting.way.gain) for one in begun] for name, fit in fits.items()}
    names, moment = list(fits), stand_still(loop)
    successes = {name: np.zeros(people) for name in names}
    for turn in range(len(names)):  # everybody has every decoder once, each beginning with another one
        now = [names[(turn + person) % len(names)] for person in range(people)]
        mine = [decoders[name][person] for person, name in enumerate(now)]
        episodes, moment = go_on(loop, moment, one_each(mine), config.episodes)
        for i, episode in enumerate(episodes):
            successes[now[i // config.episodes]][i // config.episodes] += episode.success
    count = config.people * config.episodes
    return {
        name: [(float(sum(own)) / count, count) for own in groups(list(of), config)] for name, of in successes.items()
    }


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


def in_use(setting: Setting, stored: list[Checkpoint], config: Benchmark) -> Rates:
    """Success in each half minute of use, with decoder and user fixed or learning: of every seed with an episode."""
    found: Rates = Rates()
    raw, people = unfitted(stored[0].pipeline), config.seeds * config.people
    for (decoder, rule), (learner, user) in product(RULES.items(), LEARNERS.items()):
        loop = make_loop(setting, raw, user, people)
        others = learner == "chance"
        ended, _ = use_and_adapt(stored, loop, rule, config.use, SEED + 2 * OTHERS, setting.way.gain, others)
        for k in range(round(2 * config.use)):
            now = [
                [e.success for own in group for at, e in own if 30 * k < at <= 30 * (k + 1)]
                for group in groups(ended, config)
            ]
            if rates := [(float(np.mean(own)), len(own)) for own in now if own]:
                found[f"{decoder}.{learner}.half_minute_{k + 1}"] = rates
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


def table(found: Rates) -> Table:
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
