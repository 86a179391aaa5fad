"""Tables with labels: a CSV with a column for each feature and one that says what the person did."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from motorctl.errors import ConfigurationError, RecordingError
from motorctl.training.examples import Examples, side_by_side

LABEL = "label"
_FORM = "Write a header, then one row a line, with commas between numbers, and a class in the column label."


class LabelledTable(NamedTuple):
    """Rows in order of time.

    Args:
        values: ``(row, feature)``, NaN where a cell is empty.
        features: names of the columns.
        labels: class of each row.
    """

    values: NDArray[np.float32]
    features: tuple[str, ...]
    labels: list[str]


def read_table(path: Path) -> LabelledTable:
    """Read a CSV with a header, a column ``label``, and numbers in all others; an empty cell, ``nan`` or ``NA`` is
    missing, and so is what is infinite.

    Raises:
        RecordingError: the file is missing, no CSV of that form, or has a column that only tells the time.
    """
    header, rows, lines = _cells(path)
    features = tuple(name for name in header if name != LABEL)
    place = header.index(LABEL)
    labels = [row[place].strip() for row in rows]
    if "" in labels:
        raise RecordingError(f"Line {lines[labels.index('')]} of '{path}' has no label.", _FORM)
    values = np.array(
        [
            [_number(path, line, name, cell) for name, cell in zip(header, row, strict=True) if name != LABEL]
            for line, row in zip(lines, rows, strict=True)
        ]
    )
    values[np.abs(values) > np.finfo(np.float32).max] = np.nan
    for name, column in zip(features, values.T, strict=True):
        if tells_time(column):
            raise RecordingError(
                f"Column '{name}' of '{path}' only ever rises or falls, so it tells when a row was taken, and so its "
                "class.",
                "Leave it out.",
            )
        if not np.isfinite(column).any():
            raise RecordingError(f"Column '{name}' of '{path}' holds no number that can be used.", "Leave it out.")
    return LabelledTable(values.astype(np.float32), features, labels)


def tells_time(column: NDArray[np.floating]) -> bool:
    """Whether a column is a clock or a counter: it only ever rises, or only ever falls, standing still in between or
    not. Of few values that happens by chance."""
    steps = np.diff(column[np.isfinite(column)])
    moves = np.count_nonzero(steps)
    return bool(moves >= 8 and ((steps >= 0).all() or (steps <= 0).all()))


def table_examples(table: LabelledTable, rows: int) -> Examples:
    """Pieces of at most ``rows`` rows, none with two labels, in order of time; a stretch of one label is a bout.

    Raises:
        ConfigurationError: there is nothing to choose from.
    """
    if rows < 1:
        raise ConfigurationError(f"A piece of {rows} rows holds nothing.", "Give 1 row or more.")
    names = tuple(dict.fromkeys(table.labels))
    if len(names) < 2:
        raise ConfigurationError(f"The table has only the class {names[0]}.", "Give one with two or more.")
    number = np.array([names.index(label) for label in table.labels])
    starts = np.flatnonzero(np.diff(number, prepend=-1))
    pieces, labels, bouts = [], [], []
    for bout, (start, end) in enumerate(zip(starts, [*starts[1:], len(number)], strict=True)):
        for begin in range(start, end, rows):
            pieces.append(table.values[begin : min(begin + rows, end)])
            labels.append(number[start])
            bouts.append(bout)
    return Examples(*side_by_side(pieces), np.array(labels), names, bouts=np.array(bouts))


def write_table(path: Path, table: LabelledTable) -> None:
    """Write what :func:`read_table` reads."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*table.features, LABEL])
        for values, label in zip(table.values, table.labels, strict=True):
            writer.writerow([*(f"{value:.6g}" if np.isfinite(value) else "" for value in values), label])


def _cells(path: Path) -> tuple[list[str], list[list[str]], list[int]]:
    """Header, rows, and the line of the file that each row ends on."""
    if not path.is_file():
        raise RecordingError(f"There is no table '{path}'.", "Check the path.")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            numbered = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise RecordingError(f"'{path}' is no CSV in UTF-8 ({error}).", _FORM) from error
    header, *rows = [row for _, row in numbered] or [[]]
    lines = [line for line, _ in numbered[1:]]
    if header.count(LABEL) != 1 or len(set(header)) != len(header) or len(header) < 2:
        found = ", ".join(header) or "nothing"
        raise RecordingError(
            f"'{path}' needs a column '{LABEL}' and one or more others, each name once; its header is {found}.", _FORM
        )
    if not rows:
        raise RecordingError(f"'{path}' has a header and no rows.", _FORM)
    for line, row in zip(lines, rows, strict=True):
        if len(row) != len(header):
            raise RecordingError(f"Line {line} of '{path}' has {len(row)} cells, its header {len(header)}.", _FORM)
    return header, rows, lines


def _number(path: Path, line: int, name: str, cell: str) -> float:
    try:
        return float("nan") if cell in ("", "NA") else float(cell)
    except ValueError:
        raise RecordingError(
            f"Line {line} of '{path}' has '{cell}' in column '{name}', where a number is expected.", _FORM
        ) from None
