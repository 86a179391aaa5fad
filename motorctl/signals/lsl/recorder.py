"""Streams of the network on their way into an XDF file, as they come.

Stamps are written as the devices give them, with what was measured between the clocks, as LabRecorder does. Beside them
the file gets a stream of markers, :class:`Journal`, that tells what was lost, and when.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import numpy as np
import pylsl  # type: ignore[import-untyped]
from numpy.typing import NDArray
from pylsl.util import LostError  # type: ignore[import-untyped]
from pylsl.util import TimeoutError as LSLTimeout

from motorctl.signals.lsl.connection import Waiting, answer, patiently
from motorctl.signals.lsl.description import playback_speed
from motorctl.signals.lsl.find import describe, seen
from motorctl.signals.lsl.timeline import Event, Timeline
from motorctl.signals.stream import Channel, Chunk, StreamInfo
from motorctl.signals.xdf_writer import XdfWriter, stream_header

CLOCK_PERIOD = 5.0
"""How often (s) clocks are compared, as LabRecorder does."""
BUFFER = 600
"""Seconds of samples that wait in memory while the disk is busy or full."""
JOURNAL = "motorctl record"
"""Name of the stream of markers that a recording tells its losses in."""
_PULL = 4096  # samples
_ANSWER = 2.0  # s to wait for a device that is back

Fits = Callable[[pylsl.StreamInfo], bool]
Block = tuple[NDArray[np.generic] | list[list[str]], NDArray[np.float64]]
"""Samples (time, channel), numbers or texts, and their stamps (time,)."""


class Journal:
    """What happened to the streams of a recording, written into it as markers ``NAME: KIND: TEXT``, such as
    ``EEG: gap: 125 samples are missing, 0.500 s``; kinds as of :class:`~motorctl.signals.lsl.timeline.Event`.

    Args:
        writer: of the file.
    """

    def __init__(self, writer: XdfWriter) -> None:
        self._writer, self._waiting = writer, deque[tuple[float, str]]()
        info = StreamInfo(JOURNAL, "Markers", 0.0, (Channel("events", "", "Markers"),))
        self._number = writer.add_stream(stream_header(info, "string"))
        writer.clock_offset(self._number, pylsl.local_clock(), 0.0)

    def tell(self, name: str, event: Event) -> None:
        """Something about the stream ``name``, to be written."""
        self._waiting.append((event.time, f"{name}: {event.kind}: {event.text}"))

    def write(self) -> None:
        """Write what was told.

        Raises:
            OSError: the disk is full; it is kept.
        """
        while self._waiting:
            when, text = self._waiting[0]
            self._writer.append(self._number, [[text]], np.array([when]))
            self._waiting.popleft()


class RecordedStream:
    """One stream on its way into the file.

    A stream that is lost and comes back under its source_id goes on; one that comes back with another form (rate, type,
    channels) is written as another stream, so that neither loses a sample. What is missing is told to the journal.

    Args:
        name: what it is called until it is there.
        fits: tells which stream of the network it is.
        writer: of the file.
        journal: of the same file.
    """

    def __init__(self, name: str, fits: Fits, writer: XdfWriter, journal: Journal) -> None:
        self.name, self._fits, self._writer, self._journal = name, fits, writer, journal
        self.samples = self.losses = 0
        self._form: str | None = None
        self._inlet: pylsl.StreamInlet | None = None
        self._coming = self._appearing()
        self._block: Block | None = None  # not yet written
        self._events: deque[Event] = deque()
        self._timeline: Timeline | None = None
        self._away = self._looked = float("nan")  # since when; when somebody looked for samples last
        self._whole = float("nan")  # until when all that was sent is known to have come
        self._clock_due = self._offset = self._rate = 0.0

    def connect(self, found: pylsl.StreamInfo, timeout: float) -> None:
        """Wait until it is there, and its clock is compared.

        Raises:
            StreamError: it does not answer within ``timeout`` s.
        """
        self._inlet = patiently(self._connecting(found, timeout), describe(found))
        patiently(answer(self._inlet.time_correction, timeout), describe(found))
        self._write_clock(self._inlet)

    def write(self, say: Callable[[str], None]) -> None:
        """Write what has come since the last call, and say when it is lost or back; never waits for the stream.

        Raises:
            OSError: the disk is full; what has come is kept, and waits to be written by the next call.
        """
        before, self._looked = self._looked, float(pylsl.local_clock())
        try:
            if self._inlet is None:
                self._wait(say)
                return
            while self._write_block(self._inlet, before) == _PULL:
                pass
            if time.monotonic() >= self._clock_due:
                self._write_clock(self._inlet)
        except LostError:
            self.losses += 1
            self._inlet, self._coming, self._away = None, self._appearing(), pylsl.local_clock()
            unsure = pylsl.local_clock() - self._whole
            self._tell("lost", f"the stream is gone; not all that was sent may have come for {unsure:.3f} s")
            say(f"{self.name} is lost.")

    def _write_block(self, inlet: pylsl.StreamInlet, before: float) -> int:
        """Pull a block and write it; of how many samples. Of those that have come since one looked ``before`` (s), a
        loss may have taken others: a recorder that was held up finds what its socket has kept, and no more."""
        if self._block is None:
            values, stamps = inlet.pull_chunk(0.0, _PULL, as_numpy=True)
            texts = values.dtype.kind in "OSU"
            self._block = ([[_text(cell) for cell in row] for row in values] if texts else values), np.asarray(stamps)
            self._look(values, self._block[1])
        values, stamps = self._block
        self._writer.append(self._number, values, stamps)
        self._block = None
        self.samples += len(stamps)
        self._whole = before if len(stamps) else self._whole
        return len(stamps)

    def _look(self, values: NDArray[np.generic], stamps: NDArray[np.float64]) -> None:
        """For what is missing."""
        if self._timeline and len(stamps):
            self._timeline.place(Chunk(values.astype(np.float32), stamps), self._offset, pylsl.local_clock())
            while self._events:
                self._journal.tell(self.name, self._events.popleft())

    def _write_clock(self, inlet: pylsl.StreamInlet) -> None:
        try:
            self._offset = float(inlet.time_correction(0.0))
        except LSLTimeout:  # not measured yet
            return
        self._writer.clock_offset(self._number, pylsl.local_clock() - self._offset, self._offset)
        self._clock_due = time.monotonic() + CLOCK_PERIOD
        if self._rate and not self._timeline:
            self._timeline = Timeline(self._rate, pylsl.local_clock(), self._events)

    def _wait(self, say: Callable[[str], None]) -> None:
        try:
            next(self._coming)
        except StopIteration as done:
            self._inlet = done.value
            if self.losses:
                self._tell("back", f"the stream is back after {pylsl.local_clock() - self._away:.3f} s")
                say(f"{self.name} is back.")
            else:
                say(f"{self.name} is there.")
        except (LostError, LSLTimeout):
            self._coming = self._appearing()
        except OSError:  # no room for its header
            self._coming = self._appearing()
            raise

    def _tell(self, kind: str, text: str) -> None:
        self._journal.tell(self.name, Event(float(pylsl.local_clock()), kind, text))

    def _appearing(self) -> Waiting[pylsl.StreamInlet]:
        resolver = pylsl.ContinuousResolver()
        while not (found := [f for f in seen(resolver) if self._fits(f)]):
            yield
        return (yield from self._connecting(found[-1], _ANSWER))

    def _connecting(self, found: pylsl.StreamInfo, timeout: float) -> Waiting[pylsl.StreamInlet]:
        inlet = pylsl.StreamInlet(found, max_buflen=BUFFER, recover=False)
        full = yield from answer(inlet.info, timeout)
        yield from answer(inlet.open_stream, timeout)
        if (form := _form(full)) != self._form:
            self._number, self._form = self._writer.add_stream(full.as_xml()), form
            # What a run says of itself is late where the loop was late, which its timing tells.
            own = not full.desc().child("motorctl").empty()
            self._rate, self._timeline = 0.0 if own else full.nominal_srate() * playback_speed(full), None
        elif self._timeline:
            self._timeline.open_again(float(pylsl.local_clock()))
        if source_id := full.source_id():
            self._fits = lambda other: bool(other.source_id() == source_id)
        self._clock_due, self._looked = 0.0, float(pylsl.local_clock())
        self._whole = self._looked
        return inlet


def _form(full: pylsl.StreamInfo) -> str:
    """What must not change within one stream of a file."""
    description = full.as_xml()
    channels = description[description.find("<desc") :]
    return repr((full.name(), full.type(), full.nominal_srate(), full.channel_format(), full.channel_count(), channels))


def _text(cell: object) -> str:
    return cell.decode(errors="replace") if isinstance(cell, bytes) else str(cell)
