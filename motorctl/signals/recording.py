"""Recordings: EEG read from a file, in µV, with its annotations, and with what was never measured marked as such."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import mne  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

from motorctl.errors import RecordingError
from motorctl.signals.electrodes import channel_kind, clean_label
from motorctl.signals.stream import Channel, StreamInfo
from motorctl.signals.units import in_microvolts

SHORTEST_PADDING = 0.1  # s: real EEG is not 0 on all channels for this long
_ZERO = 1e-6  # µV: zero but for the rounding of a file's scale and offset

_COPY_AGAIN = "Copy or download the file again."

# What MNE warns of without the samples being touched; any other warning is taken for damage.
_HARMLESS = re.compile(r"measurement date|highpass|lowpass|filter|patient|annotation", re.IGNORECASE)


@dataclass(frozen=True)
class Annotation:
    """Something written beside the signal: a cue, a label.

    Args:
        onset: s from the recording's first sample.
        duration: s; 0 for an instant.
        text: what it says, such as ``T1``.
    """

    onset: float
    duration: float
    text: str


@dataclass(frozen=True, eq=False)  # arrays have no one truth value to compare by
class Recording:
    """A stretch of EEG with its annotations.

    Args:
        info: what the stream is; its name is the file's stem.
        samples: ``(time, channel)`` float32 µV.
        times: ``(time,)`` float64, s from the first sample.
        mask: ``(time, channel)`` bool, True where the sample was really measured.
        annotations: in order of onset.
        path: the file it came from.
    """

    info: StreamInfo
    samples: NDArray[np.float32]
    times: NDArray[np.float64]
    mask: NDArray[np.bool_]
    annotations: tuple[Annotation, ...]
    path: Path

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def duration(self) -> float:
        """Seconds, missing stretches included."""
        return len(self) / self.info.rate

    def between(self, start: float, stop: float) -> Recording:
        """The samples from ``start`` (s) to before ``stop``, and the annotations that begin there, from 0 s anew."""
        rate = self.info.rate
        first, last = np.clip(np.round(np.array([start, stop]) * rate), 0, len(self)).astype(int).tolist()
        begin, end = first / rate, last / rate
        return replace(
            self,
            samples=self.samples[first:last],
            times=self.times[: max(last - first, 0)],
            mask=self.mask[first:last],
            annotations=tuple(replace(a, onset=a.onset - begin) for a in self.annotations if begin <= a.onset < end),
        )

    def select(self, columns: list[int]) -> Recording:
        """The channels at the given columns, in the given order."""
        info = replace(self.info, channels=tuple(self.info.channels[c] for c in columns))
        return replace(self, info=info, samples=self.samples[:, columns], mask=self.mask[:, columns])


def read_recording(path: str | Path, unit: str | None = None) -> Recording:
    """Read a recording; its suffix picks the reader.

    Args:
        path: an EDF or EDF+ file.
        unit: the unit the channels are really in, where the file says none or a wrong one.

    Raises:
        RecordingError: if the file is missing, damaged, cut short, empty, or not of a known format.
    """
    path = Path(path)
    reader = _READERS.get(path.suffix.lower())
    if not path.is_file():
        raise RecordingError(f"There is no recording '{path}'.", "Check the path.")
    if reader is None:
        raise RecordingError(
            f"'{path}' is of no format that can be read ({', '.join(_READERS)}).", "Export the recording as EDF+."
        )
    try:
        return reader(path, unit)
    except OSError as error:
        raise RecordingError(f"'{path}' cannot be read: {error.strerror}.", "Check the file and its rights.") from error


def find_padding(samples: NDArray[np.float32], rate: float) -> NDArray[np.bool_]:
    """Where a file was filled up with zeros: ``(time,)``, True in stretches of 0.1 s or more with all channels 0."""
    zero = (np.abs(samples) < _ZERO).all(axis=1)
    turns = np.flatnonzero(np.diff(zero, prepend=False, append=False))
    padding = np.zeros(len(samples), bool)
    for begin, end in turns.reshape(-1, 2):
        padding[begin:end] = end - begin >= SHORTEST_PADDING * rate
    return padding


class _EdfHeader(NamedTuple):
    labels: list[str]
    units: list[str]
    records: int  # -1 while a recording is being written
    record_samples: list[int]  # of each signal in a record
    size: int  # bytes that header and records take together
    discontinuous: bool

    @property
    def signals(self) -> list[int]:
        """Which of the signals are no annotations."""
        return [i for i, label in enumerate(self.labels) if label != "EDF Annotations"]


def _read_edf(path: Path, unit: str | None) -> Recording:
    header = _parse_edf_header(path)
    _check_edf(path, header)
    declared = [_declared_channel(header.labels[i], header.units[i]) for i in header.signals]
    _check_unique(path, [channel.label for channel in declared])
    channels, factors = in_microvolts(declared, unit, f"'{path}'", RecordingError)

    raw = _open_with_mne(path)
    # MNE takes every unit that it does not know for volts: undo its scale, and use our table.
    scale = factors / raw._raw_extras[0]["units"]
    samples = np.ascontiguousarray(raw.get_data().T * scale, np.float32)  # (time, channel)
    rate = float(raw.info["sfreq"])
    measured = ~find_padding(samples, rate)
    if not measured.any():
        raise RecordingError(f"'{path}' holds nothing but zeros.", _COPY_AGAIN)
    return Recording(
        info=StreamInfo(path.stem, "EEG", rate, channels),
        samples=samples,
        times=np.arange(len(samples)) / rate,
        mask=np.repeat(measured[:, np.newaxis], len(channels), axis=1),
        annotations=_annotations(raw),
        path=path,
    )


def _declared_channel(label: str, unit: str) -> Channel:
    return Channel(clean_label(label), unit, channel_kind(label))


def _annotations(raw: mne.io.BaseRaw) -> tuple[Annotation, ...]:
    found = raw.annotations
    columns = zip(found.onset, found.duration, found.description, strict=True)
    return tuple(Annotation(float(onset), float(duration), str(text)) for onset, duration, text in columns)


def _parse_edf_header(path: Path) -> _EdfHeader:
    """The fields of an EDF header that decide whether its samples can be trusted (Kemp & Olivan, 2003).

    MNE would read on after a warning, or without one, where these are wrong.
    """
    try:
        with path.open("rb") as file:
            fixed = file.read(256).decode("latin-1")
            count = int(fixed[252:256])
            labels, _, units, _, _, _, _, _, samples = (
                [file.read(width).decode("latin-1").strip() for _ in range(count)]
                for width in (16, 80, 8, 8, 8, 8, 8, 80, 8)
            )
        if fixed[:8].strip() != "0":
            raise ValueError("the version of EDF is 0")
        records, record_samples = int(fixed[236:244]), [int(number) for number in samples]
        size = int(fixed[184:192]) + 2 * records * sum(record_samples)
    except ValueError as error:
        raise RecordingError(
            f"'{path}' is empty, damaged or no EDF file: its header makes no sense.", _COPY_AGAIN
        ) from error
    return _EdfHeader(labels, units, records, record_samples, size, fixed[192:197] == "EDF+D")


def _check_edf(path: Path, header: _EdfHeader) -> None:
    if header.records < 0:
        raise RecordingError(
            f"'{path}' was never closed: how long it is was not written.", "Repair it in an EDF editor."
        )
    if (size := path.stat().st_size) != header.size:
        raise RecordingError(
            f"'{path}' is damaged or cut short: its header promises {header.size} bytes, it has {size}.", _COPY_AGAIN
        )
    if header.records == 0 or not header.signals:
        raise RecordingError(f"'{path}' holds no signal.", "Choose a recording with EEG in it.")
    if header.discontinuous:
        raise RecordingError(f"'{path}' is interrupted (EDF+D).", "Export its uninterrupted parts as EDF+C.")
    rates = {header.record_samples[i] for i in header.signals}
    if len(rates) > 1:
        slow = [header.labels[i] for i in header.signals if header.record_samples[i] < max(rates)]
        raise RecordingError(
            f"'{path}' mixes sampling rates: {', '.join(slow)} are slower than the rest.",
            "Export the channels of one rate; nothing is resampled in silence.",
        )


def _check_unique(path: Path, labels: list[str]) -> None:
    twice = [label for label, times in Counter(labels).items() if times > 1]
    if twice:
        raise RecordingError(
            f"'{path}' has more than one channel {', '.join(twice)}.", "Rename or leave out the twins."
        )


def _open_with_mne(path: Path) -> mne.io.BaseRaw:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            raw = mne.io.read_raw_edf(path, stim_channel=None, preload=True, verbose="warning")
        except OSError:
            raise
        except Exception as error:  # a damaged file makes MNE raise anything, AssertionError and IndexError included
            problem = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(":.")
            raise RecordingError(f"'{path}' is damaged: MNE stops with {problem}.", _COPY_AGAIN) from error
    for warning in caught:
        if not _HARMLESS.search(str(warning.message)):
            problem = " ".join(str(warning.message).split()).rstrip(".")
            raise RecordingError(f"'{path}' is damaged: {problem}.", _COPY_AGAIN)
    return raw


_READERS: dict[str, Callable[[Path, str | None], Recording]] = {".edf": _read_edf}
