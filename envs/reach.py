"""The reaching task: bring the hand into a target and keep it there.

A task knows nothing of physics. Its functions take arrays with any leading axes, so that one environment and a batch
of thousands share them; positions are (..., 2), m from the shoulder.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .rewards import tolerance

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Reach:
    """Targets are drawn uniformly from a disc; a target is reached when the hand has stayed in it long enough."""

    center: tuple[float, float]
    """Center of the disc of targets, m."""
    target_radius: float
    """Farthest that the hand may be from the center of the target, m."""
    dwell_steps: int
    """Control steps that the hand must stay in the target."""
    radius: float = 0.15
    """Radius of the disc of targets, m."""
    nearest: float = 0.05
    """Least distance from the hand to a new target, m."""
    margin: float = 0.15
    """Distance from the edge of the target at which closeness is 0.1, m."""
    effort_cost: float = 0.1
    """Cost of a step at which every muscle is fully excited."""

    def draw(self, random: np.random.Generator, hand: Array) -> Array:
        """Draw one target (..., 2) for each hand (..., 2)."""
        target = np.array(hand, dtype=float)
        near = np.ones(target.shape[:-1], dtype=bool)
        while near.any():
            count = int(near.sum())
            radius = self.radius * np.sqrt(random.random(count))
            angle = 2 * np.pi * random.random(count)
            target[near] = self.center + np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
            near = np.linalg.norm(target - hand, axis=-1) < self.nearest
        return target

    def distance(self, hand: Array, target: Array) -> Array:
        """From the hand to the center of the target, m, (...)."""
        gap = hand - target
        return np.hypot(gap[..., 0], gap[..., 1])

    def stay(self, steps: NDArray[np.int64] | int, distance: Array) -> NDArray[np.int64]:
        """Control steps (...) that the hand has now stayed in the target without a break."""
        return np.where(distance <= self.target_radius, np.add(steps, 1), 0)

    def reward(self, distance: Array, excitation: Array) -> dict[str, Array]:
        """The terms (...) whose sum is the reward of a step.

        Every term is a cost, so that there is nothing to gain from putting success off.

            closeness  -1 far away ... 0 in the target: `tolerance` less 1
            effort     -`effort_cost` · mean squared excitation

        Args:
            distance: (...) from the hand to the target, m.
            excitation: (..., muscle) in [0, 1].
        """
        return {
            "closeness": tolerance(distance, 0.0, self.target_radius, self.margin) - 1.0,
            "effort": -self.effort_cost / excitation.shape[-1] * (excitation * excitation).sum(-1),
        }
