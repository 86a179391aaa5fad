"""The low-level controller of the leg: a movement in, joint torques or muscle excitations out."""

from typing import NamedTuple

import mujoco
import numpy as np
from mujoco.batch import Batch
from numpy.typing import NDArray

from .gait_curves import MOVEMENTS
from .gait_pattern import START, Pattern, Reference
from .limb import Senses
from .muscles import Muscles, share

Array = NDArray[np.float64]


class Gains(NamedTuple):
    """Of the joints' stiffness: hip, knee, ankle."""

    stiffness: Array
    """Torque by error, N·m/rad."""
    damping: Array
    """Torque by error of velocity, N·m·s/rad."""


MOTORS = Gains(np.array([400.0, 160.0, 120.0]), np.array([30.0, 4.0, 0.6]))
"""Tuned to hold at 50 control steps a second, on the floor and in the air; the motors damp by themselves, too."""
MUSCLES = Gains(np.array([180.0, 200.0, 80.0]), np.array([26.0, 12.0, 2.5]))
"""Tuned likewise; muscles answer late, but less of them is lost between control steps."""
LEG_STIFFNESS, LEG_DAMPING = 15e3, 450.0
"""Of the leg as a spring between hip and floor, N/m and N·s/m; of the order of a hopping or running person's leg
(Farley & Morgenroth, J Biomech 32, 1999; Farley & González, J Biomech 29, 1996)."""
MOST_FORCE = 2000.0
"""Most that is asked of that spring, N."""
FLOOR = 0.012, 0.004
"""Heights of the sole between which it is taken to reach the floor, m."""
ROLL = 0.006
"""Difference in height between heel and ball at which the load is mostly on the lower one, m."""
GRAVITY = 9.81
SUPPORT, SUPPORT_DAMPING = 20e3, 400.0
"""Of the other leg, or of the harness, N/m and N·s/m: it can hold the trunk up, not down."""
BELT = 10e3
"""Force of the belt's motor by error of its speed, N·s/m: feet cannot slow it."""
JOINTS = slice(2, 5)
"""Hip, knee and ankle among the degrees of freedom; belt and trunk come first."""
FLEXION = np.array([-1.0, 1.0, -1.0])
"""Direction of the joints' axes along y."""


