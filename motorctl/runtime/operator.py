"""The operator: who may hold, stop, start and end a run, from any thread, by keys and by markers."""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, cast

import pylsl  # type: ignore[import-untyped]

from motorctl.errors import StreamError
from motorctl.runtime.safety import Request
from motorctl.signals.lsl import MarkerInlet

KEYS: dict[str, Request] = {" ": "stop", "h": "hold", "s": "start"}
"""What keys ask for; ``q`` ends the run."""
WAIT, SEARCH = 0.2, 0.5
"""How long a thread waits for markers, and between two looks for a stream (s), before it sees that the run is over."""


class Operator:
    """What has been asked for and is not yet done. Only the last request counts, but for a stop, which no later
    request of the same control step takes back.

    ``assist`` is the share of the expert that was last asked for (0 to 1), ``record`` whether a recording was; None
    until anybody has. ``taken`` is what the last call of :meth:`request` gave.
    """

    def __init__(self) -> None:
        self.ended = False
        self.assist: float | None = None
        self.record: bool | None = None
        self.taken: tuple[Request | None, str] = (None, "")
        self._asked: tuple[Request, str] | None = None

    def ask(self, request: Request, why: str = "") -> None:
        """For something, which the loop does in its next step.

        Args:
            request: what.
            why: in a few words, where it is not somebody's wish (``the cockpit was killed``).
        """
        if self._asked is None or self._asked[0] != "stop":
            self._asked = request, why

    def end(self) -> None:
        """The run, with its next step."""
        self.ended = True

    def request(self) -> tuple[Request | None, str]:
        """What was asked for since the last call, and why."""
        asked, self._asked = self._asked, None
        self.taken = asked or (None, "")
        return self.taken


def obey(operator: Operator, texts: Iterable[str]) -> None:
    """Let the operator ask for what markers say: ``start``, ``hold``, ``stop``, ``end``, ``assist 0.5`` (0 to 1),
    ``record start``, ``record stop``. Others mean nothing."""
    for text in texts:
        word, _, rest = text.partition(" ")
        if text in KEYS.values():
            operator.ask(cast(Request, text))
        elif text == "end":
            operator.end()
        elif word == "record" and rest in ("start", "stop"):
            operator.record = rest == "start"
        elif word == "assist" and (share := _share(rest)) is not None:
            operator.assist = share


def _share(text: str) -> float | None:
    """A number from 0 to 1, if it is one."""
    try:
        share = float(text)
    except ValueError:
        return None
    return share if 0 <= share <= 1 else None


def operator_stream(limb_stream: str) -> str:
    """Name of the marker stream that a run obeys without being told: the cockpit's."""
    return f"{limb_stream} operator"


@contextmanager
def remote(operator: Operator, markers: Iterable[MarkerInlet], wanted: str) -> Iterator[None]:
    """While this lasts, the operator asks for what comes on ``markers``, and on every stream called ``wanted`` from
    when it appears: each is listened to in a thread of its own, so that the loop is never held up."""
    over = threading.Event()
    threads = [threading.Thread(target=_listen, args=(operator, inlet, over), daemon=True) for inlet in markers]
    threads.append(threading.Thread(target=_await, args=(operator, wanted, over), daemon=True))
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(2 * SEARCH)


def _await(operator: Operator, wanted: str, over: threading.Event) -> None:
    """Listen to each stream of a name from when it is there: whoever sits at one of several cockpits may stop."""
    resolver, known = pylsl.ContinuousResolver("name", wanted), set[str]()
    while not over.wait(SEARCH):
        for found in resolver.results():
            if found.uid() not in known:
                known.add(found.uid())
                threading.Thread(target=_join, args=(operator, found, over), daemon=True).start()


def _join(operator: Operator, found: pylsl.StreamInfo, over: threading.Event) -> None:
    try:
        markers = MarkerInlet(found)
    except StreamError:  # gone again
        return
    _listen(operator, markers, over)


def _listen(operator: Operator, markers: MarkerInlet, over: threading.Event) -> None:
    try:
        with markers:
            while not over.is_set():
                obey(operator, [text for _, text in markers.read(WAIT)])
    except StreamError as error:
        operator.ask("stop", f"the operator's stream is lost: {error.problem}")


class Asked(Protocol):
    """An operator, or who passes on to one what is asked for."""

    def ask(self, request: Request, /) -> object:
        """For something."""
        ...

    def end(self) -> object:
        """The run."""
        ...


@contextmanager
def keyboard(operator: Asked) -> Iterator[None]:
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
