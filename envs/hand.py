"""The limb of `hand.xml`: a hand whose tendons flex thumb and fingers, on a carriage that lifts it."""

import mujoco
import numpy as np
from mujoco.batch import Batch
from numpy.typing import NDArray

from .limb import Direct, Limb, Sense, Senses, load, sensor

Array = NDArray[np.float64]

COMMANDS = "tendons", "class"

OPEN, CLOSE = 0, 1
"""Classes of the command `class`."""
GRIP = np.array([0.5, 0.3, 0.3, 0.3, 0.3])
"""Excitation of the flexors of a firm grip: the thumb stands against four fingers."""
LIFTED = 0.08
"""Height to which a closed hand is lifted, m."""
DURATION = 1.2
"""Time from open on the table to closed and lifted, and back, s."""


def hand(command: str, period: float) -> Limb:
    """The hand. At rest it is open, thumb up, a few centimetres above the table; x points to its back, y along the
    forearm, z up.

    | command   | an action is                                                                           |
    |-----------|----------------------------------------------------------------------------------------|
    | `tendons` | (6,) excitations of five flexors, thumb first; then the carriage's height, 0 to 0.1 m  |
    | `class`   | (2,) scores of the classes open and close, of which the higher counts, by `OpenClose`  |
    """
    model = load("hand")
    digits = slice(1, 15)
    start = int(model.sensor("thumb_touch").adr[0])
    return Limb(
        model=model,
        command=OpenClose(period) if command == "class" else Direct(model),
        senses={
            "height": Sense("qpos", slice(0, 1), 0.15),
            "joint_angles": Sense("qpos", digits, np.pi),
            "joint_velocities": Sense("qvel", digits, 50.0),
            "touch": Sense("sensordata", slice(start, start + 5), 1.0),
            "object_position": sensor(model, "object_position", 0.5),
            "object_velocity": sensor(model, "object_velocity", 5.0),
            "object_axis": sensor(model, "object_axis", 1.0),
        },
        observed=("height", "joint_angles", "joint_velocities", "touch"),
        camera="main",
    )


class OpenClose:
    """The command `class`: a decoded class opens or closes the hand.

    Grasping and lifting are one path, from open on the table over a firm grip to lifted. It is followed forward while
    the class is close and backward while it is open, so that the hand puts down what it holds before it lets go; while
    neither has the higher score, it stays. Shared control of this kind, the user says when and the controller how, is
    that of hand prostheses (Cipriani et al., IEEE Trans Robot 24, 2008).

    The memory is how far along the path the hand is, (..., 1), 0 to 1; the grip is firm at a half.
    """

    size = 2
    components = (("open", ""), ("close", ""))
    fields: tuple[str, ...] = ()

    def __init__(self, period: float) -> None:
        """Prepare it; `period` is that of the control, s."""
        self._step = period / DURATION

    def to_action(self, command: Array) -> Array:
        """The action of probabilities or scores (..., 2) in [0, 1] of open and close."""
        return 2 * command - 1

    def start(self, senses: Senses) -> Array:
        """The path starts at its beginning."""
        return np.zeros_like(senses["height"])

    def __call__(self, action: Array, memory: Array, data: mujoco.MjData | Batch) -> tuple[Array, Array]:
        """As `Command`."""
        direction = np.sign(action[..., CLOSE : CLOSE + 1] - action[..., OPEN : OPEN + 1])
        along = np.minimum(np.maximum(memory + self._step * direction, 0), 1)
        tension = np.minimum(2 * along, 1) * GRIP
        height = np.maximum(2 * along - 1, 0) * LIFTED
        return np.concatenate([tension, height], axis=-1), along
