"""A read-out that learns while it is used, in a process of its own: learning never delays a command.

Rows go there through a thread, so that whoever gives one never waits; read-outs come back whole.
"""

from __future__ import annotations

import os
import signal
import threading
from multiprocessing import get_context
from multiprocessing.connection import Connection
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from motorctl.errors import ConfigurationError
from motorctl.training.decoder_adaptation import Rule

Array = NDArray[np.floating]

_START = 120.0  # s for the process to start and import, on a machine that is busy
_WAITING = 1000  # rows that may wait for a learner that is slow; more are dropped


class Learner:
    """Fits a read-out to rows of units and intentions as they come in. ``with`` ends the process.

    Args:
        readout: ``(command, width + 1)`` to begin with, the bias last.
        rule: how it follows.
        rate: of the rows (Hz).
        bound: farthest that it may come from the first, as a share of the first's size (Frobenius norm).

    Raises:
        ConfigurationError: the process does not start.
    """

    def __init__(self, readout: Array, rule: Rule[Any], rate: float, bound: float) -> None:
        self._shape = readout.shape
        self._rows: SimpleQueue[bytes | None] = SimpleQueue()
        context = get_context("spawn")
        self._results, theirs = context.Pipe(duplex=False)
        incoming, self._outgoing = context.Pipe(duplex=False)
        arguments = (incoming, theirs, np.asarray(readout, float), rule, rate, bound)
        self._process = context.Process(target=_learn_on, args=arguments, name="motorctl learner", daemon=True)
        self._process.start()
        incoming.close()
        theirs.close()
        self.learned = self.dropped = 0
        self.ended = False
        if not self._results.poll(_START) or self._results.recv_bytes() != b"ready":
            raise ConfigurationError("The learner does not start.", "Look what keeps the machine busy.")
        threading.Thread(target=self._send, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._rows.put(None)
        self._process.join(2.0)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    @property
    def pid(self) -> int | None:
        """Of the process."""
        return self._process.pid

    def learn(self, units: Array, intended: Array, anew: bool) -> None:
        """One more row: units ``(width,)``, what was intended ``(command,)``, and whether a trial begins with it; never
        waits."""
        if self._rows.qsize() >= _WAITING:
            self.dropped += 1
            return
        self.learned += 1
        self._rows.put(np.concatenate([units, intended, [anew]]).astype(float).tobytes())

    def newest(self) -> Array | None:
        """The read-out ``(command, width + 1)`` if there is a new one; never waits. ``ended`` tells when the process
        has."""
        said = None
        try:
            while not self.ended and self._results.poll():
                said = self._results.recv_bytes()
        except (EOFError, ConnectionError):
            self.ended = True
        return None if said is None else np.frombuffer(said).reshape(self._shape).copy()

    def _send(self) -> None:
        try:
            while (row := self._rows.get()) is not None:
                self._outgoing.send_bytes(row)
        except (ConnectionError, OSError):  # it was killed, which the other pipe tells
            pass
        self._outgoing.close()


def _learn_on(
    rows: Connection, results: Connection, readout: NDArray[np.float64], rule: Rule[Any], rate: float, bound: float
) -> None:
    """What the process does: learn from rows until nobody can send more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the main process, which closes the pipe
    if hasattr(os, "nice"):
        os.nice(5)
    torch.set_num_threads(1)
    first, width = torch.from_numpy(readout)[None], readout.shape[1] - 1
    state = rule.start(first, rate)
    results.send_bytes(b"ready")
    try:
        while True:
            row = torch.frombuffer(bytearray(rows.recv_bytes()), dtype=torch.float64)[None]
            before = state.readout
            state = rule.update(row[:, :width], row[:, width:-1], row[:, -1] > 0, state)
            if not state.readout.isfinite().all():
                state = rule.start(first, rate)
            if state.readout is not before:
                state = state._replace(readout=bounded(state.readout, first, bound))
                if not rows.poll():
                    results.send_bytes(state.readout[0].numpy().tobytes())
    except (EOFError, ConnectionError):
        pass


def bounded(readout: torch.Tensor, first: torch.Tensor, bound: float) -> torch.Tensor:
    """The read-out itself, or if it is farther from the first than ``bound`` times the first's size, the one on the way
    there."""
    change = readout - first
    most, gone = bound * torch.linalg.vector_norm(first), torch.linalg.vector_norm(change)
    return readout if gone <= most else first + change * (most / gone)
