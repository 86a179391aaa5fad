"""Streams over Lab Streaming Layer: find them, read them as chunks in µV, and send them.

What LSL does when things go wrong is met here: waits are bounded and short, since Ctrl-C has to wait until liblsl
returns; twins are told apart; units, labels and clocks are put right; a missing value is marked and not passed on.
"""

from __future__ import annotations

import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from xml.etree import ElementTree

import numpy as np
import pylsl  # type: ignore[import-untyped]
from numpy.typing import NDArray
from pylsl.util import LostError  # type: ignore[import-untyped]
from pylsl.util import TimeoutError as LSLTimeout

from motorctl.errors import StreamError
from motorctl.signals.electrodes import clean_label
from motorctl.signals.stream import Channel, Chunk, StreamInfo
from motorctl.signals.units import MICROVOLTS, in_microvolts

_BLOCK = 0.2  # s, the longest stay in liblsl, during which Ctrl-C waits
_POLL = 0.02  # s between looks at what has answered
_TWIN_WAIT = 0.6  # s: liblsl asks around every 0.5 s, so that a twin is asked twice
_CLOCK_REFRESH = 1.0  # s; liblsl keeps the estimate itself, to fetch it takes microseconds
_PULL = 1024  # samples


def hush() -> None:
    """Have liblsl say nothing, unless the user has configured it; before its first use. What matters is said here."""
    places = (Path("lsl_api.cfg"), Path.home() / "lsl_api" / "lsl_api.cfg", Path("/etc/lsl_api/lsl_api.cfg"))
    if "LSLAPICFG" not in os.environ and not any(place.exists() for place in places):
        pylsl.set_config_content("[log]\nlevel = -3\n")


# Find ---------------------------------------------------------------------------------------------------------------


def visible_streams(timeout: float = 1.0) -> list[pylsl.StreamInfo]:
    """Every stream that answers within ``timeout`` seconds, by name; :func:`describe` puts one into words."""
    resolver = pylsl.ContinuousResolver()
    time.sleep(timeout)
    return _seen(resolver)


def describe(found: pylsl.StreamInfo) -> str:
    """One line on a stream: name, type, size, host, source_id and uid."""
    rate = f"at {found.nominal_srate():g} Hz" if found.nominal_srate() else "irregular"
    return (
        f"'{found.name()}' ({found.type()}, {found.channel_count()} channels {rate}, on {found.hostname()}, "
        f"source_id '{found.source_id()}', uid {found.uid()})"
    )


def find_stream(
    query: str | None = None,
    *,
    name: str | None = None,
    kind: str | None = None,
    source_id: str | None = None,
    timeout: float = 5.0,
) -> pylsl.StreamInfo:
    """The one stream that fits everything given.

    Args:
        query: the stream's name, type or source_id, whichever it is.
        name: its name.
        kind: its type, such as ``EEG``.
        source_id: its device.
        timeout: seconds to wait for it to appear. Once it has, twins get 0.6 s to show themselves.

    Raises:
        StreamError: if none appears, or more than one does.
    """

    def fits(found: pylsl.StreamInfo) -> bool:
        own = found.name(), found.type(), found.source_id()
        wanted = zip((name, kind, source_id), own, strict=True)
        return (query is None or query in own) and all(want in (None, has) for want, has in wanted)

    resolver = pylsl.ContinuousResolver()
    deadline = time.monotonic() + timeout
    while not any(map(fits, _seen(resolver))) and time.monotonic() < deadline:
        time.sleep(_POLL)
    if any(map(fits, _seen(resolver))):
        time.sleep(_TWIN_WAIT)
    visible = _seen(resolver)
    matches = [found for found in visible if fits(found)]
    if len(matches) != 1:
        words = _in_words(query=query, name=name, kind=kind, source_id=source_id)
        raise _ambiguous(words, matches) if matches else _absent(words, visible, timeout)
    return matches[0]


def _seen(resolver: pylsl.ContinuousResolver) -> list[pylsl.StreamInfo]:
    return sorted(resolver.results(), key=lambda found: (found.name(), found.source_id(), found.uid()))


def _in_words(query: str | None, **properties: str | None) -> str:
    words = [f"name, type or source_id '{query}'"] if query else []
    words += [f"{key} '{value}'" for key, value in properties.items() if value]
    return " and ".join(words) or "any name"


def _absent(wanted: str, visible: list[pylsl.StreamInfo], timeout: float) -> StreamError:
    return StreamError(
        f"No stream with {wanted} within {timeout:g} s; visible: {'; '.join(map(describe, visible)) or 'none'}.",
        "Start the device's LSL app or choose a visible stream; a firewall must let UDP 16571 and TCP and UDP "
        "16572-16604 through.",
    )