class GaitController:
    """Moves the leg along a reference; one call a control step, no memory. It needs 50 control steps a second or more.

    Torques are those of inverse dynamics along the reference (Craig, "Introduction to Robotics", 3rd ed., chapter 10),
    those of a stiffness at each joint, and those that bear the body: the leg is a spring from hip to floor (a virtual
    model: Pratt et al., Int J Robot Res 20, 2001), whose force goes from the loaded end of the sole to the hip.
    """

    fields = ("sensordata", "xanchor", "M", "qfrc_bias", "actuator_moment", "actuator_length", "actuator_velocity")
    """What it reads of `mujoco.MjData`, besides the state."""

    def __init__(self, model: mujoco.MjModel, period: float) -> None:
        """Prepare it; `period` is that of the control, s."""
        self._period = period
        self._gains = MUSCLES if model.na else MOTORS
        self._passive = model.dof_damping[JOINTS] - (0 if model.na else model.actuator_biasprm[:, 2])
        self._weight = float(model.body("trunk").mass[0]) * GRAVITY
        # the sparse inertia matrix holds the lower triangle
        self._rows = np.repeat(np.arange(model.nv), model.M_rownnz)
        self._columns = model.M_colind.copy()
        self._muscles = Muscles.of(model) if model.na else None

    def torque(self, wanted: Reference, data: mujoco.MjData | Batch) -> Array:
        """Joint torques (..., 3), N·m, for one control step.

        Args:
            wanted: the reference in the middle of that step.
            data: a leg, or a batch of them, with position and velocity stages computed at the present state.
        """
        inertia = np.zeros((*data.qvel.shape, data.qvel.shape[-1]))
        inertia[..., self._rows, self._columns] = data.M
        inertia[..., self._columns, self._rows] = data.M
        moved = (inertia[..., JOINTS, JOINTS] * wanted.accelerations[..., None, :]).sum(-1) + data.qfrc_bias[
            ..., JOINTS
        ]
        held = self._gains.stiffness * (wanted.angles - data.qpos[..., JOINTS])
        followed = (
            self._gains.damping * (wanted.velocities - data.qvel[..., JOINTS]) + self._passive * wanted.velocities
        )
        torque: Array = moved + held + followed - self._floor(wanted, data)
        return torque

    def excitations(self, torque: Array, data: mujoco.MjData | Batch) -> Array:
        """Excitations (..., muscle) in [0, 1] that give torques (..., 3), as far as the muscles can."""
        muscles = self._muscles
        assert muscles is not None
        moment = muscles.moment(data.actuator_moment)[..., JOINTS]
        length = data.actuator_length
        gain = muscles.gain(length, data.actuator_velocity)
        passive = (moment * muscles.bias(length)[..., None]).sum(-2)
        wanted = share(np.swapaxes(moment * gain[..., None], -1, -2), torque - passive)
        return muscles.excitation(wanted, data.act, self._period)

    def _floor(self, wanted: Reference, data: mujoco.MjData | Batch) -> Array:
        """Torques (..., 3) at the joints of the force that the floor is to bear the body with."""
        heel, ball = data.sensordata[..., 0:3], data.sensordata[..., 3:6]
        fore = 1 / (1 + np.exp((ball[..., 2:] - heel[..., 2:]) / ROLL))
        sole = heel + fore * (ball - heel)
        lever = sole[..., None, :] - data.xanchor[..., JOINTS, :]  # (..., joint, 3)
        low = np.minimum(heel[..., 2], ball[..., 2])
        loaded = np.minimum(np.maximum((FLOOR[0] - low) / (FLOOR[0] - FLOOR[1]), 0), 1)
        height, rise = data.qpos[..., 1], data.qvel[..., 1]
        spring = LEG_STIFFNESS * (wanted.height - height) - LEG_DAMPING * rise
        force = loaded * np.minimum(np.maximum(self._weight + spring, 0), MOST_FORCE)
        across = lever[..., 0, 0] / lever[..., 0, 2]  # from the sole to the hip
        moment = lever[..., 2] * across[..., None] - lever[..., 0]
        torque: Array = FLEXION * moment * force[..., None]
        return torque


def accompany(wanted: Reference, height: Array, rise: Array, speed: Array) -> Array:
    """Forces (..., 2), N, of the belt's motor, forward, and of the other leg, or the harness, on the trunk, up.

    Args:
        wanted: what the leg does now.
        height, rise: (...) of the hip, m, and its velocity, m/s.
        speed: (...) of the belt, forward, m/s.
    """
    sunk = wanted.support - height
    lift = np.maximum(SUPPORT * sunk - SUPPORT_DAMPING * rise, 0) * (sunk > 0)
    return np.stack([-BELT * (wanted.speed + speed), lift], axis=-1)


class ClassCommand:
    """The command `class`: scores of the movements, of which the highest is done, by the muscles.

    In physical units a command is the probability, or 1 and 0, of each of `MOVEMENTS`, (..., 4). The memory is the
    course that is followed. Belt and other leg go along with what is done, not with what a task asks for, or else a leg
    that is told late would be dragged off its feet.
    """

    size = len(MOVEMENTS)
    components = tuple((movement, "") for movement in MOVEMENTS)
    fields = GaitController.fields

    def __init__(self, model: mujoco.MjModel, pattern: Pattern, period: float) -> None:
        """Prepare it; `period` is that of the control, s."""
        self._pattern = pattern
        self._period = period
        self._controller = GaitController(model, period)

    def to_action(self, command: Array) -> Array:
        """As `Command.to_action`."""
        return 2 * command - 1

    def start(self, senses: Senses) -> Array:
        """Standing, at time 0."""
        return np.tile(START, (*senses["joint_angles"].shape[:-1], 1))

    def __call__(self, action: Array, memory: Array, data: mujoco.MjData | Batch) -> tuple[Array, Array]:
        """As `Command`."""
        course = self._pattern.follow(memory, np.eye(self.size)[action.argmax(-1)], self._period)
        height, rise, speed = data.qpos[..., 1], data.qvel[..., 1], data.qvel[..., 0]
        data.qfrc_applied[..., :2] = accompany(self._pattern.at(course, -self._period), height, rise, speed)
        wanted = self._pattern.at(course, -self._period / 2)
        return self._controller.excitations(self._controller.torque(wanted, data), data), course
