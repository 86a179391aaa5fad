"""Writes XDF files as a recording goes on: what was written so far can be read whenever the writer ends.

Format: XDF 1.0 (Kothe et al., github.com/sccn/xdf/wiki/Specifications). Every chunk goes to the system in one write, so
that a process that is killed leaves whole chunks; a file without footers can be read. A chunk for which there is no
room on the disk is taken back, so that the file stays whole and the chunk can be written again once there is.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import numpy as np
from numpy.typing import NDArray

from motorctl.signals.stream import StreamInfo
from motorctl.signals.units import MICROVOLTS

BOUNDARY_SECONDS = 10.0
"""A boundary is written at least this often (s), as the specification asks, so that a reader of a file that is damaged
finds the next whole chunk."""

_BOUNDARY_BYTES = 1 << 20
_BOUNDARY = bytes.fromhex("43A546DCCBF5410FB30ED5467383CBE4")
_FILE_HEADER, _STREAM_HEADER, _SAMPLES, _CLOCK_OFFSET, _BOUNDARY_TAG, _STREAM_FOOTER = range(1, 7)
_NUMBERS = {"float32": "<f4", "double64": "<f8", "int8": "i1", "int16": "<i2", "int32": "<i4", "int64": "<i8"}


class _Stream:
    """What the footer of a stream will say."""

    def __init__(self, header: Element) -> None:
        self.format = header.findtext("channel_format", "")
        self.count = int(header.findtext("channel_count", "0"))
        self.samples = 0
        self.first = self.last = 0.0
        self.offsets: list[tuple[float, float]] = []


class XdfWriter:
    """An XDF file that is being written, for one thread at a time.

    Args:
        path: of the file, which must not exist yet.

    Raises:
        FileExistsError: the file is there.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb", buffering=0)
        self._streams: dict[int, _Stream] = {}
        self._end = self._since_boundary = 0  # bytes
        self._boundary_due = time.monotonic() + BOUNDARY_SECONDS
        self._end += self._file.write(b"XDF:")
        info = Element("info")
        SubElement(info, "version").text = "1.0"
        SubElement(info, "datetime").text = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S%z")
        self._chunk(_FILE_HEADER, _xml(info))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add_stream(self, header: str) -> int:
        """Begin a stream; returns the number by which it is known to the other methods.

        Args:
            header: XML as LSL gives it (``pylsl.StreamInfo.as_xml``), or from :func:`stream_header`.

        Raises:
            ValueError: the header names no format of channels that there is.
        """
        stream = _Stream(ElementTree.fromstring(header))
        if stream.format not in (*_NUMBERS, "string") or stream.count < 1:
            raise ValueError(f"a stream cannot have {stream.count} channels of the format '{stream.format}'")
        number = len(self._streams) + 1
        self._chunk(_STREAM_HEADER, struct.pack("<I", number) + header.encode())
        self._streams[number] = stream
        return number

    def append(self, number: int, samples: NDArray[Any] | Sequence[Sequence[str]], stamps: NDArray[np.float64]) -> None:
        """Write samples ``(time, channel)``, numbers or texts as the stream's format says, and their stamps ``(time,)``
        on the clock of the device (s).

        Raises:
            ValueError: they differ in number from the stamps, or from the channels of the stream.
            OSError: the disk is full, or broken; nothing of them is in the file.
        """
        stream = self._streams[number]
        if len(samples) != len(stamps) or any(len(row) != stream.count for row in samples[:1]):
            raise ValueError(f"{len(samples)} samples for {len(stamps)} stamps, or not of {stream.count} channels")
        if not len(stamps):
            return
        times = np.asarray(stamps, np.float64)
        packed = (
            _pack_texts(samples, times)
            if stream.format == "string"
            else _pack_numbers(np.asarray(samples), times, _NUMBERS[stream.format])
        )
        if self._since_boundary >= _BOUNDARY_BYTES or time.monotonic() >= self._boundary_due:
            self.boundary()
        self._chunk(_SAMPLES, struct.pack("<I", number) + _varlen(len(stamps)) + packed)
        stream.first = stream.first if stream.samples else float(stamps[0])
        stream.last = float(stamps[-1])
        stream.samples += len(stamps)

    def clock_offset(self, number: int, collected: float, offset: float) -> None:
        """Write what to add to stamps of the device's clock to have them on the recorder's (s).

        Args:
            number: of the stream.
            collected: when the offset was measured, on the device's clock.
            offset: the recorder's clock less the device's, as ``pylsl.StreamInlet.time_correction`` gives it.
        """
        self._chunk(_CLOCK_OFFSET, struct.pack("<Idd", number, collected, offset))
        self._streams[number].offsets.append((collected, offset))

    def boundary(self) -> None:
        """Write a place where reading can begin again; done in time by :meth:`append`."""
        self._chunk(_BOUNDARY_TAG, _BOUNDARY)
        self._since_boundary = 0
        self._boundary_due = time.monotonic() + BOUNDARY_SECONDS

    def close(self) -> None:
        """Write the footers and close the file; a second time does nothing."""
        if self._file.closed:
            return
        try:
            for number, stream in self._streams.items():
                self._chunk(_STREAM_FOOTER, struct.pack("<I", number) + _xml(_footer(stream)))
        finally:
            self._file.close()

    def _chunk(self, tag: int, content: bytes) -> None:
        whole = memoryview(_varlen(len(content) + 2) + struct.pack("<H", tag) + content)
        begin, size = self._end, len(whole)
        try:
            while whole:  # an unbuffered file may take a part only, on a disk that is getting full
                whole = whole[self._file.write(whole) :]
        except OSError as error:
            self._file.truncate(begin)
            self._file.seek(begin)
            raise OSError(error.errno, error.strerror, self._file.name) from error
        self._end += size
        self._since_boundary += size


