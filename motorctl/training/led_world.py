"""MuJoCo's own limb under the command `velocity`, with the gradient of a hand that does what it is told."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motorctl.envs import Environment, Reach
from motorctl.envs.limb import REST
from motorctl.envs.simulation import Many
from motorctl.envs.velocity import VelocityCommand
from motorctl.errors import ConfigurationError
from motorctl.training.limb_world import Outcome


class Led(NamedTuple):
    """Where hands are that a velocity leads."""

    hand: Tensor  # (batch, 2) m
    memory: NDArray[np.float64]  # of the command


class LedWorld:
    """A limb whose own controller makes the hand follow a velocity.

    The twin of a limb does not have that controller. Forward, everything is the environment's own; backward, the hand
    has moved by velocity times time. There is one simulation: one batch at a time is stepped, in order.

    Args:
        env: a planar arm's, with the command `velocity`.

    Raises:
        ConfigurationError: it is another limb's.
    """

    def __init__(self, env: Environment) -> None:
        command = env.limb.command
        if not isinstance(command, VelocityCommand):
            raise ConfigurationError(
                f"{env.name} with the command '{env.command}' is not a planar arm led by a velocity.",
                "Choose an environment such as motorctl/ArmReach-v0 with --command velocity.",
            )
        assert isinstance(env.task, Reach)
        self.env, self.task, self.period = env, env.task, 1 / env.control_rate
        self._limb, self._command = env.limb, command
        self.most = torch.full((2,), command.max_speed)
        self.least = -self.most
        self._substeps = round(self.period / env.limb.model.opt.timestep)

    def start(self, target: Tensor) -> Led:
        """Limbs at rest, one a target ``(batch, 2)``."""
        batch = len(target)
        self._many = Many(self._limb.model, batch, 1, self._limb.fields)
        self._many.reset(range(batch), self._limb.model.key(REST).id)
        self._views = self._limb.views(self._many)
        return Led(self._sensed("hand_position"), np.array(self._command.start(self._views)))

    def inputs(self, targets: Tensor, generator: np.random.Generator) -> Tensor:
        """What comes from outside, ``(batch, time, 2)``: the targets alone."""
        return targets

    def hand(self, state: Led) -> Tensor:
        """Where the hand is, ``(batch, 2)`` m."""
        return state.hand

    def move(self, state: Led, control: Tensor, inputs: Tensor) -> tuple[Led, Tensor]:
        """State and outputs after a control step under velocities ``(batch, 2)``, m/s, each between its limits."""
        action = self._command.to_action(control.detach().double().numpy())
        excitation, memory = self._command(action, state.memory, self._many.data)
        self._many.field("ctrl")[...] = excitation
        self._many.step(self._substeps)
        told = state.hand + self.period * control
        hand = self._sensed("hand_position") + (told - told.detach())
        outputs = [hand, self._sensed("hand_velocity"), control / self.most, self._sensed("activation")]
        return Led(hand, memory), torch.cat(outputs, dim=-1)

    def outcome(self, outputs: Tensor) -> Outcome:
        """What outputs ``(..., p)`` hold."""
        return Outcome(*torch.split_with_sizes(outputs, [2, 2, 2, outputs.shape[-1] - 6], -1))

    def _sensed(self, name: str) -> Tensor:
        return torch.from_numpy(self._views[name].copy()).float()
