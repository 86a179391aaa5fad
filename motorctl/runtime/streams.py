"""``motorctl streams``: which LSL streams are visible, and what really comes from them."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.etree import ElementTree

import pylsl  # type: ignore[import-untyped]
from pylsl.util import LostError  # type: ignore[import-untyped]
from pylsl.util import TimeoutError as LSLTimeout
from rich.console import Console

from motorctl.errors import check_positive
from motorctl.runs import check_json_path, write_json
from motorctl.signals.lsl import hush, visible_streams

_POLL = 0.005  # s


@dataclass(frozen=True)
class StreamsConfig:
    """List the LSL streams that are visible, and listen to each for a while."""

    seconds: float = 2.0
    """How long to listen (s)."""
    timeout: float = 1.0
    """How long to wait for streams to answer (s)."""
    json: Path | None = None
    """File for the list as JSON."""


@dataclass(frozen=True)
class Heard:
    """A stream, and what came of it.

    Args:
        name, kind, source_id, host, uid, format: what it says of itself.
        channels: label and unit of each; empty strings where it gives none.
        nominal_rate: in Hz, 0 for an irregular stream.
        measured_rate: samples that came in a second; None if fewer than two came.
        age_s: of the newest sample when it came (s), None if none came. Large or negative: its stamps are not of
            ``local_clock()``.
        samples: that came while it was listened to.
        answers: whether it gave its description.
    """

    name: str
    kind: str
    source_id: str
    host: str
    uid: str
    format: str
    channels: list[tuple[str, str]]
    nominal_rate: float
    measured_rate: float | None
    age_s: float | None
    samples: int
    answers: bool


def streams(config: StreamsConfig) -> None:
    """Run the command.

    Raises:
        ConfigurationError: an option has a value that cannot be used.
    """
    hush()
    check_json_path(config.json)
    check_positive("seconds", config.seconds)
    check_positive("timeout", config.timeout)
    console = Console()
    found = visible_streams(config.timeout)
    with console.status(f"listening for {config.seconds:g} s"):
        heard = listen(found, config.seconds)
    if config.json:
        write_json(config.json, {"streams": [asdict(stream) for stream in heard]})
    if heard:
        console.print("\n".join(map(in_words, heard)), highlight=False, markup=False)
    else:
        console.print("No stream is visible. Is its LSL app running? 'motorctl doctor' tries the network.")


def listen(found: list[pylsl.StreamInfo], seconds: float) -> list[Heard]:
    """Subscribe to all of them at once, for ``seconds``."""
    listeners = [Listener(stream) for stream in found]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for listener in listeners:
            listener.poll()
        time.sleep(_POLL)
    return [listener.heard() for listener in listeners]


class Listener:
    """Counts what comes from a stream; never waits for it, and takes it as it is."""

    def __init__(self, found: pylsl.StreamInfo) -> None:
        self._found = found
        self._inlet = pylsl.StreamInlet(found, recover=False)
        self._full: pylsl.StreamInfo | None = None
        self._offset: float | None = None
        self._arrivals: list[tuple[float, int]] = []
        self._lag = 0.0  # from the newest stamp, on the device's clock, to its arrival

    def poll(self) -> None:
        """Take what has come."""
        try:
            # Without its description in hand, an inlet's first pull waits for it, for ever if the outlet has gone.
            self._full = self._full or self._inlet.info(0.0)
            values, stamps = self._inlet.pull_chunk(0.0, as_numpy=True)
            if len(stamps):
                now = float(pylsl.local_clock())
                self._arrivals.append((now, len(stamps)))
                self._lag = now - float(stamps[-1])
            self._offset = float(self._inlet.time_correction(0.0))
        except (LSLTimeout, LostError):  # not yet, or no more
            pass

    def heard(self) -> Heard:
        """What came until now."""
        found, full = self._found, self._full
        samples = sum(count for _, count in self._arrivals)
        first, last = (self._arrivals[k][0] if self._arrivals else 0.0 for k in (0, -1))
        rate = (samples - self._arrivals[0][1]) / (last - first) if last > first else None
        known = samples and self._offset is not None
        return Heard(
            name=found.name(),
            kind=found.type(),
            source_id=found.source_id(),
            host=found.hostname(),
            uid=found.uid(),
            format=FORMATS.get(found.channel_format(), "undefined"),
            channels=_channels(full) if full else [("", "")] * found.channel_count(),
            nominal_rate=found.nominal_srate(),
            measured_rate=rate,
            age_s=self._lag - (self._offset or 0.0) if known else None,
            samples=samples,
            answers=full is not None,
        )


FORMATS = {
    pylsl.cf_float32: "float32",
    pylsl.cf_double64: "float64",
    pylsl.cf_string: "text",
    pylsl.cf_int32: "int32",
    pylsl.cf_int16: "int16",
    pylsl.cf_int8: "int8",
    pylsl.cf_int64: "int64",
}


def _channels(full: pylsl.StreamInfo) -> list[tuple[str, str]]:
    described = ElementTree.fromstring(full.as_xml()).findall("desc/channels/channel")
    said = [(channel.findtext("label", "").strip(), channel.findtext("unit", "").strip()) for channel in described]
    return [*said, *[("", "")] * full.channel_count()][: full.channel_count()]


def in_words(stream: Heard) -> str:
    """Two lines on a stream: what comes, and what it is."""
    nominal = f"{stream.nominal_rate:g} Hz" if stream.nominal_rate else "irregular"
    rate = f", {stream.measured_rate:.1f} Hz measured" if stream.measured_rate else ""
    comes = f"{stream.kind}, {nominal}{rate}, {age_in_words(stream.age_s)}"
    return (
        f"{stream.name}: {comes}\n    {channels_in_words(stream)}; {stream.format}, "
        f"source_id '{stream.source_id}', on {stream.host}"
    )


def age_in_words(age: float | None) -> str:
    """Of a newest sample (s); what cannot be an age is a foreign clock."""
    if age is None:
        return "nothing came"
    return f"newest {1e3 * age:.1f} ms old" if -0.1 < age < 60 else f"not on LSL's clock (off by {age:.3g} s)"


def channels_in_words(stream: Heard) -> str:
    """How many, their labels, and their units."""
    if not stream.answers:
        return f"{len(stream.channels)} channels, but it does not answer: a firewall?"
    labels = ", ".join(label for label, _ in stream.channels if label) or "no labels"
    units = ", ".join(dict.fromkeys(unit for _, unit in stream.channels if unit)) or "no unit"
    return f"{len(stream.channels)} channels: {labels} ({units})"
