"""A headset that misbehaves on request, as headsets do: to see what a decoder makes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from motorctl.errors import check_positive
from motorctl.signals.lsl import LSLSink
from motorctl.signals.stream import StreamInfo

Samples = NDArray[np.float32]
Times = NDArray[np.float64]

Fault = Literal[
    "drop-out",
    "jitter",
    "burst",
    "freeze",
    "repeat",
    "clock-jump",
    "nan",
    "flat",
    "restart",
    "restart-channels",
    "restart-rate",
    "restart-name",
]
"""Samples lost; stamps off by 5 ms at random, all the time; samples held back, for a moment or for long, then sent at
once and stamped so; each chunk sent twice; stamps that jump by 5 s, to and fro; half the channels NaN; one channel
constant; the stream closed and opened again, the same, with a channel less, at half the rate, or under another name,
and at the next restart as it was."""

DURATIONS = {
    "drop-out": 0.5,
    "burst": 0.3,
    "freeze": 2.0,
    "repeat": 0.2,
    "nan": 0.2,
    "flat": 2.0,
    "clock-jump": 0.0,
}
"""How long a fault lasts (s)."""
RESTART = 1.0
"""How long a stream stays away in a restart (s)."""
JITTER, CLOCK_JUMP = 0.005, 5.0
"""Standard deviation of jitter, and how far a clock jumps (s)."""


@dataclass(frozen=True)
class Faults:
    """What goes wrong with a headset, and how often.

    Args:
        kinds: which faults; with none it works.
        every: mean time from the end of a fault to the next (s), exponentially distributed.
        seed: of when, which, and where.
    """

    kinds: tuple[Fault, ...] = ()
    every: float = 10.0
    seed: int = 0


NO_FAULTS = Faults()
OpenSink = Callable[[StreamInfo, float], LSLSink]


def open_sink(info: StreamInfo, faults: Faults, speed: float, announce: Callable[[str], None]) -> LSLSink | FaultySink:
    """A stream that goes out, at ``speed`` times its rate; ``announce`` is told one line for every fault.

    Raises:
        ConfigurationError: the time between faults is not above 0.
    """
    check_positive("fault_every", faults.every)
    return FaultySink(info, faults, speed, announce) if faults.kinds else LSLSink(info, speed)


class FaultySink:
    """As :class:`~motorctl.signals.lsl.LSLSink`, with faults at random moments; no two at once, jitter apart.

    Args:
        info, faults, speed, announce: as for :func:`open_sink`.
        opened: opens what the samples go to.
    """

    def __init__(
        self,
        info: StreamInfo,
        faults: Faults,
        speed: float,
        announce: Callable[[str], None],
        opened: OpenSink = LSLSink,
    ) -> None:
        self._info, self._faults, self._speed, self._announce, self._open = info, faults, speed, announce, opened
        self._passing = [fault for fault in faults.kinds if fault != "jitter"]
        self._rng = np.random.default_rng(faults.seed)
        self._sink: LSLSink | None = opened(info, speed)
        self._now: Fault | None = None
        self._change: float | None = None  # when the next fault begins, or this one ends
        self._columns = np.arange(0)
        self._held: list[Samples] = []
        self._clock = 0.0
        self._different: Fault = "restart"  # how it came back last
        self._odd = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._sink:
            self._sink.__exit__(kind, error, trace)

    def send(self, samples: Samples, times: Times) -> None:
        """Send ``(time, channel)`` samples stamped ``(time,)``, or what is left of them."""
        newest = float(times[-1])
        if self._change is None:
            self._change = newest + self._rng.exponential(self._faults.every)
        if self._passing and newest >= self._change:
            if self._now is None:
                self._begin(newest)
            else:
                self._end(newest)
        if self._now in ("burst", "freeze"):
            self._held.append(samples)
        elif self._now != "drop-out" and self._sink:
            if self._held:
                samples = np.concatenate([*self._held, samples])
                times = np.full(len(samples), newest)
                self._held.clear()
            self._pass_on(self._sink, samples, times)
            if self._now == "repeat":
                self._pass_on(self._sink, samples, times)

    def _begin(self, newest: float) -> None:
        self._now = self._passing[self._rng.integers(len(self._passing))]
        lasts = DURATIONS.get(self._now, RESTART)
        self._change = newest + lasts
        self._announce(f"Fault: {self._now}" + f" for {lasts:g} s" * bool(lasts))
        count = len(self._info.channels)
        if self._now == "nan":
            self._columns = self._rng.permutation(count)[: max(1, count // 2)]
        elif self._now == "flat":
            self._columns = self._rng.integers(count, size=1)
        elif self._now == "clock-jump":
            self._clock = CLOCK_JUMP - self._clock
        elif self._now.startswith("restart"):
            self._sink = None
            self._different = self._now if self._different == "restart" else "restart"

    def _end(self, newest: float) -> None:
        self._now = None
        self._change = newest + self._rng.exponential(self._faults.every)
        if self._sink is None:
            name = f"{self._info.name} 2" if self._different == "restart-name" else self._info.name
            channels = self._info.channels[: self._width]
            rate = self._info.rate / 2 if self._different == "restart-rate" else self._info.rate
            self._sink = self._open(replace(self._info, name=name, channels=channels, rate=rate), self._speed)

    @property
    def _width(self) -> int:
        """Channels that are sent."""
        return max(1, len(self._info.channels) - (self._different == "restart-channels"))

    def _pass_on(self, sink: LSLSink, samples: Samples, times: Times) -> None:
        samples, times = samples.copy(), times + self._clock
        if self._now == "nan":
            samples[:, self._columns] = np.nan
        elif self._now == "flat":
            samples[:, self._columns] = 0
        if "jitter" in self._faults.kinds:
            times += self._rng.normal(0, JITTER, len(times))
        if self._different == "restart-rate":
            skip, self._odd = self._odd, (self._odd + len(samples)) % 2
            samples, times = samples[skip::2], times[skip::2]
        sink.send(samples[:, : self._width], times)
