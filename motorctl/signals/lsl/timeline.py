"""Time stamps as devices give them, put right: what is measured when, on this machine's clock, and what is missing.

A chunk that has been placed is in order, on this machine's ``local_clock()``, and has a row for every sample that is
due: what did not come is there as rows whose mask is False, so that the pipeline holds and masks it. Nothing is filled
in. What had to be put right is told as an :class:`Event`.
"""

from __future__ import annotations

import math
import time
from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from motorctl.signals.stream import Chunk

Array = NDArray[np.float64]

AHEAD = 0.1
"""A stamp this far (s) in the future is of another clock: clocks are compared to a millisecond or better."""
BACK = 0.1
"""A step back by this much (s) is a clock that was set, not jitter."""
DEVICE_DELAY = 5.0
"""No device keeps a sample so long (s) before it sends it."""
SLEW = 5e-4
"""Most that a clock's measured offset may move stamps (s/s), as NTP moves clocks: a measurement is off by up to half of
its round trip, and a clock by a tenth of this."""
LONGEST_GAP = 10.0
"""Of a longer gap, masked rows for this long (s) are given: enough for every filter to be told."""

_UNSURE = 0.01  # s of jitter to begin with, until the stream has shown its own
_JITTER_MEMORY = 3.0  # s
_MOST_JITTER = 0.1  # s
_STEP = 1e-6  # s, the least between two samples
_RECENT = 64  # chunks among which a repeated sample is looked for
_UNIX = 365 * 86400.0  # s from Unix time within which it is meant; local_clock() counts from when the machine started


class Event(NamedTuple):
    """Something about a stream that was noticed: ``time`` (s, ``local_clock()``), ``kind`` and ``text``.

    Kinds: ``gap``, ``clock``, ``bunched``, ``repeated``, ``lost``, ``back``.
    """

    time: float
    kind: str
    text: str


