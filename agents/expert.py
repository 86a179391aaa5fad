"""Experts: full-state controllers that show how to do the task; what imitation imitates.

A free reach is shown by :func:`reach_velocity`, feedback on the true position of the hand; a reach of a given duration,
such as a cue asks for, by :func:`minimum_jerk_velocity`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def reach_velocity(hand: Array, target: Array, gain: float = 4.0, max_speed: float = 0.35) -> Array:
    """Velocity (m/s) that a reach to ``target`` asks for at ``hand``, both ``(..., 2)`` (m).

    The difference-vector law (Bullock & Grossberg 1988, Psychol. Rev. 95(1):49-90): proportional to the difference with
    ``gain`` (1/s), at most ``max_speed`` (m/s), about the peak speed of a comfortable 20 cm reach (Morasso 1981, Exp.
    Brain Res. 42(2):223-227).
    """
    velocity = gain * (target - hand)
    speed = np.linalg.norm(velocity, axis=-1, keepdims=True)
    return np.asarray(velocity * (max_speed / np.maximum(speed, max_speed)))


def minimum_jerk_velocity(progress: Array, displacement: Array, duration: float) -> Array:
    """Velocity (m/s) of the smoothest reach, ``(time, 2)`` (Flash & Hogan 1985, J. Neurosci. 5(7):1688-1703, eq. 3).

    Args:
        progress: ``(time,)`` share of the duration that has passed, 0 to 1; outside it the hand is at rest.
        displacement: ``(2,)`` from start to end (m).
        duration: of the reach (s).
    """
    p = np.clip(progress, 0, 1)
    speed = 30 * p**2 * (1 - p) ** 2 / duration
    return np.asarray(speed[:, None] * displacement)
