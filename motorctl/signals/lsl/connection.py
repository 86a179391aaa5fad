"""A connection to a stream, made without ever blocking: liblsl waits in the background, and is asked again and again.

Waiting is written as generators that yield while there is no answer yet. So the same lines serve the first connection,
which somebody waits for, and one that has to be made anew between two deadlines of a loop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import NamedTuple, TypeVar

import numpy as np
import pylsl  # type: ignore[import-untyped]
from numpy.typing import NDArray
from pylsl.util import LostError  # type: ignore[import-untyped]
from pylsl.util import TimeoutError as LSLTimeout

from motorctl.errors import StreamError, StreamLost
from motorctl.signals.lsl.description import playback_speed, read_metadata
from motorctl.signals.lsl.find import describe
from motorctl.signals.stream import StreamInfo

T = TypeVar("T")
Waiting = Generator[None, None, T]
"""Yields while it waits, returns what it has waited for; raises pylsl's errors for a timeout or a lost stream."""

POLL = 0.02  # s between two looks for an answer
_CLOCK_REFRESH = 1.0  # s; liblsl keeps the estimate itself, to fetch it takes microseconds


class Connection(NamedTuple):
    """An inlet and all that is known of its stream.

    Args:
        inlet: of pylsl; it does not recover by itself, since liblsl would accept a stream of another rate.
        info: what the stream says of itself.
        factors: ``(channel,)`` to µV; None where they are all 1.
        speed: how many times as fast as at ``info.rate`` samples come; 1 for a device.
        uid: of the outlet, another one after every restart.
        created: when the outlet was made, on this machine's clock (s).
        clock: what to add to its stamps.
    """

    inlet: pylsl.StreamInlet
    info: StreamInfo
    factors: NDArray[np.float64] | None
    speed: float
    uid: str
    created: float
    clock: Clock


def connecting(found: pylsl.StreamInfo, unit: str | None, timeout: float) -> Waiting[Connection]:
    """Connect, up to what is needed before samples can be asked for.

    Args:
        found: a stream that was seen.
        unit: as for :func:`motorctl.signals.lsl.open_source`.
        timeout: seconds for each answer.
    """
    if found.channel_format() == pylsl.cf_string:
        raise StreamError(f"{describe(found)} carries text.", "Choose a stream of numbers.")
    inlet = pylsl.StreamInlet(found, recover=False)
    # Without its description in hand, an inlet's first pull waits for it, for ever if the outlet has gone by then.
    full = yield from answer(inlet.info, timeout)
    info, factors = read_metadata(full, unit)
    offset = yield from answer(inlet.time_correction, timeout)
    created = full.created_at() + offset
    needed = factors if (factors != 1).any() else None
    return Connection(inlet, info, needed, playback_speed(full), full.uid(), created, Clock(inlet, offset))


def answer(call: Callable[[float], T], timeout: float) -> Waiting[T]:
    """The answer of a call into liblsl that takes how long it may stay there."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return call(0.0)
        except LSLTimeout:
            if time.monotonic() >= deadline:
                raise
        yield


def patiently(waiting: Waiting[T], label: str) -> T:
    """Wait for it; Ctrl-C gets through.

    Raises:
        StreamError: no answer, or the stream is gone.
    """
    try:
        while True:
            next(waiting)
            time.sleep(POLL)
    except StopIteration as done:
        value: T = done.value
        return value
    except LSLTimeout as error:
        raise StreamError(
            f"{label} is visible, but does not answer.",
            "Open TCP and UDP 16572-16604 in the firewalls between ('motorctl doctor' tries them), or restart the "
            "device's LSL app.",
        ) from error
    except LostError as error:
        raise StreamError(
            f"{label} is gone again.", "Wait until the device streams steadily, and start again."
        ) from error


def lost(label: str) -> StreamLost:
    """The error for a stream that has gone and cannot be told again when it comes back."""
    return StreamLost(f"{label} is gone.", "Restart the device; with a source_id it would be picked up again.")


class Clock:
    """What to add to a stream's stamps to have them on this machine's clock, fetched now and then."""

    def __init__(self, inlet: pylsl.StreamInlet, offset: float) -> None:
        self._inlet = inlet
        self._offset = offset
        self._due = time.monotonic() + _CLOCK_REFRESH

    def offset(self) -> float:
        """In seconds; never waits."""
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + _CLOCK_REFRESH
            try:
                self._offset = float(self._inlet.time_correction(0.0))
            except (LSLTimeout, LostError):  # not known anew while the stream is away: the old one is the best there is
                pass
        return self._offset
