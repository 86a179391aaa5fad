"""Where the hand of the planar arm can go."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import mujoco
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MARGINS = math.radians(5.0), math.radians(10.0)
"""Distance that the workspace keeps from where the ligaments of shoulder and elbow tighten, rad."""


@dataclass(frozen=True)
class Workspace:
    """Where the hand can go while both joints stay clear of their ligaments: positions (..., 2), m from the shoulder,
    between two radii and, at each radius, between two directions, by the law of cosines.
    """

    lengths: tuple[float, float]
    """Upper arm, and elbow to hand, m."""
    shoulder: tuple[float, float]
    elbow: tuple[float, float]
    """Lowest and highest angle, rad; the elbow's above 0 and below π."""

    @classmethod
    def of(cls, model: mujoco.MjModel) -> Self:
        """Read it from the compiled arm."""
        (a, b), (c, d) = model.tendon_lengthspring[-2:].tolist()  # the dead bands of the two ligaments
        return cls(
            lengths=(float(model.body("forearm").pos[0]), float(model.site("hand").pos[0])),
            shoulder=(a + MARGINS[0], b - MARGINS[0]),
            elbow=(c + MARGINS[1], d - MARGINS[1]),
        )

    def clip(self, position: Array) -> Array:
        """The nearest reachable positions, first by direction, then by distance from the shoulder."""
        upper, fore = self.lengths
        bent, open_ = self.radii
        radius = np.minimum(np.maximum(np.hypot(position[..., 0], position[..., 1]), bent), open_)
        ahead = np.arccos((radius * radius + (upper**2 - fore**2)) / (2 * upper * radius))  # of the upper arm
        # angles from the middle of the range, so that the jump of arctan2 is farthest from what can be reached
        middle, half = (self.shoulder[0] + self.shoulder[1]) / 2, (self.shoulder[1] - self.shoulder[0]) / 2
        direction = np.arctan2(position[..., 1], position[..., 0]) - ahead + (math.pi - middle)
        off = np.remainder(direction, 2 * math.pi) - math.pi
        angle = np.minimum(np.maximum(off, -half), half) + middle + ahead
        clipped = np.empty_like(position)
        clipped[..., 0] = radius * np.cos(angle)
        clipped[..., 1] = radius * np.sin(angle)
        return clipped

    @cached_property
    def radii(self) -> tuple[float, float]:
        """Least and greatest distance of the hand from the shoulder, m."""
        upper, fore = self.lengths
        open_, bent = (math.sqrt(upper**2 + fore**2 + 2 * upper * fore * math.cos(angle)) for angle in self.elbow)
        return bent, open_

    def contains(self, position: Array) -> NDArray[np.bool_]:
        """Whether positions can be reached, (...)."""
        inside: NDArray[np.bool_] = np.linalg.norm(self.clip(position) - position, axis=-1) < 1e-9
        return inside
