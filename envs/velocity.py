"""The low-level controller: a wanted hand velocity in, muscle excitations out.

What a decoder of hand velocity commands is a cursor; this makes a limb with muscles follow that cursor.
"""

import mujoco
import numpy as np
from mujoco.batch import Batch
from numpy.typing import NDArray

from .arm import Workspace
from .muscles import Muscles, share

Array = NDArray[np.float64]

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

DAMPED = DAMPING**2 * np.eye(2)


class VelocityController:
    """Moves the hand of a planar chain of hinges about z with a wanted velocity; one call a control step.

    The wanted velocity moves a reference position, on a leash and within the workspace. The hand is drawn to it like
    a critically damped mass: hand acceleration to joint accelerations by damped least squares (Nakamura & Hanafusa,
    J Dyn Syst Meas Control 108, 1986), these to torques by inverse dynamics, torques to muscles by `muscles.share`.

    Its only state is the reference position (..., 2), taken and returned. Start it at the hand.
    """

    def __init__(self, model: mujoco.MjModel, workspace: Workspace, period: float) -> None:
        """Prepare the controller; `period` is that of the control, s."""
        self._muscles = Muscles.of(model)
        self._workspace = workspace
        self._period = period
        self._stiffness = min(BANDWIDTH, SAMPLED / period) ** 2
        # the sparse inertia matrix holds the lower triangle
        self._rows = np.repeat(np.arange(model.nv), model.M_rownnz)
        self._columns = model.M_colind.copy()

    def __call__(self, velocity: Array, reference: Array, data: mujoco.MjData | Batch) -> tuple[Array, Array]:
        """Choose the excitations of one control step.

        Args:
            velocity: (..., 2) wanted hand velocity, m/s.
            reference: (..., 2) reference position, m.
            data: a limb, or a batch of them, with position and velocity stages computed at the present state.

        Returns:
            Excitations (..., muscle) in [0, 1], and the next reference (..., 2).
        """
        hand = data.sensordata[..., 0:2]
        following = self._workspace.clip(hand + _limit(reference + velocity * self._period - hand, LEASH))
        # clipping may move the reference faster than was wanted: that is no reason to throw the hand after it
        pace = _limit((following - reference) / self._period, np.hypot(velocity[..., :1], velocity[..., 1:]))
        pull = self._stiffness * (following - hand)
        brake = 2 * self._stiffness**0.5 * (pace - data.sensordata[..., 3:5])
        torque = self._torque(_limit(pull + brake, ACCELERATION), hand, data)

        muscles = self._muscles
        moment = muscles.moment(data.actuator_moment)
        length = data.actuator_length
        gain = muscles.gain(length, data.actuator_velocity)
        passive = (moment * muscles.bias(length)[..., None]).sum(-2)
        wanted = share(np.swapaxes(moment * gain[..., None], -1, -2), torque - passive)
        return muscles.excitation(wanted, data.act, self._period), following

    def _torque(self, acceleration: Array, hand: Array, data: mujoco.MjData | Batch) -> Array:
        """Joint torques (..., joint), N·m, that give the hand an acceleration (..., 2), m/s²."""
        lever = hand[..., None, :] - data.xanchor[..., :2]  # (..., joint, 2)
        transposed = lever[..., ::-1] * (-1.0, 1.0)  # (..., joint, 2): how each joint moves the hand
        jacobian = np.swapaxes(transposed, -1, -2)
        spin = np.add.accumulate(data.qvel, axis=-1)  # of each segment, rad/s
        segment = lever.copy()
        segment[..., :-1, :] -= lever[..., 1:, :]
        centripetal = -((spin * spin)[..., None] * segment).sum(-2)
        square = jacobian @ transposed + DAMPED
        joints = transposed @ np.linalg.solve(square, (acceleration - centripetal)[..., None])
        inertia = np.zeros((*data.qvel.shape, data.qvel.shape[-1]))
        inertia[..., self._rows, self._columns] = data.M
        inertia[..., self._columns, self._rows] = data.M
        torque: Array = (inertia @ joints)[..., 0] + data.qfrc_bias
        return torque


def _limit(vector: Array, longest: Array | float) -> Array:
    """Vectors (..., 2), those above a length shortened to it."""
    length = np.hypot(vector[..., :1], vector[..., 1:])
    limited: Array = vector * np.minimum(1, longest / np.maximum(length, 1e-12))
    return limited
