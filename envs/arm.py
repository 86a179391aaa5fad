"""The limb of `arm.xml`: a planar human arm with shoulder, elbow and six muscles, or two motors in their stead."""

import mujoco
import numpy as np
from mujoco.batch import Batch
from numpy.typing import NDArray

from .limb import MOTORS, MUSCLES, Direct, Limb, Sense, load, sensor
from .velocity import VelocityCommand
from .workspace import Workspace

Array = NDArray[np.float64]

COMMANDS = "muscles", "velocity", "torque"


def arm(command: str, period: float) -> Limb:
    """The arm. Rest is at shoulder 45°, elbow 90°, the hand in front of the chest; positions are from the shoulder.

    | command    | an action is                                                                                |
    |------------|---------------------------------------------------------------------------------------------|
    | `muscles`  | (6,) excitations of shoulder, elbow and biarticular muscles, of each flexor, then extensor  |
    | `velocity` | (2,) hand velocity along x (right) and y (forward), by `VelocityCommand`                    |
    | `torque`   | (2,) torques of motors at shoulder and elbow, which replace the muscles                     |
    """
    model = load("arm", MOTORS if command == "torque" else MUSCLES)
    workspace = Workspace.of(model)
    reach = sum(workspace.lengths)
    return Limb(
        model=model,
        command=VelocityCommand(model, workspace, period) if command == "velocity" else Direct(model),
        senses={
            "joint_angles": Sense("qpos", slice(0, 2), np.pi),
            "joint_velocities": Sense("qvel", slice(0, 2), 50.0),
            "hand_position": sensor(model, "hand_position", reach, 2),
            "hand_velocity": sensor(model, "hand_velocity", 20.0, 2),
        },
        observed=("joint_angles", "joint_velocities"),
        camera="top",
        workspace=workspace,
        push=push,
    )


def push(data: mujoco.MjData | Batch, force: Array) -> None:
    """Let a force at the hand (..., 2), N, act on the joints."""
    lever = data.sensordata[..., None, 0:2] - data.xanchor[..., :2]  # (..., joint, 2)
    data.qfrc_applied[...] = lever[..., 0] * force[..., 1:2] - lever[..., 1] * force[..., 0:1]
