"""``motorctl record``: streams of the network into one XDF file, as they come.

It is a process of its own, so that neither a slow disk nor the end of the loop can cost a sample. Stamps are written as
the devices give them, with what was measured between the clocks; whole chunks reach the system many times a second, so
that a process that is killed has lost no more than that. While the disk is full, what comes waits in memory, for as
long as :data:`~motorctl.signals.lsl.recorder.BUFFER`.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from motorctl.errors import ConfigurationError, check_positive
from motorctl.signals.lsl import Journal, RecordedStream, find_stream, fits, hush
from motorctl.signals.lsl.recorder import BUFFER
from motorctl.signals.xdf_writer import XdfWriter

STARTED = "Recording"
"""First word of the line that says that nothing more will be missed."""
PERIOD = 0.05
"""How often (s) what has come is written."""
LINGER = 0.1
"""How long (s) what is on its way in the end is waited for."""


@dataclass(frozen=True)
class RecordConfig:
    """Record streams of the network into an XDF file, until Ctrl-C. A stream that is lost is waited for; a stream of
    markers in the file tells what is missing."""

    out: Path
    """File to write, which must not exist yet."""
    streams: tuple[str, ...]
    """Streams to record, each by name, type or source_id."""
    later: tuple[str, ...] = ()
    """Streams to record from when they appear, if they do."""
    seconds: float | None = None
    """How long to record (s); without end by default."""
    timeout: float = 10.0
    """How long to wait for each stream to appear (s)."""
    while_stdin: bool = False
    """End when standard input is closed, as it is when whoever has started this ends, however that happens."""


def record(config: RecordConfig) -> None:
    """Run the command.

    Raises:
        StreamError: a stream does not appear, or there are two of one name.
        ConfigurationError: an option has a value that cannot be used.
        OSError: the file cannot be written.
    """
    hush()
    console = Console()
    if not config.streams:
        raise ConfigurationError("No stream is named.", "Name some with --streams; 'motorctl streams' lists them.")
    for name in ("seconds", "timeout"):
        if getattr(config, name) is not None:
            check_positive(name, getattr(config, name))
    if config.out.exists():
        raise ConfigurationError(f"{config.out} is there already.", "Choose another name with --out.")
    found = [find_stream(query, timeout=config.timeout) for query in config.streams]
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    if config.while_stdin:
        threading.Thread(target=end_with_stdin, args=(over,), daemon=True).start()
    end = time.monotonic() + (config.seconds or float("inf"))
    with XdfWriter(config.out) as writer:
        journal = Journal(writer)
        recorded = [RecordedStream(f.name(), fits(f.source_id() or f.name()), writer, journal) for f in found]
        for stream, there in zip(recorded, found, strict=True):
            stream.connect(there, config.timeout)
        later = [RecordedStream(query, fits(query), writer, journal) for query in config.later]
        console.print(f"{STARTED} {len(recorded)} streams to {config.out}; Ctrl-C ends it.", highlight=False)
        keep_writing([*recorded, *later], journal, lambda: over.wait(PERIOD) or time.monotonic() >= end, console)
    table = Table("stream", "samples", "times lost", title=str(config.out))
    for stream in (*recorded, *(s for s in later if s.samples)):
        table.add_row(stream.name, str(stream.samples), str(stream.losses))
    console.print(table)


def keep_writing(streams: list[RecordedStream], journal: Journal, ended: Callable[[], bool], console: Console) -> None:
    """Write what comes until ``ended``, which waits a moment, and then what is on its way.

    Raises:
        OSError: the disk was full in the end.
    """
    full = False
    while not ended():
        try:
            write_once(streams, journal, console)
            if full:
                console.print("There is room again: recording goes on.")
            full = False
        except OSError as error:
            if not full:
                console.print(f"{error.strerror}: {error.filename}; what comes waits for room, {BUFFER} s of it.")
            full = True
    time.sleep(LINGER)
    write_once(streams, journal, console)


def write_once(streams: list[RecordedStream], journal: Journal, console: Console) -> None:
    """Write what has come.

    Raises:
        OSError: the disk is full; what is not in the file waits for the next time.
    """
    for stream in streams:
        stream.write(lambda line: console.print(line, highlight=False, markup=False))
    journal.write()


def end_with_stdin(over: threading.Event) -> None:
    """Whoever has started this process holds its input open as long as they live."""
    sys.stdin.buffer.read()
    over.set()
