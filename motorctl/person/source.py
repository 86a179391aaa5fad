"""A simulated person as a source: the same loop as live, on simulated time."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from motorctl.person.person import Person
from motorctl.signals.stream import Chunk, StreamInfo


class SimulatedSource:
    """EEG of a :class:`Person` whose time passes only while somebody reads.

    Give :meth:`now` to the loop as its clock, and :meth:`see` what happens, so that the person can answer it.
    """

    def __init__(self, person: Person) -> None:
        self._person = person
        self._time = 0.0
        self._samples = 0

    @property
    def info(self) -> StreamInfo:
        """What the stream is."""
        return self._person.brain.info

    def now(self) -> float:
        """Simulated time (s)."""
        return self._time

    def see(self, hand: NDArray[np.float64], target: NDArray[np.float64]) -> None:
        """Show the person hand and target ``(2,)`` (m)."""
        self._person.see(hand, target)

    def read(self, timeout: float) -> Chunk:
        """The samples of the next ``timeout`` seconds, which pass at once."""
        self._time += timeout
        rate = self.info.rate
        due = round(self._time * rate)
        samples = self._person.next_samples(due - self._samples)
        times = np.arange(self._samples + 1, due + 1) / rate
        self._samples = due
        return Chunk(samples, times)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to close."""
