"""Recordings with continuous targets as arrays: an ``.npz`` of samples, of what they are to give, and of their rate."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motorctl.errors import RecordingError
from motorctl.signals.pipeline import Features
from motorctl.training.sequence import Sequence

BLOCKS = 100
"""Where there are no trials, time is cut into this many blocks of one length."""

_KEYS = "samples (time, channel), targets (time, output) and rate"


@dataclass(frozen=True, eq=False)
class ArrayRecording:
    """Signals with continuous targets.

    Args:
        sequence: samples as features, targets, and the trial of each row; trials are numbered in order of time.
        rate: rows per second (Hz).
        channel_names: ``(channel,)``.
        target_names: ``(output,)``.
    """

    sequence: Sequence
    rate: float
    channel_names: tuple[str, ...]
    target_names: tuple[str, ...]


def read_arrays(path: Path) -> ArrayRecording:
    """Read ``samples (time, channel)``, ``targets (time, output)``, ``rate`` (Hz), and, where they are there, ``trials
    (time,)`` (below 0 between trials), ``channel_names`` and ``target_names`` from an ``.npz``; nothing is unpickled.
    A value that is NaN or infinite is missing: NaN in samples and targets, and False in the mask of the features.

    Raises:
        RecordingError: the file is missing or damaged, lacks an array, or one is of a wrong shape, kind or value.
    """
    arrays = load_arrays(path)
    if absent := [key for key in ("samples", "targets", "rate") if key not in arrays]:
        found = ", ".join(arrays) or "nothing"
        raise RecordingError(f"'{path}' lacks {', '.join(absent)}; it has {found}.", f"Store {_KEYS}.")
    samples, targets = (_table(path, name, arrays[name]) for name in ("samples", "targets"))
    if len(samples) != len(targets):
        raise RecordingError(
            f"'{path}' has {len(samples)} samples but {len(targets)} targets.", "Give one target for each sample."
        )
    rate = arrays["rate"]
    if rate.size != 1 or not np.issubdtype(rate.dtype, np.number) or not 0 < float(rate.item()) < np.inf:
        raise RecordingError(f"'{path}' has the rate {rate.tolist()}.", "Store one number above 0 (Hz).")
    hertz = float(rate.item())
    trial = _trials(path, arrays.get("trials"), len(samples))
    features = Features(samples, np.arange(len(samples)) / hertz, np.isfinite(samples))
    channels = _names(path, "channel_names", arrays, samples.shape[1], "channel")
    outputs = _names(path, "target_names", arrays, targets.shape[1], "output")
    return ArrayRecording(Sequence(features, targets, trial), hertz, channels, outputs)


def load_arrays(path: Path, bare: str = "") -> dict[str, NDArray[np.generic]]:
    """The arrays of an ``.npz`` by name; where ``bare`` names what an ``.npy`` holds, of that too; nothing unpickled.

    Raises:
        RecordingError: the file is missing, damaged, or holds objects.
    """
    if not path.is_file():
        raise RecordingError(f"There is no recording '{path}'.", "Check the path.")
    kinds = ".npy or .npz" if bare else ".npz"
    with path.open("rb") as opened:
        is_bare = bool(bare) and opened.read(6) == b"\x93NUMPY"
    if not is_bare and not zipfile.is_zipfile(path):
        raise RecordingError(f"'{path}' is damaged or no {kinds} file.", "Write it with numpy.save or numpy.savez.")
    try:
        if is_bare:
            return {bare: np.load(path, allow_pickle=False)}
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except OSError:
        raise
    except Exception as error:  # a damaged header fails in as many ways as it has fields
        if "allow_pickle" in str(error):
            raise RecordingError(
                f"'{path}' holds pickled objects, which could run code.", "Store plain arrays of numbers and text."
            ) from error
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise RecordingError(f"'{path}' is damaged: {reason}.", "Write it again with numpy.") from error


def real_numbers(path: Path, name: str, values: NDArray[np.generic]) -> NDArray[np.float32]:
    """``values`` as float32.

    Raises:
        RecordingError: they are no real numbers.
    """
    if not np.issubdtype(values.dtype, np.number) or np.iscomplexobj(values):
        raise RecordingError(f"{name} in '{path}' are no real numbers but {values.dtype}.", "Store numbers.")
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and counts as missing
        return values.astype(np.float32)


def _table(path: Path, name: str, values: NDArray[np.generic]) -> NDArray[np.float32]:
    """``(time, column)``, NaN where a value is missing."""
    table = real_numbers(path, name, values)
    if values.ndim != 2 or 0 in values.shape:
        raise RecordingError(f"{name} in '{path}' have the shape {values.shape}.", f"Store {_KEYS}.")
    known = np.isfinite(table)
    if not known.any(axis=0).all():
        empty = int(known.any(axis=0).argmin())
        raise RecordingError(f"Column {empty} of {name} in '{path}' holds no number.", "Leave it out.")
    return np.where(known, table, np.nan)


def _trials(path: Path, trials: NDArray[np.generic] | None, length: int) -> NDArray[np.int64]:
    """Number of each row's trial, anew and in order of time; blocks of time where there are none."""
    if trials is None:
        return np.arange(length) * min(BLOCKS, length) // length
    if trials.shape != (length,) or not np.issubdtype(trials.dtype, np.integer):
        raise RecordingError(
            f"trials in '{path}' are {trials.dtype} of the shape {trials.shape}, expected {length} whole numbers.",
            "Store the number of each row's trial, below 0 between trials.",
        )
    given = trials.astype(np.int64)
    begins = np.diff(given, prepend=-1) != 0
    numbered = np.where(given >= 0, np.cumsum(begins & (given >= 0)) - 1, -1)
    if numbered.max() < 1:
        raise RecordingError(f"'{path}' has fewer than two trials.", "Record more, or leave trials out.")
    return numbered


def _names(path: Path, key: str, arrays: dict[str, NDArray[np.generic]], count: int, kind: str) -> tuple[str, ...]:
    if key not in arrays:
        return tuple(f"{kind} {i}" for i in range(count))
    names = tuple(str(name) for name in arrays[key].ravel().tolist())
    if len(set(names)) != count or len(names) != count:
        raise RecordingError(
            f"{key} in '{path}' are {len(names)} for {count} columns, or not all different.", "Store one name a column."
        )
    return names
