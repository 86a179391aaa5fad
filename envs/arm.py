"""The limb of `arm.xml`: a planar human arm with shoulder, elbow and six muscles."""

import math
from dataclasses import dataclass
from importlib.resources import files
from typing import Self

import mujoco
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

REST = "rest"
"""The keyframe of the rest posture: shoulder 45°, elbow 90°, the hand in front of the chest."""
MARGIN = math.radians(10.0)
"""Distance that the workspace keeps from where the ligaments tighten, rad."""


def load() -> mujoco.MjModel:
    """Compile the arm. Muscles, in order: shoulder, elbow and biarticular, of each the flexor before the extensor."""
    return mujoco.MjModel.from_xml_string(files(__package__).joinpath("assets/arm.xml").read_text("utf-8"))


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
            shoulder=(a + MARGIN, b - MARGIN),
            elbow=(c + MARGIN, d - MARGIN),
        )

    def clip(self, position: Array) -> Array:
        """The nearest reachable positions, first by direction, then by distance from the shoulder."""
        upper, fore = self.lengths
        open_, bent = (np.sqrt(upper**2 + fore**2 + 2 * upper * fore * np.cos(angle)) for angle in self.elbow)
        radius = np.minimum(np.maximum(np.hypot(position[..., 0], position[..., 1]), bent), open_)
        elbow = np.arccos((radius**2 - upper**2 - fore**2) / (2 * upper * fore))
        ahead = np.arctan2(fore * np.sin(elbow), upper + fore * np.cos(elbow))
        # angles from the middle of the range, so that the jump of arctan2 is farthest from what can be reached
        middle, half = (self.shoulder[0] + self.shoulder[1]) / 2, (self.shoulder[1] - self.shoulder[0]) / 2
        off = np.remainder(np.arctan2(position[..., 1], position[..., 0]) - ahead - middle + np.pi, 2 * np.pi) - np.pi
        angle = np.minimum(np.maximum(off, -half), half) + middle + ahead
        return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)

    def contains(self, position: Array) -> NDArray[np.bool_]:
        """Whether positions can be reached, (...)."""
        inside: NDArray[np.bool_] = np.linalg.norm(self.clip(position) - position, axis=-1) < 1e-9
        return inside