def _ambiguous(wanted: str, matches: list[pylsl.StreamInfo]) -> StreamError:
    ids = Counter(found.source_id() for found in matches)
    told_apart = len(ids) == len(matches) and "" not in ids
    return StreamError(
        f"{len(matches)} streams with {wanted}: {'; '.join(map(describe, matches))}.",
        "Choose one: use --stream with its source_id." if told_apart else "Stop all but one, or rename them.",
    )


# Read ---------------------------------------------------------------------------------------------------------------


def open_source(
    query: str | None = None,
    *,
    name: str | None = None,
    kind: str | None = None,
    source_id: str | None = None,
    timeout: float = 5.0,
    unit: str | None = None,
) -> LSLSource:
    """Find a stream as :func:`find_stream` does, and connect to it.

    Args:
        query, name, kind, source_id: what it is known by.
        timeout: seconds for it to appear, and again for it to answer.
        unit: the unit its EEG, EOG, EMG and ECG channels are really in, where the stream says none or a wrong one.

    Raises:
        StreamError: if there is no such stream or more than one, it does not answer, or has no labels or known units.
    """
    found = find_stream(query, name=name, kind=kind, source_id=source_id, timeout=timeout)
    return LSLSource(found, timeout, unit)


class LSLSource:
    """A stream as a :class:`~motorctl.signals.stream.Source`; times are on this machine's ``local_clock()``.

    ``with`` subscribes: what was sent before is never seen. A device that stops and comes back under its source_id is
    picked up again in silence; until then reads are empty.

    Args:
        found: from :func:`find_stream`.
        timeout: seconds for the stream to answer.
        unit: as for :func:`open_source`.
    """

    def __init__(self, found: pylsl.StreamInfo, timeout: float = 5.0, unit: str | None = None) -> None:
        if found.channel_format() == pylsl.cf_string:
            raise StreamError(f"{describe(found)} carries text.", "Choose a stream of numbers.")
        self._label = describe(found)
        self._timeout = timeout
        self._inlet = pylsl.StreamInlet(found)
        full = _patiently(self._inlet.info, timeout, self._label)
        self.info, self._factors = read_metadata(full, unit)
        self._clock = _Clock(self._inlet, timeout, self._label)

    def __enter__(self) -> Self:
        _patiently(self._inlet.open_stream, self._timeout, self._label)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._inlet.close_stream()

    def flush(self) -> int:
        """Drop what has arrived but was not read, so that the next read is fresh; how many samples that was."""
        return int(self._inlet.flush())

    def read(self, timeout: float) -> Chunk:
        """Everything that has arrived, waiting up to ``timeout`` seconds for the first sample.

        A value that is not finite becomes 0 with its mask False, so that no filter's state is poisoned.

        Raises:
            StreamError: if the stream is gone and has no source_id under which it could come back.
        """
        deadline = time.monotonic() + timeout
        pulled = [self._pull(min(timeout, _BLOCK))]
        while not len(pulled[0][1]) and (left := deadline - time.monotonic()) > 0:
            pulled = [self._pull(min(left, _BLOCK))]
        while len(pulled[-1][1]) == _PULL:  # a backlog: there may be more
            pulled.append(self._pull(0.0))
        raw, stamps = (np.concatenate(parts) for parts in zip(*pulled, strict=True))
        samples, mask = measured(raw, self._factors)
        return Chunk(samples, stamps + self._clock.offset(), mask)

    def _pull(self, timeout: float) -> tuple[NDArray[Any], NDArray[np.float64]]:
        try:
            return self._inlet.pull_chunk(timeout, _PULL, min_samples=1, as_numpy=True)  # type: ignore[no-any-return]
        except LostError as error:
            raise _lost(self._label) from error


