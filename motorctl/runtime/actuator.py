"""One's own hardware: a Python entry point that is told every command, in a process of its own with its own watchdog.

The loop leaves its newest command in shared memory and never waits. The process moves the hardware by it; what the
loop's safety does when the EEG falls silent, the process does when the loop falls silent or is killed: it holds the
command, lets it fade, and at last stops the hardware, by the same times.

An entry point is a function ``package.module:function`` that takes what the run is (a dictionary, as
:func:`motorctl.runtime.limb_stream.describe` gives it) and returns an :class:`Actuator`.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from ctypes import c_double
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from motorctl.errors import ConfigurationError
from motorctl.runtime.safety import SafetyConfig

if TYPE_CHECKING:  # the process imports no more than it needs: it is there within a second
    from motorctl.runtime.loop import Actuator as Command
    from motorctl.runtime.loop import Sink, Step
    from motorctl.runtime.operator import Operator

Array = NDArray[np.float64]

START = 30.0
"""How long the process may take to start, import and open the hardware (s)."""
END = 3.0
"""How long it may take to stop the hardware in the end (s)."""


class Actuator(Protocol):
    """What moves hardware. Both are called in one thread of a process that does nothing else."""

    def move(self, command: Array) -> None:
        """Do a command ``(size,)`` in physical units: finite, within its range; 0 is neutral. Called for every control
        step that comes while the one before is not still being done, and as often while a silent loop's fades."""
        ...

    def stop(self) -> None:
        """Let go: called once, after a neutral command, when the run ends, the loop is silent, or something fails."""
        ...


class Heard(NamedTuple):
    """What the loop has left.

    Args:
        number: how many commands there were.
        time: when the last one was given, by ``time.monotonic()`` (s).
        ended: whether there will be no more.
        command: ``(size,)``.
    """

    number: int
    time: float
    ended: bool
    command: Array


class Mailbox:
    """The newest command, in shared memory: one process writes, one reads."""

    def __init__(self, context: SpawnContext, size: int) -> None:
        self._values = context.RawArray(c_double, 5 + size)  # begun, written, time, ended, busy since; the command
        self._news = context.Semaphore(0)  # its system calls also order what the two processes see

    def write(self, command: Array, ended: bool = False) -> None:
        """Leave a command for whom it concerns."""
        values = np.frombuffer(memoryview(self._values))
        values[0] += 1
        values[2], values[3] = time.monotonic(), ended
        values[5:] = command
        values[1] = values[0]
        self._news.release()

    def read(self) -> Heard:
        """The newest command, whole."""
        values = np.frombuffer(memoryview(self._values))
        while True:
            number, copy = values[1], values.copy()
            if copy[0] == number == values[0]:
                return Heard(int(number), float(copy[2]), bool(copy[3]), copy[5:])

    def wait(self, timeout: float) -> None:
        """Until there may be a new one (s)."""
        self._news.acquire(timeout=timeout)

    @property
    def busy(self) -> float:
        """For how long a command is being done by now (s); 0 if none is."""
        since = float(np.frombuffer(memoryview(self._values))[4])
        return time.monotonic() - since if since else 0.0

    @contextmanager
    def doing(self) -> Iterator[None]:
        """While this lasts, a command is being done."""
        values = np.frombuffer(memoryview(self._values))
        values[4] = time.monotonic()
        yield
        values[4] = 0.0


class Hardware:
    """The loop's side of an actuator: told every command, and a sink of steps that asks the operator to stop when the
    hardware's process has failed.

    Args:
        entry_point: ``package.module:function``.
        description: what the run is; the entry point gets it.
        safety: its times are the watchdog's.
        operator: asked to stop.

    Raises:
        ConfigurationError: the entry point cannot be imported, or does not give an actuator.
    """

    def __init__(
        self, entry_point: str, description: Mapping[str, Any], safety: SafetyConfig, operator: Operator
    ) -> None:
        context = get_context("spawn")
        self._size, self._name, self._operator = len(description["components"]), entry_point, operator
        self._patience, self._failed = safety.stop_after, False
        self._mailbox = Mailbox(context, self._size)
        self._pipe, theirs = context.Pipe()
        arguments = (entry_point, json.dumps(description), safety, self._mailbox, theirs)
        self._process = context.Process(target=_actuate, args=arguments, name="motorctl actuator", daemon=True)
        self._process.start()
        theirs.close()
        if problem := self._said(START):
            raise ConfigurationError(problem, "See docs/live.md for what an actuator is.")

    @property
    def pid(self) -> int | None:
        """Of the process."""
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._mailbox.write(np.zeros(self._size), ended=True)
        self._process.join(END)
        if self._process.is_alive():
            self._process.kill()

    def __call__(self, command: Array, decided: float) -> None:
        """Tell a command ``(size,)``; never waits."""
        self._mailbox.write(command)

    def check(self, step: Step) -> None:
        """Ask the operator to stop, once, if the process has ended or hangs."""
        if self._failed:
            return
        if self._pipe.poll() or not self._process.is_alive():
            self._fail(self._said(0.0))
        elif self._mailbox.busy > self._patience:
            self._fail(f"The actuator '{self._name}' does not come back from a command.")

    def _fail(self, cause: str) -> None:
        self._failed = True
        self._operator.ask("stop", cause)

    def _said(self, timeout: float) -> str:
        """What the process says went wrong; empty if it is well."""
        try:
            if self._pipe.poll(timeout):
                return str(json.loads(self._pipe.recv_bytes())["problem"])
        except (EOFError, ConnectionError):
            self._process.join(1.0)
            return f"The process of the actuator '{self._name}' ended with {self._process.exitcode}."
        return f"The actuator '{self._name}' is not ready after {timeout:g} s."


