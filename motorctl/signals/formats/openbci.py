"""The text files that OpenBCI's GUI writes, of versions 4 and 5 and later, and the samples that its radio lost.

Each line has the sample counter of its packet: 0 to 255 for the Cyton, every second of them with its Daisy module, and
for the Ganglion 0 to 100, or 0 and 101 to 200 without accelerometer, twice each because a packet has two samples, 0
once with the older firmware (OpenBCI documentation, Cyton and Ganglion data formats; OpenBCI GUI, PacketLossTracker).
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from motorctl.errors import RecordingError
from motorctl.signals.electrodes import clean_label
from motorctl.signals.formats.assemble import assemble, spread
from motorctl.signals.formats.text import numbers, read_text, split_rows
from motorctl.signals.recording import Annotation, Recording
from motorctl.signals.stream import Channel

_ACCELEROMETER_AXES = 3


class _Columns(NamedTuple):
    names: list[str]
    exg: list[int]
    accelerometer: list[int]
    marker: int | None
    stamp: int | None  # seconds or milliseconds since 1970


def read(path: Path, unit: str | None, rate: float | None) -> tuple[Recording, ...]:
    """The electrodes (µV) as an EEG stream and the accelerometer (g) as another; markers are annotations.

    Raises:
        RecordingError: the file is no OpenBCI file, damaged, or lacks a column.
    """
    text = read_text(path)
    if not text.startswith("%OpenBCI"):
        raise RecordingError(f"'{path}' is no text file of OpenBCI's GUI.", "Rename a table with a header to .csv.")
    lines = io.StringIO(text).readlines()
    begin = next((i for i, line in enumerate(lines) if not line.startswith("%")), len(lines))
    parts = [line[1:].partition("=") for line in lines[:begin]]
    said = {key.strip(): value.strip() for key, _, value in parts}
    hertz = _number(path, said, "Sample Rate")
    columns, begin = _columns(path, lines, begin, said)
    rows, notes = split_rows(path, lines[begin:], ",", len(columns.names), begin + 1)
    if not rows:
        raise RecordingError(f"'{path}' holds no sample.", "Record again.")
    kept, places, more = _places_of_rows(path, rows, columns, hertz, "Ganglion" in said.get("Board", ""))
    marks = _markers(path, rows, columns, kept, places, hertz)
    used = [0, *columns.exg, *columns.accelerometer, columns.marker, columns.stamp]
    if unused := sorted({name for i, name in enumerate(columns.names) if i not in used}):
        more.append(f"The columns {', '.join(unused)} are left out.")

    def stream(name: str, kind: str, indices: list[int], channels: list[Channel]) -> Recording:
        samples = spread(path, numbers(path, rows, indices, columns.names)[kept], places, hertz)
        said = [*notes, *more]
        return assemble(path, channels, samples, hertz, unit=unit, name=name, kind=kind, annotations=marks, notes=said)

    electrodes = [Channel(clean_label(columns.names[i]), "uV") for i in columns.exg]
    axes = [Channel(f"accelerometer {axis}", "g", "MISC") for axis in "xyz"]
    streams = [stream(path.stem, "EEG", columns.exg, electrodes)]
    if columns.accelerometer:
        streams.append(stream(f"{path.stem} accelerometer", "Accelerometer", columns.accelerometer, axes))
    return tuple(streams)


def _number(path: Path, said: dict[str, str], key: str) -> float:
    found = re.match(r"\d+(\.\d+)?", said.get(key, ""))
    if not found or not float(found[0]):
        raise RecordingError(f"The header of '{path}' does not say '{key} = ...'.", "Write the line into its header.")
    return float(found[0])


def _columns(path: Path, lines: list[str], begin: int, said: dict[str, str]) -> tuple[_Columns, int]:
    """What the columns are, by the line of names or, before version 5, by the number of channels; and where rows
    begin."""
    first = [cell.strip() for cell in lines[begin].split(",")] if begin < len(lines) else []
    count = int(_number(path, said, "Number of channels"))
    if first and first[0] == "Sample Index":
        exg = [i for i, name in enumerate(first) if name.startswith("EXG")]
        axes = [i for i, name in enumerate(first) if name.startswith("Accel")]
        marker = first.index("Marker Channel") if "Marker Channel" in first else None
        stamp = first.index("Timestamp") if "Timestamp" in first else None
        begin += 1
    else:
        exg = list(range(1, count + 1))
        more = len(first) - 1 - count
        axes = list(range(count + 1, count + 1 + _ACCELEROMETER_AXES)) if more >= _ACCELEROMETER_AXES else []
        marker = None
        stamp = len(first) - 1 if more > len(axes) else None
        first = ["Sample Index", *(f"EXG Channel {i}" for i in range(count)), *(f"column {i}" for i in range(more))]
    if len(exg) != count or len(axes) not in (0, _ACCELEROMETER_AXES) or len(first) <= count:
        raise RecordingError(
            f"'{path}' has {len(exg)} electrode and {len(axes)} accelerometer columns, expected {count} and 3 or none.",
            "Record again, or correct its header.",
        )
    return _Columns(first, exg, axes, marker, stamp), begin


def _stamps(path: Path, rows: list[list[str]], columns: _Columns) -> NDArray[np.float64] | None:
    """When the computer had each line (s), if that is said."""
    if columns.stamp is None:
        return None
    stamps = numbers(path, rows, [columns.stamp], columns.names)[:, 0]
    return stamps / 1000 if np.nanmedian(stamps) > 1e11 else stamps  # milliseconds since 1970 before version 5


def _places_of_rows(
    path: Path, rows: list[list[str]], columns: _Columns, rate: float, ganglion: bool
) -> tuple[NDArray[np.intp], NDArray[np.intp], list[str]]:
    """The lines that are samples, the row of each with what was lost in between, and notes."""
    counter = numbers(path, rows, [0], columns.names)[:, 0]
    if not np.array_equal(counter, np.floor(counter) % 256):
        raise RecordingError(f"'{path}' has a sample counter that is no whole number of 0 to 255.", "Record again.")
    steps = _steps(counter.astype(np.intp), _stamps(path, rows, columns), rate, ganglion)
    kept = np.flatnonzero(steps)
    places = np.cumsum(steps)[kept] - 1
    notes = []
    if twins := len(steps) - len(kept):
        notes.append(f"{twins} lines repeat the sample before them, and are left out.")
    if lost := int(places[-1] + 1 - len(kept)):
        notes.append(f"The radio lost {lost} of {places[-1] + 1} samples by the sample counter.")
    return kept, places, notes


def _steps(
    counter: NDArray[np.intp], seconds: NDArray[np.float64] | None, rate: float, ganglion: bool
) -> NDArray[np.intp]:
    """How many samples each line is after the one before: 1, more where some were lost, 0 for a line that repeats it.

    A loss of whole turns of the counter does not show in it, but in the computer's clock.
    """
    place, turn = _places(counter, ganglion)
    steps = np.diff(place, prepend=place[0] - 1) % turn
    if seconds is not None:
        passed = np.diff(seconds, prepend=seconds[0]) * rate
        steps += np.maximum(np.round((np.nan_to_num(passed) - steps) / turn), 0).astype(np.intp) * turn
    return steps


def _places(counter: NDArray[np.intp], ganglion: bool) -> tuple[NDArray[np.intp], int]:
    """Where in a turn of the counter each line is, and how many samples a turn has."""
    same = np.diff(counter, prepend=-1) == 0
    second = np.zeros(len(counter), np.intp)
    for line in np.flatnonzero(same):
        second[line] = 1 - second[line - 1]
    if ganglion and not same.any():  # version 4 numbers the samples, not the packets
        return counter, 201
    if ganglion:
        packet = np.where(counter > 100, counter - 100, counter)
        zeros = 2 if (same & (counter == 0)).any() else 1
        return np.where(packet == 0, second, zeros + 2 * (packet - 1) + second), zeros + 200
    steps = np.diff(counter) % 256
    stride = 2 if len(steps) and np.median(steps) == 2 else 1
    return counter // stride, 256 // stride


def _markers(
    path: Path, rows: list[list[str]], columns: _Columns, kept: NDArray[np.intp], places: NDArray[np.intp], rate: float
) -> list[Annotation]:
    if columns.marker is None:
        return []
    codes = numbers(path, rows, [columns.marker], columns.names)[kept, 0]
    marked = np.flatnonzero(np.nan_to_num(codes))
    return [Annotation(float(places[i]) / rate, 0.0, f"{codes[i]:g}") for i in marked]
