"""What a recording of ``motorctl calibrate`` says of itself, so that nobody has to name cues or channels.

A marker at its beginning tells the environment and how people steer it; further markers are the cues, and the limb's
stream tells where the hand and the target were.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from motorctl.errors import RecordingError
from motorctl.person.user import User
from motorctl.runtime.safety import Phase
from motorctl.signals.recording import Annotation, Recording, choose_stream, read_streams
from motorctl.signals.units import check_voltages
from motorctl.training.kinematics import Kinematics
from motorctl.training.steering import WAYS

CLASSES = "classes"
"""How people steer who think of one movement or another: each cue is a class."""
CUE = "cue: "
"""What a marker begins with that asks for something."""
PAUSE = "pause"
"""The marker after the cue of a class, until the next one."""

_MARK = re.compile(rf"calibration of (\S+) by ({'|'.join([*WAYS, CLASSES])})")


class Calibration(NamedTuple):
    """What was calibrated: the id of the environment, and how people steer it: one of ``WAYS``, or ``classes``."""

    environment: str
    steer: str

    @property
    def mark(self) -> str:
        """The marker that tells it."""
        return f"calibration of {self.environment} by {self.steer}"


def calibration_in(paths: Iterable[Path]) -> Calibration | None:
    """What the recordings were calibrated for; None if none of them is a calibration.

    Raises:
        RecordingError: a recording cannot be read, or one is of another calibration than the others.
    """
    found = {_marked(read_streams(path)[0].annotations) for path in paths}
    if len(found) > 1:
        said = ", ".join(sorted(calibration.mark if calibration else "no calibration" for calibration in found))
        raise RecordingError(f"The recordings differ in what they are of: {said}.", "Name those of one kind.")
    return found.pop() if found else None


def _marked(annotations: Iterable[Annotation]) -> Calibration | None:
    return next((Calibration(*m.groups()) for a in annotations if (m := _MARK.fullmatch(a.text))), None)


def class_meanings(paths: Iterable[Path]) -> dict[str, str]:
    """The classes of a calibration, and what the limb did by each, in the order of its command's.

    Raises:
        RecordingError: a recording cannot be read, or none names its classes.
    """
    for path in paths:
        for annotation in read_streams(path)[0].annotations:
            word, _, named = annotation.text.partition(": ")
            if word == CLASSES:
                return dict(text.partition("=")[::2] for text in named.split(" "))
    raise RecordingError("The calibration names no classes.", "Calibrate with --classes, or name cues with --cues.")


def read_with_intention(path: Path, steer: str) -> tuple[Recording, Kinematics]:
    """The EEG of a calibration, or of a run, and the velocity that the person is taken to have intended: that of the
    expert of such people at the hand and the target that they saw, one visual delay before. It is known while the limb
    was moved, not while it was held or stopped.

    Args:
        path: the recording.
        steer: one of :data:`motorctl.training.steering.WAYS`.

    Raises:
        RecordingError: the file is missing or damaged, or holds no EEG or no limb with a target.
    """
    streams = read_streams(path)
    eeg, limb = choose_stream(streams), _limb(path, streams)
    check_voltages(eeg.info.channels, f"'{path}'", RecordingError)
    hand, target = (_columns(limb, what) for what in ("hand", "target"))
    known = while_running(limb) & limb.mask.all(axis=1)
    wanted = np.where(known[:, None], WAYS[steer].expert(hand, target), np.nan)
    times = limb.times + (limb.start - eeg.start + User.delay)
    return eeg, Kinematics((times,) * wanted.shape[1], tuple(wanted.T), (True,) * wanted.shape[1])


def _limb(path: Path, streams: Iterable[Recording]) -> Recording:
    found = [s for s in streams if {"hand_x", "hand_y", "target_x", "target_y"} <= set(s.info.labels)]
    if len(found) != 1:
        raise RecordingError(
            f"'{path}' has {len(found) or 'no'} streams of a hand and its target.", "Choose what 'calibrate' recorded."
        )
    return found[0]


def _columns(limb: Recording, what: str) -> NDArray[np.float64]:
    labels = [f"{what}_{axis}" for axis in "xyz" if f"{what}_{axis}" in limb.info.labels]
    return limb.samples[:, [limb.info.labels.index(label) for label in labels]].astype(float)


def while_running(limb: Recording) -> NDArray[np.bool_]:
    """When the limb was moved, ``(sample,)``, as the markers of its run say: not while it was held or stopped."""
    said = [(a.onset, phase) for a in limb.annotations if (phase := a.text.partition(":")[0]) in list(Phase)]
    onsets = np.array([onset for onset, _ in said])
    running = np.array([False, *(phase == Phase.RUNNING for _, phase in said)])
    half = 0.5 / limb.info.rate  # a marker has the stamp of the sample that it came with, up to the clocks' noise
    return np.asarray(running[np.searchsorted(onsets, limb.times + half, side="right")])


def seconds_moved(path: Path) -> float:
    """How long the limb of a run moved (s); 0 for a file that tells nothing of it."""
    try:
        limb = next((s for s in read_streams(path) if s.info.kind == "MoCap" and s.info.rate), None)
    except RecordingError:
        return 0.0
    return float(while_running(limb).sum() / limb.info.rate) if limb else 0.0