class Timeline:
    """Places one stream's samples in time, chunk by chunk.

    Args:
        rate: at which samples come (Hz), 0 for an irregular stream, which has no gaps.
        opened: when the stream was subscribed to (s); no sample of it is older than a device's delay.
        events: where to tell what was put right.
    """

    def __init__(self, rate: float, opened: float, events: deque[Event]) -> None:
        self._period = 1 / rate if rate else 0.0
        self._events = events
        self._jitter = _UNSURE
        self.newest: float | None = None
        self.open_again(opened)

    def open_again(self, opened: float) -> None:
        """The device was restarted, or begins to be read: its clock may be another one, and what it says is new."""
        self._opened = opened
        self._shift = 0.0
        self._offset: float | None = None  # that is in use
        self._slewed_to = opened  # stamp up to which it has come nearer to the measured one
        self._recent: deque[Chunk] = deque(maxlen=_RECENT)
        self._latest = float("-inf")  # stamp among them

    def forget(self) -> None:
        """What is left out from here to the next sample is no gap."""
        self.newest = None

    def place(self, chunk: Chunk, offset: float, now: float) -> Chunk:
        """What has just arrived, placed.

        Args:
            chunk: its times as the device stamped them.
            offset: from liblsl's clock on the device's machine to the one here (s), as measured last.
            now: when it was received (s).
        """
        if (due := self._one_that_is_due(chunk, offset, now)) is not None:
            return due
        chunk = self._once(chunk, now)
        if not len(chunk):
            return chunk
        times = self._in_order(self._on_this_clock(self._slewed(chunk.times, offset), now), now)
        chunk = Chunk(chunk.samples, times, chunk.mask)
        if self._period:
            chunk = self._with_gaps(chunk)
        self.newest = float(chunk.times[-1])
        return chunk

    def _one_that_is_due(self, chunk: Chunk, offset: float, now: float) -> Chunk | None:
        """A sample that comes alone and when it should, which is what nearly all do, placed as any chunk is, with the
        same numbers, but without arrays: a loop waits for it. None if there is more to it."""
        before, used = self.newest, self._offset
        if len(chunk) != 1 or before is None or used is None or self._shift or not self._period:
            return None
        stamp = float(chunk.times[0])
        most = SLEW * max(stamp - self._slewed_to, 0.0)
        used += max(-most, min(most, offset - used))
        time = stamp + used
        late = time - before - self._period
        far = abs(offset - (self._offset or 0.0)) > BACK or time > now + AHEAD or time < before + _STEP
        if far or stamp <= self._latest or abs(late) > max(self._period / 2, 2 * self._jitter):
            return None
        self._offset, self._slewed_to, self._latest = used, stamp, stamp
        self._recent.append(chunk)
        self._jitter = min(_MOST_JITTER, max(self._jitter * math.exp(-self._period / _JITTER_MEMORY), abs(late)))
        self.newest = time
        return Chunk(chunk.samples, np.array([time]), chunk.mask)

    def _tell(self, now: float, kind: str, text: str) -> None:
        self._events.append(Event(now, kind, text))

    def _once(self, chunk: Chunk, now: float) -> Chunk:
        """Without samples whose stamp and values were both seen before; a stamp alone may stand for a whole burst."""
        if len(chunk) == 0 or (chunk.times[0] > self._latest and (len(chunk) == 1 or np.diff(chunk.times).min() > 0)):
            fresh = chunk
        else:
            rows = [np.column_stack([part.times, part.samples]) for part in (*self._recent, chunk)]
            _, first = np.unique(np.concatenate(rows), axis=0, return_index=True)
            kept = np.isin(np.arange(-len(chunk), 0) + sum(map(len, rows)), first)
            fresh = Chunk(chunk.samples[kept], chunk.times[kept], chunk.mask[kept])
            if not kept.all():
                self._tell(now, "repeated", f"{np.sum(~kept)} samples came twice and are taken once")
        if len(fresh):
            self._recent.append(fresh)
            in_order = fresh is chunk
            self._latest = chunk.times[-1] if in_order else max(part.times.max() for part in self._recent)
        return fresh

    def _slewed(self, stamps: Array, measured: float) -> Array:
        """Stamps moved by an offset that comes nearer to the ``measured`` one, so slowly that no sample overtakes
        another or seems to be missing; one that is far off is taken at once."""
        used = measured if self._offset is None or abs(measured - self._offset) > BACK else self._offset
        most = SLEW * np.maximum(stamps - self._slewed_to, 0.0)
        offsets: Array = used + np.clip(measured - used, -most, most)
        self._offset, self._slewed_to = float(offsets[-1]), float(stamps[-1])
        return stamps + offsets

    def _on_this_clock(self, stamps: Array, now: float) -> Array:
        """Stamps moved by what the device's clock is seen to be off: a sample is older than its arrival, but not much
        older than the subscription, and not older than the one before it."""
        times = stamps + self._shift
        begin = self._opened - DEVICE_DELAY
        wrong = (times > now + AHEAD) | (times < (begin if self.newest is None else max(begin, self.newest - BACK)))
        if wrong.any():
            first = int(np.argmax(wrong))
            shift = now - float(stamps[-1])  # as if the newest sample had come at once
            unix = self._shift == 0 and abs(stamps[-1] - time.time()) < _UNIX
            what = "stamps are Unix time (time.time()), not local_clock()" if unix else "the device's clock has jumped"
            self._tell(now, "clock", f"{what}: moved by {shift - self._shift:+.3f} s, measured by arrival")
            self._shift = shift
            times[first:] = stamps[first:] + shift
        elif self._shift and times[-1] > now:  # measured when a sample had come late; now it is known better
            self._shift -= times[-1] - now
            times = stamps + self._shift
        return times

    def _in_order(self, times: Array, now: float) -> Array:
        """Bunched stamps spread: a sample was measured no later than its stamp says, and a period before the next."""
        steps = np.arange(len(times))
        if self._period and len(times) > 1 and np.diff(times).min() < self._period / 2:
            due = steps * self._period
            spread = np.minimum.accumulate((times - due)[::-1])[::-1] + due
            if (moved := float(np.max(times - spread))) > BACK:
                self._tell(now, "bunched", f"{len(times)} samples at once: spread over the {moved:.3f} s before")
            times = spread
        floor = -np.inf if self.newest is None else self.newest + _STEP
        in_order: Array = np.maximum.accumulate(np.maximum(times, floor) - steps * _STEP) + steps * _STEP
        return in_order

    def _with_gaps(self, chunk: Chunk) -> Chunk:
        """The chunk with masked rows where samples are missing: a step longer than the stream's jitter explains."""
        before = chunk.times[0] - self._period if self.newest is None else self.newest
        late = np.diff(chunk.times, prepend=before) - self._period
        missing = np.where(late > max(self._period / 2, 2 * self._jitter), np.rint(late / self._period), 0).astype(int)
        fading = np.exp(-len(chunk) * self._period / _JITTER_MEMORY)
        shown = np.abs(late[missing == 0]).max(initial=0.0)
        self._jitter = min(_MOST_JITTER, max(self._jitter * fading, shown))
        if not missing.any():
            return chunk
        for row in np.flatnonzero(missing):
            text = f"{missing[row]} sample{'s are' if missing[row] > 1 else ' is'} missing, {late[row]:.3f} s"
            self._tell(float(chunk.times[row]), "gap", text)
        missing = np.minimum(missing, int(LONGEST_GAP / self._period))
        places = np.cumsum(missing + 1) - 1
        count = places[-1] + 1
        samples = np.zeros((count, chunk.samples.shape[1]), np.float32)
        mask = np.zeros(samples.shape, bool)
        samples[places], mask[places] = chunk.samples, chunk.mask
        times = np.interp(np.arange(count), [-1, *places], [before, *chunk.times])
        return Chunk(samples, times, mask)
