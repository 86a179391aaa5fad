"""Everything once before the stream is opened: first calls load code and allocate memory, and would cost deadlines."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import numpy as np

from motorctl.envs import Env
from motorctl.runtime.loop import Decoder, run_loop
from motorctl.runtime.reader import Reader
from motorctl.signals.pipeline import Pipeline
from motorctl.signals.stream import Chunk, StreamInfo

SECONDS = 2.0


class Quiet:
    """A source of zeros on a time of its own, which passes while it is read."""

    def __init__(self, info: StreamInfo) -> None:
        self.info, self._time, self._sent = info, 0.0, 0

    def now(self) -> float:
        """Its time (s)."""
        return self._time

    def read(self, timeout: float) -> Chunk:
        """The samples of the next ``timeout`` s."""
        self._time += timeout
        first, self._sent = self._sent, round(self._time * self.info.rate)
        times = np.arange(first + 1, self._sent + 1) / self.info.rate
        return Chunk(np.zeros((len(times), len(self.info.channels)), np.float32), times)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to close."""


def rehearse(pipeline: Pipeline, controller: Decoder, env: Env) -> None:
    """Run the loop for :data:`SECONDS` of silence that take as long as computing them does; ``env`` is reset after."""
    source = Quiet(pipeline.info)
    for _ in run_loop(Reader(source, pipeline, source.now), controller, env, SECONDS, seed=0):
        pass
