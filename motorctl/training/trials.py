"""Trials of a movement class: which stretches of a recording they are, and what a network learns a class from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from motorctl.errors import ConfigurationError, RecordingError
from motorctl.signals.pipeline import Pipeline
from motorctl.signals.recording import Recording
from motorctl.signals.stream import Chunk
from motorctl.training.cues import cued
from motorctl.training.sequence import Sequence


@dataclass(frozen=True, eq=False)
class Trials:
    """Trials side by side, filled up with zeros to the longest.

    Args:
        features: ``(trial, time, feature)``.
        weight: ``(trial, time)``: 1 where a row counts, 0 where it is padding or rests on missing samples.
        labels: ``(trial,)`` number of the class.
    """

    features: Tensor
    weight: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def lengths(self) -> Tensor:
        """``(trial,)`` rows up to the last one that counts."""
        rows = torch.arange(1, self.weight.shape[1] + 1)
        return (rows * (self.weight > 0)).amax(dim=1)


def parse_classes(texts: Iterable[str]) -> dict[str, str]:
    """``T1=fists`` to ``{"T1": "fists"}``; several annotations may mean one class.

    Raises:
        ConfigurationError: not of that form, an annotation twice, or fewer than two classes.
    """
    classes: dict[str, str] = {}
    for text in texts:
        annotation, _, name = text.partition("=")
        if not (annotation and name) or annotation in classes:
            raise ConfigurationError(
                f"Cue '{text}' is not of the form ANNOTATION=CLASS, each annotation once.",
                "Write for example --cues T1=fists T2=feet.",
            )
        classes[annotation] = name
    if len(set(classes.values())) < 2:
        found = f"only the class {next(iter(classes.values()))}" if classes else "no class"
        raise ConfigurationError(f"The cues name {found}.", "Name two or more, for example --cues T1=fists T2=feet.")
    return classes


def class_names(cues: Mapping[str, str]) -> tuple[str, ...]:
    """Every class once, in the order of the cues; a class's number is its place here."""
    return tuple(dict.fromkeys(cues.values()))


def class_sequence(
    recording: Recording, cues: Mapping[str, str], pipeline: Pipeline, window: tuple[float, float]
) -> Sequence:
    """The recording's features, with the class that each row of a trial is of as ``(time, class)`` 0 or 1.

    Args:
        recording: with annotations.
        cues: annotation to class.
        pipeline: not yet fitted, or fitted.
        window: when a trial begins and ends (s after its annotation's onset); the end of an annotation that has a
            duration ends its trial as well.

    Raises:
        RecordingError: the recording lacks a cue, or nothing was measured in one of its trials.
    """
    names = class_names(cues)
    features, state = pipeline.process(Chunk(recording.samples, recording.times, recording.mask))
    targets = np.zeros((len(features.times), len(names)), np.float32)
    trial = np.full(len(features.times), -1)
    valid = features.mask.all(axis=1)
    for number, cue in enumerate(cued(recording, cues)):
        since = features.times - cue.onset
        end = min(window[1], cue.duration or window[1])
        rows = (since >= window[0]) & (since < end)
        if not (rows & valid).any():
            raise RecordingError(
                f"{recording.path} has no valid row from {window[0]:g} to {end:g} s after the cue {cue.text} "
                f"at {cue.onset:g} s.",
                "Choose another --window, or cut the recording before that cue.",
            )
        targets[rows] = np.eye(len(names), dtype=np.float32)[names.index(cues[cue.text])]
        trial[rows] = number
    return Sequence(features, targets, trial, pipeline.gated(state))


def permuted(sequences: list[Sequence], generator: torch.Generator) -> list[Sequence]:
    """The same trials with their labels dealt out anew: whatever is learned from these is chance."""
    places = [rows(s, number) for s in sequences for number in np.unique(s.trial[s.trial >= 0])]
    owners = [i for i, s in enumerate(sequences) for _ in np.unique(s.trial[s.trial >= 0])]
    targets = [s.targets.copy() for s in sequences]
    for to, source in enumerate(torch.randperm(len(places), generator=generator).tolist()):
        targets[owners[to]][places[to]] = sequences[owners[source]].targets[places[source].start]
    return [replace(s, targets=dealt) for s, dealt in zip(sequences, targets, strict=True)]


def stack_trials(sequences: list[Sequence]) -> Trials:
    """All trials of ``sequences``, in order; what lies between them is left out."""
    pieces = [s[rows(s, number)] for s in sequences for number in np.unique(s.trial[s.trial >= 0])]
    features = torch.zeros(len(pieces), max(map(len, pieces)), sequences[0].features.values.shape[1])
    weight = torch.zeros(features.shape[:2])
    for place, piece in enumerate(pieces):
        features[place, : len(piece)] = torch.from_numpy(piece.features.values)
        weight[place, : len(piece)] = torch.from_numpy(piece.features.mask.all(axis=1).astype(np.float32))
    return Trials(features, weight, torch.tensor([int(piece.targets[0].argmax()) for piece in pieces]))


def rows(sequence: Sequence, number: int) -> slice:
    """The rows of one trial, which follow each other."""
    first, *_, last = np.flatnonzero(sequence.trial == number).repeat(2).tolist()
    return slice(first, last + 1)
