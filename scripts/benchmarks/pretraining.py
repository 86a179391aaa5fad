#!/usr/bin/env python3
"""Whether pretraining without labels helps: `pretraining.py --data DIR --json F`.

On real EEG: `DIR` holds subject 1 of PhysioNet's EEG Motor Movement/Imagery Database (Schalk et al. 2004). Every run of
a problem is the test once; recurrent layers are pretrained on all other runs without their labels, then fine-tuned
with 10 % and with 100 % of the labels of the other runs of the problem. On simulated sessions: layers are pretrained on
sessions without labels, then fine-tuned to an expert's velocity on one of ten labelled sessions and on all of them.

Keys: `<data>.<method>.labels_10`, `.labels_100`, each `{mean, low, high}`, and `<data>.gain.<method>.labels_10` for the
difference to `afresh`, paired. Methods: `afresh`, from random weights; `pretrained`, all layers fine-tuned;
`frozen`, the read-out alone. Real: accuracy, intervals from 10,000 bootstrap samples of trials (Efron 1979), each
trial's score being its mean over seeds. Simulated: correlation with what the person intended, t intervals over seeds.
`<data>.pretext` is how well hidden and later features are foretold in data that was not pretrained on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.stats import t as student

from motorctl.agents import ControllerConfig, RecurrentController
from motorctl.envs import make_env
from motorctl.errors import MotorctlError
from motorctl.evaluation.metrics import mean_pearson_r
from motorctl.person.brain import make_brain
from motorctl.person.user import User
from motorctl.runs import check_json_path, write_json
from motorctl.signals.pipeline import Pipeline, PipelineConfig
from motorctl.training.classes import train_classes
from motorctl.training.classifier import Classifier, only, prepare, read_sequences, score
from motorctl.training.imitation import ImitationConfig, decode, train
from motorctl.training.pretraining import Foretold, PretrainingConfig, foretell, pretrain, start_from
from motorctl.training.sequence import Sequence
from motorctl.training.simulation import simulate_sessions, to_sequence
from motorctl.training.trials import stack_trials

PROBLEMS = {"fists_feet": (5, 6, 9, 10), "left_right": (3, 4, 7, 8)}
"""The runs of each problem."""
CUES = {name: name for name in ("T1", "T2")}
METHODS = ("afresh", "pretrained", "frozen")
LABELS = {"labels_10": 0.1, "labels_100": 1.0}

UNLABELLED, LABELLED, TESTED, SECONDS = 30, 10, 4, 60.0
"""Simulated sessions to pretrain on, to fine-tune on, to test on; how long each is (s)."""
SIMULATED = PipelineConfig(rate=25.0, amplitude_band=(0.1, 5.0), adapt=30.0)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Benchmark:
    """Measure whether pretraining without labels helps."""

    data: Path
    """Folder with the EDF+ files of subject 1."""
    json: Path | None = None
    """File for the results as JSON."""
    seeds: int = 5
    """How many seeds everything is done from."""
    only: tuple[str, ...] = ("real", "simulated")
    """Which data."""
    pretraining: PretrainingConfig = PretrainingConfig()
    """How it is pretrained."""


def benchmark(config: Benchmark) -> None:
    """Measure, print and write."""
    check_json_path(config.json)
    started = time.perf_counter()
    results: dict[str, Any] = {}
    if "real" in config.only:
        results["real"] = on_recordings(config)
    if "simulated" in config.only:
        results["simulated"] = on_simulated_sessions(config)
    results |= {"seeds": config.seeds, "seconds": time.perf_counter() - started}
    if config.json:
        write_json(config.json, results)
    Console().print(table(results))


def on_recordings(config: Benchmark) -> dict[str, Any]:
    """Accuracy of movement classes in unseen runs."""
    classifier, problems = Classifier(), list(PROBLEMS.values())
    every = [run for runs in problems for run in runs]
    read, pipeline = read_sequences([config.data / f"S001R{run:02}.edf" for run in every], [], CUES, classifier)
    of_run = dict(zip(every, read, strict=True))
    folds = [([run for run in runs if run != test], test) for runs in problems for test in runs]
    correct: dict[tuple[str, str], list[Array]] = {place: [] for place in product(METHODS, LABELS)}
    pretext = []
    for learned, test in track(folds, "real", console=Console(stderr=True)):
        prepared = prepare([of_run[run] for run in every if run != test], pipeline, classifier)
        unseen = prepared.apply(of_run[test])
        unlabelled = [prepared.apply(of_run[run]) for run in every if run != test]
        labelled = [prepared.apply(of_run[run]) for run in learned]
        right: dict[tuple[str, str], list[Array]] = {place: [] for place in correct}
        for seed in range(config.seeds):
            first, pretrained, foretold = prepare_networks(
                classifier.controller, len(CUES), 1.0, unlabelled, unseen, config.pretraining, seed
            )
            pretext.append(foretold)
            for method, labels in correct:
                controller = chosen(method, first, pretrained)
                torch.manual_seed(seed)
                train_classes(controller, stack_trials(some(labelled, LABELS[labels], seed)), classifier.training)
                scored = score(controller, stack_trials([unseen]), tuple(CUES))
                right[method, labels].append(np.equal(scored.labels, scored.predicted))
        for place, trials in right.items():
            correct[place].append(np.mean(trials, axis=0))
    return compared({place: np.concatenate(shares) for place, shares in correct.items()}, bootstrap_interval) | {
        "pretext": averaged(pretext)
    }


def prepare_networks(
    network: ControllerConfig,
    outputs: int,
    scale: float,
    unlabelled: list[Sequence],
    unseen: Sequence,
    config: PretrainingConfig,
    seed: int,
) -> tuple[RecurrentController, RecurrentController, Foretold]:
    """A controller of random weights, the same one pretrained, and how well that foretells a sequence it never saw."""
    rate = 1 / float(np.diff(unseen.features.times[:2])[0])
    torch.manual_seed(seed)
    first = RecurrentController(network, unseen.features.values.shape[1], outputs, scale)
    pretrained = deepcopy(first)
    foreteller, _ = pretrain(pretrained, [s.features for s in unlabelled], config, rate, seed)
    return first, pretrained.eval(), foretell(foreteller, [unseen.features], config, rate, seed)


def chosen(method: str, first: RecurrentController, pretrained: RecurrentController) -> RecurrentController:
    """What the labels are learned with."""
    controller = deepcopy(first)
    if method != "afresh":
        start_from(controller, pretrained)
    if method == "frozen":
        controller.requires_grad_(False)
        controller.readout.requires_grad_(True)
    return controller


def some(sequences: list[Sequence], share: float, seed: int) -> list[Sequence]:
    """The sequences with a share of their trials, drawn by chance, but at least two of each class."""
    rng = np.random.default_rng(seed)
    kept: list[list[int]] = [[] for _ in sequences]
    places = [(i, n) for i, s in enumerate(sequences) for n in np.unique(s.trial[s.trial >= 0]).tolist()]
    classes = [int(sequences[i].targets[sequences[i].trial == n][0].argmax()) for i, n in places]
    for kind in sorted(set(classes)):
        own = [place for place, of in zip(places, classes, strict=True) if of == kind]
        for k in rng.permutation(len(own))[: max(2, round(share * len(own)))].tolist():
            kept[own[k][0]].append(own[k][1])
    return [only(s, numbers) for s, numbers in zip(sequences, kept, strict=True) if numbers]


def on_simulated_sessions(config: Benchmark) -> dict[str, Any]:
    """Correlation of decoded with intended velocity in unseen sessions of the `realistic` brain."""
    env = make_env("motorctl/ArmReach-v0", command="velocity", control_rate=SIMULATED.rate)
    user, brain = User(SIMULATED.rate), make_brain("realistic")
    network = ControllerConfig(dropout=0.2)
    found: dict[tuple[str, str], list[float]] = {place: [] for place in product(METHODS, LABELS)}
    pretext = []
    for seed in track(range(config.seeds), "simulated", console=Console(stderr=True)):
        sessions = simulate_sessions(env, user, brain, UNLABELLED + LABELLED + TESTED, SECONDS, seed)
        raw = Pipeline(SIMULATED, brain.info)
        sequences = [to_sequence(session, raw, user.delay_steps) for session in sessions]
        pipeline = raw.fit([s.features for s in sequences[:-TESTED]])
        sequences = [s.with_features(pipeline.scale(s.features)) for s in sequences]
        labelled, tested = sequences[UNLABELLED:-TESTED], sequences[-TESTED:]
        first, pretrained, foretold = prepare_networks(
            network, 2, user.max_speed, sequences[:-TESTED], tested[0], config.pretraining, seed
        )
        pretext.append(foretold)
        for method, labels in found:
            controller = chosen(method, first, pretrained)
            torch.manual_seed(seed)
            count = round(LABELS[labels] * LABELLED)
            train(controller, labelled[:count], ImitationConfig(epochs=30, horizon=2.0), SIMULATED.rate)
            r = [
                mean_pearson_r(decode(controller, s.features.values), session.intentions[user.delay_steps :])
                for s, session in zip(tested, sessions[-TESTED:], strict=True)
            ]
            found[method, labels].append(float(np.mean(r)))
    return compared({place: np.array(r) for place, r in found.items()}, student_interval) | {
        "pretext": averaged(pretext)
    }


def compared(found: dict[tuple[str, str], Array], interval: Callable[[Array], tuple[float, float]]) -> dict[str, Any]:
    """Each method's mean with its interval, and its gain over `afresh`, paired."""
    results: dict[str, Any] = {"gain": {}}
    for (method, labels), values in found.items():
        results.setdefault(method, {})[labels] = told(values, interval)
        if method != "afresh":
            gain = values - found["afresh", labels]
            results["gain"].setdefault(method, {})[labels] = told(gain, interval)
    return results