def measured(raw: NDArray[Any], factors: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Numbers of any type times ``(channel,)`` factors, as float32, and which of them are finite; others become 0."""
    with np.errstate(over="ignore", invalid="ignore"):
        samples = (raw * factors).astype(np.float32)  # (time, channel)
    mask = np.isfinite(samples)
    samples[~mask] = 0
    return samples, mask


def read_metadata(full: pylsl.StreamInfo, unit: str | None = None) -> tuple[StreamInfo, NDArray[np.float64]]:
    """What a stream says of itself (``desc/channels/channel/{label,unit,type}``), and ``(channel,)`` factors to µV.

    Raises:
        StreamError: if channels have no label, share one, or must be voltages and have no known unit.
    """
    name, kind, count = full.name(), full.type(), full.channel_count()
    described = ElementTree.fromstring(full.as_xml()).findall("desc/channels/channel")
    declared = [_declared_channel(channel, kind) for channel in described]
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


def _declared_channel(channel: ElementTree.Element, stream_kind: str) -> Channel:
    label, unit, kind = (channel.findtext(key, "").strip() for key in ("label", "unit", "type"))
    kind = kind or stream_kind
    kind = kind.upper() if kind.upper() in ("EEG", "EOG", "EMG", "ECG", "MISC") else kind
    return Channel(clean_label(label) if kind == "EEG" else label, unit, kind)


class _Clock:
    """What to add to a stream's stamps to have them on this machine's clock, fetched now and then."""

    def __init__(self, inlet: pylsl.StreamInlet, timeout: float, label: str) -> None:
        self._inlet = inlet
        self._offset = float(_patiently(inlet.time_correction, timeout, label))
        self._due = time.monotonic() + _CLOCK_REFRESH

    def offset(self) -> float:
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + _CLOCK_REFRESH
            try:
                self._offset = float(self._inlet.time_correction(0.0))
            except (LSLTimeout, LostError):  # not known anew while the stream is away: the old one is the best there is
                pass
        return self._offset


def _patiently(call: Callable[[float], Any], timeout: float, label: str) -> Any:
    """Call into liblsl, which waits in the background, in short stays until it has an answer."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return call(_BLOCK)
        except LSLTimeout as error:
            if time.monotonic() >= deadline:
                raise StreamError(
                    f"{label} is visible, but does not answer within {timeout:g} s.",
                    "Open TCP and UDP 16572-16604 in the firewalls between, or restart the device's LSL app.",
                ) from error
        except LostError as error:
            raise _lost(label) from error


def _lost(label: str) -> StreamError:
    return StreamError(f"{label} is gone.", "Restart the device; with a source_id it would be picked up again.")


class MarkerInlet:
    """Markers as they arrive, with times on this machine's ``local_clock()``; made by :func:`open_markers`."""

    def __init__(self, found: pylsl.StreamInfo, timeout: float = 5.0) -> None:
        self._label = describe(found)
        self._inlet = pylsl.StreamInlet(found)
        # Without its description in hand, an inlet's first pull waits for it, for ever if the outlet has gone by then.
        _patiently(self._inlet.info, timeout, self._label)
        self._clock = _Clock(self._inlet, timeout, self._label)
        _patiently(self._inlet.open_stream, timeout, self._label)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._inlet.close_stream()

    def read(self) -> list[tuple[float, str]]:
        """The markers that have arrived since the last call, as ``(time, text)``; never waits."""
        try:
            values, stamps = self._inlet.pull_chunk(0.0, as_numpy=True)
        except LostError as error:
            raise _lost(self._label) from error
        offset = self._clock.offset()
        return [(float(stamp) + offset, _text(value)) for stamp, value in zip(stamps, values[:, 0], strict=True)]


def open_markers(query: str, timeout: float = 5.0) -> MarkerInlet:
    """Find a stream of markers by name, type or source_id and subscribe to it; numbers are read as text.

    Raises:
        StreamError: if there is no such stream or more than one, or it does not answer.
    """
    return MarkerInlet(find_stream(query, timeout=timeout), timeout)


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


# Send ---------------------------------------------------------------------------------------------------------------


def signal_outlet(info: StreamInfo, chunk_size: int = 0) -> pylsl.StreamOutlet:
    """An outlet of float32 samples (EEG, or ``MoCap`` and the like), with labels, units and types in its metadata.

    Args:
        info: the stream; an empty source_id is replaced by one made of this machine's name, the stream's and its type.
        chunk_size: samples sent at once; 0 sends what each push holds.
    """
    described = _describe_outlet(info, pylsl.cf_float32)
    return pylsl.StreamOutlet(described, chunk_size)


def marker_outlet(name: str, source_id: str = "") -> pylsl.StreamOutlet:
    """An outlet of markers: one channel of text, irregular, type ``Markers``."""
    info = StreamInfo(name, "Markers", 0.0, (Channel("markers", "", "Markers"),), source_id)
    return pylsl.StreamOutlet(_describe_outlet(info, pylsl.cf_string))


def _describe_outlet(info: StreamInfo, value_format: int) -> pylsl.StreamInfo:
    # Inlets recover a lost stream only by its source_id, so there always is one.
    source_id = info.source_id or f"motorctl/{socket.gethostname()}/{info.name}/{info.kind}"
    described = pylsl.StreamInfo(info.name, info.kind, len(info.channels), info.rate, value_format, source_id)
    _append_channels(described.desc().append_child("channels"), info.channels)
    described.desc().append_child("acquisition").append_child_value("manufacturer", "motorctl")
    return described


def _append_channels(parent: pylsl.info.XMLElement, channels: Sequence[Channel]) -> None:
    for channel in channels:
        element = parent.append_child("channel")
        element.append_child_value("label", channel.label)
        element.append_child_value("unit", "microvolts" if channel.unit == MICROVOLTS else channel.unit)
        element.append_child_value("type", channel.kind)
