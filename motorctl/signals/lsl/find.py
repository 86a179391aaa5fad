"""Find streams by what they are known by; twins are refused, not chosen between."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pylsl  # type: ignore[import-untyped]

from motorctl.errors import StreamError

_POLL = 0.02  # s between looks at what has answered
_TWIN_WAIT = 0.6  # s: liblsl asks around every 0.5 s, so that a twin is asked twice


def hush() -> None:
    """Have liblsl say nothing, unless the user has configured it; before its first use. What matters is said here."""
    places = (Path("lsl_api.cfg"), Path.home() / "lsl_api" / "lsl_api.cfg", Path("/etc/lsl_api/lsl_api.cfg"))
    if "LSLAPICFG" not in os.environ and not any(place.exists() for place in places):
        pylsl.set_config_content("[log]\nlevel = -3\n")


def visible_streams(timeout: float = 1.0) -> list[pylsl.StreamInfo]:
    """Every stream that answers within ``timeout`` seconds, by name; :func:`describe` puts one into words."""
    resolver = pylsl.ContinuousResolver()
    time.sleep(timeout)
    return seen(resolver)


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

    wanted = fits(query, name, kind, source_id)
    resolver = pylsl.ContinuousResolver()
    deadline = time.monotonic() + timeout
    while not any(map(wanted, seen(resolver))) and time.monotonic() < deadline:
        time.sleep(_POLL)
    if any(map(wanted, seen(resolver))):
        time.sleep(_TWIN_WAIT)
    visible = seen(resolver)
    matches = [found for found in visible if wanted(found)]
    if len(matches) != 1:
        words = _in_words(query=query, name=name, kind=kind, source_id=source_id)
        raise ambiguous(words, matches) if matches else _absent(words, visible, timeout)
    return matches[0]


def fits(
    query: str | None = None, name: str | None = None, kind: str | None = None, source_id: str | None = None
) -> Callable[[pylsl.StreamInfo], bool]:
    """Whether a stream is what is asked for; arguments as for :func:`find_stream`."""

    def wanted(found: pylsl.StreamInfo) -> bool:
        own = found.name(), found.type(), found.source_id()
        asked = zip((name, kind, source_id), own, strict=True)
        return (query is None or query in own) and all(want in (None, has) for want, has in asked)

    return wanted


def resolver_of(source_id: str) -> pylsl.ContinuousResolver:
    """Looks for a device; to look at all streams there are takes milliseconds."""
    quoted = "'" in source_id  # which liblsl's query does not stand
    return pylsl.ContinuousResolver() if quoted else pylsl.ContinuousResolver("source_id", source_id)


def seen(resolver: pylsl.ContinuousResolver) -> list[pylsl.StreamInfo]:
    """What has answered a resolver so far, by name, source_id and uid."""
    return sorted(resolver.results(), key=lambda found: (found.name(), found.source_id(), found.uid()))


def ambiguous(wanted: str, matches: list[pylsl.StreamInfo]) -> StreamError:
    """The error for several streams that fit ``wanted``, with what tells them apart."""
    ids = Counter(found.source_id() for found in matches)
    told_apart = len(ids) == len(matches) and "" not in ids
    return StreamError(
        f"{len(matches)} streams with {wanted}: {'; '.join(map(describe, matches))}.",
        "Choose one: use --stream with its source_id." if told_apart else "Stop all but one, or rename them.",
    )


def _in_words(query: str | None, **properties: str | None) -> str:
    words = [f"name, type or source_id '{query}'"] if query else []
    words += [f"{key} '{value}'" for key, value in properties.items() if value]
    return " and ".join(words) or "any name"


def _absent(wanted: str, visible: list[pylsl.StreamInfo], timeout: float) -> StreamError:
    return StreamError(
        f"No stream with {wanted} within {timeout:g} s; visible: {'; '.join(map(describe, visible)) or 'none'}.",
        "Start the device's LSL app or choose a visible stream ('motorctl streams' lists them); a firewall must let "
        "UDP 16571 and TCP and UDP 16572-16604 through ('motorctl doctor' tries it).",
    )
