"""MuJoCo's muscle, on tensors: force-length, force-velocity and passive curves, and activation dynamics.

The functions are those of MuJoCo's documentation, chapter "Modeling", section "Muscle actuators", their piecewise
parabolas written with clamps instead of branches. Rows of all tensors are muscles, columns the batch.
"""

from __future__ import annotations

import mujoco
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .constants import Constants

MINIMUM = 1e-15
"""MuJoCo's mjMINVAL: it divides by nothing smaller."""


class Curves:
    """Forces of some actuators of a model with the gain (and bias) of a muscle."""

    def __init__(self, model: mujoco.MjModel, rows: NDArray[np.intp], constants: Constants) -> None:
        """Take their constants."""
        low, high, force, scale, lmin, lmax, vmax, fpmax, fvmax = model.actuator_gainprm[rows, :9].T
        lengthrange = model.actuator_lengthrange[rows]
        peak = np.where(force < 0, scale / np.maximum(MINIMUM, model.actuator_acc0[rows]), force)
        optimal = (lengthrange[:, 1] - lengthrange[:, 0]) / np.maximum(MINIMUM, high - low)  # m
        passive = model.actuator_biastype[rows] == mujoco.mjtBias.mjBIAS_MUSCLE
        # rise and fall: how far the length is from the left and the right foot of the force-length curve to its top
        rise, fall, stretch = 1 / (1 - lmin), -1 / (lmax - 1), 2 / (lmax - 1)
        start = low - lengthrange[:, 0] / optimal
        self._rise = constants.column(rise / optimal), constants.column(rise * (start - lmin))
        self._fall = constants.column(fall / optimal), constants.column(fall * (start - lmax))
        self._stretch = constants.column(stretch / optimal), constants.column(stretch * (start - 1))
        self._speed = constants.column(1 / (optimal * vmax))
        beyond = fvmax - 1
        self._beyond = constants.column(beyond)
        self._curvature = constants.column(1 / np.maximum(MINIMUM, beyond))
        self._active, self._passive = constants.column(-peak), constants.column(-peak * fpmax * passive)

    def force(self, lengths: Tensor, velocities: Tensor, activation: Tensor) -> Tensor:
        """Forces (muscle, batch), N, of actuator lengths, m, velocities, m/s, and activations."""
        stretch = _affine(self._stretch, lengths)
        bend = stretch.clamp(0, 1)
        passive = bend * (stretch - 0.5 * bend)
        return self._force_length(lengths) * self._force_velocity(velocities) * activation + passive * self._passive

    def slope(self, lengths: Tensor, velocities: Tensor, activation: Tensor) -> Tensor:
        """d force / d velocity (muscle, batch), N s/m."""
        speed = velocities * self._speed
        lengthening = (self._beyond - speed).clamp(min=0) * self._curvature
        slope = 2 * torch.where(speed > 0, lengthening, (speed + 1).clamp(min=0))
        return self._force_length(lengths) * slope * self._speed * activation

    def _force_length(self, lengths: Tensor) -> Tensor:
        """Times the peak force, and negative, as muscles pull."""
        height = torch.minimum(_affine(self._rise, lengths), _affine(self._fall, lengths)).clamp(min=0)
        return (height.square() - 2 * (height - 0.5).clamp(min=0).square()) * (2 * self._active)

    def _force_velocity(self, velocities: Tensor) -> Tensor:
        speed = velocities * self._speed
        shortening = (speed + 1).clamp(0, 1)
        missing = torch.minimum((self._beyond - speed).clamp(min=0), self._beyond)
        return shortening.square() + (self._beyond - missing.square() * self._curvature)


def _affine(line: tuple[Tensor, Tensor], values: Tensor) -> Tensor:
    slope, offset = line
    return torch.addcmul(offset, values, slope)


class Excitation:
    """Activation dynamics: activations follow excitations with time constants that depend on the activation.

    Millard, Uchida, Seth & Delp, J Biomech Eng 135, 2013, as MuJoCo has it: the time constant switches between
    activation and deactivation or, over a width `tausmooth` of the difference of excitation and activation, goes
    smoothly.
    """

    def __init__(self, model: mujoco.MjModel, rows: NDArray[np.intp], constants: Constants) -> None:
        """Take their constants."""
        rising, falling, width = model.actuator_dynprm[rows, :3].T
        self._rising, self._falling = constants.column(rising), constants.column(falling)
        self._step = model.opt.timestep
        self._smooth = constants.column(width >= MINIMUM) > 0 if (width >= MINIMUM).any() else None
        self._width = constants.column(np.maximum(width, MINIMUM))

    def __call__(self, excitation: Tensor, activation: Tensor) -> Tensor:
        """The next activations."""
        effort = 0.5 + 1.5 * activation.clamp(0, 1)
        difference = excitation.clamp(0, 1) - activation
        rising, falling = self._rising * effort, self._falling / effort
        tau = torch.where(difference > 0, rising, falling)
        if self._smooth is not None:
            x = (difference / self._width + 0.5).clamp(0, 1)
            share = x * x * x * (3 * x * (2 * x - 5) + 10)  # 0 to 1, flat at both ends
            tau = torch.where(self._smooth, falling + (rising - falling) * share, tau)
        following: Tensor = activation + self._step * difference / tau
        return following
