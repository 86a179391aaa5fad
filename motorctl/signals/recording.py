"""Recordings: EEG read from a file, in µV, with its annotations, and with what was never measured marked as such."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motorctl.errors import RecordingError
from motorctl.signals.stream import StreamInfo
from motorctl.signals.units import check_voltages

_READERS = {
    ".edf": "edf",
    ".bdf": "edf",
    ".gdf": "mne_files",
    ".fif": "mne_files",
    ".fif.gz": "mne_files",
    ".vhdr": "mne_files",
    ".xdf": "xdf",
    ".xdfz": "xdf",
    ".txt": "openbci",
    ".csv": "tables",
    ".tsv": "tables",
    ".npy": "arrays",
    ".npz": "arrays",
}
"""Suffix to the module of ``motorctl.signals.formats`` that reads it, loaded only when it is called for. Each has
``read(path, unit, rate) -> tuple[Recording, ...]``."""

_RATELESS = ("tables", "arrays")  # formats that may not say their own rate
_BRAINVISION_PARTS = (".eeg", ".vmrk", ".dat")


@dataclass(frozen=True)
class Annotation:
    """Something written beside the signal: a cue, a label.

    Args:
        onset: s from the recording's first sample; below 0 if it came before.
        duration: s; 0 for an instant.
        text: what it says, such as ``T1``.
    """

    onset: float
    duration: float
    text: str


@dataclass(frozen=True, eq=False)  # arrays have no one truth value to compare by
class Recording:
    """A stretch of one stream, with the annotations of the file it is from.

    What was lost is there as rows that were not measured, so that the rows are evenly spaced.

    Args:
        info: what the stream is; its name is the file's stem where the file gives none.
        samples: ``(time, channel)`` float32, µV for everything electrical; NaN where nothing was measured.
        times: ``(time,)`` float64, s from the first sample, as the clock measured them: they drift from
            ``row / info.rate`` as far as the device did.
        mask: ``(time, channel)`` bool, True where the sample was really measured.
        annotations: in order of onset.
        path: the file it came from.
        start: time of the first sample on the file's clock (s), which its streams share.
        notes: what a reader has to know: what was left out, cut short or put right, a sentence each.
    """

    info: StreamInfo
    samples: NDArray[np.float32]
    times: NDArray[np.float64]
    mask: NDArray[np.bool_]
    annotations: tuple[Annotation, ...]
    path: Path
    start: float = 0.0
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def duration(self) -> float:
        """Seconds from the first sample to the end of the last, missing stretches included."""
        if not len(self):
            return 0.0
        return float(self.times[-1] - self.times[0]) + (1 / self.info.rate if self.info.rate else 0.0)

    @property
    def measured_rate(self) -> float:
        """Rows per second of the clock (Hz); NaN for fewer than two rows."""
        return (len(self) - 1) / float(self.times[-1] - self.times[0]) if len(self) > 1 else float("nan")

    @property
    def gaps(self) -> list[tuple[float, float]]:
        """Stretches in which no channel was measured: ``(begin, duration)`` in s."""
        missing = ~self.mask.any(axis=1)
        turns = np.flatnonzero(np.diff(missing, prepend=False, append=False)).reshape(-1, 2)
        ends = np.append(self.times, self.duration)
        return [(float(ends[begin]), float(ends[end] - ends[begin])) for begin, end in turns]

    def between(self, start: float, stop: float) -> Recording:
        """The samples from ``start`` (s) to before ``stop``, and the annotations that begin there, from 0 s anew."""
        half = 0.5 / self.info.rate if self.info.rate else 0.0
        first, last = np.searchsorted(self.times, np.array([start, stop]) - half).tolist()
        last = max(first, last)
        ends = np.append(self.times, self.duration)
        begin, end = float(ends[first]), float(ends[last])
        return replace(
            self,
            samples=self.samples[first:last],
            times=self.times[first:last] - begin,
            mask=self.mask[first:last],
            annotations=tuple(replace(a, onset=a.onset - begin) for a in self.annotations if begin <= a.onset < end),
            start=self.start + begin,
        )

    def select(self, columns: list[int]) -> Recording:
        """The channels at the given columns, in the given order."""
        info = replace(self.info, channels=tuple(self.info.channels[c] for c in columns))
        return replace(self, info=info, samples=self.samples[:, columns], mask=self.mask[:, columns])


def read_recording(
    path: str | Path, unit: str | None = None, *, stream: str | None = None, rate: float | None = None
) -> Recording:
    """Read one stream of a file, ready to be learned from: the EEG, where there are several.

    Args:
        path: an EDF, BDF, GDF, FIF, BrainVision (``.vhdr``), XDF, OpenBCI, CSV, TSV, ``.npy`` or ``.npz`` file.
        unit: the unit the channels are really in, where the file says none or a wrong one.
        stream: name of the stream, where several would do.
        rate: sampling rate (Hz), for tables and arrays that do not say it.

    Raises:
        RecordingError: if the file is missing, damaged, cut short, empty, or not of a known format; if several streams
            would do, or none; if a voltage has no known unit.
    """
    path = Path(path)
    recording = choose_stream(read_streams(path, unit, rate), stream)
    check_voltages(recording.info.channels, f"'{path}'", RecordingError)
    if not recording.mask.any():
        raise RecordingError(f"'{path}' holds nothing but zeros or missing values.", "Copy or download the file again.")
    return recording


def read_streams(path: str | Path, unit: str | None = None, rate: float | None = None) -> tuple[Recording, ...]:
    """Read every stream of a file that has samples; its suffix picks the reader.

    The file's annotations, and the markers of its marker streams, are in each. A voltage whose unit is not known stays
    as it is, its unit as given.

    Args:
        path, unit, rate: as for :func:`read_recording`.

    Raises:
        RecordingError: if the file is missing, damaged, cut short, empty, or not of a known format.
    """
    path = Path(path)
    if not path.is_file():
        raise RecordingError(f"There is no recording '{path}'.", "Check the path.")
    module = _READERS.get(suffix := suffix_of(path))
    if suffix in _BRAINVISION_PARTS:
        raise RecordingError(f"'{path}' is one part of a BrainVision recording.", "Name its .vhdr file.")
    if module is None:
        raise RecordingError(
            f"'{path}' is of no format that can be read ({', '.join(_READERS)}).", "Export the recording as EDF+."
        )
    if rate is not None and module not in _RATELESS:
        raise RecordingError(f"'{path}' says its own sampling rate.", "Leave out the rate.")
    if rate is not None and not 0 < rate < float("inf"):
        raise RecordingError(f"The rate given for '{path}' is {rate:g} Hz.", "Give a number above 0.")
    if not path.stat().st_size:
        raise RecordingError(f"'{path}' is empty.", "Copy or download the file again.")
    reader: Callable[[Path, str | None, float | None], tuple[Recording, ...]]
    reader = import_module(f"motorctl.signals.formats.{module}").read
    try:
        return reader(path, unit, rate)
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split()).rstrip(".")
        raise RecordingError(f"'{path}' cannot be read: {reason}.", "Check the file and its rights.") from error


def say_notes(recording: Recording) -> None:
    """Say on standard error, a line each, what a reader left out, cut short or put right."""
    for note in recording.notes:
        print(f"{recording.path}: {note}", file=sys.stderr, flush=True)


def suffix_of(path: Path) -> str:
    """What a file's format is told by: its last suffix, or the last two if the last says compressed."""
    return "".join(path.suffixes[-2:] if path.suffix.lower() == ".gz" else path.suffixes[-1:]).lower()


def choose_stream(recordings: tuple[Recording, ...], name: str | None = None) -> Recording:
    """The stream of the name, or without one the only EEG stream, or the only stream.

    Raises:
        RecordingError: none fits, or several do.
    """
    regular = [r for r in recordings if r.info.rate]
    if name is not None:
        fitting = [r for r in regular if r.info.name == name]
    else:
        fitting = [r for r in regular if r.info.kind.upper() == "EEG"] or regular
    if len(fitting) != 1:
        there = "; ".join(
            f"'{r.info.name}' ({r.info.kind}, {len(r.info.channels)} channels at {r.info.rate:g} Hz)"
            for r in recordings
        )
        wanted = f"'{name}'" if name is not None else "the one to use" if fitting else "a regular one"
        cure = "Rename twins." if fitting else "Name a stream it has."
        if fitting and name is None:
            cure = "Name one with --stream, or first write it into a file with 'motorctl convert --stream'."
        raise RecordingError(
            f"'{recordings[0].path}' has {len(fitting) or 'no'} stream{'s' * (len(fitting) != 1)} that could be "
            f"{wanted}: {there}.",
            cure,
        )
    return fitting[0]
