"""What a stream says of itself: labels, units, types of its channels, read into our terms."""

from __future__ import annotations

from collections import Counter
from xml.etree import ElementTree

import numpy as np
import pylsl  # type: ignore[import-untyped]
from numpy.typing import NDArray

from motorctl.errors import StreamError
from motorctl.signals.electrodes import clean_label
from motorctl.signals.stream import Channel, StreamInfo
from motorctl.signals.units import MICROVOLTS, in_microvolts

_FIFF_MULTIPLIERS = {"0": "V", "-3": "mV", "-6": MICROVOLTS, "-9": "nV"}
"""MNE-LSL gives FIFF's power of ten in place of a unit."""


def read_metadata(full: pylsl.StreamInfo, unit: str | None = None) -> tuple[StreamInfo, NDArray[np.float64]]:
    """What a stream says of itself (``desc/channels/channel/{label,unit,type}``), and ``(channel,)`` factors to µV.

    Raises:
        StreamError: if channels have no label, share one, or must be voltages and have no known unit.
    """
    name, kind, count = full.name(), full.type(), full.channel_count()
    declared = [_declared_channel(channel, kind) for channel in _xml(full).findall("desc/channels/channel")]
    if len(declared) != count or not all(channel.label for channel in declared):
        raise StreamError(
            f"Stream '{name}' has {count} channels, but labels for {sum(bool(c.label) for c in declared)} of them.",
            "Name the channels in the device's LSL app (desc/channels/channel/label).",
        )
    twice = [label for label, times in Counter(c.label.casefold() for c in declared).items() if times > 1]
    if twice:
        raise StreamError(
            f"Stream '{name}' has more than one channel {', '.join(twice)}.", "Rename them on the device."
        )
    channels, factors = in_microvolts(declared, unit, f"stream '{name}'", StreamError)
    return StreamInfo(name, kind, full.nominal_srate(), channels, full.source_id()), factors


def playback_speed(full: pylsl.StreamInfo) -> float:
    """How many times as fast as its nominal rate a played recording comes (``desc/playback/speed``, ours); else 1."""
    return float(_xml(full).findtext("desc/playback/speed", "1"))


def differences(was: StreamInfo, now: StreamInfo) -> str:
    """What differs between two descriptions, in words; empty if nothing does."""
    said = [
        f"{what} {old or 'none'} before, {new or 'none'} now"
        for what, old, new in (
            ("name", was.name, now.name),
            ("type", was.kind, now.kind),
            ("rate", f"{was.rate:g} Hz", f"{now.rate:g} Hz"),
            ("channels", ", ".join(was.labels), ", ".join(now.labels)),
        )
        if old != new
    ]
    if not said and was.channels != now.channels:
        said = ["units or types of channels differ"]
    return "; ".join(said)


def _xml(full: pylsl.StreamInfo) -> ElementTree.Element:
    return ElementTree.fromstring(full.as_xml())


def _declared_channel(channel: ElementTree.Element, stream_kind: str) -> Channel:
    label, unit, kind = (channel.findtext(key, "").strip() for key in ("label", "unit", "type"))
    kind = kind or stream_kind
    kind = kind.upper() if kind.upper() in ("EEG", "EOG", "EMG", "ECG", "MISC") else kind
    return Channel(clean_label(label) if kind == "EEG" else label, _FIFF_MULTIPLIERS.get(unit, unit), kind)
