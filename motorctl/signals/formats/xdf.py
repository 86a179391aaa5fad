"""XDF files: every stream of a recording made with Lab Streaming Layer, on one clock."""

from __future__ import annotations

import gzip
import io
import logging
import struct
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyxdf  # type: ignore[import-untyped]

from motorctl.errors import RecordingError
from motorctl.signals.electrodes import clean_label
from motorctl.signals.formats.assemble import COPY_AGAIN, assemble, spread
from motorctl.signals.formats.timestamps import lay_out, plausible
from motorctl.signals.recording import Annotation, Recording
from motorctl.signals.stream import Channel

_KINDS = ("EEG", "EOG", "EMG", "ECG", "MISC")
_SAMPLES, _FOOTER = 3, 6  # tags of chunks
_LENGTH = {1: "<B", 4: "<I", 8: "<Q"}
_COMMON_WARNINGS = ("segments differ", "effective sampling rate")  # of pyxdf; the stream says it itself


class _Scan(NamedTuple):
    complete: int  # bytes up to the end of the last complete chunk
    footers: int


def read(path: Path, unit: str | None, rate: float | None) -> tuple[Recording, ...]:
    """Every stream of numbers that has samples; the markers of streams of text, or of irregular streams of the type
    ``Markers``, are annotations of each.

    Raises:
        RecordingError: the file is damaged, or no stream has samples.
    """
    content = _content(path)
    scan = _scan(path, content)
    streams, warned = _load(path, content[: scan.complete])
    notes = [f"pyxdf says: {message}" for message in warned]
    if scan.complete < len(content):
        notes.append(f"The file was cut short: its last {len(content) - scan.complete} bytes are no whole chunk.")
    if scan.footers < len(streams):
        notes.append("The recording was not closed: a stream lacks its footer.")
    markers = [stream for stream in streams if _is_markers(stream)]
    signals = [stream for stream in streams if not _is_markers(stream)]
    notes += [f"Stream '{_said(s, 'name')}' is empty." for s in streams if not len(s["time_stamps"])]
    cues = [cue for stream in markers for cue in zip(stream["time_stamps"], stream["time_series"], strict=True)]
    recordings = tuple(_recording(path, s, unit, cues, notes) for s in signals if len(s["time_stamps"]))
    if not recordings:
        raise RecordingError(f"'{path}' holds no signal.", "Choose a recording with EEG in it.")
    return recordings


def raw_streams(path: Path) -> list[dict[str, Any]]:
    """The streams as pyxdf gives them, their stamps as the devices gave them, up to the last whole chunk.

    Raises:
        RecordingError: the file is damaged.
    """
    content = _content(path)
    return _load(path, content[: _scan(path, content).complete], synchronize=False)[0]


