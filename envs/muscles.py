"""From the torques that joints should get to the excitations that make muscles give them.

Everything works on arrays with any leading axes, written (..., muscle), and reads only what both `mujoco.MjData` and
`mujoco.batch.Batch` hold, so that one environment and a batch of thousands share it.
"""

from dataclasses import dataclass
from typing import Self

import mujoco
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SOFTNESS = 0.1
"""Squared torque error that is as bad as full activation of one muscle, (N·m)²."""
SETTLED = 1e-4
"""Residual torque at which the solver stops, N·m."""
ITERATIONS = 12
"""Most Newton steps: tests need no more than 6, whatever the torque."""


@dataclass(frozen=True)
class Muscles:
    """The muscles of a compiled model: MuJoCo's force-length-velocity curves, activation dynamics and moment arms.

    Fields are arrays of shape (muscle,), except where said otherwise.
    """

    force: Array
    """Peak isometric force, N."""
    optimal: Array
    """Optimal fibre length L0, m."""
    slack: Array
    """Tendon length LT, m: the length of the path less that of the fibre."""
    shortest: Array
    longest: Array
    """Stretch of the fibre at which no active force is left, L0: lmin - 1 and lmax - 1."""
    fastest: Array
    """Shortening velocity at which no active force is left, m/s: vmax."""
    surplus: Array
    """Active force above the isometric one that lengthening gives, of `force`: fvmax - 1."""
    passive: Array
    """Passive force where its curve becomes straight, halfway to `longest`, N: half of fpmax."""
    times: Array
    """(2, muscle): time constants of activation and deactivation, s."""
    timestep: float
    """Physics step, s."""
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    """Muscle and degree of freedom of each entry of the sparse `actuator_moment`."""
    joints: int
    """Degrees of freedom."""

    @classmethod
    def of(cls, model: mujoco.MjModel) -> Self:
        """Read them from a model all of whose actuators are muscles."""
        data = mujoco.MjData(model)
        mujoco.mj_forward(model, data)
        low, high, force, _, lmin, lmax, vmax, fpmax, fvmax = model.actuator_gainprm[:, :9].T
        first, last = model.actuator_lengthrange.T
        optimal = (last - first) / (high - low)
        return cls(
            force=force.copy(),
            optimal=optimal,
            slack=first - low * optimal,
            shortest=lmin - 1,
            longest=lmax - 1,
            fastest=optimal * vmax,
            surplus=fvmax - 1,
            passive=force * fpmax / 2,
            times=model.actuator_dynprm[:, :2].T.copy(),
            timestep=model.opt.timestep,
            rows=np.repeat(np.arange(model.nu), data.moment_rownnz),
            columns=data.moment_colind.astype(np.int64),
            joints=model.nv,
        )

    def gain(self, length: Array, velocity: Array) -> Array:
        """Force at full activation, passive part left out: negative, N, as `mju_muscleGain`.

        Args:
            length: (..., muscle) `actuator_length`, m.
            velocity: (..., muscle) `actuator_velocity`, m/s, lengthening positive.
        """
        # the force-length curve is two half parabolas a side, meeting halfway between the optimum and either end
        stretch = (length - self.slack) / self.optimal - 1
        away = np.minimum(np.maximum(stretch / self.longest, stretch / self.shortest), 1)
        beyond = np.maximum(2 * away - 1, 0)
        # the force-velocity curve is a parabola a side, flat beyond their vertices
        speed = np.minimum(np.maximum(velocity / self.fastest, -1), self.surplus)
        bend = speed * np.minimum(speed, -speed / self.surplus)
        force: Array = -self.force * (1 - 2 * away * away + beyond * beyond) * (1 + 2 * speed + bend)
        return force

    def bias(self, length: Array) -> Array:
        """Passive force: negative, N, as `mju_muscleBias`; `length` (..., muscle) is `actuator_length`, m."""
        strain = np.maximum((length - self.slack) / self.optimal - 1, 0) * 2 / self.longest
        beyond = np.maximum(strain - 1, 0)  # a parabola, then its tangent
        force: Array = self.passive * (beyond * beyond - strain * strain)
        return force

    def moment(self, sparse: Array) -> Array:
        """Moment arms dl/dq (..., muscle, joint), m, from `actuator_moment` (..., entry)."""
        dense = np.zeros((*sparse.shape[:-1], self.force.size, self.joints))
        dense[..., self.rows, self.columns] = sparse
        return dense

    def excitation(self, wanted: Array, activation: Array, duration: float) -> Array:
        """The constant excitation in [0, 1] that brings activations to the wanted ones in `duration` seconds.

        The activation dynamics are MuJoCo's (Millard et al., J Biomech Eng 135, 2013) with their time constant held
        at its present value; what cannot be reached in time is approached as fast as muscles can.

        Args:
            wanted: (..., muscle) in [0, 1].
            activation: (..., muscle) `act`, in [0, 1].
            duration: a whole number of physics steps, s.
        """
        slowing = 0.5 + 1.5 * activation
        time = np.where(wanted > activation, self.times[0] * slowing, self.times[1] / slowing)
        kept = np.maximum(1 - self.timestep / time, 0) ** round(duration / self.timestep)
        excitation: Array = np.minimum(np.maximum((wanted - kept * activation) / (1 - kept), 0), 1)
        return excitation


