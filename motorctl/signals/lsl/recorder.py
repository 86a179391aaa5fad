"""Streams of the network on their way into an XDF file, as they come.

Stamps are written as the devices give them, with what was measured between the clocks, as LabRecorder does.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pylsl  # type: ignore[import-untyped]
from pylsl.util import LostError  # type: ignore[import-untyped]
from pylsl.util import TimeoutError as LSLTimeout

from motorctl.signals.lsl.connection import Waiting, answer, lost, patiently
from motorctl.signals.lsl.find import describe, seen
from motorctl.signals.xdf_writer import XdfWriter

CLOCK_PERIOD = 5.0
"""How often (s) clocks are compared, as LabRecorder does."""
BUFFER = 600
"""Seconds of samples that wait in memory while the disk is busy."""
_PULL = 4096  # samples
_ANSWER = 2.0  # s to wait for a device that is back


class RecordedStream:
    """One stream on its way into the file.

    A stream that is lost and comes back under its source_id goes on; one that comes back with another form (rate, type,
    channels) is written as another stream, so that neither loses a sample.

    Args:
        found: from :func:`find_stream`.
        writer: of the file.
        timeout: seconds for it to answer.
    """

    def __init__(self, found: pylsl.StreamInfo, writer: XdfWriter, timeout: float) -> None:
        self.name, self._source_id, self._writer = found.name(), found.source_id(), writer
        self.samples = self.losses = 0
        self._form: str | None = None
        self._coming: Waiting[pylsl.StreamInlet] | None = None
        self._inlet = patiently(self._connecting(found, timeout), describe(found))
        self._clock_due = 0.0

    def write(self, say: Callable[[str], None]) -> None:
        """Write what has come since the last call; never waits for the stream."""
        try:
            if self._coming is not None:
                self._wait(self._coming, say)
                return
            while self._write_block() == _PULL:
                pass
            if time.monotonic() >= self._clock_due:
                self._clock_due = time.monotonic() + CLOCK_PERIOD
                self._write_clock()
        except LostError:
            self.losses += 1
            if not self._source_id:
                raise lost(f"'{self.name}'") from None
            say(f"{self.name} is lost.")
            self._coming = self._coming_back()

    def _write_block(self) -> int:
        values, stamps = self._inlet.pull_chunk(0.0, _PULL, as_numpy=True)
        if len(stamps):
            texts = values.dtype.kind in "OSU"
            rows = [[_text(cell) for cell in row] for row in values] if texts else values
            self._writer.append(self._number, rows, np.asarray(stamps))
            self.samples += len(stamps)
        return len(stamps)

    def _write_clock(self) -> None:
        try:
            offset = float(self._inlet.time_correction(0.0))
        except LSLTimeout:  # not measured yet
            return
        self._writer.clock_offset(self._number, pylsl.local_clock() - offset, offset)

    def _wait(self, coming: Waiting[pylsl.StreamInlet], say: Callable[[str], None]) -> None:
        try:
            next(coming)
        except StopIteration as done:
            self._inlet, self._coming, self._clock_due = done.value, None, 0.0
            say(f"{self.name} is back.")
        except (LostError, LSLTimeout):
            self._coming = self._coming_back()

    def _coming_back(self) -> Waiting[pylsl.StreamInlet]:
        resolver = pylsl.ContinuousResolver()
        while not (found := [f for f in seen(resolver) if f.source_id() == self._source_id]):
            yield
        return (yield from self._connecting(found[-1], _ANSWER))

    def _connecting(self, found: pylsl.StreamInfo, timeout: float) -> Waiting[pylsl.StreamInlet]:
        inlet = pylsl.StreamInlet(found, max_buflen=BUFFER, recover=False)
        full = yield from answer(inlet.info, timeout)
        yield from answer(inlet.time_correction, timeout)
        yield from answer(inlet.open_stream, timeout)
        if (form := _form(full)) != self._form:
            self._form, self._number = form, self._writer.add_stream(full.as_xml())
        return inlet


def _form(full: pylsl.StreamInfo) -> str:
    """What must not change within one stream of a file."""
    description = full.as_xml()
    channels = description[description.find("<desc") :]
    return repr((full.name(), full.type(), full.nominal_srate(), full.channel_format(), full.channel_count(), channels))


def _text(cell: object) -> str:
    return cell.decode(errors="replace") if isinstance(cell, bytes) else str(cell)
