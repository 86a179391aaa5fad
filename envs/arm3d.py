"""The limb of `arm3d.xml`: a human arm in space, with seven joints and a motor at each."""

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from mujoco.batch import Batch
from numpy.typing import NDArray

from .experts import GAIN, SPEED
from .limb import MOTORS, REST, Direct, Limb, Sense, Senses, load, sensor
from .registry import Policy
from .task import length
from .velocity import BANDWIDTH, LEASH, MAX_SPEED, SAMPLED

Array = NDArray[np.float64]

COMMANDS = "torque", "velocity"

RADIUS = 0.2
"""Of the workspace, m. All of it can be reached from the rest posture; farther ahead the elbow would be straight."""
DAMPING = 0.05
"""Of the damped least squares, m/rad: the hand slows where the arm is nearly straight and its joints would race."""
POSTURE = 2.0
"""Rate at which the joints drift to the rest posture, as far as the hand does not feel it, 1/s."""


def arm3d(command: str, period: float) -> Limb:
    """The arm. At rest the hand is in front of the chest, palm down; positions are from the shoulder, x to the right,
    y forward, z up.

    | command    | an action is                                                                                  |
    |------------|-----------------------------------------------------------------------------------------------|
    | `torque`   | (7,) torques: shoulder flexion, abduction, rotation; elbow; pronation; wrist flexion, deviation |
    | `velocity` | (3,) hand velocity along x, y and z, by `SpatialVelocity`                                     |
    """
    model = load("arm3d", MOTORS)
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key(REST).id)
    mujoco.mj_forward(model, data)
    workspace = Ball(data.site("hand").xpos.copy(), RADIUS)
    reach = -sum(float(part.pos[2]) for part in (model.body("forearm"), model.body("hand"), model.site("hand")))
    return Limb(
        model=model,
        command=SpatialVelocity(model, workspace, period) if command == "velocity" else Direct(model),
        senses={
            "joint_angles": Sense("qpos", slice(0, 7), 4.0),
            "joint_velocities": Sense("qvel", slice(0, 7), 50.0),
            "hand_position": sensor(model, "hand_position", reach),
            "hand_velocity": sensor(model, "hand_velocity", 20.0),
        },
        observed=("joint_angles", "joint_velocities"),
        camera="main",
        workspace=workspace,
        push=push,
    )


@dataclass(frozen=True)
class Ball:
    """A workspace: where the hand is led. Positions are (..., 3), m from the shoulder."""

    center: Array
    radius: float

    def clip(self, position: Array) -> Array:
        """The nearest positions within."""
        return self.center + _shortened(position - self.center, self.radius)

    def contains(self, position: Array) -> NDArray[np.bool_]:
        """Whether positions are within, (...)."""
        inside: NDArray[np.bool_] = length(position - self.center) < self.radius + 1e-9
        return inside


