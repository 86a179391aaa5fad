#!/usr/bin/env python3
"""How well movement classes are recognised in unseen recordings: `classification.py --data DIR --json F`.

`DIR` holds subject 1 of PhysioNet's EEG Motor Movement/Imagery Database (Schalk et al. 2004). For each of its four
problems a controller is trained on one run and tested on the other, both ways, from several seeds, and again with the
training labels permuted by trial. Where a third run is there as well, it is the test of training on the first two.
One configuration, the default of `motorctl train classify`, serves all.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.stats import binomtest

from motorctl.errors import RecordingError
from motorctl.runs import check_json_path, write_json
from motorctl.training.classifier import Classifier, fit, permuted_accuracy, prepare, read_sequences, score
from motorctl.training.trials import stack_trials

PROBLEMS = {
    "fists_feet_executed": (5, 9, 13),
    "fists_feet_imagined": (6, 10, 14),
    "left_right_executed": (3, 7, 11),
    "left_right_imagined": (4, 8, 12),
}
"""The runs of each problem, of which a copy of the database may lack the third."""

NAMES = ("T1", "T2")
CUES = {name: name for name in NAMES}


@dataclass(frozen=True)
class Benchmark:
    """Measure how well movement classes are recognised in unseen recordings."""

    data: Path
    """Folder with the EDF+ files of subject 1."""
    json: Path | None = None
    """File for the results as JSON."""
    seeds: int = 5
    """How many seeds each fold is trained from."""
    permutations: int = 4
    """How often labels are permuted, for each fold and seed."""
    classifier: Classifier = Classifier()
    """What is measured."""


@dataclass(frozen=True)
class Fold:
    """Which runs are trained on and which one is the test."""

    train: tuple[int, ...]
    test: int


def benchmark(config: Benchmark) -> None:
    """Measure, print and write."""
    check_json_path(config.json)
    started = time.perf_counter()
    results: dict[str, Any] = {}
    jobs = [(kind, name, folds) for name, runs in PROBLEMS.items() for kind, folds in plan(config.data, runs).items()]
    for kind, name, folds in track(jobs, "measuring", console=Console(stderr=True)):
        results.setdefault(kind, {})[name] = summary([measure(fold, config) for fold in folds])
    results["both_ways"] |= {
        f"{pair}_mean": float(
            np.mean([results["both_ways"][f"{pair}_{way}"]["accuracy"] for way in ("executed", "imagined")])
        )
        for pair in ("fists_feet", "left_right")
    }
    results |= {"seeds": config.seeds, "seconds": time.perf_counter() - started}
    if config.json:
        write_json(config.json, results)
    Console().print(table(results))


def plan(data: Path, runs: tuple[int, int, int]) -> dict[str, list[Fold]]:
    """One run against the other, both ways; and both against the third, where that is there."""
    folds = {"both_ways": [Fold((train,), test) for train, test in permutations(runs[:2])]}
    if path(data, runs[2]).is_file():
        folds["third_run"] = [Fold(runs[:2], runs[2])]
    return folds


def path(data: Path, run: int) -> Path:
    return data / f"S001R{run:02}.edf"


def measure(fold: Fold, config: Benchmark) -> dict[str, Any]:
    """A fold from every seed: the accuracies, the mean accuracy with permuted labels, and how many trials there are."""
    learned_from, tested_on = [path(config.data, run) for run in fold.train], [path(config.data, fold.test)]
    sequences, pipeline = read_sequences(learned_from, tested_on, CUES, config.classifier)
    prepared = prepare(sequences[:-1], pipeline, config.classifier)
    *learned, unseen = [prepared.apply(s) for s in sequences]
    train, test = stack_trials(learned), stack_trials([unseen])
    accuracy, permuted = [], []
    for seed in range(config.seeds):
        controller, _ = fit(train, len(NAMES), config.classifier, seed)
        accuracy.append(score(controller, test, NAMES).accuracy)
        permuted.append(
            permuted_accuracy(
                sequences[:-1], sequences[-1:], pipeline, NAMES, config.classifier, 1000 * seed, config.permutations
            )
        )
    return {
        "train": fold.train,
        "test": fold.test,
        "trials": len(test),
        "accuracy_by_seed": accuracy,
        "accuracy": float(np.mean(accuracy)),
        "permuted_accuracy": float(np.mean(permuted)),
    }


def summary(folds: list[dict[str, Any]]) -> dict[str, Any]:
    """Over folds: mean accuracy, the Wilson interval for as many trials (seeds add none), and permuted beside it."""
    trials = sum(fold["trials"] for fold in folds)
    accuracy = float(np.mean([fold["accuracy"] for fold in folds]))
    low, high = binomtest(round(accuracy * trials), trials).proportion_ci(method="wilson")
    return {
        "accuracy": accuracy,
        "interval": [float(low), float(high)],
        "permuted_accuracy": float(np.mean([fold["permuted_accuracy"] for fold in folds])),
        "trials": trials,
        "folds": folds,
    }


def table(results: dict[str, Any]) -> Table:
    """For the console."""
    shown = Table("", "problem", "accuracy", "95 % interval", "permuted", "trials")
    for kind in ("both_ways", "third_run"):
        for name, r in results.get(kind, {}).items():
            said = kind.replace("_", " ")  # so that a narrow terminal can break the line
            if isinstance(r, float):
                shown.add_row(said, name.replace("_", " "), f"{100 * r:.1f} %")
                continue
            low, high = r["interval"]
            shown.add_row(
                said,
                name.replace("_", " "),
                f"{100 * r['accuracy']:.1f} %",
                f"{100 * low:.0f}-{100 * high:.0f} %",
                f"{100 * r['permuted_accuracy']:.1f} %",
                str(r["trials"]),
            )
    return shown


if __name__ == "__main__":
    try:
        benchmark(tyro.cli(Benchmark))
    except (RecordingError, OSError) as error:
        raise SystemExit(f"classification.py: {error}") from None
