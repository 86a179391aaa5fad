"""From recordings to what is learned from, what is validated on and what is held back; in memory or on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from motorctl.signals.features import Features
from motorctl.signals.pipeline import Pipeline
from motorctl.signals.recording import Recording, read_recording
from motorctl.signals.stream import Chunk
from motorctl.training.augmentation import Augmentation, augment_eeg, augmented, channel_groups
from motorctl.training.calibrated import read_with_intention
from motorctl.training.cues import before_held_back, cued_sequence
from motorctl.training.dataset import Dataset, StoredSequence, create_dataset, write_sequence
from motorctl.training.kinematics import (
    Kinematics,
    KinematicTargets,
    before_held_back_blocks,
    kinematic_sequence,
    read_with_kinematics,
)
from motorctl.training.sequence import Seen, Sequence, Stretch, Stretches, hold_back

FITTED_ROWS = 100_000
"""So many rows, evenly spread, are enough to fit a scaling to that is of a set on disk."""


class Session(NamedTuple):
    """A recording with what says where the hand was to go."""

    eeg: Recording
    kinematics: Kinematics | None = None


@dataclass(frozen=True)
class Aim:
    """What in a recording says where the hand was to go: its cues, channels, or all of a calibration.

    Args:
        cues: annotation to direction.
        targets: used where there are no cues.
        steer: how people steered whose calibration it is; then neither is used.
    """

    cues: Mapping[str, str]
    targets: KinematicTargets = field(default_factory=KinematicTargets)
    steer: str = ""

    def read(self, path: Path) -> Session:
        """A recording.

        Raises:
            RecordingError: it is missing or damaged, or lacks a channel.
        """
        if self.steer:
            return Session(*read_with_intention(path, self.steer))
        return Session(read_recording(path)) if self.cues else Session(*read_with_kinematics(path, self.targets))

    def before_held_back(self, session: Session, share: float) -> Chunk:
        """What may be calibrated on."""
        if self.cues:
            return before_held_back(session.eeg, self.cues, share)
        return before_held_back_blocks(session.eeg, share)

    def sequence(self, session: Session, pipeline: Pipeline) -> Sequence:
        """Features, and the velocity that was asked for or moved with (m/s).

        Raises:
            RecordingError: the recording lacks a cue, or its targets share no time with it.
        """
        if session.kinematics is None:
            return cued_sequence(session.eeg, self.cues, pipeline)
        targets = KinematicTargets(kind="velocity") if self.steer else self.targets
        return kinematic_sequence(session.eeg, session.kinematics, pipeline, targets)


def split(sequence: Sequence, hold: float, validate: float, gap: float) -> tuple[Sequence, Sequence | None, Sequence]:
    """What is learned from, what is validated on (None for a share of 0), and what is held back.

    Raises:
        ConfigurationError: that leaves no trial to train on.
    """
    kept, held = hold_back(sequence, hold, gap)
    return (*hold_back(kept, validate, gap), held) if validate else (kept, None, held)


class Shelf:
    """Where sequences are put: kept in memory, or written into a folder as a data set.

    Args:
        folder: to write into, or None.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.rows: list[int] = []

    def put(self, sequence: Sequence) -> Stretch:
        """The sequence, or where it is on disk."""
        if self.folder is None:
            return sequence
        self.folder.mkdir(parents=True, exist_ok=True)
        path = write_sequence(self.folder, len(self.rows), sequence)
        self.rows.append(len(sequence))
        return StoredSequence(path, len(sequence))

    def close(self, pipeline: Pipeline, targets: tuple[str, ...], provenance: Mapping[str, Any]) -> None:
        """Write the index of what was put here."""
        if self.folder is not None:
            names = pipeline.names
            create_dataset(Dataset(self.folder, pipeline.config.rate, names, targets, tuple(self.rows), provenance))


def fit_scaling(pipeline: Pipeline, learned: Stretches) -> Pipeline:
    """The pipeline with its scaling fitted to what it gave; of a large set to rows that are evenly spread."""
    every = -(-sum(map(len, learned)) // FITTED_ROWS)
    return pipeline.fit([thinned(stretch[:].features, every) for stretch in learned])


def thinned(features: Features, every: int) -> Features:
    """Every so manyth row."""
    return features if every == 1 else features.select(slice(None, None, every))


def scaled_stretch(stretch: Stretch, pipeline: Pipeline) -> Stretch:
    """The stretch as the fitted pipeline gives it: at once, or on disk whenever it is read."""
    return (
        scaled(stretch, pipeline) if isinstance(stretch, Sequence) else Seen(stretch, lambda s, _: scaled(s, pipeline))
    )


def scaled(sequence: Sequence, pipeline: Pipeline) -> Sequence:
    """The sequence as the fitted pipeline gives it."""
    return sequence.with_features(pipeline.scale(sequence.features))


def learned_in(
    learned: Stretches,
    sessions: list[Session],
    unfitted: Pipeline,
    fitted: Pipeline,
    config: Augmentation,
    seed: int,
) -> Stretches | Callable[[int], Stretches]:
    """What every epoch learns from, or a function that gives what an epoch does, where it is changed anew.

    Args:
        learned: unscaled.
        sessions: what each of them is of; its EEG is changed up to the end of what is learned, where that is asked for.
        unfitted, fitted: the pipeline.
        config: what is changed.
        seed: of what is drawn.
    """
    plain = [scaled_stretch(stretch, fitted) for stretch in learned]
    if not (config.of_eeg or config.of_features):
        return plain

    def of_epoch(epoch: int) -> Stretches:
        stretches: Stretches = plain
        if config.of_eeg:
            draws = [np.random.default_rng([seed, epoch, number]) for number in range(len(learned))]
            stretches = [
                scaled(again(stretch[:], session, unfitted, config, rng), fitted)
                for stretch, session, rng in zip(learned, sessions, draws, strict=True)
            ]
        return augmented(stretches, config, fitted.config.rate, channel_groups(fitted), seed, epoch)

    return of_epoch


def again(
    learned: Sequence, session: Session, pipeline: Pipeline, config: Augmentation, rng: np.random.Generator
) -> Sequence:
    """The part of a recording, which begins where the recording does, with the features of changed EEG."""
    eeg = session.eeg
    end = int(np.searchsorted(eeg.times, learned.features.times[-1], side="right"))
    chunk = Chunk(eeg.samples, eeg.times, eeg.mask)[:end]
    features, _ = pipeline.process(augment_eeg(chunk, eeg.info.rate, config, rng))
    return learned.with_features(features)
