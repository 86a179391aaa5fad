"""A limb's dynamics as a differentiable torch function, derived from the MJCF that the environment runs."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Self

import mujoco
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .actuators import Actuators
from .closed_form import ClosedForm
from .constants import Constants
from .harmonics import TooManyTerms
from .limb import LimbDynamics, LimbState
from .paths import actuator_path, tendon_path
from .solve import solve
from .spatial import Spatial
from .support import check
from .tree import Tree

FLAG, INTEGRATOR = mujoco.mjtDisableBit, mujoco.mjtIntegrator


class TorchLimb(LimbDynamics):
    """MuJoCo's step of a limb of hinges, slides, tendons, motors and muscles: a batch at once, with gradients."""

    def __init__(
        self, model: mujoco.MjModel, sites: Sequence[str] | None, dtype: torch.dtype, device: torch.device | str
    ) -> None:
        """As `from_model`."""
        check(model)
        super().__init__(copy.copy(model), sites, dtype, device)
        constants = Constants(dtype, device)
        self._step = float(model.opt.timestep)
        self._actuators = Actuators(model, constants)
        self._implicit = model.opt.integrator == INTEGRATOR.mjINT_IMPLICITFAST

        flags = int(model.opt.disableflags)
        springs, dampers = not flags & FLAG.mjDSBL_SPRING, not flags & FLAG.mjDSBL_DAMPER
        damping = model.dof_damping * dampers
        self._damping = constants.column(damping) if damping.any() else None
        self._stiffness = constants.column(model.jnt_stiffness) if springs and model.jnt_stiffness.any() else None
        self._relaxed = constants.column(model.qpos_spring)

        stiffness, drag = model.tendon_stiffness * springs, model.tendon_damping * dampers
        passive = np.flatnonzero((stiffness != 0) | (drag != 0))
        self._tendons = _Tendons(model, passive, stiffness, drag, constants) if len(passive) else None
        paths = [actuator_path(model, i) for i in range(model.nu)] + [tendon_path(model, int(i)) for i in passive]

        moved = Tree(model).ancestry()
        related = moved + moved.T > 0  # MuJoCo's implicitfast leaves out what a tendon couples across branches
        self._related = None if related.all() else constants.column(related)
        euler = not self._implicit and not flags & FLAG.mjDSBL_EULERDAMP
        added = self._step * damping * (euler or self._implicit)
        ids = [model.site(name).id for name in self.sites]
        try:
            self._equations: ClosedForm | Spatial = ClosedForm(model, paths, ids, added, constants)
        except TooManyTerms:
            self._equations = Spatial(model, paths, ids, added, constants)

    @classmethod
    def from_model(
        cls,
        model: mujoco.MjModel,
        *,
        sites: Sequence[str] | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> Self:
        """The twin of a compiled model.

        Args:
            model: what `mj_step` would step. It is read once: later changes do not count.
            sites: names of the sites whose positions and velocities are asked for; None is all that have a name.
            dtype: of states and gradients; float64 to compare with MuJoCo.
            device: where.

        Raises:
            ConfigurationError: the model has what the twin has not; everything of that kind is named.
        """
        return cls(model, sites, dtype, device)

    def step(self, state: LimbState, control: Tensor, force: Tensor | None = None) -> LimbState:
        """As `LimbDynamics.step`."""
        qpos, qvel, activation = (part.mT for part in state)  # rows are joints from here on
        drive, activation = self._actuators.drive(control.mT, activation)
        mass, bias, lengths, moments = self._equations(qpos, qvel)
        speeds = (moments * qvel).sum(1)
        pull, slope = self._pull(lengths, speeds, drive)
        total = (moments * pull[:, None]).sum(0) - bias
        if self._damping is not None:
            total = total - self._damping * qvel
        if self._stiffness is not None:
            total = total - self._stiffness * (qpos - self._relaxed)
        if force is not None:
            total = total + force.mT
        if slope is not None:
            gained = (moments[:, :, None] * (moments * slope[:, None])[:, None]).sum(0)
            mass = mass - self._step * (gained if self._related is None else gained * self._related)
        qvel = qvel + self._step * solve(mass, total)
        return LimbState((qpos + self._step * qvel).mT, qvel.mT, activation.mT)

    def actuator_lengths(self, state: LimbState) -> tuple[Tensor, Tensor]:
        """Lengths of what the actuators pull on and their rates of change, (batch, actuator), m and m/s, or rad."""
        qpos, qvel = state.qpos.mT, state.qvel.mT
        equations, n = self._equations(qpos, qvel), self.model.nu
        return equations.lengths[:n].mT, (equations.moments[:n] * qvel).sum(1).mT

    def _positions(self, qpos: Tensor) -> Tensor:
        return self._equations.positions(qpos)

    def _jacobian(self, qpos: Tensor) -> Tensor:
        return self._equations.jacobian(qpos)

    def _pull(self, lengths: Tensor, speeds: Tensor, drive: Tensor) -> tuple[Tensor, Tensor | None]:
        """Forces along the paths (path, batch), and, if the integrator asks for it, d force / d velocity."""
        if self._tendons is None:
            force = self._actuators.force(lengths, speeds, drive)
            return force, self._actuators.slope(lengths, speeds, drive, force) if self._implicit else None
        n = self.model.nu
        force = self._actuators.force(lengths[:n], speeds[:n], drive)
        pull = torch.cat([force, self._tendons.force(lengths[n:], speeds[n:])])
        if not self._implicit:
            return pull, None
        slope = self._actuators.slope(lengths[:n], speeds[:n], drive, force)
        return pull, torch.cat([slope, self._tendons.slope.expand(-1, slope.shape[1])])


class _Tendons:
    """Springs, slack over a range of lengths, and dampers along tendons."""

    def __init__(
        self,
        model: mujoco.MjModel,
        rows: NDArray[np.intp],
        stiffness: NDArray[np.float64],
        damping: NDArray[np.float64],
        constants: Constants,
    ) -> None:
        self._low, self._high = (constants.column(end) for end in model.tendon_lengthspring[rows].T)
        self._stiffness = constants.column(stiffness[rows])
        self._damped = bool(damping[rows].any())
        self.slope = constants.column(-damping[rows])

    def force(self, lengths: Tensor, speeds: Tensor) -> Tensor:
        force = self._stiffness * (torch.clamp(lengths, self._low, self._high) - lengths)
        return force + self.slope * speeds if self._damped else force
