"""Cues in a recording: which annotation asked for which movement, and what the expert would have done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from motorctl.agents import minimum_jerk_velocity
from motorctl.errors import ConfigurationError, RecordingError
from motorctl.signals.pipeline import Pipeline
from motorctl.signals.recording import Annotation, Recording
from motorctl.signals.stream import Chunk
from motorctl.training.sequence import Sequence, held_back_trials

DIRECTIONS = {"left": (-1.0, 0.0), "right": (1.0, 0.0), "forward": (0.0, 1.0), "back": (0.0, -1.0)}
"""Where a cue's target lies, seen from the rest position of the hand (x to the right, y forward)."""

REACH = 0.1
"""Distance from the rest position to a cue's target (m)."""

Cues = Mapping[str, str]


def parse_cues(texts: Iterable[str]) -> dict[str, str]:
    """``T1=left`` to ``{"T1": "left"}``.

    Raises:
        ConfigurationError: not of that form, or an unknown direction.
    """
    cues: dict[str, str] = {}
    for text in texts:
        label, equals, direction = text.partition("=")
        if not (label and equals) or direction not in DIRECTIONS or label in cues:
            raise ConfigurationError(
                f"Cue '{text}' is not of the form ANNOTATION=DIRECTION, each annotation once.",
                f"Write for example T1=left, with one of {', '.join(DIRECTIONS)}.",
            )
        cues[label] = direction
    if not cues:
        raise ConfigurationError("No cue is given.", "Name them, for example --cues T1=left T2=right.")
    return cues


def displacement(direction: str) -> NDArray[np.float64]:
    """``(2,)`` from the rest position of the hand to the target of a cue (m)."""
    return REACH * np.array(DIRECTIONS[direction])


def cued(recording: Recording, cues: Mapping[str, str]) -> list[Annotation]:
    """The recording's annotations that are cues, in order.

    Raises:
        RecordingError: one of the cues is not there.
    """
    absent = set(cues) - {a.text for a in recording.annotations}
    if absent:
        found = ", ".join(sorted({a.text for a in recording.annotations})) or "none at all"
        raise RecordingError(
            f"{recording.path} has no annotation {' nor '.join(sorted(absent))}; it has {found}.",
            "Name annotations it has with --cues.",
        )
    return [a for a in recording.annotations if a.text in cues]


def before_held_back(recording: Recording, cues: Cues, share: float) -> Chunk:
    """What may be calibrated on: the samples before the first of the trials that are held back, all if none is.

    Raises:
        RecordingError: the recording lacks one of the cues.
    """
    samples = Chunk(recording.samples, recording.times, recording.mask)
    if not share:
        return samples
    trials = cued(recording, cues)
    end = np.searchsorted(recording.times, trials[-held_back_trials(len(trials), share)].onset)
    return samples[: int(end)]


def cued_sequence(recording: Recording, cues: Cues, pipeline: Pipeline) -> Sequence:
    """The recording's features, with the velocity of an expert who reaches while a cue lasts and rests in between.

    Raises:
        RecordingError: the recording lacks one of the cues, or a cue lasts no time.
    """
    trials = cued(recording, cues)
    if any(a.duration <= 0 for a in trials):
        raise RecordingError(
            f"{recording.path} has cues without a duration, so how long the reach lasts is unknown.",
            "Use a recording whose annotations have durations.",
        )
    features, state = pipeline.process(Chunk(recording.samples, recording.times, recording.mask))
    targets = np.zeros((len(features.times), 2), np.float32)
    trial = np.full(len(features.times), -1)
    for number, cue in enumerate(trials):
        progress = (features.times - cue.onset) / cue.duration
        targets += minimum_jerk_velocity(progress, displacement(cues[cue.text]), cue.duration).astype(np.float32)
        trial[(progress >= 0) & (progress < 1)] = number
    return Sequence(features, targets, trial, pipeline.gated(state))
