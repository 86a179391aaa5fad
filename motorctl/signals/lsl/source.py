"""A stream of numbers as a source of chunks in µV, which survives what devices and networks do."""

from __future__ import annotations

import time
from collections import deque
from types import TracebackType
from typing import Any, Self

import numpy as np
import pylsl  # type: ignore[import-untyped]
from numpy.typing import NDArray
from pylsl.util import LostError  # type: ignore[import-untyped]
from pylsl.util import TimeoutError as LSLTimeout

from motorctl.errors import StreamError
from motorctl.signals.lsl.connection import POLL, Connection, Waiting, answer, connecting, lost, patiently
from motorctl.signals.lsl.description import differences
from motorctl.signals.lsl.find import ambiguous, describe, find_stream, resolver_of, seen
from motorctl.signals.lsl.rate import RateMeter
from motorctl.signals.lsl.timeline import Event, Timeline
from motorctl.signals.stream import Chunk
from motorctl.signals.units import MICROVOLTS

_Pulled = tuple[NDArray[Any], NDArray[np.float64]]
"""Values (time, channel) and stamps (time,) as liblsl gives them."""

_BLOCK = 0.2  # s, the longest stay in liblsl, during which Ctrl-C waits
_PULL = 1024  # samples
_JUMP = 0.1  # s (or five samples) that stamps jump when a burst may follow, and
_SETTLE = 0.01  # s to wait for more of it, again and again, so that bunched stamps are seen to be bunched
_RETRY = 2.0  # s to wait for an answer of a device that came back: it may have gone again, which liblsl does not tell
_TWIN = 0.1  # s: an outlet made so long before another was last there was there beside it
_EVENTS = 1000


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

    ``with`` subscribes: what was sent before is never seen. What goes wrong is met like this:

    * A device that stops and comes back under its source_id is picked up again, if it is the same in name, type, rate,
      channels and units; until then reads are empty. One that is not is an error, and so is a second device under the
      same source_id, until the right one is back.
    * What is missing by the stamps is given as rows with mask False; a value that is not finite likewise.
    * Stamps of another clock, a clock that jumps, bunched and repeated samples are put right
      (:class:`~motorctl.signals.lsl.timeline.Timeline`).
    * Voltages that come at a rate more than a tenth off the nominal one are an error, 4 s later, until they come at the
      right one: filters are made for one rate.

    ``events`` tells what happened, the last thousand of it.

    Args:
        found: from :func:`find_stream`.
        timeout: seconds for the stream to answer.
        unit: as for :func:`open_source`.
    """

    def __init__(self, found: pylsl.StreamInfo, timeout: float = 5.0, unit: str | None = None) -> None:
        self._label = describe(found)
        self._timeout, self._unit = timeout, unit
        self._connection = patiently(connecting(found, unit, timeout), self._label)
        self._recovery: Waiting[Connection] | None = None
        self._alive = float(pylsl.local_clock())  # when it was last known to be there
        self.info = self._connection.info
        self.events: deque[Event] = deque(maxlen=_EVENTS)
        rate = self.info.rate * self._connection.speed
        self._timeline = Timeline(rate, pylsl.local_clock(), self.events)
        voltages = any(channel.unit == MICROVOLTS for channel in self.info.channels)
        self._meter = RateMeter(rate) if rate and voltages else None
        self._jump = max(_JUMP, 5 / rate) if rate else float("inf")
        self._stamp = -float("inf")  # the newest
        self._trickle = 2 * _SETTLE * rate if rate else float("inf")  # samples, no burst, that come while one settles
        self._nothing = Chunk(np.empty((0, len(self.info.channels)), np.float32), np.empty(0))

    def __enter__(self) -> Self:
        patiently(answer(self._connection.inlet.open_stream, self._timeout), self._label)
        self._alive = float(pylsl.local_clock())
        self._timeline.open_again(self._alive)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.inlet.close_stream()

    @property
    def backlog(self) -> int:
        """Samples that have arrived and wait to be read."""
        return int(self._connection.inlet.samples_available()) if self._recovery is None else 0

    @property
    def age(self) -> float:
        """Of the newest sample that was read (s); NaN before the first."""
        newest = self._timeline.newest
        return float("nan") if newest is None else float(pylsl.local_clock()) - newest

    @property
    def measured_rate(self) -> float | None:
        """At which samples of a stream of voltages come (Hz), over the last undisturbed 2 s; None if not known."""
        return self._meter.measured if self._meter else None

    def flush(self) -> int:
        """Drop what has arrived but was not read, so that the next read is fresh; how many samples that was."""
        self._timeline.forget()
        return int(self._connection.inlet.flush())

    def read(self, timeout: float) -> Chunk:
        """Everything that has arrived, down to the newest sample, waiting up to ``timeout`` seconds for the first.

        A value that is not finite, and a row that did not come, is 0 with its mask False, so that no filter's state is
        poisoned.

        Raises:
            StreamLost: the stream is gone and has no source_id under which it could come back.
            StreamError: it has come back different, or does not keep its rate; reading on waits for the right one.
        """
        deadline = time.monotonic() + timeout
        chunk = self._next(timeout)
        while not len(chunk) and (left := deadline - time.monotonic()) > 0:
            chunk = self._next(left)
        return chunk

    def _next(self, timeout: float) -> Chunk:
        """What has arrived, after at most ``timeout``, or sooner with nothing."""
        if self._recovery:
            self._recover(self._recovery, timeout)
            return self._nothing
        try:
            raw, stamps = self._pull_all(min(timeout, _BLOCK))
        except LostError as error:
            if not self.info.source_id:
                raise lost(self._label) from error
            self._recovery = self._coming_back()
            self.events.append(Event(float(pylsl.local_clock()), "lost", "the stream is gone"))
            return self._nothing
        self._alive = now = float(pylsl.local_clock())
        if not len(stamps):
            return self._nothing
        self._stamp = float(stamps[-1])
        offset = self._connection.clock.offset()
        self._check_rate(len(stamps), now, self._stamp + offset)
        samples, mask = measured(raw, self._connection.factors)
        return self._timeline.place(Chunk(samples, stamps, mask), offset, now)

    def _pull_all(self, timeout: float) -> _Pulled:
        pulled = [self._pull(timeout)]
        try:
            if len(pulled[0][1]) and pulled[0][1][0] - self._stamp > self._jump:
                pulled += self._settle()
            while len(pulled[-1][1]) == _PULL:  # a backlog: there may be more
                pulled.append(self._pull(0.0))
        except LostError:  # what has come is given; the next pull will say it again
            pass
        if len(pulled) == 1:
            return pulled[0]
        raw, stamps = (np.concatenate(parts) for parts in zip(*pulled, strict=True))
        return raw, stamps

    def _settle(self) -> list[_Pulled]:
        """What else there is of a burst: what comes until it comes no faster than it is measured."""
        parts: list[_Pulled] = []
        end = time.monotonic() + _BLOCK
        while not parts or (len(parts[-1][1]) > self._trickle and time.monotonic() < end):
            time.sleep(_SETTLE)
            parts.append(self._pull(0.0))
        return parts

    def _pull(self, timeout: float) -> _Pulled:
        """One sample, nearly always: room for a thousand is made only where there are more."""
        inlet = self._connection.inlet
        first: _Pulled = inlet.pull_chunk(timeout, 1, as_numpy=True)
        if not len(first[1]) or not inlet.samples_available():
            return first
        more: _Pulled = inlet.pull_chunk(0.0, _PULL - 1, as_numpy=True)
        return np.concatenate([first[0], more[0]]), np.concatenate([first[1], more[1]])

    def _check_rate(self, count: int, now: float, stamp: float) -> None:
        if self._meter and self._meter.add(count, now, stamp):
            raise StreamError(
                f"{self._label} gives {self._meter.measured:.4g} samples a second, not "
                f"{self.info.rate * self._connection.speed:g}.",
                "Set the device to the rate it says, restart its LSL app, or bring it nearer if it loses samples.",
            )

    def _recover(self, recovery: Waiting[Connection], timeout: float) -> None:
        """Go on looking for the stream, for a moment."""
        time.sleep(min(timeout, POLL))
        try:
            next(recovery)
        except StopIteration as done:
            self._connection, self._recovery = done.value, None
            away, self._alive = self._alive, float(pylsl.local_clock())
            self._timeline.open_again(self._alive)
            if self._meter:
                self._meter.pause()
            self.events.append(Event(self._alive, "back", f"the stream is back after {self._alive - away:.1f} s"))
        except (LostError, LSLTimeout):  # gone again before it was there
            self._recovery = self._coming_back()
        except StreamError:
            self._recovery = self._coming_back()
            raise

    def _coming_back(self) -> Waiting[Connection]:
        """Wait for the device, and connect to it if it is the same."""
        resolver = resolver_of(self.info.source_id)
        while not (found := [f for f in seen(resolver) if f.source_id() == self.info.source_id]):
            yield
        if len(found) > 1:
            raise ambiguous(f"source_id '{self.info.source_id}'", found)
        timeout = min(self._timeout, _RETRY)
        connection = yield from connecting(found[0], self._unit, timeout)
        if connection.uid != self._connection.uid and connection.created < self._alive - _TWIN:
            raise StreamError(
                f"{self._label} is gone, and {describe(found[0])} is another device under its source_id.",
                "Give each device a source_id of its own, and start again.",
            )
        if different := differences(self.info, connection.info):
            raise StreamError(f"{self._label} came back different: {different}.", "Set it as before, or start again.")
        yield from answer(connection.inlet.open_stream, timeout)
        return connection


def measured(raw: NDArray[Any], factors: NDArray[np.float64] | None) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Numbers of any type times ``(channel,)`` factors, if any, as float32, and which of them are finite; the others
    become 0, in ``raw`` too."""
    if factors is None and raw.dtype == np.float32:  # as of nearly every headset, whose samples a loop waits for
        samples = raw
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            samples = (raw * (1 if factors is None else factors)).astype(np.float32)  # (time, channel)
    mask = np.isfinite(samples)
    if not mask.all():
        samples[~mask] = 0
    return samples, mask
