"""A recorded run, read again: what each of its decisions rested on."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from motorctl.errors import RecordingError
from motorctl.runtime.safety import Request
from motorctl.runtime.tape import ASKED, DECISIONS, HEARD, RESTART, TRIAL
from motorctl.signals.formats.xdf import raw_streams
from motorctl.signals.recording import Recording, choose_stream, read_streams
from motorctl.signals.stream import Chunk, StreamInfo


class Asked(NamedTuple):
    """What the operator asked for at a decision, and why."""

    request: Request | None = None
    why: str = ""


@dataclass(frozen=True)
class Moment:
    """A decision of a run.

    Args:
        ready: when it was made (s).
        chunks: what had been heard since the one before.
        asked: by the operator.
        assist: share of the expert in the command (0 to 1).
        trial: options of the trial that began after it, None if none did.
        restart: whether a decoder of classes began anew after it.
    """

    ready: float
    chunks: tuple[Chunk, ...]
    asked: Asked = field(default_factory=Asked)
    assist: float = 0.0
    trial: dict[str, Any] | None = None
    restart: bool = False


@dataclass(frozen=True)
class SessionFile:
    """A recorded run.

    Args:
        stream: the EEG.
        moments: in order.
        description: what :func:`~motorctl.runtime.limb_stream.describe` said of the run, its configuration as ``run``;
            empty if no run was recorded.
        commands: ``(moment, size)`` what the limb was told; empty if no run was recorded.
    """

    stream: StreamInfo
    moments: Sequence[Moment]
    description: dict[str, Any]
    commands: NDArray[np.float64]

    def at_rate(self, rate: float) -> SessionFile:
        """With decisions ``rate`` times a second (Hz), each resting on what had been heard by then; commands are
        empty."""
        begin, last = self.moments[0].ready, self.moments[-1].ready
        ready = begin + np.arange(int((last - begin) * rate) + 1) / rate
        places = np.searchsorted(ready, [moment.ready for moment in self.moments]).clip(0, len(ready) - 1)
        parts: dict[int, list[Moment]] = defaultdict(list)
        for place, moment in zip(places.tolist(), self.moments, strict=True):
            parts[place].append(moment)
        moments = [_joined(float(time), parts[k]) for k, time in enumerate(ready)]
        return replace(self, moments=moments, commands=np.empty((0, self.commands.shape[1])))


def read_session(path: Path, stream: str | None = None, rate: float = 50.0) -> SessionFile:
    """Read a run from the XDF file that ``motorctl live --record`` wrote; or any recording of EEG, as if its samples
    had come when they were measured, with decisions ``rate`` times a second.

    Args:
        path: of the file.
        stream: name of the EEG stream of a file without a run, which may be left out if there is one only.
        rate: in Hz, for a file without a run.

    Raises:
        RecordingError: the file cannot be read, or holds neither.
    """
    if path.suffix.lower() in (".xdf", ".xdfz"):
        streams = {str(s["info"]["name"][0]): s for s in raw_streams(path)}
        if run := next((name for name in streams if f"{name} {DECISIONS}" in streams), None):
            return _recorded_run(path, streams, run)
    return _as_it_was_measured(choose_stream(read_streams(path), stream), rate)


def _recorded_run(path: Path, streams: dict[str, dict[str, Any]], run: str) -> SessionFile:
    decisions, heard, events = (streams.get(f"{run} {what}") for what in (DECISIONS, HEARD, "events"))
    if decisions is None or heard is None or events is None or not len(decisions["time_stamps"]):
        raise RecordingError(f"'{path}' holds no decisions of the run '{run}'.", "Choose a recording of a whole run.")
    description = {name: json.loads(text[0]) for name, text in decisions["info"]["desc"][0]["motorctl"][0].items()}
    times, values = decisions["time_stamps"], np.asarray(decisions["time_series"], float)
    rows = np.cumsum(values[:, 1]).astype(int)
    whole = int(np.searchsorted(rows, len(heard["time_stamps"]), "right"))  # of a file that was cut short
    asked, trials, restarts = _happened(events)
    commands = _commands(streams[run], times[:whole])
    moments = [
        Moment(ready, chunks, asked.get(time, Asked()), assist, trials.get(time), time in restarts)
        for time, (ready, _, assist), chunks in zip(
            times[:whole].tolist(), values[:whole].tolist(), _chunks(heard, rows[:whole]), strict=True
        )
    ]
    return SessionFile(StreamInfo.from_dict(description["stream"]), moments, description, commands)


def _chunks(heard: dict[str, Any], ends: NDArray[np.intp]) -> list[tuple[Chunk, ...]]:
    """What was heard for each decision, chunk by chunk; decision k heard rows up to ``ends[k]``."""
    rows, times = np.asarray(heard["time_series"], np.float32), np.asarray(heard["time_stamps"])
    samples, mask = np.nan_to_num(rows[:, :-1], nan=0.0), ~np.isnan(rows[:, :-1])
    first = np.flatnonzero(rows[:, -1])
    parts = []
    begin = 0
    for end in ends.tolist():
        edges = [*first[np.searchsorted(first, begin) : np.searchsorted(first, end)].tolist(), end]
        parts.append(tuple(Chunk(samples[a:b], times[a:b], mask[a:b]) for a, b in zip(edges, edges[1:], strict=False)))
        begin = end
    return parts


def _happened(events: dict[str, Any]) -> tuple[dict[float, Asked], dict[float, dict[str, Any]], set[float]]:
    """What was asked for, which trials began, and which restarts there were, by the time of the command."""
    asked, trials, restarts = {}, {}, set()
    for time, (text,) in zip(np.asarray(events["time_stamps"]).tolist(), events["time_series"], strict=True):
        if text.startswith(TRIAL):
            trials[time] = json.loads(text.removeprefix(TRIAL))
        elif text.startswith(ASKED):
            what, _, why = text.removeprefix(ASKED).partition(", ")
            asked[time] = Asked(cast(Request, what), why)
        elif text == RESTART:
            restarts.add(time)
    return asked, trials, restarts


def _commands(limb: dict[str, Any], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the limb was told at each time; NaN where it is not in the file."""
    labels = [channel["label"][0] for channel in limb["info"]["desc"][0]["channels"][0]["channel"]]
    columns = [k for k, label in enumerate(labels) if label.startswith("command_")]
    values = np.asarray(limb["time_series"], float).reshape(-1, len(labels))[:, columns]
    place = {time: k for k, time in enumerate(np.asarray(limb["time_stamps"]).tolist())}
    rows = [place.get(time, -1) for time in times.tolist()]
    found: NDArray[np.float64] = np.vstack([values, np.full(len(columns), np.nan)])[rows]
    return found


