"""``motorctl train classify``: which movement a person makes or imagines, learned from cued recordings; and the presets
that learn from tables and sets of sequences."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from motorctl.agents import ControllerConfig, RecurrentController
from motorctl.errors import ConfigurationError, check_positive, check_seed
from motorctl.runs import check_json_path, open_run_folder, plain, write_json
from motorctl.signals.pipeline import MOTOR_RHYTHMS, Pipeline, PipelineConfig
from motorctl.signals.recording import Recording
from motorctl.signals.stream import StreamInfo
from motorctl.training.calibration import calibration_error, fit_temperature
from motorctl.training.checkpoint import Checkpoint, save_checkpoint
from motorctl.training.classes import (
    ClassTraining,
    check_class_training,
    class_logits,
    train_classes,
    trial_probabilities,
)
from motorctl.training.classify_sequences import PRESETS as SEQUENCE_PRESETS
from motorctl.training.classify_sequences import ClassifySequences, classify_sequences
from motorctl.training.csp import BAND, SpatialPatterns, band_pipeline, fit_patterns
from motorctl.training.cues import before_held_back
from motorctl.training.imitation import Progress
from motorctl.training.progress import progress_bar
from motorctl.training.recordings import gated, print_gated, read_alike, scaled
from motorctl.training.scoring import ClassScore, class_score
from motorctl.training.sequence import Sequence, hold_back
from motorctl.training.trials import Trials, class_names, class_sequence, parse_classes, permuted, stack_trials


@dataclass(frozen=True)
class Classifier:
    """How movement classes are recognised: from EEG to features to a recurrent network."""

    window: tuple[float, float] = (0.5, 4.0)
    """Which stretch of a trial is used, from and to how long after its cue (s); a trial ends with its annotation."""
    pipeline: PipelineConfig = replace(MOTOR_RHYTHMS, rate=8.0)
    """From EEG to features; of its options, csp takes only the rate and the power window."""
    front_end: Literal["rhythms", "csp", "riemann"] = "rhythms"
    """What the features are: those of the pipeline; the power of common spatial patterns learned from the trials
    (Ramoser et al. 2000; needs scikit-learn); or, in place of the pipeline's powers, the tangent space of its channels'
    covariance, 7-30 Hz (Barachant et al. 2012)."""
    controller: ControllerConfig = field(default_factory=lambda: ControllerConfig(widths=(16,), dropout=0.5))
    """The recurrent network."""
    training: ClassTraining = field(default_factory=ClassTraining)
    """How it is trained."""


@dataclass(frozen=True)
class ClassifyRecordings(Classifier):
    """Train a recurrent network on cued recordings to tell the movements apart, and test it beside chance."""

    preset: str = "recordings"
    """System to start from: recordings, eeg-table, gated-sequences or long-sequences; the options below are its."""
    recordings: tuple[Path, ...] = ()
    """Recordings to train on, with cues: EDF, BDF, FIF, BrainVision, XDF, CSV and others."""
    cues: tuple[str, ...] = ()
    """Which annotation is which class, such as T1=fists T2=feet; the names are free."""
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

FOLDS = 5
"""Parts of the trials to train on; each is held back once, to calibrate probabilities on."""


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
    cues = parse_classes(config.cues)
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
    temperature, calibrated_on = held_out_temperature(learned, pipeline, len(names), config)
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
    history = plain(
        {"config": asdict(config), "data": data, "loss": losses, "classes": names, "window": config.window} | results
    )
    save_checkpoint(
        Checkpoint(controller, prepared.pipeline, "class", "", cues, history, patterns=prepared.patterns), folder
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


def read_sequences(
    train: Iterable[Path], test: Iterable[Path], cues: dict[str, str], config: Classifier, held_back: float = 0.0
) -> tuple[list[Sequence], Pipeline]:
    """What the pipeline gives of each recording, with the class of its trials, and the pipeline: calibrated on those to
    train on, less the share of their trials that is held back, and not yet fitted."""
    learned = list(train)
    recordings = read_alike([*learned, *test])
    check_different(recordings)
    seen = [before_held_back(recording, cues, held_back) for recording in recordings[: len(learned)]]
    info = recordings[0].info
    pipeline = Pipeline(front_end_pipeline(config, info), info).calibrate(seen)
    return [class_sequence(recording, cues, pipeline, config.window) for recording in recordings], pipeline


def check_different(recordings: list[Recording]) -> None:
    """Say that a recording is there twice, under two names or one: what it holds would count twice, or be tested on
    what was learned.

    Raises:
        ConfigurationError: two hold the same samples.
    """
    for first, second in combinations(recordings, 2):
        if np.array_equal(first.samples, second.samples, equal_nan=True):
            raise ConfigurationError(f"{first.path} and {second.path} hold the same samples.", "Name one of them.")


def front_end_pipeline(config: Classifier, info: StreamInfo) -> PipelineConfig:
    """The pipeline of the front end, for recordings like ``info``.

    Raises:
        ConfigurationError: the front end cannot give what the pipeline's options ask for.
    """
    if config.front_end == "rhythms":
        return config.pipeline
    if config.front_end == "riemann":
        return replace(config.pipeline, amplitude_band=None, power_bands=(), covariance_band=BAND)
    if not 0 < config.pipeline.rate <= info.rate:
        raise ConfigurationError(
            f"Feature rate {config.pipeline.rate:g} Hz does not fit a stream sampled at {info.rate:g} Hz.",
            f"Choose a rate of at most {info.rate:g} Hz.",
        )
    check_positive("power_window", config.pipeline.power_window)
    return band_pipeline(info)


class Prepared(NamedTuple):
    """What stands between recordings and the network, fitted.

    Args:
        pipeline: from EEG to features; for common spatial patterns to band-passed channels, unscaled.
        patterns: from these to features, or None.
    """

    pipeline: Pipeline
    patterns: SpatialPatterns | None = None

    @property
    def delay(self) -> float:
        """Group delay of all of it (s)."""
        return self.pipeline.delay + (self.patterns.window / 2 if self.patterns else 0)

    def apply(self, sequence: Sequence) -> Sequence:
        """What the network reads of a sequence that the unfitted pipeline gave."""
        return self.patterns.apply(sequence) if self.patterns else scaled(sequence, self.pipeline)


def prepare(learned: list[Sequence], pipeline: Pipeline, config: Classifier) -> Prepared:
    """Fit scaling, or spatial patterns, to sequences that the unfitted pipeline gave."""
    if config.front_end != "csp":
        return Prepared(pipeline.fit([s.features for s in learned]))
    rate, window = config.pipeline.rate, config.pipeline.power_window
    return Prepared(pipeline, fit_patterns(learned, pipeline.info.rate, rate, window))


def held_out_temperature(
    learned: list[Sequence], pipeline: Pipeline, classes: int, config: ClassifyRecordings
) -> tuple[float, int]:
    """The temperature that fits trials which networks did not learn from, and the number of these trials.

    Trials are held back in turn, in parts that follow each other in time, and all that is fitted is fitted anew: one
    temperature for all parts, as the network that is stored learns from all trials. 1 where no part can be held back.
    """
    places = [(i, number) for i, s in enumerate(learned) for number in np.unique(s.trial[s.trial >= 0]).tolist()]
    logits, weights, labels = [], [], []
    for fold in np.array_split(np.arange(len(places)), min(FOLDS, len(places))):
        held = {places[i] for i in fold.tolist()}
        kept = [only(s, [n for n in s.trial.tolist() if (i, n) not in held]) for i, s in enumerate(learned)]
        asked = [only(s, [n for n in s.trial.tolist() if (i, n) in held]) for i, s in enumerate(learned)]
        if len({s.targets[row].argmax() for s in kept for row in np.flatnonzero(s.trial >= 0)}) < classes:
            continue
        prepared = prepare(kept, pipeline, config)
        controller, _ = fit(stack_trials([prepared.apply(s) for s in kept]), classes, config, config.seed)
        trials = stack_trials([prepared.apply(s) for s in asked])
        logits += list(class_logits(controller, trials))
        weights += list(trials.weight[..., None])
        labels.append(trials.labels)
    if not labels:
        return 1.0, 0
    side_by_side = torch.nn.utils.rnn.pad_sequence
    temperature = fit_temperature(
        side_by_side(logits, batch_first=True), side_by_side(weights, batch_first=True), torch.cat(labels)
    )
    return temperature, sum(map(len, labels))


def only(sequence: Sequence, trials: list[int]) -> Sequence:
    """The sequence with these trials alone; the rows of others belong to none."""
    return replace(sequence, trial=np.where(np.isin(sequence.trial, trials), sequence.trial, -1))


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
    return class_score(trial_probabilities(controller, trials), trials.labels, names)


def permuted_accuracy(
    learned: list[Sequence],
    tested: list[Sequence],
    pipeline: Pipeline,
    names: tuple[str, ...],
    config: Classifier,
    seed: int,
    permutations: int,
    progress: Progress = lambda done, loss: None,
) -> float:
    """Mean accuracy on ``tested`` after all that is fitted was fitted to ``learned`` with its labels permuted by trial;
    NaN for no permutation. Both are as the unfitted pipeline gave them."""
    generator = torch.Generator().manual_seed(seed)
    total = 0.0
    for done in range(1, permutations + 1):
        dealt = permuted(learned, generator)
        prepared = prepare(dealt, pipeline, config)
        train, test = (stack_trials([prepared.apply(s) for s in part]) for part in (dealt, tested))
        controller, losses = fit(train, len(names), config, seed + done)
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
    errors = test["calibration_error_before"], test["calibration_error"]
    table.add_row("calibration error", f"{errors[0]:.2f}, calibrated {errors[1]:.2f}")
    if math.isfinite(test["permuted_accuracy"]):
        table.add_row("labels permuted", f"{100 * test['permuted_accuracy']:.0f} %")
    return table
