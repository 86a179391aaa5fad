"""CSV and TSV files with a header: a column a channel, and columns for time and labels."""

from __future__ import annotations

import io
import re
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motorctl.errors import RecordingError
from motorctl.signals.formats import openbci
from motorctl.signals.formats.assemble import NAME_RATE, assemble, declared_table, spread
from motorctl.signals.formats.text import numbers, read_text, split_rows
from motorctl.signals.formats.timestamps import Layout, lay_out, plausible
from motorctl.signals.recording import Annotation, Recording, suffix_of

TIME_COLUMN = "time"
LABEL_COLUMN = "label"

_TIME = ("time", "times", "timestamp", "timestamps", "t", "seconds")
_LABEL = ("label", "labels", "annotation", "marker", "event", "cue", "stimulus")
_INDEX = ("", "index", "sample", "sample index")
_SECONDS = {"": 1.0, "s": 1.0, "sec": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6}
_UNIT = re.compile(r"(?P<name>.*?)\s*[(\[](?P<unit>[^)\]]*)[)\]]")


def read(path: Path, unit: str | None, rate: float | None) -> tuple[Recording, ...]:
    """The one stream of a table.

    Its first line names the columns: ``time (s)``, or the rate has to be given; ``label``, of which rows one after the
    other with one text are one annotation; the others are channels, as ``C3`` or ``C3 (uV)``.

    Raises:
        RecordingError: the table is damaged, has no header, no time and no rate, or times that do not increase.
    """
    text = read_text(path)
    if text.startswith("%OpenBCI"):
        return openbci.read(path, unit, None)
    lines = io.StringIO(text).readlines()
    top = next(number for number, line in enumerate(lines) if line.strip())
    header, lines = lines[top], lines[top + 1 :]
    delimiter = "\t" if suffix_of(path) == ".tsv" else max(",;\t", key=header.count)
    names, units = _columns(path, header, delimiter)
    rows, notes = split_rows(path, lines, delimiter, len(names), top + 2)
    if not rows:
        raise RecordingError(f"'{path}' has a header but no rows.", "Export the recording again.")
    folded = [name.casefold() for name in names]
    time, label = (next((i for i, name in enumerate(folded) if name in known), None) for known in (_TIME, _LABEL))
    index = [i for i, name in enumerate(folded) if name in _INDEX]
    if index:
        notes.append(f"Column {', '.join(repr(names[i]) for i in index)} counts rows and is left out.")
    columns = [i for i in range(len(names)) if i not in (time, label, *index)]
    samples = numbers(path, rows, columns, names)
    if time is None and rate is None:
        raise RecordingError(f"'{path}' has no column {TIME_COLUMN}; it has {', '.join(names)}.", NAME_RATE)
    stamps = (
        np.arange(len(rows)) / (rate or 1.0)
        if time is None
        else numbers(path, rows, [time], names)[:, 0] * _seconds(path, units[time])
    )
    _check_stamps(path, stamps)
    layout = lay_out(stamps, 1 / float(np.median(np.diff(stamps))) if len(stamps) > 1 else 1.0)
    hertz = _nominal_rate(path, layout, rate)
    spaced = spread(path, samples, layout.rows, hertz)
    times = layout.row_times() - layout.times[0]
    texts = [row[label] for row in rows] if label is not None else []
    return (
        assemble(
            path,
            declared_table([names[i] for i in columns], [units[i] for i in columns]),
            spaced,
            hertz,
            unit=unit,
            times=times,
            start=float(layout.times[0]),
            annotations=_annotations(texts, layout.rows, times, hertz),
            notes=notes,
        ),
    )


def is_special(name: str) -> bool:
    """Whether a column of this name is no channel."""
    return name.casefold() in (*_TIME, *_LABEL, *_INDEX)


def _columns(path: Path, header: str, delimiter: str) -> tuple[list[str], list[str]]:
    """Names and units; a header of numbers is a first row."""
    (cells,), _ = split_rows(path, [header.rstrip("\r\n") + "\n"], delimiter, header.count(delimiter) + 1, 1)
    if all(map(_is_number, cells)):
        raise RecordingError(
            f"'{path}' has no header: its first line has numbers.", "Name the columns in a first line."
        )
    parts = [_UNIT.fullmatch(cell) for cell in cells]
    names = [part["name"] if part else cell for part, cell in zip(parts, cells, strict=True)]
    return names, [part["unit"].strip() if part else "" for part in parts]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _seconds(path: Path, unit: str) -> float:
    if unit not in _SECONDS:
        raise RecordingError(f"'{path}' has its time in {unit!r}, expected s, ms or us.", "Correct the column's name.")
    return _SECONDS[unit]


def _check_stamps(path: Path, stamps: NDArray[np.float64]) -> None:
    later = np.isfinite(stamps[1:]) & (np.diff(stamps) > 0)
    if not np.isfinite(stamps[:1]).all() or not later.all():
        row = int(np.argmin(later)) + 2 if np.isfinite(stamps[0]) else 1
        raise RecordingError(
            f"'{path}' has times that do not increase at row {row}.", "Sort the rows, leave out twins."
        )
    if not plausible(stamps):
        raise RecordingError(f"'{path}' has times of 30,000 years and more.", "Name their unit: time (ms), time (us).")


def _nominal_rate(path: Path, layout: Layout, given: float | None) -> float:
    """The given rate if the times agree, or the one they tell: a whole number if they are that close to one."""
    if len(layout.rows) < 2:
        if given is None:
            raise RecordingError(f"'{path}' has one row, which tells no rate.", NAME_RATE)
        return given
    found = float(layout.rows[-1] / (layout.times[-1] - layout.times[0]))
    if given is None:
        whole = round(found)
        return float(whole) if whole and abs(found - whole) < 1e-3 * found else found
    if abs(found - given) > 0.05 * given:
        raise RecordingError(
            f"'{path}' has {found:.4g} rows a second by its times, but {given:g} Hz was given.", "Correct --rate."
        )
    return given


def _annotations(texts: list[str], rows: NDArray[np.intp], times: NDArray[np.float64], rate: float) -> list[Annotation]:
    """Rows one after the other that have the same text, as one annotation that lasts as long as they do."""
    found = []
    for text, group in groupby(zip(texts, rows.tolist(), strict=False), key=lambda cell: cell[0]):
        span = [row for _, row in group]
        if text:
            begin, last = float(times[span[0]]), float(times[span[-1]])
            found.append(Annotation(begin, last - begin + 1 / rate, text))
    return found
