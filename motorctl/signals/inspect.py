"""``motorctl inspect``: what is in a recording, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import tyro
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from motorctl.runs import check_json_path, write_json
from motorctl.signals.bad_channels import LOUD, ROBUST
from motorctl.signals.recording import Recording, read_streams

FLAT = 0.5
"""Share of samples equal to the one before, from which on a channel is called flat."""

NOISY = 5.0
"""Robust standard scores of its amplitude among the EEG channels, beyond which one is called noisy (the deviation
criterion of the PREP pipeline, Bigdely-Shamlo et al., Front. Neuroinform. 9:16, 2015), if it is ``LOUD`` too."""

_FEWEST = 4  # channels to tell an unusual one among
_SECOND = 10  # rows at least that a second is taken to have: of a stream of 1 Hz, one says nothing
_SHOWN = 5  # gaps, and onsets of a cue
_ELECTRICAL = ("EEG", "EOG", "EMG", "ECG")


@dataclass(frozen=True)
class InspectRecording:
    """Say what is in a recording: streams, rates, channels, cues, gaps."""

    file: Annotated[Path, tyro.conf.Positional]
    """Recording to look at."""
    unit: str | None = None
    """Unit of the recording's EEG (V, mV, µV, uV, nV), where the file says none or a wrong one."""
    rate: float | None = None
    """Sampling rate (Hz), for a table or an array that does not say it."""
    json: Path | None = None
    """File for what is found as JSON."""


class ChannelReport(NamedTuple):
    """What is found of a channel: robust standard deviation within a second, in its unit; share of samples that are
    missing outside of gaps; marks, of ``flat``, ``noisy``, ``missing``."""

    label: str
    kind: str
    unit: str
    amplitude: float
    missing: float
    marks: tuple[str, ...]


def inspect(config: InspectRecording) -> None:
    """Run the command.

    Raises:
        RecordingError: the recording cannot be read.
        ConfigurationError: the JSON has no folder.
    """
    check_json_path(config.json)
    streams = read_streams(config.file, config.unit, config.rate)
    reports = [describe(stream) for stream in streams]
    notes = list(dict.fromkeys(note for stream in streams for note in stream.notes))
    if config.json:
        write_json(config.json, {"file": config.file, "streams": reports, "notes": notes})
    console = Console(highlight=False)
    for report in reports:
        print_report(console, report)
    for note in notes:
        console.print(f"- {note}", markup=False)


def describe(recording: Recording) -> dict[str, Any]:
    """What is found of a stream, as plain JSON types; times in s from its first sample."""
    info = recording.info
    cues: dict[str, list[float]] = {}
    for annotation in recording.annotations:
        cues.setdefault(annotation.text, []).append(annotation.onset)
    return {
        "name": info.name,
        "kind": info.kind,
        "source_id": info.source_id,
        "rate": info.rate,
        "measured_rate": recording.measured_rate,
        "start": recording.start,
        "rows": len(recording),
        "duration": recording.duration,
        "gaps": [{"begin": begin, "duration": lasts} for begin, lasts in recording.gaps],
        "channels": [report._asdict() for report in channel_reports(recording)],
        "cues": {text: {"count": len(onsets), "first": onsets[:_SHOWN]} for text, onsets in sorted(cues.items())},
    }


def channel_reports(recording: Recording) -> list[ChannelReport]:
    """Each channel's amplitude, and what is unusual about it."""
    present = recording.mask.any(axis=1)
    samples, mask = recording.samples[present], recording.mask[present]
    amplitudes = robust_amplitudes(samples, _block(recording))
    eeg = np.array([channel.kind == "EEG" for channel in recording.info.channels])
    scores = np.zeros(len(eeg))
    if np.count_nonzero(np.isfinite(amplitudes[eeg])) >= _FEWEST:
        scores[eeg] = _robust_scores(amplitudes[eeg])
        scores[amplitudes < LOUD * np.nanmedian(amplitudes[eeg])] = 0
    repeated = (np.diff(samples, axis=0) == 0).mean(axis=0) if len(samples) > 1 else np.zeros(len(eeg))
    reports = []
    for column, channel in enumerate(recording.info.channels):
        missing = float(1 - mask[:, column].mean()) if len(mask) else 1.0
        flat = channel.kind in _ELECTRICAL and repeated[column] >= FLAT
        marks = [("flat", flat), ("noisy", scores[column] > NOISY), ("missing", missing > 0)]
        said = tuple(mark for mark, found in marks if found)
        reports.append(
            ChannelReport(channel.label, channel.kind, channel.unit, float(amplitudes[column]), missing, said)
        )
    return reports


def _block(recording: Recording) -> int:
    return max(_SECOND, round(recording.info.rate)) if recording.info.rate else len(recording)


def robust_amplitudes(samples: NDArray[np.float32], block: int) -> NDArray[np.float64]:
    """Standard deviation of each channel about its median in blocks of ``block`` rows, which takes out offset and
    drift; from the interquartile range, which artefacts hardly change. NaN where nothing was measured.

    Args:
        samples: ``(time, channel)``, NaN where missing.
        block: rows.
    """
    centred = samples.astype(np.float64)
    amplitudes = np.full(samples.shape[1], np.nan)
    for begin in range(0, len(samples), max(1, block)):
        part = centred[begin : begin + block]
        some = np.isfinite(part).any(axis=0)
        part[:, some] -= np.nanmedian(part[:, some], axis=0)
    known = np.isfinite(centred).any(axis=0)
    if known.any():
        low, high = np.nanquantile(centred[:, known], [0.25, 0.75], axis=0)
        amplitudes[known] = ROBUST * (high - low)
    return amplitudes


def _robust_scores(values: NDArray[np.float64]) -> NDArray[np.float64]:
    low, middle, high = np.nanquantile(values, [0.25, 0.5, 0.75])
    spread = ROBUST * (high - low)
    return np.nan_to_num((values - middle) / spread) if spread > 0 else np.zeros(len(values))


def print_report(console: Console, report: dict[str, Any]) -> None:
    """A stream on the console."""
    measured = f", measured {report['measured_rate']:.6g} Hz" if report["rate"] else ""
    rate = f"{report['rate']:g} Hz{measured}" if report["rate"] else "irregular"
    console.print(
        f"{report['name']}: {report['kind']}, {len(report['channels'])} channels, {rate}, {report['duration']:.3f} s",
        markup=False,
        style="bold",
    )
    table = Table("channel", "kind", "unit", "amplitude", "marks")
    for channel in report["channels"]:
        marks = [f"missing {channel['missing']:.1%}" if mark == "missing" else mark for mark in channel["marks"]]
        amplitude = f"{channel['amplitude']:.3g}"
        table.add_row(*map(escape, (channel["label"], channel["kind"], channel["unit"], amplitude, ", ".join(marks))))
    console.print(table)
    if report["cues"]:
        table = Table("cue", "count", "first at (s)")
        for text, cue in report["cues"].items():
            table.add_row(escape(text), str(cue["count"]), ", ".join(f"{onset:.3f}" for onset in cue["first"]))
        console.print(table)
    gaps = report["gaps"]
    if gaps:
        total = sum(gap["duration"] for gap in gaps)
        where = ", ".join(f"{gap['begin']:.3f} s ({gap['duration']:.3f} s)" for gap in gaps[:_SHOWN])
        more = ", ..." if len(gaps) > _SHOWN else ""
        console.print(f"{len(gaps)} gap{'s' * (len(gaps) > 1)}, {total:.3f} s in all, at {where}{more}")
