"""Nothing but the loop on its critical path: memory is collected, and lines are printed, while it waits."""

from __future__ import annotations

import gc
import queue
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

from rich.console import Console
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from motorctl.priority import hurry, take_turns
from motorctl.runtime.loop import Sink, Step

EVERY = 1.0
"""How often what became garbage is collected (s)."""
ROOM = 2.0
"""So many times as long as the last collection took, or longer, must be left until the next deadline."""
FIRST = 1e-3
"""How long the first is taken to take (s)."""
SWITCH = 5e-4
"""How long another thread may keep the interpreter (s); Python's 5 ms would be a control period."""
PATIENCE = 2.0
"""How long is waited in the end for a terminal that does not take what is printed (s)."""


@contextmanager
def calm(console: Console) -> Iterator[Sink]:
    """While this lasts, no garbage collection but in the slack of a step, no thread that keeps the interpreter for
    long, one thread for linear algebra, ``console`` prints without waiting for its terminal, and the process runs
    before others where the system grants that.

    Gives the sink of steps that collects, to be the last of all.
    """
    before = sys.getswitchinterval()
    gc.collect()
    gc.freeze()  # what is there now is not looked at again
    gc.disable()
    sys.setswitchinterval(SWITCH)
    try:
        with threadpool_limits(1), unblocked(console):
            yield Collector()
    finally:
        take_turns()
        sys.setswitchinterval(before)
        gc.enable()
        gc.unfreeze()


class Collector:
    """Collects garbage after a step, where there is time for it, and has new threads hurry as well."""

    def __init__(self) -> None:
        self._due, self._takes = -float("inf"), FIRST

    def __call__(self, step: Step) -> None:
        """Collect, if it is time and there is time."""
        if step.time >= self._due and step.slack > ROOM * self._takes:
            before = time.perf_counter()
            hurry()  # a stream that is back is received by new threads of liblsl
            gc.collect()
            self._takes, self._due = time.perf_counter() - before, step.time + EVERY


@contextmanager
def unblocked(console: Console) -> Iterator[None]:
    """While this lasts, what ``console`` prints is written by a thread: a terminal that is held up holds up nobody."""
    terminal = console.file
    lines = Lines(terminal)
    console.file = cast(IO[str], lines)
    try:
        yield
    finally:
        console.file = terminal
        lines.close()


class Lines:
    """As much of a text file as a console needs, that takes everything at once."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._texts: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_on, daemon=True)
        self._thread.start()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, text: str) -> int:
        """Have it written."""
        self._texts.put(text)
        return len(text)

    def flush(self) -> None:
        """Every line is flushed when it is written."""

    def close(self) -> None:
        """Wait for what is left."""
        self._texts.put(None)
        self._thread.join(PATIENCE)

    def _write_on(self) -> None:
        while (text := self._texts.get()) is not None:
            self._file.write(text)
            self._file.flush()
