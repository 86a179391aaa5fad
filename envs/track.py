"""The tracking task: keep the hand on a target that moves as a sum of sines."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from motorctl.errors import check_positive

from .limb import Limb, Senses
from .reach import Reach
from .task import State, length

Array = NDArray[np.float64]

BASE = 0.05
"""Base frequency, Hz: the target's path repeats after 20 s."""
MULTIPLES = np.array([[2, 5, 11], [3, 7, 13]])
"""(axis, sine) of the base frequency: primes, so that no sine is a harmonic of another, nor x of y."""
LEAD_IN = 1.0
"""Time to get to the target before errors count, s."""
ENOUGH = 0.7
"""Share of the time that the hand has to be on target for a success."""


@dataclass(frozen=True)
class Track(Reach):
    """Pursuit tracking of a sum of sines that looks random: the forcing of manual control (McRuer & Jex, IEEE Trans Hum
    Factors Electron 8, 1967). Each axis has its own frequencies; the phases are random, speeds of all sines are equal.

    The episode ends at the time limit.
    """

    amplitude: float = 0.09
    """Farthest that the target goes from the center along x and along y, m."""

    reasons: ClassVar[tuple[str, ...]] = ()
    options: ClassVar[tuple[str, ...]] = ()

    def start(
        self, random: np.random.Generator, senses: Senses, previous: State | None, options: Mapping[str, Any]
    ) -> State:
        """Draw the phases."""
        phases = random.uniform(0, 2 * math.pi, MULTIPLES.shape)
        hand, (target, velocity) = senses["hand_position"], self._target(phases, 0.0)
        distance = length(hand - target)
        return {
            "phases": phases,
            "target": target,
            "velocity": velocity,
            "distance": distance,
            "scored": 0,
            "on": 0,
            "squares": 0.0,
        }

    def advance(self, state: State, senses: Senses) -> State:
        """Move the target on; add up errors."""
        hand, _ = self.shown(state, senses)
        target, velocity = self._target(state["phases"], state["time"])
        distance = length(hand - target)
        counts = (state["time"] > LEAD_IN) * 1
        return {
            **state,
            "target": target,
            "velocity": velocity,
            "distance": distance,
            "scored": state["scored"] + counts,
            "on": state["on"] + counts * (distance <= self.target_radius),
            "squares": state["squares"] + counts * distance * distance,
        }

    def end(self, state: State) -> Any:
        """Never."""
        return 0 * state["on"]

    def success(self, state: State) -> Any:
        """Whether the hand was on target long enough."""
        return (state["on"] >= ENOUGH * state["scored"]) & (state["scored"] > 0)

    def info(self, state: State, senses: Senses) -> dict[str, Array]:
        """As `Reach`, and `target_velocity`, m/s."""
        return super().info(state, senses) | {"target_velocity": state["velocity"]}

    def metrics(self, state: State) -> dict[str, Array]:
        """`time_on_target`, a share, and the root mean square `error`, m; the first second does not count."""
        scored = np.where(np.asarray(state["scored"]) > 0, state["scored"], np.nan)
        return {"time_on_target": state["on"] / scored, "error": np.sqrt(state["squares"] / scored)}

    def _target(self, phases: Array, time: Any) -> tuple[Array, Array]:
        """Position and velocity (..., 2) of the target with phases (..., 2, sine) at times (...)."""
        rates = 2 * math.pi * BASE * MULTIPLES
        sizes = self.amplitude / MULTIPLES / (1 / MULTIPLES).sum(-1, keepdims=True)
        angles = rates * np.asarray(time)[..., None, None] + phases
        return self.center + (sizes * np.sin(angles)).sum(-1), (rates * sizes * np.cos(angles)).sum(-1)


def track(limb: Limb, period: float, target_radius: float = 0.02, amplitude: float = 0.09) -> Track:
    """The task for a planar limb; the target moves about the rest position of the hand.

    Args:
        limb: with a `hand_position` (..., 2).
        period: of the control, s.
        target_radius: of the target, m.
        amplitude: farthest that the target goes along x and along y, m.

    Raises:
        ConfigurationError: an option has a value that cannot be used.
    """
    check_positive("target_radius", target_radius)
    check_positive("amplitude", amplitude)
    task = Track(limb, period, target_radius, dwell_steps=1, amplitude=amplitude)
    task._given(task.center + amplitude)  # the corner that is farthest from the shoulder
    return task
