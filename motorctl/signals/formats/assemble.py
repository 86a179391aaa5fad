"""What every reader ends with: declared channels and numbers become a recording, in µV, with what is missing marked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motorctl.errors import RecordingError
from motorctl.signals.electrodes import channel_kind, clean_label
from motorctl.signals.recording import Annotation, Recording
from motorctl.signals.stream import Channel, StreamInfo
from motorctl.signals.units import microvolts_per, to_microvolts

COPY_AGAIN = "Copy or download the file again."

NAME_RATE = "Name its sampling rate with --rate, or first store it with 'motorctl convert --rate'."

SKIPPED = "BAD_ACQ_SKIP"
"""Annotation with which MNE marks a stretch in which nothing was acquired."""

SHORTEST_PADDING = 0.1  # s: real EEG is not 0 on all channels for this long
LONGEST_GAP = 3600.0  # s: the rows of a longer one would fill the memory with nothing
_ZERO = 1e-6  # µV: zero but for the rounding of a file's scale and offset


def assemble(
    path: Path,
    channels: Sequence[Channel],
    samples: NDArray[np.floating],
    rate: float,
    *,
    unit: str | None = None,
    name: str | None = None,
    kind: str = "EEG",
    source_id: str = "",
    times: NDArray[np.float64] | None = None,
    start: float = 0.0,
    annotations: Iterable[Annotation] = (),
    notes: Iterable[str] = (),
) -> Recording:
    """A recording of what a reader found.

    Args:
        path: the file.
        channels: as declared.
        samples: ``(time, channel)`` in the declared units, NaN where nothing was measured.
        rate: nominal (Hz).
        unit: the unit that voltages are really in, whatever they declare.
        name, kind, source_id: of the stream; the file's stem if it has no name.
        times: ``(time,)`` s from the first sample; evenly spaced at the rate if not given.
        start: time of the first sample on the file's clock (s).
        annotations: in any order; those by which MNE marks skipped stretches become missing samples.
        notes: what a reader has to know.

    Raises:
        RecordingError: two channels have one label, or there is no channel or no sample.
    """
    if not len(channels) or not len(samples):
        raise RecordingError(f"'{path}' holds no signal.", "Choose a recording with EEG in it.")
    _check_unique(path, [channel.label for channel in channels])
    converted, factors = to_microvolts(channels, unit)
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.ascontiguousarray(samples * factors, np.float32)
    if times is None:
        times = np.arange(len(values)) / rate
    mask = np.isfinite(values)
    if kind.upper() == "EEG" and rate:
        mask &= ~find_padding(values, rate)[:, np.newaxis]
    said = sorted(annotations, key=lambda annotation: annotation.onset)
    for annotation in said:
        if annotation.text == SKIPPED:
            first, last = np.searchsorted(times + 1e-6, [annotation.onset, annotation.onset + annotation.duration])
            mask[first:last] = False
    values[~mask] = np.nan
    return Recording(
        info=StreamInfo(name or path.stem, kind, rate, converted, source_id),
        samples=values,
        times=times,
        mask=mask,
        annotations=tuple(annotation for annotation in said if annotation.text != SKIPPED),
        path=path,
        start=start,
        notes=tuple(notes),
    )


def declared_channel(label: str, unit: str) -> Channel:
    """A channel of which only label and unit are known."""
    return Channel(clean_label(label), unit, channel_kind(label))


def declared_table(labels: Sequence[str], units: Sequence[str]) -> list[Channel]:
    """Channels of which nothing else is known; where no label tells what it measures, voltages are taken for EEG."""
    channels = [declared_channel(label, unit) for label, unit in zip(labels, units, strict=True)]
    if any(channel.kind != "MISC" for channel in channels):
        return channels
    return [Channel(c.label, c.unit) if not c.unit or microvolts_per(c.unit) else c for c in channels]


def spread(path: Path, samples: NDArray[np.floating], rows: NDArray[np.intp], rate: float) -> NDArray[np.float32]:
    """Samples ``(time, channel)`` at the given increasing rows, NaN in the rows between.

    Raises:
        RecordingError: a gap is too long to be kept as rows.
    """
    longest = np.diff(rows, prepend=-1).max() / rate
    if longest > LONGEST_GAP:
        raise RecordingError(f"'{path}' has a gap of {longest / 3600:.1f} h.", "Cut it in two there.")
    spaced = np.full((int(rows[-1]) + 1, samples.shape[1]), np.nan, np.float32)
    spaced[rows] = samples
    return spaced


def find_padding(samples: NDArray[np.float32], rate: float) -> NDArray[np.bool_]:
    """Where a file was filled up with zeros: ``(time,)``, True in stretches of 0.1 s or more with all channels 0."""
    zero = (np.abs(samples) < _ZERO).all(axis=1)
    turns = np.flatnonzero(np.diff(zero, prepend=False, append=False))
    padding = np.zeros(len(samples), bool)
    for begin, end in turns.reshape(-1, 2):
        padding[begin:end] = end - begin >= SHORTEST_PADDING * rate
    return padding


def _check_unique(path: Path, labels: list[str]) -> None:
    twice = [label for label, times in Counter(label.casefold() for label in labels).items() if times > 1]
    if twice:
        spelled = [next(label for label in labels if label.casefold() == twin) for twin in twice]
        raise RecordingError(
            f"'{path}' has more than one channel {', '.join(spelled)}.", "Rename or leave out the twins."
        )
