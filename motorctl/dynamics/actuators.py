"""What actuators do: from controls and activations to forces along their paths, and to the next activations.

As MuJoCo's documentation, chapter "Computation", section "Actuation model", has it. Rows of all tensors are actuators
(or activations), columns the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mujoco
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .constants import Constants
from .muscle import MINIMUM, Curves, Excitation

Rows = NDArray[np.intp]


class Actuators:
    """All actuators of a model."""

    def __init__(self, model: mujoco.MjModel, constants: Constants) -> None:
        """Take their constants."""
        unclamped = bool(model.opt.disableflags & mujoco.mjtDisableBit.mjDSBL_CLAMPCTRL)
        self._control_range = _limits(model.actuator_ctrlrange, model.actuator_ctrllimited & (not unclamped), constants)
        self._force_range = _limits(model.actuator_forcerange, model.actuator_forcelimited, constants)
        pulls = (model.actuator_gaintype == mujoco.mjtGain.mjGAIN_MUSCLE) & ~disabled(model)
        self._laws = _Kinds(((Curves, pulls), (Affine, ~pulls)), np.arange(model.nu), model, constants)

        stateful = np.flatnonzero(model.actuator_actadr >= 0)  # activations are in the order of their actuators
        self._range = _limits(model.actuator_actrange[stateful], model.actuator_actlimited[stateful], constants)
        excited = (model.actuator_dyntype[stateful] == mujoco.mjtDyn.mjDYN_MUSCLE) & ~disabled(model)[stateful]
        self._dynamics = _Kinds(((Excitation, excited), (FirstOrder, ~excited)), stateful, model, constants)
        self._stateless = not len(stateful)
        early = model.actuator_actearly[stateful]
        source = np.arange(model.nu)
        source[stateful] = model.nu + np.arange(model.na) + model.na * early
        self._mixed = len(stateful) < model.nu or bool(early.any())
        self._stateful, self._source = constants.index(stateful), constants.index(source)

    def drive(self, control: Tensor, activation: Tensor) -> tuple[Tensor, Tensor]:
        """What drives each actuator, its activation or, if it has none, its control; and the next activations."""
        if self._control_range is not None:
            control = torch.clamp(control, *self._control_range)
        if self._stateless:
            return control, activation
        excitation = control[self._stateful] if self._mixed else control
        following: Tensor = self._dynamics(lambda law, *rows: law(*rows), excitation, activation)
        if self._range is not None:
            following = torch.clamp(following, *self._range)
        if not self._mixed:
            return activation, following
        return torch.cat([control, activation, following])[self._source], following

    def force(self, lengths: Tensor, velocities: Tensor, drive: Tensor) -> Tensor:
        """Along the paths."""
        force = self._laws(lambda law, *rows: law.force(*rows), lengths, velocities, drive)
        return force if self._force_range is None else torch.clamp(force, *self._force_range)

    def slope(self, lengths: Tensor, velocities: Tensor, drive: Tensor, force: Tensor) -> Tensor:
        """d force / d velocity; 0 of those at a limit of their force."""
        slope = self._laws(lambda law, *rows: law.slope(*rows), lengths, velocities, drive)
        if self._force_range is None:
            return slope
        low, high = self._force_range
        return torch.where((force > low) & (force < high), slope, 0)


class Affine:
    """Motors, positions, velocities, dampers: gain and bias are affine in length and velocity; 0 of those disabled."""

    def __init__(self, model: mujoco.MjModel, rows: Rows, constants: Constants) -> None:
        """Take their constants."""
        gain, bias = model.actuator_gainprm[rows, :3].T.copy(), model.actuator_biasprm[rows, :3].T.copy()
        gain[1:] *= model.actuator_gaintype[rows] == mujoco.mjtGain.mjGAIN_AFFINE
        bias *= model.actuator_biastype[rows] == mujoco.mjtBias.mjBIAS_AFFINE
        parameters = np.concatenate([gain, bias]) * ~disabled(model)[rows]
        self._varies = [bool(values.any()) for values in parameters]
        self._parameters = [constants.column(values) for values in parameters]

    def force(self, lengths: Tensor, velocities: Tensor, drive: Tensor) -> Tensor:
        """Along the paths."""
        gain, by_length, by_velocity, bias, stiffness, damping = self._parameters
        if self._varies[1]:
            gain = gain + by_length * lengths
        if self._varies[2]:
            gain = gain + by_velocity * velocities
        force = gain * drive
        if self._varies[3]:
            force = force + bias
        if self._varies[4]:
            force = force + stiffness * lengths
        if self._varies[5]:
            force = force + damping * velocities
        return force

    def slope(self, lengths: Tensor, velocities: Tensor, drive: Tensor) -> Tensor:
        """d force / d velocity."""
        return self._parameters[2] * drive + self._parameters[5]


class FirstOrder:
    """Activations that integrate their control or follow it with a time constant; those of disabled ones stay."""

    def __init__(self, model: mujoco.MjModel, rows: Rows, constants: Constants) -> None:
        """Take their constants."""
        step, kind = model.opt.timestep, model.actuator_dyntype[rows]
        part = step / np.maximum(MINIMUM, model.actuator_dynprm[rows, 0])
        part = np.where(kind == mujoco.mjtDyn.mjDYN_FILTEREXACT, -np.expm1(-part), part)
        integrates = kind == mujoco.mjtDyn.mjDYN_INTEGRATOR
        on = ~disabled(model)[rows]
        self._gained = constants.column(np.where(integrates, step, part) * on)
        self._lost = constants.column(np.where(integrates, 0, part) * on)

    def __call__(self, control: Tensor, activation: Tensor) -> Tensor:
        """The next activations."""
        return activation + self._gained * control - self._lost * activation


def disabled(model: mujoco.MjModel) -> NDArray[np.bool_]:
    """Whether actuators are switched off with their group, (actuator,)."""
    group = model.actuator_group
    switched: NDArray[np.bool_] = (
        (group >= 0) & (group <= 30) & ((model.opt.disableactuator >> np.clip(group, 0, 30)) & 1 == 1)
    )
    return switched


class _Kinds:
    """Rows of different kinds, those of a kind computed together."""

    def __init__(
        self,
        kinds: Sequence[tuple[Callable[..., Any], NDArray[np.bool_]]],
        actuators: Rows,
        model: mujoco.MjModel,
        constants: Constants,
    ) -> None:
        """`kinds` are what makes each of them of (model, actuators, constants), and which of `actuators` are of it."""
        self._kinds = [
            (constants.index(np.flatnonzero(chosen)), make(model, actuators[chosen], constants))
            for make, chosen in kinds
            if chosen.any()
        ]
        self._order = constants.index(np.argsort(np.concatenate([np.flatnonzero(chosen) for _, chosen in kinds])))

    def __call__(self, function: Callable[..., Tensor], *values: Tensor) -> Tensor:
        """The results of `function(law, *rows of values)`."""
        if len(self._kinds) == 1:
            return function(self._kinds[0][1], *values)
        parts = [function(law, *(value[rows] for value in values)) for rows, law in self._kinds]
        return torch.cat(parts)[self._order] if parts else values[0]  # of no actuators: nothing


def _limits(
    ranges: NDArray[np.float64], limited: NDArray[np.bool_], constants: Constants
) -> tuple[Tensor, Tensor] | None:
    """Lower and upper ends (row, 1), infinite where there is no limit; None if there is none at all."""
    on = limited.astype(bool)
    low, high = np.where(on, ranges.T, [[-np.inf], [np.inf]])
    return (constants.column(low), constants.column(high)) if on.any() else None
