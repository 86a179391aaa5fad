"""``motorctl record``: streams of the network into one XDF file, as they come.

It is a process of its own, so that neither a slow disk nor the end of the loop can cost a sample. Stamps are written as
the devices give them, with what was measured between the clocks; whole chunks reach the system a few times a second, so
that a process that is killed has lost no more than that.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from motorctl.errors import ConfigurationError, check_positive
from motorctl.signals.lsl import RecordedStream, find_stream, hush
from motorctl.signals.xdf_writer import XdfWriter

STARTED = "Recording"
"""First word of the line that says that nothing more will be missed."""
PERIOD = 0.1
"""How often (s) what has come is written."""


@dataclass(frozen=True)
class RecordConfig:
    """Record streams of the network into an XDF file, until Ctrl-C. A stream that is lost is waited for."""

    out: Path
    """File to write, which must not exist yet."""
    streams: tuple[str, ...]
    """Streams to record, each by name, type or source_id."""
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
        recorded = [RecordedStream(stream, writer, config.timeout) for stream in found]
        console.print(f"{STARTED} {len(recorded)} streams to {config.out}; Ctrl-C ends it.", highlight=False)
        while not over.wait(PERIOD) and time.monotonic() < end:
            for stream in recorded:
                stream.write(console.print)
        time.sleep(PERIOD)  # for what is on its way
        for stream in recorded:
            stream.write(console.print)
    table = Table("stream", "samples", "times lost", title=str(config.out))
    for stream in recorded:
        table.add_row(stream.name, str(stream.samples), str(stream.losses))
    console.print(table)


def end_with_stdin(over: threading.Event) -> None:
    """Whoever has started this process holds its input open as long as they live."""
    sys.stdin.buffer.read()
    over.set()
