"""What is shown to somebody who calibrates: the expert moves the limb, and cues say what to imagine.

Both are guides of the loop that take all of the command, and sinks of its steps that say what is asked for next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motorctl.runtime.loop import Step
from motorctl.runtime.safety import Phase
from motorctl.training.calibrated import CUE, PAUSE
from motorctl.training.simulation import PERTURBATION, PERTURBATION_TIME
from motorctl.training.steering import Way

Array = NDArray[np.floating]
Say = Callable[[str, float], None]
"""Takes a marker and its time (s)."""

AXES = (("right", "left"), ("forward", "back"), ("up", "down"))
"""Names of a direction and its opposite along x, y and z."""
PUSHED = 0.5
"""Share of the pushes that simulated people learn from: with all of them a slow hand seems to have lost its way."""
DIAGONAL = np.sin(np.pi / 8)
"""Part of a direction along an axis from which on that axis is named: eight directions in a plane."""


class ReachingShown:
    """The hand is brought from target to target, slowly enough to be imagined along; outside of targets it is pushed
    off its path now and then, so that what is wanted does not follow from the cue alone.

    Args:
        way: how people steer; its expert moves the hand, at its share of speed.
        radius: of the targets (m).
        rate: of the steps (Hz).
        seed: of the pushes.
        say: told every cue.
    """

    assist = 1.0

    def __init__(self, way: Way, radius: float, rate: float, seed: int, say: Say) -> None:
        self._way, self._radius, self._say = way, radius, say
        self._rng, self._push = np.random.default_rng(seed), np.zeros(0)
        self._decay = np.exp(-way.hand_speed / (PERTURBATION_TIME * rate))
        self._target: Array | None = None

    def __call__(self, wanted: Array, intended: Array, info: Mapping[str, Any]) -> Array:
        """The expert's command, slowed and pushed."""
        hand, target = info["shown_position"], info["target_position"]
        speed = self._way.hand_speed
        drawn = self._rng.standard_normal(len(wanted))
        before = self._push if len(self._push) else np.zeros(len(wanted))
        self._push = self._decay * before + np.sqrt(1 - self._decay**2) * PERTURBATION * drawn
        pushed = np.linalg.norm(target - hand) > self._radius
        return np.asarray(speed * self._way.expert(hand, target) + pushed * PUSHED * np.sqrt(speed) * self._push)

    def told(self, step: Step) -> None:
        """A step has gone by: a new target is a new cue."""
        target = np.array(step.info["target_position"])
        if self._target is None or not np.array_equal(target, self._target):
            self._target = target
            self._say(CUE + direction(target - step.info["shown_position"]), step.time)


def direction(towards: Array) -> str:
    """``towards (axis,)`` in words: ``right``, ``forward left``, ...; ``stay`` for no distance."""
    distance = np.linalg.norm(towards)
    if distance < 1e-6:
        return "stay"
    named = [
        names[int(part < 0)] for names, part in zip(AXES, towards / distance, strict=False) if abs(part) > DIAGONAL
    ]
    return " ".join(sorted(named, key=lambda name: name in AXES[0]))  # forward right, not right forward


class ClassesShown:
    """One class after the other is asked for, in blocks of all of them in random order, and done by the limb meanwhile;
    pauses of random length lie between them.

    Args:
        commands: of each class by name, ``(size,)``; the first is also shown in pauses.
        seconds: how long each is asked for (s).
        pause: least length of a pause (s); it lasts up to half as long again.
        rate: of the steps (Hz).
        seed: of the order and the pauses.
        say: told every cue and every pause.
    """

    assist = 1.0

    def __init__(
        self, commands: Mapping[str, Array], seconds: float, pause: float, rate: float, seed: int, say: Say
    ) -> None:
        self._names, self._commands = list(commands), list(commands.values())
        self._seconds, self._pause, self._period = seconds, pause, 1 / rate
        self._rng, self._say = np.random.default_rng(seed), say
        self._block: list[int] = []
        self._asked: int | None = None
        self._left = pause

    def __call__(self, wanted: Array, intended: Array, info: Mapping[str, Any]) -> Array:
        """That of what is asked for."""
        return self._commands[self._asked or 0]

    def told(self, step: Step) -> None:
        """A step has gone by; time stands still while the limb does."""
        if step.phase is not Phase.RUNNING:
            return
        self._left -= self._period
        if self._left > 1e-9:
            return
        if self._asked is None:
            self._block = self._block or self._rng.permutation(len(self._names)).tolist()
            self._asked, self._left = self._block.pop(), self._seconds
            self._say(CUE + self._names[self._asked], step.time)
        else:
            self._asked, self._left = None, self._pause * (1 + 0.5 * self._rng.random())
            self._say(PAUSE, step.time)


class AskedAloud:
    """A sink that says which class a task asks for, whenever it is another one: whoever wears the cap imagines that.

    Args:
        commands: of each class by name, ``(size,)``; the one that the expert commands is asked for.
        say: told every cue.
    """

    def __init__(self, commands: Mapping[str, Array], say: Say) -> None:
        self._names, self._commands, self._say = list(commands), np.array(list(commands.values())), say
        self._asked = ""

    def __call__(self, step: Step) -> None:
        """A step has gone by."""
        nearest = int(np.linalg.norm(self._commands - step.intended, axis=1).argmin())
        if self._names[nearest] != self._asked:
            self._asked = self._names[nearest]
            self._say(CUE + self._asked, step.time)
