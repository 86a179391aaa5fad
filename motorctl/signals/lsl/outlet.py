"""Send streams, described as the conventions ask: labels, units and types of channels, and a source_id."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import numpy as np
import pylsl  # type: ignore[import-untyped]
from numpy.typing import NDArray

from motorctl.signals.stream import Channel, StreamInfo
from motorctl.signals.units import MICROVOLTS

_LINGER = 0.2  # s an outlet stays after its last chunk: to close it throws away what liblsl has not yet sent


class LSLSink:
    """A stream that goes out: samples with a stamp each, as float32.

    Leaving ``with`` closes it, 0.2 s later, so that the last samples are on their way.

    Args:
        info: what the stream says of itself, as for :func:`signal_outlet`.
        speed: how many times as fast as at the nominal rate the samples of a recording come; said in the metadata
            (``desc/playback/speed``), since a source holds what arrives against the nominal rate.
    """

    def __init__(self, info: StreamInfo, speed: float = 1.0) -> None:
        described = _describe_outlet(info, pylsl.cf_float32, {})
        if speed != 1:
            described.desc().append_child("playback").append_child_value("speed", repr(speed))
        self._outlet = pylsl.StreamOutlet(described)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        time.sleep(_LINGER)
        del self._outlet

    def send(self, samples: NDArray[np.float32], times: NDArray[np.float64]) -> None:
        """Send ``(time, channel)`` samples stamped ``(time,)`` (s); a row of NaN is not sent, other NaN are."""
        there = ~np.isnan(samples).all(axis=1)  # the gap is kept, never filled
        if there.any():
            # A stamp for each sample: deduced from the nominal rate they would be wrong across gaps and at a speed.
            self._outlet.push_chunk(samples[there], times[there].tolist())


def signal_outlet(
    info: StreamInfo,
    chunk_size: int = 0,
    metadata: Mapping[str, Any] | None = None,
    value_format: int = pylsl.cf_float32,
) -> pylsl.StreamOutlet:
    """An outlet of numbers (EEG, or ``MoCap`` and the like), with labels, units and types in its metadata.

    Args:
        info: the stream; an empty source_id is replaced by one made of this machine's name, the stream's and its type.
        chunk_size: samples sent at once; 0 sends what each push holds.
        metadata: more to say of it, plain JSON types, as JSON under ``desc/motorctl/NAME``.
        value_format: of the numbers, one of pylsl's.
    """
    return pylsl.StreamOutlet(_describe_outlet(info, value_format, metadata or {}), chunk_size)


def marker_outlet(name: str, source_id: str = "", metadata: Mapping[str, Any] | None = None) -> pylsl.StreamOutlet:
    """An outlet of markers: one channel of text, irregular, type ``Markers``; ``metadata`` as for
    :func:`signal_outlet`."""
    info = StreamInfo(name, "Markers", 0.0, (Channel("markers", "", "Markers"),), source_id)
    return pylsl.StreamOutlet(_describe_outlet(info, pylsl.cf_string, metadata or {}))


def _describe_outlet(info: StreamInfo, value_format: int, metadata: Mapping[str, Any]) -> pylsl.StreamInfo:
    # Inlets recover a lost stream only by its source_id, so there always is one.
    source_id = info.source_id or f"motorctl/{socket.gethostname()}/{info.name}/{info.kind}"
    described = pylsl.StreamInfo(info.name, info.kind, len(info.channels), info.rate, value_format, source_id)
    parent = described.desc().append_child("channels")
    for channel in info.channels:
        element = parent.append_child("channel")
        element.append_child_value("label", channel.label)
        element.append_child_value("unit", "microvolts" if channel.unit == MICROVOLTS else channel.unit)
        element.append_child_value("type", channel.kind)
    described.desc().append_child("acquisition").append_child_value("manufacturer", "motorctl")
    if metadata:
        said = described.desc().append_child("motorctl")
        for name, value in metadata.items():
            said.append_child_value(name, json.dumps(value, ensure_ascii=False))
    return described
