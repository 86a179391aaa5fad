"""Limits of a command: how large it may be, how fast it may change, and how fast that change may change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Given(NamedTuple):
    """What an actuator was last told: a ``command (size,)``, and the ``change (size,)`` to it from the one before."""

    command: Array
    change: Array


@dataclass(frozen=True)
class Limits:
    """Of one command, per component.

    Args:
        low, high: ``(size,)`` range of the command, in its own unit.
        step: ``(size,)`` most that it may change from one control step to the next.
        bend: ``(size,)`` most that this change may change from one control step to the next.
    """

    low: Array
    high: Array
    step: Array
    bend: Array

    def approach(self, wanted: Array, last: Given) -> Given:
        """The command nearest to ``wanted (size,)``, which is finite, that the limits allow after ``last``.

        All of them hold, if ``last`` came from here: a command is only approached so fast that it can come to rest
        there. With the bend b, a change s comes to rest after s + (s - b) + (s - 2b) + ..., n + 1 terms above 0, in all
        (n + 1) s - b n (n + 1) / 2.
        """
        gap = np.clip(wanted, self.low, self.high) - last.command
        n = np.floor((np.sqrt(1 + 8 * np.abs(gap) / self.bend) - 1) / 2)
        fastest = np.abs(gap) / (n + 1) + self.bend * n / 2
        change = np.sign(gap) * np.minimum(fastest, self.step)
        change = np.clip(change, last.change - self.bend, last.change + self.bend)
        command = np.clip(last.command + change, self.low, self.high)
        return Given(command, command - last.command)
