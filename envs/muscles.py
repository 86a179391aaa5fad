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
    curve: Array
    """(5, muscle): lmin, lmax (L0), vmax (L0/s), fpmax, fvmax (peak force)."""
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
        low, high, force, _, *curve = model.actuator_gainprm[:, :9].T
        shortest, longest = model.actuator_lengthrange.T
        optimal = (longest - shortest) / (high - low)
        return cls(
            force=force.copy(),
            optimal=optimal,
            slack=shortest - low * optimal,
            curve=np.array(curve),
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
        lmin, lmax, vmax, _, fvmax = self.curve
        fibre = (length - self.slack) / self.optimal
        # the force-length curve is two half parabolas a side, meeting halfway between the optimum and either end
        away = np.where(fibre > 1, (fibre - 1) / (lmax - 1), (1 - fibre) / (1 - lmin))
        near = 1 - 2 * away * away
        far = 2 * np.square(np.maximum(1 - away, 0))
        speed = velocity / (self.optimal * vmax)
        excess = fvmax - 1
        slower = np.square(np.maximum(speed + 1, 0))
        faster = fvmax - np.square(np.maximum(excess - speed, 0)) / excess
        return -self.force * np.where(away < 0.5, near, far) * np.where(speed < 0, slower, faster)

    def bias(self, length: Array) -> Array:
        """Passive force: negative, N, as `mju_muscleBias`; `length` (..., muscle) is `actuator_length`, m."""
        _, lmax, _, fpmax, _ = self.curve
        strain = np.maximum((length - self.slack) / self.optimal - 1, 0) / ((lmax - 1) / 2)
        return -self.force * fpmax * np.where(strain < 1, strain * strain / 2, strain - 0.5)

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
        return np.minimum(np.maximum((wanted - kept * activation) / (1 - kept), 0), 1)


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
    wanted = torque[..., None]
    transposed = np.swapaxes(effect, -1, -2)
    soft = SOFTNESS * np.eye(effect.shape[-2])
    multiplier = np.linalg.solve(effect @ transposed + soft, wanted)
    drive = transposed @ multiplier
    for _ in range(ITERATIONS):
        activation = np.minimum(np.maximum(drive, 0), 1)
        residual = wanted - effect @ activation - SOFTNESS * multiplier
        if abs(residual).max() < SETTLED:
            break
        step = np.linalg.solve(effect @ ((activation == drive) * transposed) + soft, residual)
        change = transposed @ step
        stride = _stride(effect, wanted, multiplier, step, drive, change)
        multiplier = multiplier + stride * step
        drive = drive + stride * change
    return np.minimum(np.maximum(drive, 0), 1)[..., 0]


def _stride(effect: Array, wanted: Array, multiplier: Array, step: Array, drive: Array, change: Array) -> Array | float:
    """The part (..., 1, 1) of a step, in [0, 1], at which the cost along it is least."""

    def slope(part: Array | float) -> Array:  # (..., 1, part) of the cost, from the parts (..., 1, part)
        activation = np.minimum(np.maximum(drive + part * change, 0), 1)
        lack: Array = wanted - effect @ activation - SOFTNESS * (multiplier + part * step)
        return -(step * lack).sum(-2, keepdims=True)

    if slope(1.0).max() <= SETTLED:  # the whole step goes downhill, as nearly always
        return 1.0
    # the slope is linear between the points where the drive of a muscle crosses 0 or 1
    with np.errstate(divide="ignore", invalid="ignore"):
        kinks = np.concatenate([-drive / change, (1 - drive) / change, np.zeros_like(drive[..., :1, :])], axis=-2)
    kinks = np.swapaxes(np.sort(np.where((kinks >= 0) & (kinks < 1), kinks, 1), axis=-2), -1, -2)
    slopes = slope(kinks)
    after = np.clip((slopes <= 0).sum(-1, keepdims=True), 1, slopes.shape[-1] - 1)
    low, high = np.take_along_axis(slopes, after - 1, -1), np.take_along_axis(slopes, after, -1)
    start, end = np.take_along_axis(kinks, after - 1, -1), np.take_along_axis(kinks, after, -1)
    zero: Array = start - (end - start) * low / np.where(high > low, high - low, np.inf)
    return np.where(high > 0, zero, 1.0)