def stream_header(info: StreamInfo, channel_format: str = "float32") -> str:
    """The header of a stream that did not come from LSL.

    Args:
        info: what it is.
        channel_format: ``float32``, ``double64``, ``int8``, ``int16``, ``int32``, ``int64`` or ``string``.
    """
    root = Element("info")
    for key, value in (
        ("name", info.name),
        ("type", info.kind),
        ("channel_count", len(info.channels)),
        ("nominal_srate", repr(info.rate)),
        ("channel_format", channel_format),
        ("source_id", info.source_id),
    ):
        SubElement(root, key).text = str(value)
    channels = SubElement(SubElement(root, "desc"), "channels")
    for channel in info.channels:
        element = SubElement(channels, "channel")
        SubElement(element, "label").text = channel.label
        SubElement(element, "unit").text = "microvolts" if channel.unit == MICROVOLTS else channel.unit
        SubElement(element, "type").text = channel.kind
    return ElementTree.tostring(root, "unicode")


def _footer(stream: _Stream) -> Element:
    root = Element("info")
    SubElement(root, "first_timestamp").text = repr(stream.first)
    SubElement(root, "last_timestamp").text = repr(stream.last)
    SubElement(root, "sample_count").text = str(stream.samples)
    offsets = SubElement(root, "clock_offsets")
    for collected, offset in stream.offsets:
        element = SubElement(offsets, "offset")
        SubElement(element, "time").text = repr(collected)
        SubElement(element, "value").text = repr(offset)
    return root


def _pack_numbers(values: NDArray[Any], stamps: NDArray[np.float64], number: str) -> bytes:
    packed = np.empty(len(values), [("width", "u1"), ("stamp", "<f8"), ("values", number, values.shape[1:])])
    packed["width"], packed["stamp"], packed["values"] = 8, stamps, values
    return packed.tobytes()


def _pack_texts(rows: Iterable[Iterable[Any]], stamps: NDArray[np.float64]) -> bytes:
    parts = []
    for row, stamp in zip(rows, stamps.tolist(), strict=True):
        parts.append(struct.pack("<Bd", 8, stamp))
        for text in row:
            encoded = str(text).encode()
            parts += [_varlen(len(encoded)), encoded]
    return b"".join(parts)


def _varlen(number: int) -> bytes:
    if number < 1 << 8:
        return struct.pack("<BB", 1, number)
    return struct.pack("<BI", 4, number) if number < 1 << 32 else struct.pack("<BQ", 8, number)


def _xml(root: Element) -> bytes:
    return b'<?xml version="1.0"?>' + ElementTree.tostring(root)
