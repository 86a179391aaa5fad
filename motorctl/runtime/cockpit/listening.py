"""Listens to streams, each in a thread of its own, whatever becomes of them: waits, connects, loses, finds again."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import numpy as np
import pylsl  # type: ignore[import-untyped]

from motorctl.errors import StreamError
from motorctl.runtime.cockpit.history import History
from motorctl.runtime.limb_stream import read_description
from motorctl.signals.lsl import LSLSource, MarkerInlet, describe
from motorctl.signals.lsl.connection import answer, patiently
from motorctl.signals.stream import StreamInfo

PERIOD = 1 / 30
"""Between two looks for what has come (s): as often as a browser draws, and few enough wakings to cost little."""
PATIENCE = 2.0
"""For a stream that was seen to answer (s)."""
REMEMBERED = 200
"""Markers that are kept."""

Find = Callable[[], pylsl.StreamInfo]
"""Finds a stream; a StreamError if it is not there."""


def full_info(found: pylsl.StreamInfo) -> pylsl.StreamInfo:
    """All that a stream says of itself.

    Raises:
        StreamError: it does not answer.
    """
    inlet = pylsl.StreamInlet(found, recover=False)
    return patiently(answer(inlet.info, PATIENCE), describe(found))


class Listener(ABC):
    """Listens from when it is made until :meth:`close`.

    ``trouble`` says in a few words why nothing is heard; empty while the stream is there.

    Args:
        find: tried again and again while the stream is not there.
    """

    def __init__(self, find: Find) -> None:
        self.trouble = "looked for"
        self._find = find
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Listen no more."""
        self._over.set()

    def join(self) -> None:
        """Wait until it has let go of the stream."""
        self._thread.join(2 * PATIENCE)

    def _run(self) -> None:
        while not self._over.wait(PERIOD):
            try:
                self._follow(self._find())
            except StreamError as error:
                self.trouble = error.problem.partition("; visible:")[0]

    @abstractmethod
    def _follow(self, found: pylsl.StreamInfo) -> None:
        """Listen to a stream that was found; a StreamError when it is gone."""


class Stream(NamedTuple):
    """A stream of numbers as it was found, which never changes but for its history.

    Args:
        info: what it says of itself.
        said: what it says of the run (:func:`~motorctl.runtime.limb_stream.describe`); empty if it is none of a run's.
        history: its last seconds, NaN where a sample is missing.
    """

    info: StreamInfo
    said: dict[str, Any]
    history: History

    @property
    def age(self) -> float:
        """Of the newest sample (s); infinite before the first."""
        return float(pylsl.local_clock()) - self.history.newest[0]

    @property
    def newest(self) -> dict[str, float]:
        """The newest values by label; empty before the first."""
        time, values = self.history.newest
        return dict(zip(self.info.labels, values.tolist(), strict=True)) if np.isfinite(time) else {}


class SignalListener(Listener):
    """Listens to a stream of numbers: ``stream`` is the one that is there, or was there last.

    Args:
        find: as for :class:`Listener`.
        seconds: how much is kept (s).
        unit: as for :func:`motorctl.signals.lsl.open_source`.
    """

    def __init__(self, find: Find, seconds: float, unit: str | None = None) -> None:
        self.stream: Stream | None = None
        self._seconds, self._unit = seconds, unit
        super().__init__(find)

    def _follow(self, found: pylsl.StreamInfo) -> None:
        said = read_description(full_info(found))
        with LSLSource(found, PATIENCE, self._unit) as source:
            history = History(self._seconds, source.info.rate, len(source.info.channels))
            self.stream = Stream(source.info, said, history)
            self.trouble = ""
            while not self._over.wait(PERIOD):
                chunk = source.read(0.0)
                if len(chunk):
                    history.append(chunk.times, np.where(chunk.mask, chunk.samples, np.float32(np.nan)))
                if source.events and source.events[-1].kind == "lost":
                    raise StreamError(f"'{source.info.name}' is gone.", "Start it again.")


class MarkerListener(Listener):
    """A stream of markers: ``heard`` has the last of them, ``(time, text)``, the newest last."""

    def __init__(self, find: Find) -> None:
        self.heard: deque[tuple[float, str]] = deque(maxlen=REMEMBERED)
        super().__init__(find)

    def _follow(self, found: pylsl.StreamInfo) -> None:
        with MarkerInlet(found, PATIENCE) as inlet:
            self.trouble = ""
            while not self._over.wait(PERIOD):
                self.heard.extend(inlet.read())


class Listening:
    """Several listeners; ``with`` closes all of them in the end."""

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = listeners

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for listener in self._listeners:
            listener.close()
        for listener in self._listeners:
            listener.join()
