"""``motorctl train classify``: which movement a person makes or imagines, learned from cued recordings."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from rich.console import Console
from rich.table import Table
from scipy.stats import binomtest

from motorctl.agents import ControllerConfig, RecurrentController
from motorctl.errors import ConfigurationError
from motorctl.runs import check_json_path, open_run_folder, plain, write_json
from motorctl.signals.pipeline import MOTOR_RHYTHMS, Pipeline, PipelineConfig
from motorctl.training.checkpoint import Checkpoint, save_checkpoint
from motorctl.training.classes import ClassTraining, class_probabilities, train_classes
from motorctl.training.cues import before_held_back
from motorctl.training.imitation import Progress
from motorctl.training.progress import progress_bar
from motorctl.training.recordings import read_alike, scaled
from motorctl.training.sequence import Sequence, hold_back
from motorctl.training.trials import Trials, class_names, class_sequence, parse_classes, stack_trials


@dataclass(frozen=True)
class Classifier:
    """How movement classes are recognised: from EEG to features to a recurrent network."""

    window: tuple[float, float] = (0.5, 4.0)
    """Which stretch of a trial is used, from and to how long after its cue (s); a trial ends with its annotation."""
    pipeline: PipelineConfig = replace(MOTOR_RHYTHMS, rate=8.0)
    """From EEG to features."""
    controller: ControllerConfig = field(default_factory=lambda: ControllerConfig(widths=(16,), dropout=0.5))
    """The recurrent network."""
    training: ClassTraining = field(default_factory=ClassTraining)
    """How it is trained."""


@dataclass(frozen=True)
class ClassifyRecordings(Classifier):
    """Train a recurrent network on cued recordings to tell the movements apart, and test it beside chance."""

    recordings: tuple[Path, ...] = ()
    """EDF+ files to train on."""
    cues: tuple[str, ...] = ()
    """Which annotation is which class, such as T1=fists T2=feet; the names are free."""
    test: tuple[Path, ...] = ()
    """EDF+ files to test on, never trained on; without any, the last trials of each recording are held back."""
    out: Path | None = None
    """Run folder to write; by default a new one under runs/."""
    json: Path | None = None
    """File for the results as JSON."""
    seed: int = 0
    """Seed of everything random."""
    hold_back: float = 0.2
    """Share of the trials that is held back where there is no test recording (0 to 1)."""
    permutations: int = 20
    """How often it is trained again with the trials' labels permuted, to see what chance gives; 0 for never."""


class ClassScore(NamedTuple):
    """How many trials were recognised.

    Args:
        accuracy: share of the trials, 0 to 1.
        interval: its 95 % interval (Wilson 1927, J. Am. Stat. Assoc. 22:209-212).
        trials: how many.
        correct: how many were recognised.
        labels: class of each trial.
        predicted: the class that was taken for it.
    """

    accuracy: float
    interval: tuple[float, float]
    trials: int
    correct: int
    labels: list[str]
    predicted: list[str]


def train_classifier(config: ClassifyRecordings) -> None:
    """Run the command: train, test, train again on permuted labels, store, print.

    Raises:
        RecordingError: a file is missing, damaged, or lacks a cue.
        StreamError: the recordings differ in channels or rate.
        ConfigurationError: an option has a value that cannot be used.
    """
    started = time.perf_counter()
    console = Console()
    check_json_path(config.json)
    cues = parse_classes(config.cues)
    check_options(config)
    held_back = 0.0 if config.test else config.hold_back
    sequences, pipeline = read_sequences(config.recordings, config.test, cues, config, held_back)
    learned, tested = split(sequences, len(config.recordings), config.hold_back, pipeline.memory)
    fitted = pipeline.fit([s.features for s in learned])
    train, test = (stack_trials([scaled(s, fitted) for s in part]) for part in (learned, tested))
    if len(set(train.labels.tolist())) < 2:
        raise ConfigurationError("All trials to train on are of one class.", "Record more, or hold fewer back.")
    folder = open_run_folder(config.out, "train classify", config)

    names = class_names(cues)
    with progress_bar(console, "training", config.training.epochs) as progress:
        controller, losses = fit(train, len(names), config, config.seed, progress)
    results: dict[str, Any] = {"test": score(controller, test, names)._asdict()}
    with progress_bar(console, "training on permuted labels", config.permutations) as progress:
        results["test"]["permuted_accuracy"] = permuted_accuracy(
            train, test, names, config, config.seed, config.permutations, progress
        )
    results |= {"train": {"trials": len(train), "accuracy": score(controller, train, names).accuracy}}
    results |= {"classes": names, "pipeline_delay_ms": 1e3 * fitted.delay, "bad_channels": fitted.bads}
    results |= {"seed": config.seed, "seconds": time.perf_counter() - started}

    data = {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in config.recordings}
    history = plain(
        {"config": asdict(config), "data": data, "loss": losses, "classes": names, "window": config.window} | results
    )
    save_checkpoint(Checkpoint(controller, fitted, "class", "", cues, history), folder)
    for path in filter(None, (folder / "summary.json", config.json)):
        write_json(path, results)
    console.print(score_table(results["test"], names))
    console.print(f"Controller and summary.json are in {folder}; pipeline delay {1e3 * fitted.delay:.0f} ms.")


