"""A source read in a process of its own, so that nothing the main thread does can hold it up.

The process takes every sample from liblsl as it arrives and puts it into a ring in shared memory; :meth:`read` only
looks there. The ring is never overwritten: while it is full, samples wait in liblsl, which keeps six minutes.
"""

from __future__ import annotations

import json
import queue
import signal
import threading
import time
from collections import deque
from ctypes import c_bool, c_double, c_float, c_int64
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext
from types import TracebackType
from typing import Any, Self

import numpy as np
import pylsl  # type: ignore[import-untyped]
from numpy.typing import NDArray

from motorctl.errors import StreamError, StreamLost
from motorctl.priority import hurry
from motorctl.signals.lsl.description import differences
from motorctl.signals.lsl.find import describe, find_stream, hush, seen
from motorctl.signals.lsl.source import LSLSource
from motorctl.signals.lsl.timeline import Event
from motorctl.signals.stream import Chunk, StreamInfo

_RING_SECONDS, _RING_ROWS = 30.0, 4096
_BLOCK = 0.2  # s
_START = 30.0  # s for a process to start and import, on a machine that is busy


class ReaderDied(StreamError):
    """The process that reads has ended."""


class IsolatedSource:
    """As :class:`~motorctl.signals.lsl.source.LSLSource`, read in another process. For a script of one's own it needs
    the usual ``if __name__ == "__main__"``, as every process that Python spawns. A process that is killed is an error,
    and is started again meanwhile; ``deaths`` counts them.

    ``arrived`` is when each row of the last chunk was received, ``(time,)`` on ``local_clock()`` (s).

    Args:
        found, timeout, unit: as for :class:`~motorctl.signals.lsl.source.LSLSource`.
    """

    def __init__(self, found: pylsl.StreamInfo, timeout: float = 5.0, unit: str | None = None) -> None:
        self._timeout, self._unit = timeout, unit
        self.events: deque[Event] = deque(maxlen=1000)
        self.arrived: NDArray[np.float64] = np.empty(0)
        self.deaths = 0
        self._newest = float("nan")
        self._closed = False
        self._process = ReaderProcess(found, timeout, unit)
        self._coming: queue.SimpleQueue[ReaderProcess] | None = None
        self.info = self._process.info

    def __enter__(self) -> Self:
        self._process.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        self._process.close()

    @property
    def pid(self) -> int | None:
        """Of the process that reads."""
        return self._process.pid

    @property
    def backlog(self) -> int:
        """Samples that have arrived and wait to be read."""
        return self._process.ring.waiting

    @property
    def age(self) -> float:
        """Of the newest sample that was read (s)."""
        return float(pylsl.local_clock()) - self._newest

    def read(self, timeout: float) -> Chunk:
        """Everything that has arrived, waiting up to ``timeout`` seconds for the first sample.

        Raises:
            StreamError: as :meth:`LSLSource.read <motorctl.signals.lsl.source.LSLSource.read>`, or the process was
                killed; another is being started.
        """
        if self._coming is not None:
            self._take_over(self._coming, timeout)
        try:
            chunk, self.arrived = self._process.read(0.0 if self._coming else timeout, self.events)
        except ReaderDied:
            if self._coming is None:
                self.deaths += 1
                self._coming = queue.SimpleQueue()
                threading.Thread(target=self._start_again, args=(self._coming,), daemon=True).start()
                raise
            return self._process.nothing
        if len(chunk):
            self._newest = float(chunk.times[-1])
        return chunk

    def _take_over(self, coming: queue.SimpleQueue[ReaderProcess], timeout: float) -> None:
        try:
            self._process, self._coming = coming.get(timeout=timeout), None
        except queue.Empty:
            return
        self.events.append(Event(float(pylsl.local_clock()), "back", "another process reads the stream"))

    def _start_again(self, coming: queue.SimpleQueue[ReaderProcess]) -> None:
        """Until it succeeds, start a process that reads the same stream."""
        known = {"source_id": self.info.source_id} if self.info.source_id else {"name": self.info.name}
        while not self._closed:
            try:
                process = ReaderProcess(find_stream(timeout=self._timeout, **known), self._timeout, self._unit)
                if not differences(self.info, process.info):
                    process.open()
                    return coming.put(process)
                process.close()
            except StreamError:
                pass
            time.sleep(_BLOCK)


