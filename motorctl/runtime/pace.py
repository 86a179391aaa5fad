"""When a control step is due, and when its command goes out.

Deadlines lie a control period apart on an absolute grid, so that they do not drift with the time that steps take. What
happens within a period is one of two:

``clock``
    The command goes out at the deadline. A sample waits for it, half a period in the mean.
``samples``
    The command goes out as soon as a new feature row is complete, and at the deadline where none comes. Nothing waits.
    The grid follows the amplifier's clock, whose crystal is not this machine's: slowly, so that rows come in the middle
    between two deadlines, where neither jitter nor a burst has one period go empty and the next get two. Where a stall
    has put them out of step, so that a row comes when its period has had its command, the next one is waited for: it
    would be late by as much as the row is early, and so would all after it, until the grid has followed.
"""

from __future__ import annotations

import math
from typing import Literal

Pacing = Literal["samples", "clock"]

FOLLOW = 0.05
"""Share of its distance from where it should lie by which the grid is moved in a step while the limb moves,"""
FIND = 0.2
"""and before: within half a second at 50 Hz it is there, and rows that come in bursts cannot make it run ahead."""
EARLY = 0.1
"""A row that comes so much before its period begins, in periods, is out of step."""
SLEW = 0.01
"""Most that it is moved in a step, in periods, while the limb moves."""


class Pace:
    """The grid of deadlines; ``deadline`` is the next one (s), ``missed`` how many went by without a command before it.

    Args:
        period: from deadline to deadline (s).
        start: the first deadline is a period later (s).
        pacing: whether to wait for deadlines or for samples.
    """

    def __init__(self, period: float, start: float, pacing: Pacing) -> None:
        self.period, self.deadline, self._pacing = period, start + period, pacing

    @property
    def at_once_from(self) -> float:
        """From when on a new row is decided on at once (s): not in the period before, which has had its command."""
        return self.deadline - self.period if self._pacing == "samples" else math.inf

    @property
    def early_before(self) -> float:
        """A row that has come before is out of step: the next one is due within this period, and is waited for (s)."""
        return self.at_once_from - EARLY * self.period

    def missed(self, issued: float) -> int:
        """Deadlines that have gone by without a command when this one is ``issued`` (s): a step is due at its deadline,
        and late when the next one has come."""
        return max(0, int((issued - self.deadline) / self.period))

    def go_on(self, missed: int, came: float | None, moving: bool) -> None:
        """To the next deadline; what went by is not made up for.

        Args:
            missed: deadlines that went by.
            came: when this step's newest row was there (s), None if there was none.
            moving: whether the limb is, so that the grid must not jump.
        """
        off = 0.0
        if self._pacing == "samples" and came is not None and not missed:
            off = (FOLLOW if moving else FIND) * (came - (self.deadline - self.period / 2))
            if moving:
                off = max(-SLEW * self.period, min(SLEW * self.period, off))
        self.deadline += (1 + missed) * self.period + off
