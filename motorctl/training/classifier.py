"""How movement classes are recognised: from recordings to features, to a network, to calibrated probabilities."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch

from motorctl.agents import ControllerConfig, RecurrentController
from motorctl.errors import ConfigurationError, check_positive
from motorctl.signals.pipeline import MOTOR_RHYTHMS, Pipeline, PipelineConfig
from motorctl.signals.recording import Recording
from motorctl.signals.stream import StreamInfo
from motorctl.training.calibration import fit_temperature
from motorctl.training.classes import ClassTraining, class_logits, train_classes, trial_probabilities
from motorctl.training.csp import BAND, SpatialPatterns, band_pipeline, fit_patterns
from motorctl.training.cues import before_held_back
from motorctl.training.imitation import Progress
from motorctl.training.material import scaled
from motorctl.training.recordings import read_alike
from motorctl.training.scoring import ClassScore, class_score
from motorctl.training.sequence import Sequence
from motorctl.training.trials import Trials, class_sequence, permuted, stack_trials


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


FOLDS = 5
"""Parts of the trials to train on; each is held back once, to calibrate probabilities on."""


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
    learned: list[Sequence], pipeline: Pipeline, classes: int, config: Classifier, seed: int
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
        controller, _ = fit(stack_trials([prepared.apply(s) for s in kept]), classes, config, seed)
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
