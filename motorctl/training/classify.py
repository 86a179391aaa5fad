"""``motorctl train classify``: which movement a person makes or imagines, learned from cued recordings; and the presets
that learn from tables and sets of sequences."""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from motorctl.errors import ConfigurationError, check_seed
from motorctl.runs import check_json_path, open_run_folder, plain, write_json
from motorctl.signals.recording import read_recording
from motorctl.training.calibrated import CUE, calibration_in, class_meanings
from motorctl.training.calibration import calibration_error
from motorctl.training.checkpoint import Checkpoint, save_checkpoint
from motorctl.training.classes import check_class_training, trial_probabilities
from motorctl.training.classifier import (
    Classifier,
    fit,
    held_out_temperature,
    permuted_accuracy,
    prepare,
    read_sequences,
    score,
)
from motorctl.training.classify_sequences import PRESETS as SEQUENCE_PRESETS
from motorctl.training.classify_sequences import ClassifySequences, classify_sequences
from motorctl.training.progress import progress_bar
from motorctl.training.recordings import gated, print_gated
from motorctl.training.sequence import Sequence, hold_back
from motorctl.training.steering import fitting
from motorctl.training.trials import class_names, parse_classes, stack_trials


@dataclass(frozen=True)
class ClassifyRecordings(Classifier):
    """Train a recurrent network on cued recordings to tell the movements apart, and test it beside chance."""

    preset: str = "recordings"
    """System to start from: recordings, eeg-table, gated-sequences or long-sequences; the options below are its."""
    recordings: tuple[Path, ...] = ()
    """Recordings to train on: of 'motorctl calibrate --classes', or with cues (EDF, BDF, FIF, BrainVision, XDF, CSV and
    others)."""
    cues: tuple[str, ...] = ()
    """Which annotation is which class, such as T1=fists T2=feet; the names are free. A calibration has its own."""
    test: tuple[Path, ...] = ()
    """Recordings to test on, never trained on; without any, the last trials of each recording are held back."""
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


PRESETS: dict[str, ClassifyRecordings | ClassifySequences] = {"recordings": ClassifyRecordings()} | SEQUENCE_PRESETS
"""What --preset names: the command's options with their defaults."""


def train_classifier(config: ClassifyRecordings | ClassifySequences) -> None:
    """Run the command.

    Raises:
        RecordingError: a file is missing, damaged, or lacks a cue.
        StreamError: the recordings differ in channels or rate.
        ConfigurationError: an option has a value that cannot be used.
    """
    if isinstance(config, ClassifySequences):
        classify_sequences(config)
    else:
        classify_recordings(config)


