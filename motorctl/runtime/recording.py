"""A run's streams, recorded by a process of their own: ``motorctl record``."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from rich.console import Console

from motorctl.errors import StreamError
from motorctl.runtime.loop import Step
from motorctl.runtime.record import STARTED

PATIENCE = 60.0
"""How long the recorder may take in the end to write what it has (s)."""
POLL = 0.05
"""Between two looks whether it has begun (s)."""


@contextmanager
def recording_of(streams: Iterable[str], path: Path | None, console: Console) -> Iterator[Callable[[Step], None]]:
    """Record ``streams`` to ``path`` while this lasts; with no path, nothing.

    Gives a sink of steps that says when the recorder has failed: the run goes on without it.

    Raises:
        StreamError: the recorder does not begin.
    """
    if path is None:
        yield lambda step: None
        return
    command = [sys.executable, "-m", "motorctl", "record", "--out", str(path), "--while-stdin", "--streams", *streams]
    with tempfile.TemporaryFile() as said:
        # A session of its own, so that Ctrl-C does not end it before its streams have ended.
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=said, stderr=said, start_new_session=True)
        assert process.stdin
        while STARTED not in _words(said) and process.poll() is None:  # bounded by the recorder's own time-out
            time.sleep(POLL)
        if process.returncode is not None:
            raise StreamError(f"Nothing is recorded: {_last_line(said)}", "Mend that, or leave --record out.")
        told = False

        def check(step: Step) -> None:
            nonlocal told
            if not told and process.poll() is not None:
                told = True
                console.print(f"[red]recording has ended[/red]: {_last_line(said)}", highlight=False)

        try:
            yield check
        finally:
            process.stdin.close()
            process.wait(PATIENCE)
            whole = f"Everything is recorded in {path}."
            console.print(
                whole if not process.returncode else f"{path} is not whole: {_last_line(said)}", highlight=False
            )


def _words(said: BinaryIO) -> str:
    return os.pread(said.fileno(), 1 << 20, 0).decode(errors="replace")


def _last_line(said: BinaryIO) -> str:
    lines = _words(said).strip().splitlines()
    return lines[-1] if lines and STARTED not in lines[-1] else "it was killed."
