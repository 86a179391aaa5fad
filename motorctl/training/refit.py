"""ReFIT's intention: what somebody wanted who was seen moving under a decoder that erred."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def intended_velocity(velocity: ArrayLike, hand: ArrayLike, target: ArrayLike, radius: float) -> Array:
    """Decoded velocities turned towards the target, their speed kept; zero inside it.

    Nobody wants to move away from the target, and nobody wants to leave it (Gilja et al. 2012, Nat. Neurosci.
    15(12):1752-1757): so much is known of what was intended, even where the decoder did something else.

    Args:
        velocity: ``(..., 2)`` what the decoder gave (m/s).
        hand: ``(..., 2)`` where the hand was when the person intended it (m): a visual delay before.
        target: ``(..., 2)`` the target then (m).
        radius: of the target (m); on its edge the hand is inside.

    Returns:
        ``(..., 2)`` (m/s); NaN where any of the three is.
    """
    towards = np.asarray(target, float) - np.asarray(hand, float)
    distance = np.linalg.norm(towards, axis=-1, keepdims=True)
    speed = np.linalg.norm(np.asarray(velocity, float), axis=-1, keepdims=True)
    direction = towards / np.where(distance == 0, 1.0, distance)
    intended: Array = np.where(distance <= radius, 0.0 * (speed + distance), speed * direction)
    return intended