@contextmanager
def hardware_of(
    entry_point: str | None, description: Mapping[str, Any], safety: SafetyConfig, operator: Operator
) -> Iterator[tuple[Command, Sink]]:
    """What is told every command, and the sink that looks after it: nobody and nothing without an entry point.

    Raises:
        ConfigurationError: the entry point cannot be used.
    """
    if entry_point is None:
        yield lambda command, time: None, lambda step: None
        return
    with Hardware(entry_point, description, safety, operator) as hardware:
        yield hardware, hardware.check


def watched(config: SafetyConfig, command: Array, silent: float) -> Array:
    """What the hardware is told of the last command when there was no other for a while (s): held, then faded."""
    left = 1 - np.clip((silent - config.fade_after) / config.fade, 0.0, 1.0)
    return np.asarray(command * left)


def _actuate(entry_point: str, description: str, safety: SafetyConfig, mailbox: Mailbox, pipe: Connection) -> None:
    """What the process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the main process, which ends this one
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # not before the hardware is stopped
    said = json.loads(description)
    try:
        actuator = _load(entry_point)(said)
        missing = [name for name in ("move", "stop") if not callable(getattr(actuator, name, None))]
        if missing:
            raise TypeError(f"what it returns has no method {' nor '.join(missing)}")
    except Exception as error:  # whatever a plug-in does wrong is told in one line
        _say(pipe, f"The actuator '{entry_point}' cannot be used: {_in_words(error)}.")
        return
    _say(pipe, "")
    try:
        try:
            heard = _follow(actuator, mailbox, pipe, safety, 1 / said["control_rate"])
        finally:
            _let_go(actuator, len(said["components"]))
        if not heard.ended:
            _say(pipe, f"The actuator '{entry_point}' has stopped: the loop was silent for {safety.stop_after:g} s.")
    except Exception as error:
        _say(pipe, f"The actuator '{entry_point}' failed: {_in_words(error)}.")


def _follow(actuator: Actuator, mailbox: Mailbox, pipe: Connection, safety: SafetyConfig, period: float) -> Heard:
    """Move the hardware by what is heard, until the run is over or the loop was silent for too long."""
    done = 0
    while True:
        mailbox.wait(period)
        heard = mailbox.read()
        silent = time.monotonic() - heard.time if heard.number else 0.0
        never = not heard.number and pipe.poll()  # the loop says nothing here: it is gone
        if heard.ended or never or silent >= safety.stop_after:
            return heard
        new, quiet = heard.number > done, silent > safety.fade_after
        if (new or quiet) and np.isfinite(heard.command).all():  # the loop has seen to that; this does, too
            with mailbox.doing():
                actuator.move(watched(safety, heard.command, silent))
            done = heard.number


def _let_go(actuator: Actuator, size: int) -> None:
    """Neutral, then stopped, even if the hardware will not be neutral."""
    try:
        actuator.move(np.zeros(size))
    finally:
        actuator.stop()


def _load(entry_point: str) -> Any:
    """The function that is named."""
    module, _, name = entry_point.partition(":")
    if not (module and name):
        raise ValueError("it is not of the form package.module:function")
    sys.path.insert(0, os.getcwd())  # a script of one's own, in the folder that one works in
    return getattr(importlib.import_module(module), name)


def _in_words(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")


def _say(pipe: Connection, problem: str) -> None:
    with suppress(ConnectionError):  # the loop is dead
        pipe.send_bytes(json.dumps({"problem": problem}).encode())
