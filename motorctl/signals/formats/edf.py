"""EDF, EDF+, BDF and BDF+ files; of an interrupted one (EDF+D) the interruptions are kept."""

from __future__ import annotations

import math
import warnings
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import edfio
import numpy as np
from numpy.typing import NDArray

from motorctl.errors import RecordingError
from motorctl.signals.formats.assemble import COPY_AGAIN, assemble, declared_channel, spread
from motorctl.signals.recording import Annotation, Recording

_TRIGGERS = 0xFFFF  # the lower 16 of the 24 bits of BioSemi's Status channel; the upper 8 say how the amplifier is
_FIELDS = (16, 80, 8, 8, 8, 8, 8, 80, 8)  # bytes a signal has for label ... samples in a record


class Header(NamedTuple):
    """The fields of a header that decide whether the samples can be trusted (Kemp & Olivan, Clin. Neurophysiol. 114,
    2003)."""

    labels: list[str]
    units: list[str]
    ranges: list[tuple[float, float, float, float]]  # physical minimum, maximum, digital minimum, maximum
    records: int  # -1 while a recording is being written
    record_seconds: Fraction  # exact, so that rates are
    record_samples: list[int]  # of each signal in a record
    width: int  # bytes of a sample
    length: int  # bytes of the header

    @property
    def signals(self) -> list[int]:
        """Which of the signals are no annotations."""
        return [i for i, label in enumerate(self.labels) if label not in ("EDF Annotations", "BDF Annotations")]

    @property
    def size(self) -> int:
        """Bytes that header and records take together."""
        return self.length + self.width * self.records * sum(self.record_samples)


def read(path: Path, unit: str | None, rate: float | None) -> tuple[Recording, ...]:
    """Every sampling rate of the file is a stream.

    Raises:
        RecordingError: the file is damaged, cut short, was never closed, or holds no signal.
    """
    header = _parse_header(path)
    _check(path, header)
    file = _open(path, header)
    onsets = _record_onsets(path, header)
    annotations = [Annotation(note.onset, note.duration or 0.0, note.text) for note in _annotations(path, file)]
    groups: dict[int, list[int]] = {}
    for place, signal in enumerate(header.signals):
        groups.setdefault(header.record_samples[signal], []).append(place)
    streams = []
    for count, places in groups.items():
        hertz = float(count / header.record_seconds)
        channels = [
            declared_channel(header.labels[header.signals[place]], header.units[header.signals[place]])
            for place in places
        ]
        samples = np.stack([file.signals[place].data.astype(np.float32) for place in places], axis=1)
        rows, notes = _rows(path, onsets, count, hertz)
        triggers = _status_triggers(samples, [c.label for c in channels], rows, hertz) if header.width == 3 else []
        electrical = len(groups) == 1 or any(channel.kind == "EEG" for channel in channels)
        stream = assemble(
            path,
            channels,
            spread(path, samples, rows, hertz),
            hertz,
            unit=unit,
            name=path.stem if len(groups) == 1 else f"{path.stem} {hertz:g} Hz",
            kind="EEG" if electrical else "MISC",
            annotations=[*annotations, *triggers],
            notes=notes,
        )
        streams.append(stream)
    return tuple(streams)


def _parse_header(path: Path) -> Header:
    try:
        with path.open("rb") as file:
            fixed = file.read(256)
            count = int(fixed[252:256])
            labels, _, units, *ranges, _, samples = (
                [file.read(width).decode("latin-1").strip() for _ in range(count)] for width in _FIELDS
            )
        if fixed[:8] not in (b"0".ljust(8), b"\xffBIOSEMI"):
            raise ValueError("the version of EDF is 0")
        header = Header(
            labels,
            units,
            [(float(a), float(b), float(c), float(d)) for a, b, c, d in zip(*ranges, strict=True)],
            int(fixed[236:244]),
            Fraction(fixed[244:252].decode("ascii").strip()),
            [int(number) for number in samples],
            3 if fixed[0] == 0xFF else 2,
            int(fixed[184:192]),
        )
        if header.length != 256 * (count + 1) or min(header.record_samples, default=0) < 0:
            raise ValueError("the header's length is not that of its signals")
    except (ValueError, ZeroDivisionError) as error:
        raise RecordingError(
            f"'{path}' is empty, damaged or no EDF or BDF file: its header makes no sense.", COPY_AGAIN
        ) from error
    return header


