"""Arrays of samples: ``.npy`` and ``.npz`` files."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motorctl.errors import RecordingError
from motorctl.signals.formats.assemble import NAME_RATE, assemble, declared_table
from motorctl.signals.recording import Recording, suffix_of

_KEYS = "samples (time, channel), rate (Hz), channel_names and units"


def read(path: Path, unit: str | None, rate: float | None) -> tuple[Recording, ...]:
    """The one stream: of an ``.npz`` the arrays ``samples (time, channel)``, and ``rate`` (Hz), ``channel_names`` and
    ``units`` if they are there; of an ``.npy`` the samples, so that the rate has to be given. Nothing is unpickled.

    Raises:
        RecordingError: the file is damaged, holds objects, or lacks what is needed.
    """
    arrays = _load(path)
    samples = arrays.pop("samples", None)
    if samples is None:
        raise RecordingError(f"'{path}' lacks samples; it has {', '.join(arrays) or 'nothing'}.", f"Store {_KEYS}.")
    numeric = np.issubdtype(samples.dtype, np.integer) or np.issubdtype(samples.dtype, np.floating)
    if samples.ndim != 2 or not numeric or samples.shape[0] < samples.shape[1]:
        raise RecordingError(
            f"The samples in '{path}' are {samples.dtype} of the shape {samples.shape}, expected numbers as "
            "(time, channel), with more rows than channels.",
            "Store them so, transposed if need be.",
        )
    hertz = _rate(path, arrays.pop("rate", None), rate)
    count = samples.shape[1]
    labels = _texts(path, "channel_names", arrays, [f"channel {i + 1}" for i in range(count)])
    units = _texts(path, "units", arrays, [""] * count)
    notes = [f"The arrays {', '.join(arrays)} are left out."] if arrays else []
    return (assemble(path, declared_table(labels, units), samples.astype(np.float64), hertz, unit=unit, notes=notes),)


def _load(path: Path) -> dict[str, NDArray[np.generic]]:
    try:
        with path.open("rb") as file:
            if suffix_of(path) == ".npz" and not zipfile.is_zipfile(file):  # numpy would take it for pickled objects
                raise ValueError("it is empty, cut short or no .npz file")
            file.seek(0)
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {"samples": loaded}
            with loaded:
                return {key: loaded[key] for key in loaded.files}
    except OSError:
        raise
    except Exception as error:  # a damaged file makes numpy raise anything, SyntaxError and BadZipFile included
        if "allow_pickle" in str(error) or "pickled" in str(error):
            raise RecordingError(
                f"'{path}' is no array file, or holds pickled objects, which could run code.",
                "Store plain arrays of numbers and text with numpy.savez.",
            ) from error
        problem = " ".join(str(error).split()).rstrip(".")
        raise RecordingError(f"'{path}' is damaged: {problem}.", "Write it again with numpy.savez.") from error


def _rate(path: Path, stored: NDArray[np.generic] | None, given: float | None) -> float:
    if stored is None and given is None:
        raise RecordingError(f"'{path}' does not say its sampling rate.", NAME_RATE)
    try:
        hertz = float(given or 0.0) if stored is None else float(np.asarray(stored, np.float64).item())
    except (ValueError, TypeError):
        hertz = 0.0
    if not 0 < hertz < np.inf or given not in (None, hertz):
        raise RecordingError(
            f"'{path}' has the rate {hertz:g} Hz{f', but {given:g} Hz was given' if given else ''}.",
            "Store one number above 0.",
        )
    return hertz


def _texts(path: Path, key: str, arrays: dict[str, NDArray[np.generic]], default: list[str]) -> list[str]:
    if key not in arrays:
        return default
    texts = [str(text) for text in arrays.pop(key).ravel().tolist()]
    if len(texts) == 1:  # one unit for all
        texts *= len(default)
    if len(texts) != len(default):
        raise RecordingError(f"'{path}' has {len(texts)} {key} for {len(default)} columns.", "Store one a column.")
    return texts
