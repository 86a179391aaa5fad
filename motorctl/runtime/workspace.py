"""Where the hand may be commanded to: a box, as a range of its velocity that shrinks towards the walls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motorctl.envs import Env
from motorctl.errors import ConfigurationError
from motorctl.runtime.limits import Limits
from motorctl.runtime.safety import SafetyConfig

Array = NDArray[np.float64]

APPROACH = 5.0
"""Most speed towards a wall by distance from it (1/s): the hand comes to rest there as a damped door does."""


def limits_near(safety: SafetyConfig, limits: Limits, env: Env) -> Callable[[Mapping[str, Any]], Limits]:
    """The limits of a command, given the environment's ``info``: those that always hold, and in the workspace of
    ``safety``, if it has one, no speed out of it. They apply to a hand's velocity.

    Raises:
        ConfigurationError: there is a workspace, but the command is no velocity of a hand, or the hand has not so many
            axes, or rests outside.
    """
    if not safety.workspace:
        return lambda info: limits
    command, axes = env.get_wrapper_attr("command"), len(limits.low)
    if command != "velocity":
        raise ConfigurationError(
            f"A workspace limits the velocity of a hand, but the command is '{command}'.",
            "Leave out --safety.workspace.",
        )
    if len(safety.workspace) != 2 * axes:
        raise ConfigurationError(
            f"The workspace has {len(safety.workspace)} numbers for {axes} axes.",
            f"Give lowest and highest of each: {' '.join(f'{axis}_LOW {axis}_HIGH' for axis in 'XYZ'[:axes])} (m).",
        )
    low, high = np.reshape(safety.workspace, (axes, 2)).T
    rest = env.get_wrapper_attr("rest_position")
    if not ((low < rest) & (rest < high)).all():
        raise ConfigurationError(
            f"The hand rests at ({', '.join(f'{x:.2f}' for x in rest)}) m, outside the workspace.",
            "Give lowest and highest x, then y, m, around it.",
        )
    return lambda info: inside(limits, low, high, info["hand_position"])


def inside(limits: Limits, low: Array, high: Array, hand: Array) -> Limits:
    """The limits of a velocity at ``hand (axis,)`` in a box from ``low`` to ``high (axis,)``, all in m: outside of it,
    nothing but the way back is allowed."""
    return replace(
        limits,
        low=np.maximum(limits.low, -np.maximum(APPROACH * (hand - low), 0)),
        high=np.minimum(limits.high, np.maximum(APPROACH * (high - hand), 0)),
    )
