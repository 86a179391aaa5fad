"""Data sets larger than memory: a folder of sequences of features, of which training reads the rows it needs.

``dataset.json`` says how many sequences of which length there are, what their columns are and where they came from;
each sequence is a ``safetensors`` file of its own. Nothing is unpickled. A file appears whole or not at all, so that
one process can write the set while another already learns from its beginning.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from motorctl.errors import RecordingError
from motorctl.runs import plain
from motorctl.signals.pipeline import Features
from motorctl.training.resume import write_whole
from motorctl.training.sequence import Sequence

FORMAT = "motorctl data set 1"
INDEX = "dataset.json"
_WRITE_AGAIN = "Write the data set again."


@dataclass(frozen=True)
class Dataset:
    """A stored data set.

    Args:
        folder: where it is.
        rate: rows per second (Hz).
        features: names of the features.
        targets: names of the targets.
        rows: of each sequence.
        provenance: where it came from: files and their hashes, configuration, seed, versions.
    """

    folder: Path
    rate: float
    features: tuple[str, ...]
    targets: tuple[str, ...]
    rows: tuple[int, ...]
    provenance: Mapping[str, Any]

    @property
    def stretches(self) -> list[StoredSequence]:
        """Its sequences, which read what they are asked for."""
        return [StoredSequence(self.folder / file_name(i), rows) for i, rows in enumerate(self.rows)]


@dataclass(frozen=True)
class StoredSequence:
    """A sequence on disk; rows are read when they are asked for, and nothing is kept.

    Args:
        path: its file.
        rows: how many it has.
        wait: called with the path while the file is not there yet; raises where it never will be.
    """

    path: Path
    rows: int
    wait: Callable[[Path], None] | None = None

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, rows: slice) -> Sequence:
        """The rows, of which there is at least one.

        Raises:
            RecordingError: the file is missing, damaged, or not of this length.
        """
        while self.wait and not self.path.is_file():
            self.wait(self.path)
        begin, end, _ = rows.indices(self.rows)
        try:
            with safe_open(self.path, framework="numpy") as file:
                parts = {name: file.get_slice(name)[begin:end] for name in file.keys()}
                length = file.get_slice("trial").get_shape()[0]
            features = Features(parts["features"], parts["times"], parts["mask"])
            sequence = Sequence(features, parts["targets"], parts["trial"])
        except (SafetensorError, KeyError, OSError) as error:
            reason = str(error).splitlines()[0].rstrip(".")
            raise RecordingError(f"'{self.path}' cannot be read: {reason}.", _WRITE_AGAIN) from None
        if length != self.rows:
            raise RecordingError(f"'{self.path}' has {length} rows, not {self.rows}.", _WRITE_AGAIN)
        return sequence


def create_dataset(dataset: Dataset) -> None:
    """Write the index of a set, before or after its sequences (:func:`write_sequence`); the folder is made."""
    dataset.folder.mkdir(parents=True, exist_ok=True)
    described = {
        "format": FORMAT,
        "rate": dataset.rate,
        "features": dataset.features,
        "targets": dataset.targets,
        "rows": dataset.rows,
        "provenance": dataset.provenance,
    }
    write_whole(dataset.folder / INDEX, (json.dumps(plain(described), indent=2, ensure_ascii=False) + "\n").encode())


def write_sequence(folder: Path, number: int, sequence: Sequence) -> Path:
    """Write one sequence of a set; returns its file."""
    arrays = {
        "features": sequence.features.values,
        "times": sequence.features.times,
        "mask": np.array(sequence.features.mask),
        "targets": sequence.targets,
        "trial": sequence.trial,
    }
    path = folder / file_name(number)
    write_whole(path, save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))
    return path


def read_dataset(folder: Path) -> Dataset:
    """The set in a folder, whose sequences are read when they are asked for.

    Raises:
        RecordingError: there is none, it is damaged, or some of it is missing.
    """
    path = folder / INDEX
    if not path.is_file():
        raise RecordingError(f"There is no {INDEX} in {folder}.", "Name the folder of a data set.")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise RecordingError(f"{folder} holds '{data['format']}', expected '{FORMAT}'.", _WRITE_AGAIN)
        names = tuple(map(str, data["features"])), tuple(map(str, data["targets"]))
        dataset = Dataset(folder, float(data["rate"]), *names, tuple(map(int, data["rows"])), data["provenance"])
    except (ValueError, KeyError, TypeError) as error:
        raise RecordingError(f"{path} is damaged ({error}).", _WRITE_AGAIN) from None
    missing = [s.path.name for s in dataset.stretches if not s.path.is_file()]
    if missing:
        raise RecordingError(f"{folder} lacks {len(missing)} of {len(dataset.rows)} sequences.", _WRITE_AGAIN)
    return dataset


def file_name(number: int) -> str:
    """Of a sequence."""
    return f"{number:06d}.safetensors"


def hashes(paths: list[Path]) -> dict[str, str]:
    """SHA-256 of each file, which are read a piece at a time."""
    found = {}
    for path in paths:
        with path.open("rb") as file:
            found[str(path)] = hashlib.file_digest(file, "sha256").hexdigest()
    return found
