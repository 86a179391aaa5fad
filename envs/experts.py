"""Experts of the arm's tasks: full-state controllers that show how to do them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .adaptation import turned
from .environment import Environment
from .registry import Policy
from .vector import VectorEnvironment
from .velocity import HandController, VelocityController, limit

Array = NDArray[np.float64]

GAIN = 4.0
"""Wanted velocity by distance to the target, 1/s: the difference-vector law (Bullock & Grossberg, Psychol Rev 1988)."""
SPEED = 0.35
"""Most that is wanted, m/s: about the peak speed of a comfortable 20 cm reach (Morasso, Exp Brain Res 42, 1981)."""


def arm_expert(env: Environment | VectorEnvironment) -> Policy:
    """Moves the hand, as it is shown, straight to the target, whatever the command."""
    model, period = env.limb.model, 1 / env.control_rate
    by_muscles = VelocityController(model, env.limb.workspace, period) if env.command == "muscles" else None
    by_motors = HandController(model, env.limb.workspace, period)

    def policy(info: dict[str, Any]) -> NDArray[np.float32]:
        toward = GAIN * (info["target_position"] - info["shown_position"]) + info.get("target_velocity", 0.0)
        velocity = turned(limit(toward, SPEED), -np.asarray(info.get("rotation", 0.0)))
        hand = info["hand_position"]
        if env.command == "velocity":
            command = velocity
        elif by_muscles is not None:
            command, _ = by_muscles(velocity, hand, env.physics)
        else:
            lost = model.actuator_biasprm[:, 2] * env.physics.qvel  # by the motors, to speed
            command = by_motors(velocity, hand, env.physics)[0] - lost
        return env.to_action(command)

    return policy