def _check(path: Path, header: Header) -> None:
    if header.records < 0:
        raise RecordingError(
            f"'{path}' was never closed: how long it is was not written.", "Repair it in an EDF editor."
        )
    if (size := path.stat().st_size) != header.size:
        raise RecordingError(
            f"'{path}' is damaged or cut short: its header promises {header.size} bytes, it has {size}.", COPY_AGAIN
        )
    if header.records == 0 or not any(header.record_samples[i] for i in header.signals):
        raise RecordingError(f"'{path}' holds no signal.", "Choose a recording with EEG in it.")
    if header.record_seconds <= 0 or not all(header.record_samples[i] for i in header.signals):
        raise RecordingError(f"'{path}' is damaged: its records last no time or lack a signal.", COPY_AGAIN)
    for i in header.signals:
        low, high, least, most = header.ranges[i]
        if low == high or least >= most or not all(map(math.isfinite, header.ranges[i])):
            raise RecordingError(f"'{path}' is damaged: the range of {header.labels[i]} is empty.", COPY_AGAIN)


def _open(path: Path, header: Header) -> edfio.Edf | edfio.Bdf:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # whatever edfio finds worth a warning is damage
        try:
            if header.width == 3:
                return edfio.read_bdf(path, header_encoding="latin-1")
            return edfio.read_edf(path, header_encoding="latin-1")
        except (ValueError, Warning) as error:
            raise _damaged(path, error) from error


def _annotations(path: Path, file: edfio.Edf | edfio.Bdf) -> tuple[edfio.EdfAnnotation, ...]:
    try:
        return file.annotations
    except (ValueError, ArithmeticError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> RecordingError:
    problem = " ".join(str(error).split()).rstrip(".")
    return RecordingError(f"'{path}' is damaged: {problem}.", COPY_AGAIN)


def _record_onsets(path: Path, header: Header) -> NDArray[np.float64]:
    """When each record begins (s from the first): what the first annotation in it says, or one after the other."""
    keeper = next((i for i in range(len(header.labels)) if i not in header.signals), None)
    if keeper is None:
        return np.arange(header.records, dtype=np.float64) * float(header.record_seconds)
    ends = header.width * np.cumsum([0, *header.record_samples])
    shape = (header.records, int(ends[-1]))
    records = np.memmap(path, np.uint8, "r", header.length, shape)[:, ends[keeper] : ends[keeper + 1]]
    try:
        onsets = np.array([float(bytes(record).partition(b"\x14")[0]) for record in records])
    except ValueError as error:
        raise RecordingError(f"'{path}' is damaged: a record does not say when it begins.", COPY_AGAIN) from error
    if not np.isfinite(onsets).all():
        raise RecordingError(f"'{path}' is damaged: a record does not say when it begins.", COPY_AGAIN)
    return np.asarray(onsets - onsets[0])


def _rows(path: Path, onsets: NDArray[np.float64], count: int, rate: float) -> tuple[NDArray[np.intp], list[str]]:
    """The row of each sample, so that a record begins at its onset; notes on onsets between two rows."""
    begins = np.empty(len(onsets), np.intp)
    furthest, interrupted = 0.0, False
    for record, due in enumerate(onsets * rate):
        follows = begins[record - 1] + count if record else 0
        begins[record] = follows if abs(due - follows) <= 1 else round(due)
        if begins[record] < follows:
            raise RecordingError(f"'{path}' is damaged: its records overlap at {due / rate:g} s.", COPY_AGAIN)
        interrupted |= bool(begins[record] > follows)
        furthest = max(furthest, abs(due - begins[record]))
    notes = []
    if interrupted and furthest > 0.01:
        notes.append(f"After a gap, samples are up to {1e3 * furthest / rate:.2g} ms off, to be evenly spaced.")
    return (begins[:, np.newaxis] + np.arange(count)).ravel(), notes


def _status_triggers(
    samples: NDArray[np.float32], labels: list[str], rows: NDArray[np.intp], rate: float
) -> list[Annotation]:
    """Where BioSemi's Status channel changes to another trigger than 0."""
    if "Status" not in labels:
        return []
    codes = samples[:, labels.index("Status")].astype(np.int64) & _TRIGGERS
    begins = np.flatnonzero((np.diff(codes, prepend=0) != 0) & (codes != 0))
    return [Annotation(float(rows[begin]) / rate, 0.0, str(codes[begin])) for begin in begins]