def classify_recordings(config: ClassifyRecordings) -> None:
    """Train, calibrate, test, train again on permuted labels, store, print."""
    started = time.perf_counter()
    console = Console()
    check_json_path(config.json)
    check_options(config)
    calibrated = None if config.cues else calibration_in([*config.recordings, *config.test])
    if calibrated:
        console.print(f"A {calibrated.mark}: its cues are the classes.")
        config = replace(config, pipeline=fitting(config.pipeline, read_recording(config.recordings[0]).info))
    meant = class_meanings(config.recordings) if calibrated else {}
    cues = parse_classes([f"{CUE}{name}={name}" for name in meant] or config.cues)
    held_back = 0.0 if config.test else config.hold_back
    sequences, pipeline = read_sequences(config.recordings, config.test, cues, config, held_back)
    gap = pipeline.memory + (config.pipeline.power_window if config.front_end == "csp" else 0)
    learned, tested = split(sequences, len(config.recordings), config.hold_back, gap)
    prepared = prepare(learned, pipeline, config)
    train, test = (stack_trials([prepared.apply(s) for s in part]) for part in (learned, tested))
    if len(set(train.labels.tolist())) < 2:
        raise ConfigurationError("All trials to train on are of one class.", "Record more, or hold fewer back.")
    folder = open_run_folder(config.out, "train classify", config)

    names = class_names(cues)
    with progress_bar(console, "training", config.training.epochs) as progress:
        controller, losses = fit(train, len(names), config, config.seed, progress)
    before = calibration_error(trial_probabilities(controller, test), test.labels)
    temperature, calibrated_on = held_out_temperature(learned, pipeline, len(names), config, config.seed)
    controller.scale /= temperature  # the logits' unit: probabilities change, what is preferred does not
    results: dict[str, Any] = {"test": score(controller, test, names)._asdict()}
    results["test"] |= {
        "calibration_error_before": before,
        "calibration_error": calibration_error(trial_probabilities(controller, test), test.labels),
    }
    with progress_bar(console, "training on permuted labels", config.permutations) as progress:
        results["test"]["permuted_accuracy"] = permuted_accuracy(
            learned, tested, pipeline, names, config, config.seed, config.permutations, progress
        )
    results |= {"train": {"trials": len(train), "accuracy": score(controller, train, names).accuracy}}
    results |= {"temperature": temperature, "calibrated_on": calibrated_on, "front_end": config.front_end}
    results |= {"classes": names, "pipeline_delay_ms": 1e3 * prepared.delay, "bad_channels": prepared.pipeline.bads}
    results["gated"] = gated([*config.recordings, *config.test], sequences)
    results |= {"seed": config.seed, "seconds": time.perf_counter() - started}

    data = {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in config.recordings}
    told = {"config": asdict(config), "data": data, "loss": losses, "classes": names, "window": config.window}
    told |= results | {"meaning": [f"{name}={movement}" for name, movement in meant.items()]}
    history = plain(told)
    save_checkpoint(
        Checkpoint(
            controller,
            prepared.pipeline,
            "class",
            calibrated.environment if calibrated else "",
            cues,
            history,
            patterns=prepared.patterns,
        ),
        folder,
    )
    for path in filter(None, (folder / "summary.json", config.json)):
        write_json(path, results)
    console.print(score_table(results["test"], names))
    print_gated(console, results["gated"])
    console.print(f"Controller and summary.json are in {folder}; pipeline delay {1e3 * prepared.delay:.0f} ms.")


def check_options(config: ClassifyRecordings) -> None:
    """Say what no training could use.

    Raises:
        ConfigurationError: an option is out of its range, or a recording is to be trained and tested on.
    """
    if not config.recordings:
        raise ConfigurationError("No recording to train on is given.", "Name one or more with --recordings.")
    if not 0 < config.hold_back < 1:
        raise ConfigurationError(f"hold-back is {config.hold_back:g}.", "Choose a share above 0 and below 1.")
    if not 0 <= config.window[0] < config.window[1]:
        raise ConfigurationError(f"Window {config.window} is empty or begins before the cue.", "Choose such as 0.5 4.")
    check_class_training(config.training)
    check_seed(config.seed)
    if config.permutations < 0:
        raise ConfigurationError(f"permutations is {config.permutations}.", "Choose such as 20, or 0 for none.")
    if both := {p.resolve() for p in config.recordings} & {p.resolve() for p in config.test}:
        raise ConfigurationError(f"{min(both)} is to be trained and tested on.", "Name it once.")


def split(sequences: list[Sequence], train: int, share: float, gap: float) -> tuple[list[Sequence], list[Sequence]]:
    """What to train and what to test on: the first ``train`` and the others, or the earlier and the later trials."""
    if len(sequences) > train:
        return sequences[:train], sequences[train:]
    parts = [hold_back(s, share, gap) for s in sequences]
    return [kept for kept, _ in parts], [held for _, held in parts]


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
    errors = test["calibration_error_before"], test["calibration_error"]
    table.add_row("calibration error", f"{errors[0]:.2f}, calibrated {errors[1]:.2f}")
    if math.isfinite(test["permuted_accuracy"]):
        table.add_row("labels permuted", f"{100 * test['permuted_accuracy']:.0f} %")
    return table