class SpatialVelocity:
    """The command `velocity` in space: an action a is a hand velocity of `MAX_SPEED`·a m/s along x, y and z.

    As in the plane (`VelocityController`), the wanted velocity moves a reference on a leash and within the workspace,
    and the hand follows it like a critically damped mass. The seven joints are underdetermined: damped least squares
    (Nakamura & Hanafusa, J Dyn Syst Meas Control 108, 1986) give joint velocities, and what of them does not move the
    hand brings the joints back to the rest posture (Liégeois, IEEE Trans Syst Man Cybern 7, 1977). Inverse dynamics,
    gravity and ligaments included, make them torques.

    The memory is the reference, (..., 3), m.
    """

    size = 3
    components = (("x", "m/s"), ("y", "m/s"), ("z", "m/s"))
    fields: tuple[str, ...] = ("sensordata", "xaxis", "xanchor", "M", "qfrc_bias", "qfrc_passive")

    def __init__(self, model: mujoco.MjModel, workspace: Ball, period: float) -> None:
        """Prepare it; `period` is that of the control, s."""
        self.max_speed = MAX_SPEED
        self._workspace = workspace
        self._period = period
        self._bandwidth = min(BANDWIDTH, SAMPLED / period)
        self._rest = model.key(REST).qpos.copy()
        self._limit = model.actuator_ctrlrange[:, 1].copy()
        self._lost = -model.actuator_biasprm[:, 2]
        # the sparse inertia matrix holds the lower triangle
        self._rows = np.repeat(np.arange(model.nv), model.M_rownnz)
        self._columns = model.M_colind.copy()

    def to_action(self, command: Array) -> Array:
        """As `Command.to_action`; commands are in m/s."""
        return command / self.max_speed

    def start(self, senses: Senses) -> Array:
        """The reference starts at the hand."""
        return senses["hand_position"]

    def __call__(self, action: Array, memory: Array, data: mujoco.MjData | Batch) -> tuple[Array, Array]:
        """As `Command`; the controls are torques (..., 7), N·m."""
        velocity, hand = action * self.max_speed, data.sensordata[..., 0:3]
        following = self._workspace.clip(hand + _shortened(memory + velocity * self._period - hand, LEASH))
        # clipping may move the reference faster than was wanted: that is no reason to throw the hand after it
        pace = _shortened((following - memory) / self._period, _length(velocity))
        joints = self._joint_velocities(pace + self._bandwidth / 2 * (following - hand), hand, data)
        acceleration = 2 * self._bandwidth * (joints - data.qvel)

        inertia = np.zeros((*data.qvel.shape, data.qvel.shape[-1]))
        inertia[..., self._rows, self._columns] = data.M
        inertia[..., self._columns, self._rows] = data.M
        torque = (inertia @ acceleration[..., None])[..., 0] + data.qfrc_bias - data.qfrc_passive
        # what the motors will lose to speed, halfway through the period
        torque += self._lost * (data.qvel + self._period / 2 * acceleration)
        return np.minimum(np.maximum(torque, -self._limit), self._limit), following

    def _joint_velocities(self, velocity: Array, hand: Array, data: mujoco.MjData | Batch) -> Array:
        """Joint velocities (..., joint), rad/s, that give the hand a velocity (..., 3), m/s."""
        transposed = _hand_jacobian(hand, data)
        jacobian = np.swapaxes(transposed, -1, -2)
        drift = POSTURE * (self._rest - data.qpos)
        missing = velocity - (jacobian @ drift[..., None])[..., 0]
        square = jacobian @ transposed + DAMPING**2 * np.eye(3)
        joints: Array = drift + (transposed @ np.linalg.solve(square, missing[..., None]))[..., 0]
        return joints


def push(data: mujoco.MjData | Batch, force: Array) -> None:
    """Let a force at the hand (..., 3), N, act on the joints."""
    data.qfrc_applied[...] = (_hand_jacobian(data.sensordata[..., 0:3], data) @ force[..., None])[..., 0]


def _hand_jacobian(hand: Array, data: mujoco.MjData | Batch) -> Array:
    """How each joint moves the hand (..., 3): (..., joint, 3), m/rad."""
    axis, lever = data.xaxis, hand[..., None, :] - data.xanchor
    jacobian: Array = np.empty_like(lever)  # their cross product; np.cross takes several times as long
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        jacobian[..., i] = axis[..., j] * lever[..., k] - axis[..., k] * lever[..., j]
    return jacobian


def _length(vector: Array) -> Array:
    """Lengths (..., 1) of vectors (..., 3)."""
    return np.hypot(np.hypot(vector[..., 0:1], vector[..., 1:2]), vector[..., 2:3])


def _shortened(vector: Array, longest: Array | float) -> Array:
    """Vectors (..., 3), those above a length shortened to it."""
    shortened: Array = vector * np.minimum(1, longest / np.maximum(_length(vector), 1e-12))
    return shortened


def arm3d_expert(env: Any) -> Policy:
    """Moves the hand straight to the target, whatever the command."""
    velocity = SpatialVelocity(env.limb.model, env.limb.workspace, 1 / env.control_rate)

    def policy(info: dict[str, Any]) -> NDArray[np.float32]:
        hand = info["hand_position"]
        wanted = _shortened(GAIN * (info["target_position"] - hand), SPEED)
        command = wanted if env.command == "velocity" else velocity(velocity.to_action(wanted), hand, env.physics)[0]
        action: NDArray[np.float32] = env.to_action(command)
        return action

    return policy
