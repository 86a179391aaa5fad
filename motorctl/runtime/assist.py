"""Assistance: the expert's command is blended into the user's, less and less of it.

What is done with it is never taken for the user's own: :mod:`motorctl.runtime.trials` tells the share of each trial.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from motorctl.errors import ConfigurationError, check_positive
from motorctl.runtime.loop import Step
from motorctl.runtime.operator import Operator
from motorctl.runtime.safety import Phase
from motorctl.training.steering import WAYS

Array = NDArray[np.floating]

Expert = Callable[[Array, Mapping[str, Any]], Array]
"""Takes what the environment's expert would command, and ``info``; gives what is blended in, ``(size,)``."""


@dataclass(frozen=True)
class Fade:
    """How assistance becomes less."""

    by: Literal["time", "success", "nothing"] = "time"
    """What makes it less: the time that the limb moves, or each success, while a failure brings some of it back."""
    seconds: float = 120.0
    """Time after which nothing is left of it (s)."""
    successes: int = 10
    """Successes after which nothing is left of it."""

    def __post_init__(self) -> None:
        check_positive("fade.seconds", self.seconds)
        check_positive("fade.successes", self.successes)


def check_share(share: float) -> None:
    """Say that there is no such share.

    Raises:
        ConfigurationError: it is not from 0 to 1.
    """
    if not 0 <= share <= 1:
        raise ConfigurationError(f"assist is {share:g}.", "Give a share from 0 (none) to 1 (the expert alone).")


class Assistance:
    """A guide of the loop that blends: ``(1 - assist) * wanted + assist * expert``, and a sink of its steps, from which
    it learns when to give less.

    An operator may set the share, which then stays until it is set again.

    Args:
        share: to begin with, 0 to 1.
        fade: how it becomes less.
        operator: whose ``assist`` is obeyed.
        expert: what is blended in (:func:`expert_of`).
        period: of the control (s).
    """

    def __init__(self, share: float, fade: Fade, operator: Operator, expert: Expert, period: float) -> None:
        check_share(share)
        self.assist = self._first = share
        self._fade, self._operator, self._expert, self._period = fade, operator, expert, period
        self._left = 1.0  # of the first share

    def __call__(self, wanted: Array, intended: Array, info: Mapping[str, Any]) -> Array:
        """The blend."""
        if self._operator.assist is not None:
            self.assist, self._operator.assist = self._operator.assist, None
            self._fade = Fade("nothing")
        if not self.assist:
            return wanted
        return (1 - self.assist) * wanted + self.assist * self._expert(intended, info)

    def told(self, step: Step) -> None:
        """A step has gone by."""
        if self._fade.by == "time" and step.phase is Phase.RUNNING:
            self._less(self._period / self._fade.seconds)
        elif self._fade.by == "success" and step.outcome:
            self._less((1 if step.success else -1) / self._fade.successes)

    def _less(self, share: float) -> None:
        self._left = min(1.0, max(0.0, self._left - share))
        self.assist = self._first * self._left if self._left > 1e-9 else 0.0


def expert_of(steer: str) -> Expert:
    """What is blended in for people who steer in that way: the command of their own expert, no faster than their
    controller moves the hand; of other controllers what the environment's expert would command."""
    if steer not in WAYS:
        return lambda intended, info: intended
    way = WAYS[steer]
    return lambda intended, info: way.gain * way.expert(info["shown_position"], info["target_position"])
