"""Sets of sequences in files: ``.npy`` or ``.npz`` arrays, with classes or values beside them; nothing is unpickled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motorctl.errors import RecordingError
from motorctl.training.arrays import load_arrays, real_numbers
from motorctl.training.examples import Examples

Array = NDArray[np.generic]


def read_sequences(data: Path, labels: Path | None = None, targets: Path | None = None) -> Examples:
    """Read a set of sequences.

    Args:
        data: an ``.npy`` with sequences ``(sequence, time)`` or ``(sequence, time, channel)``, or an ``.npz`` that
            calls them ``sequences`` and may hold ``labels``, ``class_names`` and ``targets`` as well. NaN is a missing
            value; a sequence shorter than the others is filled up with NaN.
        labels: an ``.npy`` with the class of each sequence: ``(sequence,)`` names or numbers, or one-hot ``(sequence,
            class)``.
        targets: an ``.npy`` with what to give: ``(sequence,)`` or ``(sequence, output)`` at the end of each sequence,
            or ``(sequence, time, output)`` on every row, NaN where nothing is to be given.

    Raises:
        RecordingError: a file is missing or damaged, or an array is of a wrong shape, kind or value.
    """
    arrays = load_arrays(data, "sequences")
    if "sequences" not in arrays:
        raise RecordingError(
            f"'{data}' lacks sequences; it has {', '.join(arrays) or 'nothing'}.",
            "Store sequences (sequence, time, channel).",
        )
    for name, path in (("labels", labels), ("targets", targets)):
        if path is not None:
            arrays[name] = _only(path, name)
    inputs, lengths = _inputs(data, arrays["sequences"])
    numbers: NDArray[np.int64] | None = None
    classes: tuple[str, ...] = ()
    if "labels" in arrays:
        numbers, classes = _labels(labels or data, arrays["labels"], arrays.get("class_names"), len(inputs))
    wanted = _targets(targets or data, arrays["targets"], inputs, lengths) if "targets" in arrays else None
    return Examples(inputs, lengths, numbers, classes, wanted)


def targets_every_row(examples: Examples) -> bool:
    """Whether there are targets on other rows than the last of each sequence."""
    if examples.targets is None:
        return False
    known = np.asarray(np.isfinite(examples.targets).any(axis=2))  # (sequence, time)
    return bool(known[~examples.last[..., 0].numpy().astype(bool)].any())


def _only(path: Path, name: str) -> Array:
    arrays = load_arrays(path, name)
    if name not in arrays:
        raise RecordingError(f"'{path}' lacks {name}; it has {', '.join(arrays) or 'nothing'}.", f"Store {name}.")
    return arrays[name]


def _inputs(path: Path, values: Array) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    table = real_numbers(path, "sequences", values)
    table = table[..., None] if table.ndim == 2 else table
    if table.ndim != 3 or 0 in table.shape:
        raise RecordingError(
            f"sequences in '{path}' have the shape {values.shape}.",
            "Store (sequence, time) or (sequence, time, channel).",
        )
    known = np.asarray(np.isfinite(table).any(axis=2))  # (sequence, time)
    full = np.asarray(known.any(axis=1))
    if not full.all():
        empty = int(full.argmin())
        raise RecordingError(f"Sequence {empty} in '{path}' holds no number.", "Leave it out.")
    lengths = table.shape[1] - known[:, ::-1].argmax(axis=1)
    return np.where(np.isfinite(table), table, np.nan), lengths


def _labels(path: Path, labels: Array, names: Array | None, count: int) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Number of the class of each sequence, and the classes' names."""
    if labels.ndim not in (1, 2) or len(labels) != count or 0 in labels.shape:
        raise RecordingError(
            f"labels in '{path}' have the shape {labels.shape} for {count} sequences.",
            "Store one for each, (sequence,) or one-hot (sequence, class).",
        )
    if labels.ndim == 2 and labels.shape[1] > 1:
        hot = real_numbers(path, "labels", labels.astype(np.uint8) if labels.dtype == bool else labels)
        if not (np.isin(hot, (0, 1)).all() and (hot.sum(axis=1) == 1).all()):
            wrong = int(np.flatnonzero(~np.isin(hot, (0, 1)).all(axis=1) | (hot.sum(axis=1) != 1))[0])
            raise RecordingError(
                f"Row {wrong} of labels in '{path}' is not one-hot.", "Store a single 1 and else 0 in each row."
            )
        numbers = hot.argmax(axis=1)
        found = tuple(f"class {number}" for number in range(hot.shape[1]))
    else:
        if not (np.issubdtype(labels.dtype, np.integer) or labels.dtype.kind in "Ub"):
            raise RecordingError(
                f"labels in '{path}' are {labels.dtype}.", "Store names, whole numbers, or one-hot (sequence, class)."
            )
        kinds, numbers = np.unique(labels.ravel(), return_inverse=True)
        found = tuple(str(kind) for kind in kinds.tolist())
    if names is not None:
        given = tuple(str(name) for name in names.ravel().tolist())
        if len(given) != len(found) or len(set(given)) != len(given):
            raise RecordingError(
                f"class_names in '{path}' are {len(given)} for {len(found)} classes, or not all different.",
                "Store one name a class.",
            )
        found = given
    if len(set(numbers.tolist())) < 2:
        raise RecordingError(f"labels in '{path}' are all of one class.", "Store two classes or more.")
    return numbers.astype(np.int64), found


def _targets(
    path: Path, targets: Array, inputs: NDArray[np.float32], lengths: NDArray[np.int64]
) -> NDArray[np.float32]:
    """``(sequence, time, output)``, NaN where nothing is to be given."""
    values = real_numbers(path, "targets", targets)
    count, time = inputs.shape[:2]
    shapes = ((count,), (count, *values.shape[1:2]), (count, time, *values.shape[2:3]))
    if values.ndim not in (1, 2, 3) or values.shape != shapes[values.ndim - 1] or 0 in values.shape:
        raise RecordingError(
            f"targets in '{path}' have the shape {values.shape} for {count} sequences of {time} rows.",
            "Store (sequence,), (sequence, output), or (sequence, time, output).",
        )
    if values.ndim < 3:
        at_end = np.full((count, time, values.reshape(count, -1).shape[1]), np.nan, np.float32)
        at_end[np.arange(count), lengths - 1] = values.reshape(count, -1)
        values = at_end
    known = np.isfinite(values).any(axis=0).any(axis=0)
    if not known.all():
        raise RecordingError(f"Output {int(known.argmin())} of targets in '{path}' holds no number.", "Leave it out.")
    return np.where(np.isfinite(values), values, np.nan)
