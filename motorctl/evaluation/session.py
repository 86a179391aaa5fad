"""Recorded sessions, live or simulated, scored as simulated reaches are: the hand from target to target."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from motorctl.errors import RecordingError
from motorctl.evaluation.movement import Movement, movement_figures
from motorctl.evaluation.reaching import PATHS, Result
from motorctl.signals.recording import Recording, read_streams

Array = NDArray[np.float64]

OUTCOMES = ("reached", "time limit", "unstable")
"""Markers that a trial ends with."""


class Trial(NamedTuple):
    """A trial of a session: how it ended, how long it took (s), and its movements."""

    outcome: str
    seconds: float
    movements: list[Movement]


def session_reaches(path: Path, radius: float) -> list[Trial]:
    """The trials of a session that came to their end.

    A stream of the type ``MoCap`` tells ``hand_x``, ``hand_y``, ``hand_velocity_x``, ..., ``target_x``, ... and
    ``command_x``, ... (m, m/s); markers tell when a trial ended, and how: ``reached``, ``time limit``, ``unstable``. A
    movement begins with the first row that shows its target. Where the target moves on within a trial, the hand had
    arrived. Rows that were lost are left out; how long something took is measured by the stamps.

    Args:
        path: an XDF file, as ``motorctl live --record`` writes.
        radius: of the targets (m), which the file does not tell.

    Raises:
        RecordingError: the file cannot be read, or has no such stream, several of them, or no trial that ended.
    """
    limb = limb_stream(path)
    known = limb.mask.all(axis=1)
    columns = {what: signal_of(limb, what)[known] for what in ("hand", "hand_velocity", "target", "command")}
    times = limb.times[known]
    ends = [(a.onset, a.text) for a in limb.annotations if a.text in OUTCOMES]
    if not ends:
        raise RecordingError(
            f"'{path}' has no marker of a trial's end ({', '.join(OUTCOMES)}).",
            "Record the stream '<limb> events' too.",
        )
    trials: list[Trial] = []
    period, first = 1 / limb.info.rate, 0
    for onset, outcome in ends:
        last = int(np.searchsorted(times, onset + period / 2)) - 1
        if last > first:
            rows = slice(first, last + 1)
            own = {what: values[rows] for what, values in columns.items()}
            movements = movements_of(times[rows], own, outcome, radius, len(trials))
            trials.append(Trial(outcome, float(times[last] - times[first]), movements))
        first = last + 1
    return trials


def movements_of(times: Array, columns: dict[str, Array], outcome: str, radius: float, number: int) -> list[Movement]:
    """The movements of a trial, one a target; none to a target that the hand was in when it was shown."""
    hand, target = columns["hand"], columns["target"]
    changes = np.flatnonzero((np.diff(target, axis=0) != 0).any(axis=1)) + 1
    found = []
    for first, last in pairwise([0, *changes.tolist(), len(hand) - 1]):
        if last > first and np.linalg.norm(hand[first] - target[first]) > radius:
            rows = slice(first, last + 1)
            found.append(
                Movement(
                    times=times[rows] - times[first],
                    hand=hand[rows],
                    velocity=columns["hand_velocity"][rows],
                    target=target[first],
                    radius=radius,
                    reached=outcome == "reached" or last < len(hand) - 1,
                    command=columns["command"][rows],
                    activation=np.empty((last - first + 1, 0)),
                    power=np.full(last - first + 1, np.nan),
                    person=number,
                )
            )
    return found


def limb_stream(path: Path) -> Recording:
    """The stream that tells where a limb is.

    Raises:
        RecordingError: there is none, or several.
    """
    streams = read_streams(path)
    needed = {f"{what}_{axis}" for what in ("hand", "hand_velocity", "target", "command") for axis in "xy"}
    found = [s for s in streams if s.info.kind == "MoCap" and needed <= {c.label for c in s.info.channels}]
    if len(found) != 1:
        there = "; ".join(f"'{s.info.name}' ({s.info.kind})" for s in streams)
        raise RecordingError(
            f"'{path}' has {len(found) or 'no'} stream{'s' * (len(found) != 1)} of a limb among {there}.",
            "Record a session with 'motorctl live --record'.",
        )
    return found[0]


def signal_of(stream: Recording, what: str) -> Array:
    """``(time, 2)`` of the channels that are called so, x and y."""
    labels = [channel.label for channel in stream.info.channels]
    return stream.samples[:, [labels.index(f"{what}_{axis}") for axis in "xy"]].astype(float)


def evaluate_session(path: Path, radius: float) -> Result:
    """A session's trials as :func:`~.reaching.evaluate_reaching_task` gives a cell; every trial counts for itself, and
    chance is not known.

    Raises:
        RecordingError: see :func:`session_reaches`.
    """
    trials = session_reaches(path, radius)
    movements = [m for trial in trials for m in trial.movements]
    return {
        "controller": path.name,
        "env": str(path),
        "brain": "",
        "user": "",
        "delay": 0.0,
        "options": (),
        "seed": None,
        "people": len(trials),
        "radius": radius,
        "targets": None,
        "episodes": [
            {"person": k, "success": float(t.outcome == "reached"), "seconds": t.seconds, "reason": t.outcome}
            for k, t in enumerate(trials)
        ],
        "movements": [{"person": m.person} | movement_figures(m) for m in movements],
        "pursuits": [],
        "paths": [
            {"hand": m.hand.round(4).tolist(), "target": m.target.tolist(), "reached": m.reached}
            for m in movements[:PATHS]
        ],
        "seconds": 0.0,
    }
