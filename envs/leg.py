"""The limb of `leg.xml`: a human leg in the sagittal plane that carries half a body on a moving belt."""

import mujoco
import numpy as np
from mujoco.batch import Batch
from numpy.typing import NDArray

from .gait_control import ClassCommand
from .gait_pattern import Pattern
from .limb import MOTORS, MUSCLES, Direct, Limb, Sense, load

Array = NDArray[np.float64]

COMMANDS = "muscles", "torque", "class"


def leg(command: str, period: float) -> Limb:
    """The leg. Rest is upright, knee 5°.

    | command   | an action is                                                                              |
    |-----------|-------------------------------------------------------------------------------------------|
    | `muscles` | (9,) excitations of iliopsoas, glutei, hamstrings, rectus femoris, vasti, biceps femoris  |
    |           | (short head), gastrocnemius, soleus, tibialis anterior                                    |
    | `torque`  | (3,) torques of motors at hip, knee and ankle, which replace the muscles; flexion positive |
    | `class`   | (4,) scores of standing, walking, running and jumping: the highest is done, by the muscles |
    """
    model = load("leg", MOTORS if command == "torque" else MUSCLES)
    return Limb(
        model=model,
        command=ClassCommand(model, Pattern.of(model), period) if command == "class" else Direct(model),
        senses={
            "joint_angles": Sense("qpos", slice(2, 5), np.pi),
            "joint_velocities": Sense("qvel", slice(2, 5), 50.0),
            "hip_height": Sense("qpos", slice(1, 2), 2.0),
            "hip_velocity": Sense("qvel", slice(1, 2), 20.0),
            "belt_velocity": Sense("qvel", slice(0, 1), 20.0),
            "sole_heights": Sense("sensordata", slice(2, 6, 3), 2.0),
        },
        observed=("joint_angles", "joint_velocities", "hip_height", "hip_velocity", "belt_velocity", "sole_heights"),
        camera="side",
        push=None if command == "class" else push,
    )


def push(data: mujoco.MjData | Batch, force: Array) -> None:
    """Let forces on the belt, forward, and on the trunk, up, (..., 2), N, act."""
    data.qfrc_applied[..., 0:2] = force
