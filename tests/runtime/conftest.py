"""What tests of runs share: a stream of noise on simulated time, and commands in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

import numpy as np
import pytest

from motorctl.signals.stream import Channel, Chunk, StreamInfo


class _Noise:
    """Three electrodes of noise, whose time passes only while somebody reads; silent from one time to another."""

    info = StreamInfo("noise", "EEG", 100.0, (Channel("C3"), Channel("Cz"), Channel("C4")))

    def __init__(self, silence: tuple[float, float] = (9e9, 9e9)) -> None:
        self.time, self._sent, self._silence = 0.0, 0, silence
        self._rng = np.random.default_rng(0)

    def now(self) -> float:
        return self.time

    def read(self, timeout: float) -> Chunk:
        self.time += timeout
        due = round(self.time * self.info.rate)
        times = np.arange(self._sent + 1, due + 1) / self.info.rate
        times = times[(times < self._silence[0]) | (times >= self._silence[1])]
        self._sent = due
        return Chunk(self._rng.standard_normal((len(times), 3)).astype(np.float32), times)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@pytest.fixture
def noise() -> Callable[..., _Noise]:
    """``noise(silence)``: a source of noise on simulated time."""
    return _Noise


Command = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def command() -> Iterator[Command]:
    """``command("live", "--controller", ...)`` runs a command in another process, which is killed in the end."""
    processes: list[subprocess.Popen[str]] = []

    def run(*words: object) -> subprocess.Popen[str]:
        line = [sys.executable, "-P", "-u", "-m", "motorctl", *map(str, words)]
        pipe = subprocess.PIPE
        processes.append(subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True))
        return processes[-1]

    yield run
    for process in processes:
        process.kill()
        process.communicate()
