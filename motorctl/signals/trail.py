"""The trailing rows of a signal that grows at its end, without a copy of all of them for every new one."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

ROOM = 3
"""So many times its length are made room for; the rows are copied once in that many new ones."""


class Memory:
    """Rows, of which the first ``filled`` are used; there is ``room`` for as many more as are to come next."""

    def __init__(self, rows: NDArray[Any], room: int = 0) -> None:
        self.filled = len(rows)
        self.rows = np.empty((len(rows) * (1 + ROOM) + room, *rows.shape[1:]), rows.dtype)
        self.rows[: self.filled] = rows


class Trail(NamedTuple):
    """The last rows of a signal. A trail never changes: :meth:`followed_by` gives another, which shares its memory
    unless that already holds other rows after these."""

    memory: Memory
    end: int  # of its rows there
    window: int  # how many they are

    def followed_by(self, new: NDArray[Any]) -> tuple[NDArray[Any], Trail]:
        """The rows with ``new (time, signal)`` after them, ``(window + time, signal)``, not to be written to; and the
        trail of the last of them."""
        memory, start, end = self.memory, self.end - self.window, self.end + len(new)
        if memory.filled != self.end or end > len(memory.rows):
            memory = Memory(memory.rows[start : self.end], room=len(new))
            start, end = 0, self.window + len(new)
        memory.rows[end - len(new) : end] = new
        memory.filled = end
        return memory.rows[start:end], Trail(memory, end, self.window)


def trail_of(rows: NDArray[Any]) -> Trail:
    """The trail of ``rows (window, signal)``."""
    return Trail(Memory(rows), len(rows), len(rows))
