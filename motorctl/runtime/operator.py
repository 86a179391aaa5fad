"""The operator: who may hold, stop, start and end a run, from any thread."""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from motorctl.runtime.safety import Request
from motorctl.signals.lsl import MarkerInlet

KEYS: dict[str, Request] = {" ": "stop", "h": "hold", "s": "start"}
"""What keys ask for; ``q`` ends the run."""


class Operator:
    """What has been asked for and is not yet done. Only the last request counts, but for a stop, which no later
    request of the same control step takes back."""

    def __init__(self) -> None:
        self.ended = False
        self._request: Request | None = None

    def ask(self, request: Request) -> None:
        """For something, which the loop does in its next step."""
        if self._request != "stop":
            self._request = request

    def end(self) -> None:
        """The run, with its next step."""
        self.ended = True

    def request(self) -> Request | None:
        """What was asked for since the last call."""
        asked, self._request = self._request, None
        return asked


def obey(operator: Operator, markers: MarkerInlet) -> None:
    """Let the operator ask for what the markers ``stop``, ``hold``, ``start`` and ``end`` say; others mean nothing."""
    for _, text in markers.read():
        if text in KEYS.values():
            operator.ask(cast(Request, text))
        elif text == "end":
            operator.end()


@contextmanager
def keyboard(operator: Operator) -> Iterator[None]:
    """While this lasts, the operator asks for what is typed on the terminal, key by key. Ctrl-C stays what it is."""
    try:
        import termios
        import tty
    except ImportError:  # on Windows there is only Ctrl-C
        yield
        return
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    over = threading.Event()

    def listen() -> None:
        while not over.is_set():
            if not select.select([terminal], [], [], 0.05)[0]:
                continue
            for key in os.read(terminal, 64).decode(errors="replace"):
                if key in KEYS:
                    operator.ask(KEYS[key])
                elif key == "q":
                    operator.end()

    thread = threading.Thread(target=listen, daemon=True)
    tty.setcbreak(terminal)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(1.0)
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