def check_options(config: ClassifyRecordings) -> None:
    """Say what no training could use.

    Raises:
        ConfigurationError: an option is out of its range, or a recording is to be trained and tested on.
    """
    if not config.recordings:
        raise ConfigurationError("No recording to train on is given.", "Name EDF+ files with --recordings.")
    if not 0 < config.hold_back < 1:
        raise ConfigurationError(f"hold-back is {config.hold_back:g}.", "Choose a share above 0 and below 1.")
    if not 0 <= config.window[0] < config.window[1]:
        raise ConfigurationError(f"Window {config.window} is empty or begins before the cue.", "Choose such as 0.5 4.")
    if config.training.epochs < 1 or config.permutations < 0:
        raise ConfigurationError("epochs is below 1, or permutations below 0.", "Choose such as 30 and 20.")
    if both := {p.resolve() for p in config.recordings} & {p.resolve() for p in config.test}:
        raise ConfigurationError(f"{min(both)} is to be trained and tested on.", "Name it once.")


def read_sequences(
    train: Iterable[Path], test: Iterable[Path], cues: dict[str, str], config: Classifier, held_back: float = 0.0
) -> tuple[list[Sequence], Pipeline]:
    """Each recording's features with the class of its trials, and the pipeline that gave them: calibrated on those to
    train on, less the share of their trials that is held back, and not yet fitted."""
    learned = list(train)
    recordings = read_alike([*learned, *test])
    seen = [before_held_back(recording, cues, held_back) for recording in recordings[: len(learned)]]
    pipeline = Pipeline(config.pipeline, recordings[0].info).calibrate(seen)
    return [class_sequence(recording, cues, pipeline, config.window) for recording in recordings], pipeline


def split(sequences: list[Sequence], train: int, share: float, gap: float) -> tuple[list[Sequence], list[Sequence]]:
    """What to train and what to test on: the first ``train`` and the others, or the earlier and the later trials."""
    if len(sequences) > train:
        return sequences[:train], sequences[train:]
    parts = [hold_back(s, share, gap) for s in sequences]
    return [kept for kept, _ in parts], [held for _, held in parts]


def fit(
    trials: Trials, classes: int, config: Classifier, seed: int, progress: Progress = lambda epoch, loss: None
) -> tuple[RecurrentController, list[float]]:
    """A controller trained on ``trials`` from the given seed, and its losses."""
    torch.manual_seed(seed)
    controller = RecurrentController(config.controller, trials.features.shape[2], classes)
    return controller, train_classes(controller, trials, config.training, progress)


def score(controller: RecurrentController, trials: Trials, names: tuple[str, ...]) -> ClassScore:
    """How many of ``trials`` the controller recognises, by the most probable class."""
    predicted = class_probabilities(controller, trials).argmax(dim=1)
    correct = int((predicted == trials.labels).sum())
    low, high = binomtest(correct, len(trials)).proportion_ci(method="wilson")
    labels, taken = ([names[i] for i in numbers.tolist()] for numbers in (trials.labels, predicted))
    return ClassScore(correct / len(trials), (float(low), float(high)), len(trials), correct, labels, taken)


def permuted_accuracy(
    train: Trials,
    test: Trials,
    names: tuple[str, ...],
    config: Classifier,
    seed: int,
    permutations: int,
    progress: Progress = lambda done, loss: None,
) -> float:
    """Mean accuracy on ``test`` after training on ``train`` with its labels permuted by trial; NaN for none."""
    generator = torch.Generator().manual_seed(seed)
    total = 0.0
    for done in range(1, permutations + 1):
        controller, losses = fit(train.permuted(generator), len(names), config, seed + done)
        total += score(controller, test, names).accuracy
        progress(done, losses[-1])
    return total / permutations if permutations else float("nan")


def score_table(test: dict[str, Any], names: tuple[str, ...]) -> Table:
    """How many trials of each class were recognised, for the console."""
    table = Table("class", "right", title="trials of the test")
    pairs = list(zip(test["labels"], test["predicted"], strict=True))
    for name in names:
        of_class = [label == taken for label, taken in pairs if label == name]
        table.add_row(name, f"{sum(of_class)} of {len(of_class)}")
    low, high = test["interval"]
    table.add_section()
    table.add_row("all", f"{test['correct']} of {test['trials']}: {100 * test['accuracy']:.0f} %")
    table.add_row("95 % interval", f"{100 * low:.0f}-{100 * high:.0f} %")
    table.add_row("labels permuted", f"{100 * test['permuted_accuracy']:.0f} %")
    return table
