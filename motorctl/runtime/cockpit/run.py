"""A run as it is heard from outside: its four streams, the EEG, and what somebody wants to see of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pylsl  # type: ignore[import-untyped]
from numpy.typing import NDArray

from motorctl.evaluation.metrics import pearson_r
from motorctl.runtime.cockpit.listening import Listening, MarkerListener, SignalListener, Stream
from motorctl.runtime.recording import BEGUN, ENDED
from motorctl.runtime.safety import Phase
from motorctl.signals.lsl import find_stream

Array = NDArray[np.floating]

NAMES = ("", " timing", " status", " events")
"""What follows the limb's name in the names of a run's streams."""
EEG_KEPT = 30.0
"""How much of the EEG is kept (s)."""
SEARCH = 1.0
"""How long a stream is looked for at a time (s)."""
SHOWN = 5.0
"""Length of the curves (s)."""
COMPARED = 10.0
"""Over how long decoded and intended commands are correlated (s)."""
LATENCY = 60.0
"""Over how long latencies are summed up (s)."""
SILENT = 0.5
"""Age of the newest word of the loop (s) from which on it is taken for gone."""
PERCENTILES = {"p50": 50.0, "p99": 99.0, "p99.9": 99.9, "max": 100.0}
TIMES = ("newest_age", "compute", "slack")
"""Of the timing stream, what is shown."""


CUE, PAUSE = "cue: ", "pause"
"""What the events begin with that ask a person for something, and for nothing."""


class Cue(NamedTuple):
    """What a person is to do now.

    Args:
        text: ``left``, ``rest``, or ``pause``.
        since: when it was given (s).
        lasts: how long (s); None where that cannot be told.
    """

    text: str
    since: float
    lasts: float | None


class Component(NamedTuple):
    """A number of a command: its name, its unit, and its range."""

    name: str
    unit: str
    low: float
    high: float

    @property
    def label(self) -> str:
        """Name and unit."""
        return f"{self.name}, {self.unit}" if self.unit else self.name


class Snapshot(NamedTuple):
    """What is to be seen of a run at a moment; both views show this and no more.

    Args:
        time: of the snapshot (s).
        phase: of safety; empty while no run is heard.
        cause: of the phase; or why no run is heard.
        assist: share of the expert in the command.
        trial, targets, reached: number of the trial; trials that ended without help; those of them that ended well.
        gated: share of the samples that was missing or taken for an artefact.
        latency: name of :data:`TIMES` to its :data:`PERCENTILES` over the last minute (ms), of the slack the low ones.
        missed: deadlines missed in the last minute, and how many there were.
        components: the numbers of a command.
        times: of the curves, 0 being now (s).
        commands: ``wanted``, ``intended`` and ``command`` to their last seconds ``(time, component)``.
        agreement: correlation of wanted and intended ``(component,)``; NaN where there is nothing to correlate.
        cue: the newest one; None if there was none.
        recording: whether a recording is made.
    """

    time: float
    phase: str = ""
    cause: str = ""
    assist: float = 0.0
    trial: int = 0
    targets: int = 0
    reached: int = 0
    gated: float = 0.0
    latency: Mapping[str, Mapping[str, float]] = {}
    missed: tuple[int, int] = (0, 0)
    components: tuple[Component, ...] = ()
    times: Array = np.empty(0)
    commands: Mapping[str, Array] = {}
    agreement: Array = np.empty(0)
    cue: Cue | None = None
    recording: bool = False


class Run(Listening):
    """Listens to a run and to the EEG that it is steered by.

    Args:
        name: of the limb's stream.
        stream: name, type or source_id of the EEG; by default the only stream of type EEG.
        unit: of the EEG, where its stream says none or a wrong one.
    """

    def __init__(self, name: str, stream: str | None = None, unit: str | None = None) -> None:
        self.name = name
        found = [partial(find_stream, name=f"{name}{which}", timeout=SEARCH) for which in NAMES]
        self.limb = SignalListener(found[0], COMPARED)
        self.timing = SignalListener(found[1], LATENCY)
        self.status = SignalListener(found[2], COMPARED)
        self.events = MarkerListener(found[3])
        looked_for = {"query": stream} if stream else {"kind": "EEG"}
        self.eeg = SignalListener(partial(find_stream, **looked_for, timeout=SEARCH), EEG_KEPT, unit)
        super().__init__(self.limb, self.timing, self.status, self.events, self.eeg)

    @property
    def said(self) -> dict[str, Any]:
        """What the run says of itself (:func:`~motorctl.runtime.limb_stream.describe`); empty before it was heard."""
        return self.limb.stream.said if self.limb.stream else {}

    def pose(self) -> dict[str, float]:
        """The newest values of the limb's stream by label; empty before the first."""
        return self.limb.stream.newest if self.limb.stream else {}

    def snapshot(self) -> Snapshot:
        """What is to be seen now."""
        now = float(pylsl.local_clock())
        heard = tuple(self.events.heard)
        cue, limb = newest_cue(heard), self.limb.stream
        if self.limb.trouble or limb is None or not limb.said:
            absent = "is gone" if limb else "is waited for"
            return Snapshot(now, cause=f"the run '{self.name}' {absent}", cue=cue)
        state = self.status.stream.newest if self.status.stream else {}
        phase = limb.said["phases"][int(state["phase"])] if state else str(Phase.IDLE)
        cause = cause_of(phase, heard)
        if limb.age > SILENT:
            phase, cause = "", f"no word from the loop for {limb.age:.1f} s"
        times, commands = commands_of(limb)
        recent = times >= -SHOWN
        latency, missed = latency_of(self.timing.stream)
        return Snapshot(
            now,
            phase,
            cause,
            state.get("assist", 0.0),
            int(state.get("trial", 0)),
            int(state.get("targets", 0)),
            int(state.get("reached", 0)),
            state.get("gated", 0.0),
            latency,
            missed,
            components_of(limb.said),
            times[recent],
            {name: values[recent] for name, values in commands.items()},
            agreement(commands["wanted"], commands["intended"]),
            cue,
            is_recording(heard),
        )


