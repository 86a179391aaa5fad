"""Limits of a command: how large it may be, how fast it may change, and how fast that change may change."""

from __future__ import annotations

import math
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
        each = (wanted, *last, self.low, self.high, self.step, self.bend)
        command = np.array([_approach(*part) for part in zip(*(one.tolist() for one in each), strict=True)])
        return Given(command, command - last.command)


def _approach(
    wanted: float, before: float, change_before: float, low: float, high: float, step: float, bend: float
) -> float:
    """The next command of one component: its few numbers are dealt with sooner without arrays, and a command waits."""
    gap = min(max(wanted, low), high) - before
    n = math.floor((math.sqrt(1 + 8 * abs(gap) / bend) - 1) / 2)
    fastest = abs(gap) / (n + 1) + bend * n / 2
    change = math.copysign(min(fastest, step), gap)
    change = min(max(change, change_before - bend), change_before + bend)
    return min(max(before + change, low), high)
