"""What the twin and MuJoCo's own step have in common: states, sites, and how they are asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import mujoco
import numpy as np
import torch
from torch import Tensor

from ..errors import ConfigurationError


class LimbState(NamedTuple):
    """The state of a batch of limbs."""

    qpos: Tensor
    """Joint positions (batch, position), rad or m."""
    qvel: Tensor
    """Joint velocities (batch, joint), rad/s or m/s."""
    activation: Tensor
    """Of muscles and other actuators that have one, (batch, activation)."""


class LimbDynamics(ABC):
    """A step of a batch of limbs, with gradients."""

    def __init__(
        self, model: mujoco.MjModel, sites: Sequence[str] | None, dtype: torch.dtype, device: torch.device | str
    ) -> None:
        """Of a model; `sites` are the names of those that are asked for, None is all that have a name.

        Raises:
            ConfigurationError: there is no such site, or it is on a mocap body, which something else moves.
        """
        self.model = model
        known = _site_names(model)
        self.sites = tuple(known if sites is None else sites)
        for name in self.sites:
            if name not in known:
                raise ConfigurationError(f"There is no site {name!r} that the limb moves.", f"Sites are {known}.")
        self.dtype, self.device = dtype, device

    @abstractmethod
    def step(self, state: LimbState, control: Tensor, force: Tensor | None = None) -> LimbState:
        """One step of the model's timestep.

        Args:
            state: of `batch` limbs.
            control: (batch, actuator); beyond their range, controls are clamped as MuJoCo does.
            force: what else acts on the joints, (batch, joint), N m or N.
        """

    @abstractmethod
    def _positions(self, qpos: Tensor) -> Tensor:
        """Of the sites, (site, 3, batch), at positions (position, batch)."""

    @abstractmethod
    def _jacobian(self, qpos: Tensor) -> Tensor:
        """Velocities of the sites per velocity of the joints, (site, 3, joint, batch)."""

    def initial_state(self, batch: int, keyframe: str | None = None) -> LimbState:
        """`batch` times the state of a keyframe; of the model's reference posture, at rest, without one.

        Raises:
            ConfigurationError: there is no such keyframe.
        """
        known = [self.model.key(i).name for i in range(self.model.nkey)]
        if keyframe is not None and keyframe not in known:
            raise ConfigurationError(f"There is no keyframe {keyframe!r}.", f"Keyframes are {known}.")
        if keyframe is None:
            start = self.model.qpos0, np.zeros(self.model.nv), np.zeros(self.model.na)
        else:
            key = self.model.key(keyframe)
            start = key.qpos, key.qvel, key.act
        rows = (torch.tensor(part, dtype=self.dtype, device=self.device) for part in start)
        return LimbState(*(row.repeat(batch, 1) for row in rows))

    def site_positions(self, state: LimbState) -> Tensor:
        """Of `sites`, (batch, site, 3), m, in the world."""
        return self._positions(state.qpos.mT).movedim(-1, 0)

    def site_velocities(self, state: LimbState) -> Tensor:
        """Of `sites`, (batch, site, 3), m/s, in the world."""
        return (self._jacobian(state.qpos.mT) * state.qvel.mT).sum(2).movedim(-1, 0)

    def site_torques(self, state: LimbState, force: Tensor) -> Tensor:
        """What forces at `sites`, (batch, site, 3), N, do to the joints: (batch, joint), for `step`."""
        return (self._jacobian(state.qpos.mT) * force.movedim(0, -1)[:, :, None]).sum((0, 1)).mT


def _site_names(model: mujoco.MjModel) -> list[str]:
    by_hand = model.body_mocapid[model.body_weldid[model.site_bodyid]] >= 0
    return [name for i in range(model.nsite) if (name := model.site(i).name) and not by_hand[i]]
