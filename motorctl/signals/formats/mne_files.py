"""What MNE reads for us: GDF, FIF and BrainVision files; what it would overlook is checked here."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import mne  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

from motorctl.errors import RecordingError
from motorctl.signals.electrodes import channel_kind, clean_label
from motorctl.signals.formats.assemble import COPY_AGAIN, assemble, spread
from motorctl.signals.recording import Annotation, Recording, suffix_of
from motorctl.signals.stream import Channel

# What MNE warns of without the samples being touched; any other warning is taken for damage.
_HARMLESS = re.compile(
    r"measurement date|meas_date|highpass|lowpass|filter|patient|naming conventions|coordinate|montage|Unsupported",
    re.IGNORECASE,
)
_NOTED = re.compile(r"annotation", re.IGNORECASE)

_VOLTS = ("eeg", "eog", "emg", "ecg", "seeg", "ecog", "dbs", "bio")
_KINDS = {"eeg": "EEG", "eog": "EOG", "emg": "EMG", "ecg": "ECG", "mag": "MEG", "grad": "MEG"}
_SI = {"mag": "T", "grad": "T/m"}

_SEGMENT = re.compile(r"^Mk\d+=New Segment,[^,]*,(\d+),[^,]*,[^,\r\n]*(?:,(\d{20}))?", re.MULTILINE)
_UNIT = re.compile(r"^Ch(\d+)=[^,\n]*,[^,\n]*,[^,\n]*,([^,\r\n]*)", re.MULTILINE)
_SAMPLE_BYTES = {"INT_16": 2, "UINT_16": 2, "INT_32": 4, "IEEE_FLOAT_32": 4, "IEEE_FLOAT_64": 8}


def read(path: Path, unit: str | None, rate: float | None) -> tuple[Recording, ...]:
    """The one stream of the file.

    Raises:
        RecordingError: the file is damaged or cut short, or one that it is made of is missing.
    """
    reader = {".gdf": _read_gdf, ".vhdr": _read_brainvision}.get(suffix_of(path), _read_fif)
    try:
        return (reader(path, unit),)
    except (OSError, RecordingError):
        raise
    except Exception as error:  # a damaged file makes MNE raise anything, AssertionError and IndexError included
        problem = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(":.")
        raise RecordingError(f"'{path}' is damaged: reading it stops with {problem}.", COPY_AGAIN) from error


def _read_fif(path: Path, unit: str | None) -> Recording:
    raw, notes = _open(path, mne.io.read_raw_fif, allow_maxshield="yes")
    return assemble(path, _channels(raw), _data(raw), _rate(raw), unit=unit, annotations=_annotations(raw), notes=notes)


def _read_gdf(path: Path, unit: str | None) -> Recording:
    raw, notes = _open(path, mne.io.read_raw_gdf)
    extras = raw._raw_extras[0]
    _check_gdf(path, extras)
    if extras["events"] is None:
        notes.append("The file has no table of events.")
    # MNE takes every unit but µV and mV for volts: undo its scale, and leave what it does not know to be named.
    scales = np.asarray(extras["units"])
    known = {1e-6: "uV", 1e-3: "mV"}
    channels = [
        Channel(clean_label(name), known.get(float(scale), ""), channel_kind(name))
        for name, scale in zip(raw.ch_names, scales, strict=True)
    ]
    samples = _data(raw) / scales
    return assemble(path, channels, samples, _rate(raw), unit=unit, annotations=_annotations(raw), notes=notes)


def _check_gdf(path: Path, extras: dict[str, Any]) -> None:
    promised = int(extras["data_offset"] + extras["n_records"] * extras["bytes_tot"])
    events = extras["events"]
    complete = events is None or all(len(column) == events[0] for column in events[1:])
    if extras["n_records"] < 1 or (size := path.stat().st_size) < promised or not complete:
        raise RecordingError(
            f"'{path}' is damaged, cut short or was never closed: its header promises {promised} bytes of samples and "
            f"{0 if events is None else int(events[0])} events.",
            COPY_AGAIN,
        )
    if events is None and size > promised:
        raise RecordingError(f"'{path}' is damaged: its table of events makes no sense.", COPY_AGAIN)
    if len(set(extras["n_samps"].tolist())) > 1:
        raise RecordingError(
            f"'{path}' mixes sampling rates.", "Export the channels of one rate; nothing is resampled in silence."
        )


def _read_brainvision(path: Path, unit: str | None) -> Recording:
    header = _text(path)
    _check_brainvision(path, header)
    raw, notes = _open(path, mne.io.read_raw_brainvision)
    units = {int(number) - 1: unit for number, unit in _UNIT.findall(header)}
    channels = [
        channel if channel.unit else Channel(channel.label, units.get(i, ""), channel.kind)
        for i, channel in enumerate(_channels(raw))
    ]
    samples, rate, marked = _data(raw), _rate(raw), _annotations(raw)
    markers = _marker_file(path, header)
    shift, more = _pauses(markers, len(samples), rate)
    if markers and not markers.endswith("\n"):
        more.append("The last marker's line has no end: markers may have been cut off.")
    if not header.endswith("\n"):
        more.append("The last line of the header has no end: it may have been cut short.")
    moved = [
        Annotation(a.onset + float(shift[min(round(a.onset * rate), len(shift) - 1)]) / rate, a.duration, a.text)
        for a in marked
    ]
    if late := sum(a.onset * rate >= len(samples) for a in marked):
        more.append(f"{late} markers come after the last sample: the recording may have been cut short.")
    spaced = spread(path, samples, np.arange(len(samples)) + shift, rate)
    return assemble(path, channels, spaced, rate, unit=unit, annotations=moved, notes=[*notes, *more])


def _check_brainvision(path: Path, header: str) -> None:
    """MNE reads a file of samples that was cut short, or is of another recording, without a word."""
    if header.rpartition("\n[")[2].startswith("Channel Infos]") and not header.endswith("\n"):
        raise RecordingError(f"'{path}' is cut short: its last channel's line has no end.", "Copy it again, or end it.")
    if not _field(header, "DataFile"):
        raise RecordingError(f"'{path}' is damaged or no BrainVision header: it names no samples.", COPY_AGAIN)
    data = path.parent / _field(header, "DataFile").replace("$b", path.stem)
    if not data.is_file():
        raise RecordingError(f"'{path}' is damaged, or its samples '{data.name}' are missing.", "Copy all its files.")
    numbers = (_field(header, key) for key in ("NumberOfChannels", "DataPoints"))
    count, points = (int(number) if number.isdecimal() else 0 for number in numbers)
    row = count * _SAMPLE_BYTES.get(_field(header, "BinaryFormat"), 0)
    if _field(header, "DataFormat") == "ASCII" or not row:
        return
    size = data.stat().st_size
    if size % row or (points and size != points * row):
        raise RecordingError(
            f"'{data}' is damaged or cut short: it has {size} bytes, expected "
            f"{points * row if points else f'a multiple of {row}'}.",
            COPY_AGAIN,
        )


def _pauses(markers: str, count: int, rate: float) -> tuple[NDArray[np.intp], list[str]]:
    """How many rows each sample comes later than its number, because the recording was paused before; and notes."""
    shift = np.zeros(count, np.intp)
    notes = []
    segments = [(int(position) - 1, date) for position, date in _SEGMENT.findall(markers)]
    for (begin, date), (position, later) in zip(segments, segments[1:], strict=False):
        if not (date.strip("0") and later.strip("0")):
            notes.append(
                f"The recording was paused at {position / rate:g} s, for how long is not said; no gap is kept."
            )
            continue
        passed = datetime.strptime(later, "%Y%m%d%H%M%S%f") - datetime.strptime(date, "%Y%m%d%H%M%S%f")
        lost = round(passed.total_seconds() * rate) - (position - begin)
        if lost > 1:  # the dates are those of a clock that is not the amplifier's
            shift[position:] += lost
    return shift, notes


def _marker_file(path: Path, header: str) -> str:
    markers = path.parent / _field(header, "MarkerFile").replace("$b", path.stem)
    text = _text(markers) if markers.is_file() else ""
    if "[Marker Infos]" not in text and _field(header, "MarkerFile"):
        raise RecordingError(f"The markers '{markers}' are missing or damaged.", "Copy all files of the recording.")
    return text


def _field(header: str, key: str) -> str:
    found = re.search(rf"^{key}\s*=(.*)$", header, re.MULTILINE)
    return found[1].strip() if found else ""


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace")


def _open(path: Path, reader: Callable[..., Any], **options: Any) -> tuple[Any, list[str]]:
    """The file as MNE opens it, and what MNE warns of that a user has to know."""
    with warnings.catch_warnings(record=True) as caught, mne.utils.catch_logging():  # MNE logs what it warns of
        warnings.simplefilter("always")
        raw = reader(path, preload=True, verbose="warning", **options)
    notes = []
    for warning in caught:
        message = " ".join(str(warning.message).split()).rstrip(".")
        if _NOTED.search(message):
            notes.append(f"MNE says: {message}.")
        elif "not unique" in message:
            raise RecordingError(f"'{path}' has more than one channel of a name: {message}.", "Rename the twins.")
        elif not _HARMLESS.search(message):
            raise RecordingError(f"'{path}' is damaged: {message}.", COPY_AGAIN)
    return raw, notes


def _channels(raw: Any) -> list[Channel]:
    return [
        Channel(
            clean_label(name),
            "V" if kind in _VOLTS else _SI.get(kind, ""),
            # A file of nothing but EEG channels has often not been told which of them are not.
            channel_kind(name) if kind == "eeg" and channel_kind(name) != "MISC" else _KINDS.get(kind, "MISC"),
        )
        for name, kind in zip(raw.ch_names, raw.get_channel_types(), strict=True)
    ]


def _data(raw: Any) -> NDArray[np.float64]:
    """``(time, channel)`` in SI units."""
    return np.asarray(raw.get_data().T)


def _rate(raw: Any) -> float:
    return float(raw.info["sfreq"])


def _annotations(raw: Any) -> list[Annotation]:
    said = raw.annotations
    columns = zip(said.onset, said.duration, said.description, strict=True)
    return [Annotation(float(onset) - raw.first_time, float(lasts), str(text)) for onset, lasts, text in columns]