def _content(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix.lower() == ".xdfz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise RecordingError(f"'{path}' is damaged: it cannot be decompressed.", COPY_AGAIN) from error
    if content[:4] != b"XDF:":
        raise RecordingError(f"'{path}' is empty, damaged or no XDF file.", COPY_AGAIN)
    return content


def _scan(path: Path, content: bytes) -> _Scan:
    """Walk over the chunks: [bytes of length][length][tag][content]. pyxdf stops with an error in a broken last one."""
    place, footers = 4, 0
    while place < len(content):
        width = content[place]
        if width not in _LENGTH:
            raise RecordingError(f"'{path}' is damaged: there is no chunk at byte {place}.", COPY_AGAIN)
        begin = place + 1 + width
        if begin > len(content):
            break
        (length,) = struct.unpack_from(_LENGTH[width], content, place + 1)
        if begin + length > len(content):
            break
        if length < 2:
            raise RecordingError(f"'{path}' is damaged: there is no chunk at byte {place}.", COPY_AGAIN)
        (tag,) = struct.unpack_from("<H", content, begin)
        footers += tag == _FOOTER
        if tag == _SAMPLES and length > 7 and (count := content[begin + 6]) in _LENGTH:
            (samples,) = struct.unpack_from(_LENGTH[count], content, begin + 7)
            if samples > length:  # each has a byte at least; pyxdf would make room for them all
                raise RecordingError(f"'{path}' is damaged: a chunk at byte {place} has too many samples.", COPY_AGAIN)
        place = begin + length
    return _Scan(place, footers)


def _load(path: Path, content: bytes, synchronize: bool = True) -> tuple[list[dict[str, Any]], list[str]]:
    """The streams, with their stamps on one clock or as they are, and what pyxdf warns of."""
    records: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: records.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("pyxdf")
    propagates = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        streams, _ = pyxdf.load_xdf(io.BytesIO(content), synchronize_clocks=synchronize, dejitter_timestamps=False)
    except Exception as error:  # a damaged file makes pyxdf raise anything
        problem = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(":.")
        raise RecordingError(f"'{path}' is damaged: pyxdf stops with {problem}.", COPY_AGAIN) from error
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagates
    heard = [m for m in records if not any(common in m for common in _COMMON_WARNINGS)]
    return streams, list(dict.fromkeys(heard))


def _recording(
    path: Path, stream: dict[str, Any], unit: str | None, cues: list[tuple[float, Any]], notes: list[str]
) -> Recording:
    name, kind, rate = _said(stream, "name"), _said(stream, "type"), float(_said(stream, "nominal_srate") or 0)
    stamps = np.asarray(stream["time_stamps"], np.float64)
    samples = np.asarray(stream["time_series"], np.float64)
    if not plausible(stamps):
        raise RecordingError(f"'{path}' is damaged: stream '{name}' has time stamps of no clock.", COPY_AGAIN)
    own = []
    if rate:
        layout = lay_out(stamps, rate)
        for sample, seconds in layout.backward:
            at = layout.times[sample] - layout.times[0]
            own.append(f"Its clock jumps back by {seconds:.3g} s at {at:.3f} s; the samples are taken as consecutive.")
        values, times = spread(path, samples, layout.rows, rate), layout.row_times()
    else:
        order = np.argsort(stamps, kind="stable")
        values, times = samples[order].astype(np.float32), stamps[order]
    start = float(times[0])
    return assemble(
        path,
        _channels(path, stream, kind),
        values,
        rate,
        unit=unit,
        name=name,
        kind=kind,
        source_id=_said(stream, "source_id"),
        times=times - start,
        start=start,
        annotations=[Annotation(float(stamp) - start, 0.0, _text(value)) for stamp, value in cues],
        notes=[*notes, *own],
    )


def _channels(path: Path, stream: dict[str, Any], kind: str) -> list[Channel]:
    """As ``desc/channels/channel/{label,unit,type}`` says; numbered where nothing is said."""
    count = int(_said(stream, "channel_count"))
    described = stream["info"].get("desc") or [None]
    channels = ((described[0] or {}).get("channels") or [None])[0] or {}
    elements = channels.get("channel", [])
    if not elements:
        return [Channel(f"channel {i + 1}", "", _kind("", kind)) for i in range(count)]
    if len(elements) != count:
        raise RecordingError(
            f"Stream '{_said(stream, 'name')}' of '{path}' has {count} channels, but describes {len(elements)}.",
            "Correct its description in the device's LSL app, and record again.",
        )
    found = []
    for i, element in enumerate(elements):
        label, unit, own = (_first(element or {}, key) for key in ("label", "unit", "type"))
        label = label or f"channel {i + 1}"
        own = _kind(own, kind)
        found.append(Channel(clean_label(label) if own == "EEG" else label, unit, own))
    return found


def _kind(own: str, stream: str) -> str:
    """Of a channel, or else of its stream; as it is written in the program if it is a common one."""
    kind = own or stream
    return kind.upper() if kind.upper() in _KINDS else kind or "MISC"


def _is_markers(stream: dict[str, Any]) -> bool:
    irregular = not float(_said(stream, "nominal_srate") or 0)
    return _said(stream, "channel_format") == "string" or (irregular and "marker" in _said(stream, "type").casefold())


def _said(stream: dict[str, Any], key: str) -> str:
    return _first(stream["info"], key)


def _first(element: dict[str, Any], key: str) -> str:
    """The text of the first child of a name, as pyxdf gives XML: a list a name, None where it is empty."""
    return str((element.get(key) or [""])[0] or "").strip()


def _text(values: Any) -> str:
    """The values of a marker, most of them one text."""
    return " ".join(value if isinstance(value, str) else f"{value:g}" for value in values)