class ReaderProcess:
    """One process that reads.

    Args:
        found, timeout, unit: as for :class:`IsolatedSource`.

    Raises:
        StreamError: it cannot.
    """

    def __init__(self, found: pylsl.StreamInfo, timeout: float, unit: str | None) -> None:
        self._label, self._timeout = describe(found), timeout
        context = get_context("spawn")
        rows = max(_RING_ROWS, round(found.nominal_srate() * _RING_SECONDS))
        self.ring = Ring(context, rows, found.channel_count())
        self.nothing = Chunk(np.empty((0, found.channel_count()), np.float32), np.empty(0))
        self._pipe, theirs = context.Pipe()
        arguments = (self.ring, theirs, found.uid(), timeout, unit)
        self._process = context.Process(target=_read_on, args=arguments, name="motorctl reader", daemon=True)
        self._process.start()
        theirs.close()
        self.info = StreamInfo.from_dict(self._wait(timeout + _START)["info"])

    @property
    def pid(self) -> int | None:
        """Of the process."""
        return self._process.pid

    def open(self) -> None:
        """Have it subscribe."""
        self._pipe.send_bytes(b"open")
        self._wait(self._timeout + _BLOCK)

    def close(self) -> None:
        """Have it end."""
        self._pipe.close()  # which it takes as the end
        self._process.join(2.0)
        if self._process.is_alive():
            self._process.kill()

    def read(self, timeout: float, events: deque[Event]) -> tuple[Chunk, NDArray[np.float64]]:
        """All rows that have come, after at most ``timeout`` s, and when each was received; what it says besides goes
        to ``events``.

        Raises:
            ReaderDied: the process has ended.
            StreamError: what it says is wrong with the stream.
        """
        deadline = time.monotonic() + timeout
        while not self.ring.waiting and (left := deadline - time.monotonic()) > 0:
            self.ring.wait(min(left, _BLOCK))
            self._hear(events)
        self._hear(events)
        return self.ring.take()

    def _hear(self, events: deque[Event]) -> None:
        """Take in what the process has to say besides samples."""
        while (said := self._receive(0.0)) is not None:
            events.append(Event(*said["event"]))

    def _wait(self, timeout: float) -> dict[str, Any]:
        said = self._receive(timeout)
        if said is None:
            raise StreamError(f"{self._label} is not read within {timeout:g} s.", "Look what keeps the machine busy.")
        return said

    def _receive(self, timeout: float) -> dict[str, Any] | None:
        """The next message, None if there is none within ``timeout``; errors among them are raised."""
        try:
            if not self._pipe.poll(timeout):
                return None
            said: dict[str, Any] = json.loads(self._pipe.recv_bytes())
        except (EOFError, OSError) as error:
            raise self._ended() from error
        if "problem" in said:
            raise (StreamLost if said["lost"] else StreamError)(said["problem"], said["cure"])
        return said

    def _ended(self) -> ReaderDied:
        self._process.join(1.0)
        return ReaderDied(
            f"The process that reads {self._label} ended with {self._process.exitcode}.",
            "Another one is started; let the limb go on when it is there.",
        )


class Ring:
    """Rows in shared memory: one process puts them in, one takes them out."""

    def __init__(self, context: SpawnContext, rows: int, channels: int) -> None:
        self._rows, self._channels = rows, channels
        self._samples = context.RawArray(c_float, rows * channels)
        self._mask = context.RawArray(c_bool, rows * channels)
        self._times = context.RawArray(c_double, 2 * rows)  # of the sample, and of its arrival
        self._counts = context.RawArray(c_int64, 2)  # rows put in and taken out, ever
        self._news = context.Semaphore(0)  # its system calls also order what the two processes see

    @property
    def waiting(self) -> int:
        """Rows that were put in and not yet taken out."""
        return self._counts[0] - self._counts[1]

    @property
    def room(self) -> int:
        """Rows that can be put in."""
        return self._rows - self.waiting

    def wait(self, timeout: float) -> None:
        """Until rows may be there."""
        self._news.acquire(timeout=timeout)

    def put(self, chunk: Chunk, arrived: float) -> None:
        """Put rows in; there must be room."""
        samples, mask, times = self._views()
        rows = (self._counts[0] + np.arange(len(chunk))) % self._rows
        samples[rows], mask[rows] = chunk.samples, chunk.mask
        times[rows, 0], times[rows, 1] = chunk.times, arrived
        self._counts[0] += len(chunk)
        self._news.release()

    def take(self) -> tuple[Chunk, NDArray[np.float64]]:
        """All rows that wait, and when each arrived ``(time,)``."""
        samples, mask, times = self._views()
        rows = (self._counts[1] + np.arange(self.waiting)) % self._rows
        chunk = Chunk(samples[rows], times[rows, 0], mask[rows])
        arrived = times[rows, 1]
        self._counts[1] += len(rows)
        return chunk, arrived

    def _views(self) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float64]]:
        shape = (self._rows, self._channels)
        samples = np.frombuffer(memoryview(self._samples), np.float32).reshape(shape)
        mask = np.frombuffer(memoryview(self._mask), np.bool_).reshape(shape)
        return samples, mask, np.frombuffer(memoryview(self._times), np.float64).reshape(self._rows, 2)


def _read_on(ring: Ring, pipe: Connection, uid: str, timeout: float, unit: str | None) -> None:
    """What the process does: connect, subscribe when told, and read until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the main process, which closes the pipe
    hush()
    try:
        source = LSLSource(_find(uid, timeout), timeout, unit)
        _say(pipe, info=source.info.to_dict())
        pipe.recv_bytes()
        with source:
            hurry()
            _say(pipe, opened=True)
            while not pipe.poll():
                try:
                    _pump(source, ring, pipe)
                except StreamLost:
                    raise
                except StreamError as error:
                    _complain(pipe, error)
    except StreamError as error:
        _complain(pipe, error)
        pipe.poll(None)  # until it was read
    except (EOFError, ConnectionError):  # the main process is through with it, or dead
        pass


def _pump(source: LSLSource, ring: Ring, pipe: Connection) -> None:
    while not pipe.poll():
        chunk = source.read(_BLOCK)
        arrived = float(pylsl.local_clock())
        while len(chunk):
            if room := ring.room:
                ring.put(chunk[:room], arrived)
                chunk = chunk[room:]
            elif pipe.poll(_BLOCK):
                return
        while source.events:
            _say(pipe, event=source.events.popleft())


def _complain(pipe: Connection, error: StreamError) -> None:
    _say(pipe, problem=error.problem, cure=error.cure, lost=isinstance(error, StreamLost))


def _say(pipe: Connection, **message: object) -> None:
    pipe.send_bytes(json.dumps(message).encode())


def _find(uid: str, timeout: float) -> pylsl.StreamInfo:
    resolver = pylsl.ContinuousResolver()
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        for found in seen(resolver):
            if found.uid() == uid:
                return found
        time.sleep(0.02)
    raise StreamError(f"The stream with uid {uid} is gone.", "Restart the device.")
