"""Rows of a text file, said to be damaged where they are."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motorctl.errors import RecordingError


def read_text(path: Path) -> str:
    """A text file in UTF-8, or else Latin-1, as spreadsheets on Windows write it.

    Raises:
        RecordingError: it is empty or holds what no text does.
    """
    raw = path.read_bytes()
    if b"\0" in raw:
        raise RecordingError(f"'{path}' is no text file.", "Export the recording again.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    if not text.strip():
        raise RecordingError(f"'{path}' is empty.", "Export the recording again.")
    return text


def split_rows(
    path: Path, lines: Sequence[str], delimiter: str, width: int, first: int
) -> tuple[list[list[str]], list[str]]:
    """The cells of each line, and notes: a last line that was cut short is left out.

    Args:
        path: the file, for messages.
        lines: with their ends, which tell whether the last was cut short.
        delimiter: between cells.
        width: how many cells a line has.
        first: number of the first line in the file, from 1.

    Raises:
        RecordingError: another line than the last has more or fewer cells.
    """
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True)]
    except csv.Error as error:
        raise RecordingError(f"'{path}' is damaged: {error}.", "Export the recording again.") from error
    notes = []
    if lines and not lines[-1].endswith(("\n", "\r")):
        notes.append("The last line has no end: the file may have been cut short.")
        if len(rows[-1]) < width:
            rows.pop()
            notes.append("That line is not complete, and is left out.")
    for number, row in enumerate(rows, first):
        if row and len(row) != width:
            raise RecordingError(
                f"Line {number} of '{path}' has {len(row)} cells, expected {width}.", "Correct or leave out the line."
            )
    return [row for row in rows if row], notes


def numbers(path: Path, rows: list[list[str]], columns: Sequence[int], names: Sequence[str]) -> NDArray[np.float64]:
    """The cells of some columns as numbers ``(row, column)``; an empty cell is NaN.

    Raises:
        RecordingError: a cell is no number.
    """
    values = np.empty((len(rows), len(columns)))
    for place, column in enumerate(columns):
        for number, row in enumerate(rows):
            try:
                values[number, place] = float(row[column] or "nan")
            except ValueError as error:
                raise RecordingError(
                    f"'{path}' has {row[column]!r} in row {number + 1} of column {names[column]}, expected a number.",
                    "Write numbers with a decimal point, and leave a missing one empty.",
                ) from error
    return values
