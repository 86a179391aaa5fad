"""A run's own cockpit: a process that the run starts, that ends with it, and whose death stops the limb."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console

from motorctl.errors import ConfigurationError
from motorctl.runtime.operator import Operator

PATIENCE = 5.0
"""How long the cockpit may take to end when the run has (s)."""
DIED = "the cockpit has ended"
"""Cause of the stop then."""


@contextmanager
def cockpit_of(
    limb_stream: str, stream: str, unit: str | None, operator: Operator, browser: bool, terminal: bool
) -> Iterator[None]:
    """Show a run while this lasts, in the browser, in the terminal, or not at all. If a cockpit ends before the run
    does, the operator asks for a stop, since whoever sits there can no longer stop the limb.

    Args:
        limb_stream: name of the run's limb stream.
        stream: what the EEG is known by.
        unit: of it, as on the command line.
        operator: of the run.
        browser, terminal: where to.

    Raises:
        ConfigurationError: the page's library is not installed.
    """
    if browser and not find_spec("viser"):
        raise ConfigurationError("--cockpit needs viser.", "Install it: pip install 'motorctl[cockpit]'; or use --tui.")
    command = [sys.executable, "-m", "motorctl", "cockpit", "--while-stdin", "--limb-stream", limb_stream]
    command += ["--stream", stream, *(["--unit", unit] if unit else [])]
    over = threading.Event()
    wanted = [command] * browser + [[*command, "--tui"]] * terminal
    # A session of its own, so that Ctrl-C ends the run and not its cockpit, which ends with the run.
    cockpits = [subprocess.Popen(words, stdin=subprocess.PIPE, start_new_session=True) for words in wanted]
    for process in cockpits:
        threading.Thread(target=_watch, args=(process, operator, over), daemon=True).start()
    try:
        yield
    finally:
        over.set()
        for process in cockpits:
            _end(process)


def _watch(process: subprocess.Popen[bytes], operator: Operator, over: threading.Event) -> None:
    process.wait()
    if not over.is_set():
        operator.ask("stop", DIED)


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin
    process.stdin.close()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()


@contextmanager
def talking_to(log: Path, console: Console, terminal: bool) -> Iterator[None]:
    """While this lasts, what a console is told goes to the file ``log`` if the ``terminal`` shows a cockpit."""
    if not terminal:
        yield
        return
    with log.open("w", encoding="utf-8") as file:
        before, console.file = console.file, file
        try:
            yield
        finally:
            console.file = before