def share(effect: Array, torque: Array) -> Array:
    """Share torques among muscles with the least sum of squared activations.

    Static optimisation (Crowninshield & Brand, J Biomech 14, 1981) with squared activations: minimise |a|² subject to
    effect·a = torque and 0 ≤ a ≤ 1, softened so that torques beyond the muscles' strength get the nearest answer. The
    solution is a = clip(effectᵀ·m, 0, 1), with one multiplier m a joint where effect·a + SOFTNESS·m = torque. That is
    where a convex, piecewise quadratic cost of m is least, which Newton steps with an exact line search find.

    Args:
        effect: (..., joint, muscle) torque that each muscle adds at full activation, N·m.
        torque: (..., joint) to be made by the activations, N·m.

    Returns:
        Activations (..., muscle) in [0, 1].
    """
    joints, muscles = effect.shape[-2:]
    effect, wanted = effect.reshape(-1, joints, muscles), torque.reshape(-1, joints)
    shares = np.empty((len(wanted), muscles))
    rows = np.arange(len(wanted))  # of those not settled
    multiplier = _solve(effect @ effect.swapaxes(-1, -2), wanted)
    drive, activation, residual = _respond(effect, wanted, multiplier)
    for _ in range(ITERATIONS):
        free = effect * (activation == drive)[:, None]
        step = _solve(free @ effect.swapaxes(-1, -2), residual)
        start, previous = multiplier, drive
        multiplier = start + step
        drive, activation, residual = _respond(effect, wanted, multiplier)
        settled = np.abs(residual).max(-1) < SETTLED
        shares[rows] = activation
        if settled.all():
            break
        if settled.any():
            left = ~settled
            rows, effect, wanted, residual = rows[left], effect[left], wanted[left], residual[left]
            start, step, previous = start[left], step[left], previous[left]
            multiplier, drive, activation = multiplier[left], drive[left], activation[left]
        uphill = np.vecdot(step, residual) < -SETTLED  # the cost rises again before the end of the step
        if uphill.any():
            stride = np.ones(len(rows))
            stride[uphill] = _stride(effect[uphill], wanted[uphill], start[uphill], step[uphill], previous[uphill])
            multiplier = np.where(uphill[:, None], start + step * stride[:, None], multiplier)
            drive, activation, residual = _respond(effect, wanted, multiplier)
            shares[rows] = activation
    return shares.reshape(*torque.shape[:-1], muscles)


def _respond(effect: Array, wanted: Array, multiplier: Array) -> tuple[Array, Array, Array]:
    """Drive and activation (row, muscle) of multipliers (row, joint), and the torque (row, joint) that is missing."""
    drive = np.vecmat(multiplier, effect)
    activation = np.minimum(np.maximum(drive, 0), 1)
    return drive, activation, wanted - np.matvec(effect, activation) - SOFTNESS * multiplier


def _solve(matrix: Array, vector: Array) -> Array:
    """The x (row, joint) for which (matrix + `SOFTNESS`)·x = vector; matrices are symmetric."""
    if vector.shape[-1] != 2:
        return np.asarray(np.linalg.solve(matrix + SOFTNESS * np.eye(vector.shape[-1]), vector[..., None])[..., 0])
    a, b, c = matrix[:, 0, 0] + SOFTNESS, matrix[:, 0, 1], matrix[:, 1, 1] + SOFTNESS
    x, y = vector[:, 0], vector[:, 1]
    determinant = a * c - b * b
    solution = np.empty_like(vector)
    solution[:, 0] = (c * x - b * y) / determinant
    solution[:, 1] = (a * y - b * x) / determinant
    return solution


def _stride(effect: Array, wanted: Array, multiplier: Array, step: Array, drive: Array) -> Array:
    """The part (row,) of a step, in [0, 1], at which the cost along it is least."""
    change = np.vecmat(step, effect)
    # the slope of the cost is linear between the points where the drive of a muscle crosses 0 or 1
    with np.errstate(divide="ignore", invalid="ignore"):
        kinks = np.concatenate([-drive / change, (1 - drive) / change, np.zeros_like(drive[:, :1])], axis=-1)
    kinks = np.sort(np.where((kinks >= 0) & (kinks < 1), kinks, 1), axis=-1)[..., None]  # (row, kink, 1)
    activation = np.minimum(np.maximum(drive[:, None] + kinks * change[:, None], 0), 1)
    residual = (
        wanted[:, None]
        - activation @ effect.swapaxes(-1, -2)
        - SOFTNESS * (multiplier[:, None] + kinks * step[:, None])
    )
    slopes, kinks = -(step[:, None] * residual).sum(-1), kinks[..., 0]
    after = np.clip((slopes <= 0).sum(-1, keepdims=True), 1, slopes.shape[-1] - 1)
    low, high = np.take_along_axis(slopes, after - 1, -1), np.take_along_axis(slopes, after, -1)
    start, end = np.take_along_axis(kinks, after - 1, -1), np.take_along_axis(kinks, after, -1)
    zero = start - (end - start) * low / np.where(high > low, high - low, np.inf)
    part: Array = np.where(high > 0, zero, 1.0)[:, 0]
    return part