def told(values: Array, interval: Callable[[Array], tuple[float, float]]) -> dict[str, float]:
    low, high = interval(values)
    return {"mean": float(values.mean()), "low": low, "high": high}


def bootstrap_interval(values: Array) -> tuple[float, float]:
    """95 % interval of the mean over trials, by their percentiles (Efron 1979, Ann. Stat. 7:1-26)."""
    rng = np.random.default_rng(0)
    means = rng.choice(values, (10_000, len(values))).mean(axis=1)
    return float(np.percentile(means, 2.5)), float(np.percentile(means, 97.5))


def student_interval(values: Array) -> tuple[float, float]:
    """95 % interval of the mean over seeds, by Student's t."""
    if len(values) < 2:
        return float("nan"), float("nan")
    half = float(student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return float(values.mean()) - half, float(values.mean()) + half


def averaged(scores: list[Foretold]) -> dict[str, float]:
    """Mean of each error."""
    return {name: float(np.mean([getattr(s, name) for s in scores])) for name in Foretold._fields}


def table(results: dict[str, Any]) -> Table:
    """For the console."""
    shown = Table("data", "method", *(f"{100 * share:.0f} % of labels" for share in LABELS.values()))
    for data in ("real", "simulated"):
        for name, of in [*results.get(data, {}).items(), *results.get(data, {}).get("gain", {}).items()]:
            if "labels_10" in of:
                gain = "" if of is results[data].get(name) else " - afresh"
                cells = [f"{v['mean']:.3f} ({v['low']:.3f} to {v['high']:.3f})" for v in of.values()]
                shown.add_row(data, name + gain, *cells)
    return shown


if __name__ == "__main__":
    try:
        benchmark(tyro.cli(Benchmark))
    except (MotorctlError, OSError) as error:
        raise SystemExit(f"pretraining.py: {error}") from None
