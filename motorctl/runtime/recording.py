"""A run's streams, recorded by a process of their own: ``motorctl record``."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from motorctl.errors import StreamError
from motorctl.runtime.loop import Step
from motorctl.runtime.operator import Operator
from motorctl.runtime.record import STARTED

PATIENCE = 60.0
"""How long the recorder may take in the end to write what it has (s)."""
POLL = 0.05
"""Between two looks at the recorder, and at what the operator wants (s)."""

Say = Callable[[str], None]


class Recorder:
    """``motorctl record`` in another process, which ends with this one, however that ends.

    Args:
        path: of the file.
        streams: to record, each by name, type or source_id.
        later: to record from when they appear, if they do.
    """

    def __init__(self, path: Path, streams: Sequence[str], later: Sequence[str]) -> None:
        self.path = path
        words = ["record", "--out", str(path), "--while-stdin", "--streams", *streams]
        words += ["--later", *later] if later else []
        self._said = tempfile.TemporaryFile()
        # A session of its own, so that Ctrl-C does not end it before its streams have ended.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "motorctl", *words],
            stdin=subprocess.PIPE,
            stdout=self._said,
            stderr=self._said,
            start_new_session=True,
        )

    @property
    def begun(self) -> bool:
        """Whether nothing is missed from now on."""
        return STARTED in self._words

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def wait_for_begin(self) -> None:
        """Wait until it records.

        Raises:
            StreamError: it does not begin.
        """
        while not self.begun and not self.over:  # bounded by its own time-out
            time.sleep(POLL)
        if self.over:
            raise StreamError(f"Nothing is recorded: {self.last_words}", "Mend that, or leave --record out.")

    def end(self) -> str:
        """Have it write what it has, and end; what came of it."""
        assert self._process.stdin
        self._process.stdin.close()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        with self._said:
            failed = f"{self.path} is not whole: {self.last_words}"
            return failed if self._process.returncode else f"Everything is recorded in {self.path}."

    @property
    def last_words(self) -> str:
        """The last line it has said."""
        lines = self._words.strip().splitlines()
        return lines[-1] if lines and STARTED not in lines[-1] else "it was killed."

    @property
    def _words(self) -> str:
        return os.pread(self._said.fileno(), 1 << 20, 0).decode(errors="replace")


def free_name(folder: Path) -> Path:
    """``session.xdf``, ``session-2.xdf``, ... in ``folder``, the first that is not there."""
    names = (f"session{f'-{count}' if count > 1 else ''}.xdf" for count in itertools.count(1))
    return next(folder / name for name in names if not (folder / name).exists())


@contextmanager
def recording_of(
    streams: Sequence[str], later: Sequence[str], path: Path | None, folder: Path, operator: Operator, say: Say
) -> Iterator[None]:
    """While this lasts, record to ``path`` from the first moment on; with no path, when the operator says so, to
    ``session.xdf`` in ``folder``, to ``session-2.xdf`` after a break, and so on.

    A recorder that ends by itself is an emergency stop; a start by the operator goes on without it.

    Raises:
        StreamError: the recorder does not begin.
    """
    over = threading.Event()
    first = Recorder(path, streams, later) if path else None
    if first:
        first.wait_for_begin()
        operator.record = True

    def watch() -> None:
        recorder = first
        while not over.wait(POLL):
            if recorder and recorder.over:
                begun, words = recorder.begun, recorder.last_words
                recorder.end()
                recorder, operator.record = None, None
                if begun:
                    operator.ask("stop", f"the recording has ended: {words}")
                else:
                    say(f"Nothing is recorded: {words}")
            elif operator.record and not recorder:
                recorder = Recorder(free_name(folder), streams, later)
                say(f"Recording to {recorder.path}.")
            elif operator.record is False and recorder:
                say(recorder.end())
                recorder = None
        if recorder:
            say(recorder.end())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


BEGUN, ENDED = "recording", "recording has ended"
"""Events that say so to who watches a run."""


def told_of(operator: Operator, say: Callable[[str, float], None]) -> Callable[[Step], None]:
    """A sink of a run's steps that says, as an event, when a recording has begun and when it has ended."""
    told = False

    def tell(step: Step) -> None:
        nonlocal told
        if bool(operator.record) != told:
            told = bool(operator.record)
            say(BEGUN if told else ENDED, step.time)

    return tell
