"""The low-level controller: a wanted hand velocity in, muscle excitations out.

What a decoder of hand velocity commands is a cursor; this makes a limb with muscles follow that cursor.
"""

from typing import Protocol

import mujoco
import numpy as np
from mujoco.batch import Batch
from numpy.typing import NDArray

from .limb import Senses
from .muscles import Muscles, share

Array = NDArray[np.float64]

MAX_SPEED = 0.6
"""Hand speed along each axis that an action of 1 stands for, m/s: brisk reaching."""
LEASH = 0.03
"""Farthest that the reference may be ahead of the hand, m, so that a blocked or slow hand does not build up a debt."""
BANDWIDTH = 16.0
"""Natural frequency of the closed loop at a high control rate, rad/s."""
SAMPLED = 0.4
"""Most that the natural frequency may be of the control rate, rad: a slower rate needs a softer loop."""
ACCELERATION = 10.0
"""Most that is asked of the hand, m/s²: within the strength of the muscles."""
DAMPING = 0.1
"""Of the damped least squares, m/rad: the hand slows where the arm is nearly straight and its joints would race."""


class Reachable(Protocol):
    """What is asked of a workspace here."""

    def clip(self, position: Array) -> Array:
        """The nearest reachable positions, (..., 2)."""
        ...


class VelocityController:
    """Moves the hand of a planar chain of hinges about z with a wanted velocity; one call a control step.

    The torques of `HandController` are shared among the muscles by `muscles.share`. Its only state is the reference
    position (..., 2), taken and returned. Start it at the hand.
    """

    def __init__(self, model: mujoco.MjModel, workspace: Reachable, period: float) -> None:
        """Prepare the controller; `period` is that of the control, s."""
        self._hand = HandController(model, workspace, period)
        self._muscles = Muscles.of(model)
        self._period = period

    def __call__(self, velocity: Array, reference: Array, data: mujoco.MjData | Batch) -> tuple[Array, Array]:
        """Choose the excitations of one control step.

        Args:
            velocity: (..., 2) wanted hand velocity, m/s.
            reference: (..., 2) reference position, m.
            data: a limb, or a batch of them, with position and velocity stages computed at the present state.

        Returns:
            Excitations (..., muscle) in [0, 1], and the next reference (..., 2).
        """
        torque, following = self._hand(velocity, reference, data)
        muscles = self._muscles
        moment = muscles.moment(data.actuator_moment)
        length = data.actuator_length
        gain = muscles.gain(length, data.actuator_velocity)
        passive = np.vecmat(muscles.bias(length), moment)
        wanted = share(np.swapaxes(moment * gain[..., None], -1, -2), torque - passive)
        return muscles.excitation(wanted, data.act, self._period), following


class HandController:
    """The joint torques that move the hand of a planar chain of hinges about z with a wanted velocity.

    The wanted velocity moves a reference position, on a leash and within the workspace. The hand is drawn to it like
    a critically damped mass: hand acceleration to joint accelerations by damped least squares (Nakamura & Hanafusa,
    J Dyn Syst Meas Control 108, 1986), these to torques by inverse dynamics.
    """

    def __init__(self, model: mujoco.MjModel, workspace: Reachable, period: float) -> None:
        """Prepare the controller; `period` is that of the control, s."""
        self._workspace = workspace
        self._period = period
        self._stiffness = min(BANDWIDTH, SAMPLED / period) ** 2
        entries = np.zeros((model.nv, model.nv), np.int64)  # of the sparse inertia matrix, the lower triangle by rows
        rows = np.repeat(np.arange(model.nv), model.M_rownnz)
        entries[rows, model.M_colind] = entries[model.M_colind, rows] = np.arange(rows.size)
        self._entries = entries

    def __call__(self, velocity: Array, reference: Array, data: mujoco.MjData | Batch) -> tuple[Array, Array]:
        """The torques (..., joint), N·m, and the next reference; arguments as `VelocityController`."""
        hand = data.sensordata[..., 0:2]
        following = self._workspace.clip(hand + limit(reference + velocity * self._period - hand, LEASH))
        # clipping may move the reference faster than was wanted: that is no reason to throw the hand after it
        pace = limit((following - reference) / self._period, np.hypot(velocity[..., :1], velocity[..., 1:]))
        pull = self._stiffness * (following - hand)
        brake = 2 * self._stiffness**0.5 * (pace - data.sensordata[..., 3:5])
        return self._inverse_dynamics(limit(pull + brake, ACCELERATION), hand, data), following

    def _inverse_dynamics(self, acceleration: Array, hand: Array, data: mujoco.MjData | Batch) -> Array:
        """Joint torques (..., joint), N·m, that give the hand an acceleration (..., 2), m/s²."""
        lever = hand[..., None, :] - data.xanchor[..., :2]  # (..., joint, 2)
        ahead, side = -lever[..., 1], lever[..., 0]  # (..., joint): how each joint moves the hand along x and y
        spin = np.add.accumulate(data.qvel, axis=-1)  # of each segment, rad/s
        segment = lever.copy()
        segment[..., :-1, :] -= lever[..., 1:, :]
        wanted = acceleration + np.vecmat(spin * spin, segment)  # the centripetal acceleration comes by itself
        x, y = wanted[..., 0], wanted[..., 1]
        a, b, c = np.vecdot(ahead, ahead) + DAMPING**2, np.vecdot(ahead, side), np.vecdot(side, side) + DAMPING**2
        determinant = a * c - b * b
        along, across = (c * x - b * y) / determinant, (a * y - b * x) / determinant
        joints = ahead * along[..., None] + side * across[..., None]
        torque: Array = np.matvec(data.M[..., self._entries], joints) + data.qfrc_bias
        return torque


class VelocityCommand:
    """The command `velocity` of a planar arm: an action a is a hand velocity of `MAX_SPEED`·a m/s along x and y."""

    size = 2
    components = (("x", "m/s"), ("y", "m/s"))
    fields = ("sensordata", "xanchor", "M", "qfrc_bias", "actuator_moment", "actuator_length", "actuator_velocity")

    def __init__(self, model: mujoco.MjModel, workspace: Reachable, period: float) -> None:
        """Prepare it; `period` is that of the control, s."""
        self.max_speed = MAX_SPEED
        self._controller = VelocityController(model, workspace, period)

    def to_action(self, command: Array) -> Array:
        """As `Command.to_action`; commands are in m/s."""
        return command / self.max_speed

    def start(self, senses: Senses) -> Array:
        """The reference of the controller starts at the hand, (..., 2)."""
        return senses["hand_position"]

    def __call__(self, action: Array, memory: Array, data: mujoco.MjData | Batch) -> tuple[Array, Array]:
        """As `Command`."""
        return self._controller(action * self.max_speed, memory, data)


def limit(vector: Array, longest: Array | float) -> Array:
    """Vectors (..., 2), those above a length shortened to it."""
    length = np.hypot(vector[..., :1], vector[..., 1:])
    limited: Array = vector * np.minimum(1, longest / np.maximum(length, 1e-12))
    return limited
