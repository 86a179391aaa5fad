"""What is kept off the critical path, and that all is as before afterwards."""

from __future__ import annotations

import gc
import os
import sys
import threading
import weakref
from dataclasses import replace

import pytest
from rich.console import Console

from motorctl.runtime.calm import SWITCH, calm

from .test_summary import STEP

PATIENCE = 10.0


class Knot:
    """Garbage that only a collection finds."""

    def __init__(self) -> None:
        self.own = self


def test_garbage_is_collected_where_there_is_time_for_it_and_nowhere_else():
    before = sys.getswitchinterval(), gc.isenabled()
    with open(os.devnull, "w") as nowhere, calm(Console(file=nowhere)) as collect:
        assert not gc.isenabled() and sys.getswitchinterval() == pytest.approx(SWITCH)
        lost = weakref.ref(Knot())
        collect(replace(STEP, time=0.0, slack=1e-6))
        assert lost() is not None
        collect(replace(STEP, time=0.1, slack=10.0))
        assert lost() is None
        lost = weakref.ref(Knot())
        collect(replace(STEP, time=0.2, slack=10.0))  # a moment later
        assert lost() is not None
        collect(replace(STEP, time=1.5, slack=10.0))
        assert lost() is None
    assert (sys.getswitchinterval(), gc.isenabled()) == before


def test_a_terminal_that_takes_nothing_holds_up_nobody():
    reading, writing = os.pipe()
    lines, words, heard = 2000, "word " * 12, []

    def read() -> None:
        with open(reading) as other_end:
            heard.append(other_end.read())

    reader = threading.Thread(target=read)
    with open(writing, "w", buffering=1) as terminal:
        console = Console(file=terminal)
        with calm(console):
            for _ in range(lines):  # far more than a pipe holds
                console.print(words)
            reader.start()
        assert console.file is terminal
    reader.join(PATIENCE)
    assert heard[0].count("\n") == lines