def components_of(said: Mapping[str, Any]) -> tuple[Component, ...]:
    """The numbers of a run's command, of what the run says of itself."""
    named = zip(said["components"], said["low"], said["high"], strict=True)
    return tuple(Component(str(name), str(unit), float(low), float(high)) for (name, unit), low, high in named)


def commands_of(limb: Stream) -> tuple[Array, dict[str, Array]]:
    """Times, 0 being the newest, and the commands by kind ``(time, component)``."""
    times, values = limb.history.last(COMPARED)
    kinds, names = ("wanted", "intended", "command"), [component.name for component in components_of(limb.said)]
    columns = {kind: [limb.info.labels.index(f"{kind}_{name}") for name in names] for kind in kinds}
    return times - times[-1:], {kind: values[:, columns[kind]] for kind in kinds}


def latency_of(timing: Stream | None) -> tuple[dict[str, dict[str, float]], tuple[int, int]]:
    """Percentiles (ms), and deadlines missed of how many."""
    if timing is None:
        return {}, (0, 0)
    _, values = timing.history.last(LATENCY)
    column = dict(zip(timing.info.labels, values.T, strict=True))
    missed = int(np.nansum(column["missed"]))
    return {name: percentiles(column[name], low=name == "slack") for name in TIMES}, (missed, len(values) + missed)


def percentiles(times: Array, low: bool = False) -> dict[str, float]:
    """:data:`PERCENTILES` of times in s, in ms, from the other end if ``low``; empty if there are none."""
    known = 1e3 * times[np.isfinite(times)]
    if not len(known):
        return {}
    return {name: float(np.percentile(known, 100 - p if low else p)) for name, p in PERCENTILES.items()}


def agreement(wanted: Array, intended: Array) -> Array:
    """Correlation of what was decoded with what was intended, ``(time, component)`` each, per component."""
    known = np.isfinite(wanted).all(axis=1) & np.isfinite(intended).all(axis=1)
    if np.count_nonzero(known) < 2:
        return np.full(wanted.shape[1], np.nan)
    return pearson_r(wanted[known].astype(float), intended[known].astype(float))


Heard = tuple[tuple[float, str], ...]


def cause_of(phase: str, heard: Heard) -> str:
    """What the newest event of the phase named as its cause; empty if that has not been heard."""
    for _, text in reversed(heard):
        name, _, cause = text.partition(": ")
        if name in set(Phase):
            return cause if name == phase else ""
    return ""


def newest_cue(heard: Heard) -> Cue | None:
    """The newest of the markers ``cue: left`` and ``pause``; it lasts as long as those before it did."""
    asked = [(time, text == PAUSE, text.removeprefix(CUE)) for time, text in heard if text.startswith((CUE, PAUSE))]
    if not asked:
        return None
    lasted = [end[0] - begin[0] for begin, end in pairwise(asked) if begin[1] == asked[-1][1]]
    since, _, text = asked[-1]
    return Cue(text, since, usual(lasted))


def usual(lasted: Sequence[float]) -> float | None:
    """How long something lasts (s) whose last two times were alike; None if they were not, or there were fewer."""
    if len(lasted) < 2 or abs(lasted[-1] - lasted[-2]) > 0.1 * lasted[-1]:
        return None
    return lasted[-1]


def is_recording(heard: Heard) -> bool:
    """Whether the newest event about a recording is that it has begun."""
    return next((text == BEGUN for _, text in reversed(heard) if text in (BEGUN, ENDED)), False)
