"""Recordings written to files: FIF, EDF, CSV, XDF. Each writer says what its format cannot hold, and refuses to write
where that would change what was measured."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Callable
from pathlib import Path

import edfio
import mne  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

from motorctl.errors import RecordingError
from motorctl.signals.electrodes import channel_kind
from motorctl.signals.formats.assemble import SKIPPED
from motorctl.signals.formats.tables import LABEL_COLUMN, TIME_COLUMN, is_special
from motorctl.signals.recording import Annotation, Recording
from motorctl.signals.stream import Channel, StreamInfo
from motorctl.signals.units import MICROVOLTS, check_voltages
from motorctl.signals.xdf_writer import XdfWriter, stream_header

_MNE_TYPES = {"EEG": "eeg", "EOG": "eog", "EMG": "emg", "ECG": "ecg"}
_FIF_BYTES = 2 * 10**9  # MNE splits a longer file into several
_EDF_RECORD = 61440  # bytes, the most that the format asks for
_CHUNK = 1000  # rows that XDF gets at once

Writer = Callable[[tuple[Recording, ...], Path], list[str]]


def write_fif(recordings: tuple[Recording, ...], path: Path) -> list[str]:
    """Write one stream; missing samples are NaN, and stretches without any are marked for MNE to skip.

    Args:
        recordings: the stream.
        path: ending in ``.fif``.

    Returns:
        What FIF does not hold, a sentence each.

    Raises:
        RecordingError: a voltage has no known unit, or the file would be too long.
    """
    (recording,) = recordings
    channels = recording.info.channels
    check_voltages(channels, f"'{recording.path}'", RecordingError)
    if recording.samples.size * 8 > _FIF_BYTES:
        raise RecordingError(f"{recording.path.name} is too long for one FIF file.", "Write .xdf, or cut it in two.")
    # MNE keeps the unit of voltages alone; "bio" is a voltage that is none of the four.
    types = [_MNE_TYPES.get(c.kind, "bio" if c.unit == MICROVOLTS else "misc") for c in channels]
    scale = np.array([1.0 if kind == "misc" else 1e-6 for kind in types])
    info = mne.create_info([channel.label for channel in channels], recording.info.rate, types)
    raw = mne.io.RawArray((recording.samples * scale).T, info, verbose="error")
    skipped = [Annotation(begin, lasts, SKIPPED) for begin, lasts in recording.gaps]
    inside, notes = _inside(recording)
    onsets, durations, texts = _on_nominal_clock(recording, [*inside, *skipped])
    raw.set_annotations(mne.Annotations(onsets, durations, texts))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This filename", RuntimeWarning)  # MNE has conventions for names of its own
        raw.save(path, fmt="double", overwrite=True, verbose="error")
    if unitless := [
        f"{c.label} ({c.unit})" for c, kind in zip(channels, types, strict=True) if kind == "misc" and c.unit
    ]:
        notes.append(f"FIF keeps no unit of {', '.join(unitless)}.")
    return [*notes, *_drift(recording, "FIF")]


def write_edf(recordings: tuple[Recording, ...], path: Path) -> list[str]:
    """Write one stream as EDF+, in 16 bits over the range of each channel; a stretch at the end that fills up the last
    record is marked as skipped.

    Raises:
        RecordingError: samples are missing, or a label, unit or rate does not fit into EDF.
    """
    (recording,) = recordings
    check_voltages(recording.info.channels, f"'{recording.path}'", RecordingError)
    measured = len(recording) - int(np.argmax(recording.mask[::-1].any(axis=1)))  # rows up to the last that was
    if not recording.mask[:measured].all():
        raise RecordingError(
            f"EDF cannot hold the {np.count_nonzero(~recording.mask[:measured])} values that are missing in "
            f"'{recording.path}'.",
            "Write .fif, .csv or .xdf.",
        )
    rate, count = recording.info.rate, _record_samples(recording, measured)
    filled = -measured % count
    samples = np.pad(recording.samples[:measured].astype(np.float64), ((0, filled), (0, 0)))
    inside, notes = _inside(recording)
    if filled:
        inside.append(Annotation(measured / rate, filled / rate, SKIPPED))
        notes.append(f"The last {filled} rows fill up a record with zeros; they are marked as {SKIPPED}.")
    onsets, durations, texts = _on_nominal_clock(recording, inside)
    steps = []
    try:
        signals = []
        for column, channel in enumerate(recording.info.channels):
            low, high = _range(samples[:, column])
            steps.append((high - low) / 65535)
            unit = "uV" if channel.unit == MICROVOLTS else channel.unit
            signal = edfio.EdfSignal(
                samples[:, column], rate, label=channel.label, physical_dimension=unit, physical_range=(low, high)
            )
            signals.append(signal)
        marks = [edfio.EdfAnnotation(*mark) for mark in zip(onsets, durations, texts, strict=True)]
        whole = io.BytesIO()  # written to a full disk, edfio's own file lacks its end without a word
        edfio.Edf(signals, annotations=marks, data_record_duration=count / rate).write(whole)
    except ValueError as error:
        problem = " ".join(str(error).split()).rstrip(".")
        raise RecordingError(f"EDF cannot hold '{recording.path}': {problem}.", "Write .fif, .csv or .xdf.") from error
    path.write_bytes(whole.getbuffer())
    coarsest = int(np.argmax(steps))
    channel = recording.info.channels[coarsest]
    notes.append(f"EDF keeps 16 bits: steps of up to {steps[coarsest]:.2g} {channel.unit} ({channel.label}).")
    if any(channel_kind(c.label) != c.kind for c in recording.info.channels):
        notes.append("EDF does not keep what a channel measures, where its label does not say it.")
    return [*notes, *_drift(recording, "EDF")]


def write_csv(recordings: tuple[Recording, ...], path: Path) -> list[str]:
    """Write one stream as a table: ``time (s)``, a column a channel, and ``label`` with the annotation that lasts.

    Raises:
        RecordingError: annotations overlap or follow each other under one text, or a channel has the name of a column.
    """
    (recording,) = recordings
    if taken := [label for label in recording.info.labels if is_special(label)]:
        raise RecordingError(
            f"CSV has a meaning of its own for columns named {', '.join(taken)}.", "Write .fif or .xdf."
        )
    inside, notes = _inside(recording)
    labels, rounded = _label_column(recording, inside)
    if rounded:
        notes.append(f"CSV keeps onsets and durations to a sample: {rounded} of {len(inside)} annotations are rounded.")
    names = [
        f"{c.label} ({c.unit})" if c.unit or "(" in c.label or "[" in c.label else c.label
        for c in recording.info.channels
    ]
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow([f"{TIME_COLUMN} (s)", *names, LABEL_COLUMN])
        stamps = (recording.start + recording.times).tolist()
        for stamp, row, label in zip(stamps, recording.samples.tolist(), labels, strict=True):
            # 9 digits tell every float32 from the next, and NaN alone differs from itself
            table.writerow([repr(stamp), *("" if value != value else f"{value:.9g}" for value in row), label])
    return notes


def write_xdf(recordings: tuple[Recording, ...], path: Path) -> list[str]:
    """Write every stream, and the annotations as a stream of markers; rows without any sample are left out, as the time
    stamps tell.

    Returns:
        What XDF does not hold, a sentence each.
    """
    path.unlink(missing_ok=True)
    markers = sorted({(r.start + a.onset, a.text) for r in recordings for a in r.annotations})
    with XdfWriter(path) as file:
        for recording in recordings:
            number = file.add_stream(stream_header(recording.info))
            rows = np.flatnonzero(recording.mask.any(axis=1))
            for part in np.array_split(rows, len(rows) // _CHUNK + 1):
                file.append(number, recording.samples[part], recording.start + recording.times[part])
        if markers:
            name = f"{recordings[0].info.name} markers"
            info = StreamInfo(name, "Markers", 0.0, (Channel("markers", "", "Markers"),))
            number = file.add_stream(stream_header(info, "string"))
            file.append(number, [[text] for _, text in markers], np.array([stamp for stamp, _ in markers]))
    lasting = max(sum(a.duration > 0 for a in recording.annotations) for recording in recordings)
    return [f"Markers of XDF have no duration: those of {lasting} annotations are left out."] if lasting else []


def _inside(recording: Recording) -> tuple[list[Annotation], list[str]]:
    """The annotations that begin while the recording lasts, and a note on the others."""
    inside = [a for a in recording.annotations if 0 <= a.onset < recording.duration]
    others = len(recording.annotations) - len(inside)
    return inside, [f"{others} annotations before the first or after the last sample are left out."] if others else []


def _on_nominal_clock(
    recording: Recording, annotations: list[Annotation]
) -> tuple[list[float], list[float], list[str]]:
    """Onsets, durations and texts, so that each stays beside its sample in a format that knows one rate only."""
    nominal = np.arange(len(recording) + 1) / recording.info.rate
    measured = np.append(recording.times, recording.duration)
    begins = np.interp([a.onset for a in annotations], measured, nominal)
    ends = np.interp([a.onset + a.duration for a in annotations], measured, nominal)
    exact = np.array_equal(measured, nominal) or not _drift(recording, "")
    onsets = [a.onset for a in annotations] if exact else begins.tolist()
    durations = [a.duration for a in annotations] if exact else (ends - begins).tolist()
    return onsets, durations, [a.text for a in annotations]


def _drift(recording: Recording, name: str) -> list[str]:
    """A note if the device ran at another rate than it says, by more than a sample over the whole."""
    rate = recording.info.rate
    furthest = float(np.abs(recording.times - np.arange(len(recording)) / rate).max())
    if furthest * rate <= 1:
        return []
    measured = f"the device ran at {recording.measured_rate:.6g} Hz"
    return [f"{name} knows {rate:g} Hz only, but {measured}: times are off by up to {furthest:.3g} s."]


def _record_samples(recording: Recording, rows: int) -> int:
    """Samples of a record of about a second: so many that nothing has to be filled up if that can be."""
    rate = recording.info.rate
    most = max(1, min(round(rate), _EDF_RECORD // 2 // len(recording.info.channels)))
    storable = [count for count in range(most, 0, -1) if len(repr(count / rate)) <= 8]  # the length has 8 characters
    fitting = [count for count in storable if rows % count == 0 and 2 * count > most]
    return next(iter(fitting or storable), most)


def _range(values: NDArray[np.float64]) -> tuple[float, float]:
    """Physical minimum and maximum, in the eight characters that EDF has for each, around the values."""
    low, high = float(values.min()), float(values.max())
    low, high = (low, high) if high > low else (low - 1, high + 1)
    margin = 1e-5 * max(abs(low), abs(high), 1e-3)
    return _eight(low, -margin), _eight(high, margin)


def _eight(value: float, margin: float) -> float:
    if float(text := f"{value:.8g}"[:8]) == value and "e" not in text:
        return value
    return float(f"{value + margin:.8f}"[:8])


def _label_column(recording: Recording, annotations: list[Annotation]) -> tuple[list[str], int]:
    """The text beside each row, and how many annotations begin or end between two rows."""
    labels = [""] * len(recording)
    half = 0.5 / recording.info.rate
    rounded = 0
    for a in annotations:
        first, last = np.searchsorted(recording.times, np.array([a.onset, a.onset + a.duration]) - half).tolist()
        first, last = min(first, len(labels) - 1), max(last, first + 1)
        if any(labels[first:last]) or (first and labels[first - 1] == a.text):
            raise RecordingError(
                f"CSV cannot hold annotations of '{recording.path}' that overlap or follow each other under one text, "
                f"as '{a.text}' at {a.onset:g} s.",
                "Write .fif, .edf or .xdf.",
            )
        labels[first:last] = [a.text] * (last - first)
        ends = recording.times[first], recording.times[last - 1] + 2 * half
        rounded += abs(ends[0] - a.onset) > 1e-6 or abs(ends[1] - a.onset - a.duration) > 1e-6
    return labels, rounded


WRITERS: dict[str, Writer] = {".fif": write_fif, ".edf": write_edf, ".csv": write_csv, ".xdf": write_xdf}
"""Suffix to what writes it."""

ONE_STREAM = (".fif", ".edf", ".csv")
"""Formats of one stream."""
