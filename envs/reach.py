"""The reaching task: bring the hand into a target and keep it there. Positions (..., 2), or (..., 3) in space, m."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from motorctl.errors import ConfigurationError, check_positive

from .limb import Limb, Senses
from .rewards import tolerance
from .task import State, Task, length, limits

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Reach(Task):
    """Targets are drawn uniformly from a disc, or a ball; one is reached when the hand has stayed in it long enough.

    `reset` takes the option `target`, a position that the hand can reach, instead of a drawn one.
    """

    limb: Limb
    period: float
    """Of the control, s."""
    target_radius: float
    """Farthest that the hand may be from the center of the target, m."""
    dwell_steps: int
    """Control steps that the hand must stay in the target."""
    radius: float = 0.15
    """Radius of the disc of targets about the hand's rest position, m."""
    nearest: float = 0.05
    """Least distance from the hand to a new target, m."""
    margin: float = 0.15
    """Distance from the edge of the target at which closeness is 0.1, m."""
    effort_cost: float = 0.1
    """Cost of a step at which every muscle is fully excited."""

    reasons: ClassVar[tuple[str, ...]] = ("reached",)
    options: ClassVar[tuple[str, ...]] = ("target",)

    @property
    def center(self) -> Array:
        """Center of the disc of targets, m."""
        return self.limb.at_rest["hand_position"]

    def start(
        self, random: np.random.Generator, senses: Senses, previous: State | None, options: Mapping[str, Any]
    ) -> State:
        """A new target. The episode's figures start anew."""
        hand = senses["hand_position"]
        target = self._given(options["target"]) if "target" in options else self.draw(random, hand)
        return self.first(hand, target)

    def first(self, hand: Array, target: Array) -> State:
        """The state (...) with a new target (..., 2), the hand (..., 2) where it is."""
        gap = length(hand - target)
        return {"target": target, "distance": gap, "straight": gap, "stayed": 0, "hand": hand.copy(), "path": 0.0}

    def draw(self, random: np.random.Generator, hand: Array) -> Array:
        """Draw a target (2,) or (3,) for a hand."""
        while True:
            if hand.size == 2:
                radius, angle = self.radius * math.sqrt(random.random()), 2 * math.pi * random.random()
                target = self.center + (radius * math.cos(angle), radius * math.sin(angle))
            else:
                direction = random.standard_normal(3)
                target = self.center + self.radius * random.random() ** (1 / 3) * direction / length(direction)
            if length(target - hand) >= self.nearest and self.limb.workspace.contains(target):
                return target

    def advance(self, state: State, senses: Senses) -> State:
        """See how far the hand is from the target, and how long it has stayed there."""
        hand, _ = self.shown(state, senses)
        distance = length(hand - state["target"])
        stayed = (state["stayed"] + 1) * (distance <= self.target_radius)
        path = state["path"] + length(hand - state["hand"])
        return {**state, "distance": distance, "stayed": stayed, "hand": hand.copy(), "path": path}

    def shown(self, state: State, senses: Senses) -> tuple[Array, Array]:
        """Position and velocity of the hand as the person sees it."""
        return senses["hand_position"], senses["hand_velocity"]

    def observe(self, state: State, senses: Senses) -> list[Array]:
        """The hand as it is shown, and the target."""
        return [*self.shown(state, senses), state["target"]]

    def observed(self) -> dict[str, tuple[Array, Array]]:
        """Bounds: those of the limb's senses."""
        width = self.center.size
        reach, speed = (float(np.max(self.limb.senses[f"hand_{what}"].high)) for what in ("position", "velocity"))
        names = {"hand_position": reach, "hand_velocity": speed, "target_position": reach}
        return {name: limits(width, high) for name, high in names.items()}

    def reward(self, state: State, senses: Senses, effort: Array) -> dict[str, Array]:
        """The terms (...) whose sum is the reward of a step.

        Every term is a cost, so that there is nothing to gain from putting success off.

            closeness  -1 far away ... 0 in the target: `tolerance` less 1
            effort     -`effort_cost` · mean squared control
        """
        near = tolerance(state["distance"], 0.0, self.target_radius, self.margin)
        return {"closeness": near - 1.0, "effort": -self.effort_cost * effort}

    def end(self, state: State) -> Any:
        """Reached when the hand has stayed for the whole dwell."""
        return state["stayed"] >= self.dwell_steps

    def scene(self, state: State) -> dict[str, Array]:
        """The target."""
        return {"target": state["target"]}

    def info(self, state: State, senses: Senses) -> dict[str, Array]:
        """`target_position`, and `shown_position` of the hand."""
        return {"target_position": state["target"], "shown_position": self.shown(state, senses)[0]}

    def metrics(self, state: State) -> dict[str, Array]:
        """`time_to_target`, s, dwell included; `path_efficiency`, how much nearer the hand has come, as a share of its
        path; and at last `error`, m."""
        return {
            "time_to_target": np.where(self.end(state), state["time"], np.nan),
            "path_efficiency": (state["straight"] - state["distance"])
            / np.where(state["path"] > 0, state["path"], np.nan),
            "error": state["distance"],
        }

    def _given(self, target: Any) -> Array:
        """The target of `reset`'s options, if the hand can reach it."""
        position = np.asarray(target, dtype=float)
        reach = self.limb.workspace
        if position.shape != self.center.shape or not np.isfinite(position).all() or not reach.contains(position):
            fits = position.shape == self.center.shape and np.isfinite(position).all()
            nearest = f", nearest is {np.round(reach.clip(position), 3)}" if fits else ""
            axes = ", ".join("xyz"[: self.center.size])
            raise ConfigurationError(
                f"A target is a position ({axes}), m, within reach, not {position}{nearest}.",
                "See env.unwrapped.workspace.",
            )
        return position


def reach(limb: Limb, period: float, target_radius: float = 0.02, dwell: float = 0.2) -> Reach:
    """The task for a limb.

    Args:
        limb: with a `hand_position`.
        period: of the control, s.
        target_radius: of the target, m.
        dwell: time that the hand must stay in the target, s, rounded to whole control steps, at least one.

    Raises:
        ConfigurationError: an option has a value that cannot be used.
    """
    check_positive("target_radius", target_radius)
    return Reach(limb, period, target_radius, steps("dwell", dwell, period))


def steps(name: str, duration: float, period: float) -> int:
    """Control steps of `period` s in a duration, s: whole ones, at least one.

    Raises:
        ConfigurationError: the duration, an option called `name`, is not a number above 0.
    """
    check_positive(name, duration)
    return max(1, round(duration / period))
