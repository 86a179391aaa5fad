"""The trailing rows of a signal that grows at its end, without a copy of all of them for every new one."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

ROOM = 3
"""So many times its length are made room for; the rows are copied once in that many new ones."""


class Trail:
    """The last rows of a signal. A trail never changes: :meth:`followed_by` gives another, which shares its memory
    unless that already holds other rows after these.

    Args:
        rows: ``(window, signal)``.
    """

    def __init__(self, rows: NDArray[Any]) -> None:
        self.window = len(rows)
        self._memory = _Memory(rows)
        self._end = self.window

    def followed_by(self, new: NDArray[Any]) -> tuple[NDArray[Any], Self]:
        """The rows with ``new (time, signal)`` after them, ``(window + time, signal)``, not to be written to; and the
        trail of the last of them."""
        start, end = self._end - self.window, self._end + len(new)
        memory = self._memory
        if memory.filled != self._end or end > len(memory.rows):
            memory = _Memory(memory.rows[start : self._end], room=len(new))
            start, end = 0, self.window + len(new)
        memory.rows[end - len(new) : end] = new
        memory.filled = end
        after = object.__new__(type(self))
        after.window, after._memory, after._end = self.window, memory, end
        return memory.rows[start:end], after


class _Memory:
    """Rows, of which the first ``filled`` are used."""

    def __init__(self, rows: NDArray[Any], room: int = 0) -> None:
        self.filled = len(rows)
        self.rows = np.empty((len(rows) * (1 + ROOM) + room, *rows.shape[1:]), rows.dtype)
        self.rows[: self.filled] = rows