def _as_it_was_measured(recording: Recording, rate: float) -> SessionFile:
    """Decisions on a recording of EEG alone."""
    times = recording.start + np.arange(len(recording)) / recording.info.rate
    chunk = Chunk(np.where(recording.mask, recording.samples, 0).astype(np.float32), times, recording.mask)
    ready = float(times[0]) + np.arange(1, int(recording.duration * rate) + 1) / rate
    ends = np.searchsorted(times, ready, "right").tolist()
    moments = [
        Moment(time, (chunk[a:b],) if b > a else ())
        for time, a, b in zip(ready.tolist(), [0, *ends], ends, strict=False)
    ]
    return SessionFile(recording.info, moments, {}, np.empty((0, 0)))


def _joined(ready: float, parts: list[Moment]) -> Moment:
    """Several decisions as one."""
    chunks = tuple(chunk for part in parts for chunk in part.chunks)
    requests = [part.asked for part in parts if part.asked.request]
    stops = [asked for asked in requests if asked.request == "stop"]
    trials = [part.trial for part in parts if part.trial is not None]
    asked = [*requests, *stops][-1] if requests else Asked()
    assist = parts[-1].assist if parts else 0.0
    return Moment(ready, chunks, asked, assist, trials[-1] if trials else None, any(part.restart for part in parts))
