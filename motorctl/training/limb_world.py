"""A limb in its environment as one function of tensors: what is observed, and what a command does to it.

Delay, noise and bounds of what is observed are those of the environment's perception, a force field is that of its
task. Targets come from outside, a row a control step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium.spaces import Box
from torch import Tensor

from motorctl.dynamics import LimbState, TorchLimb
from motorctl.envs import Environment, ForceField, Reach, make_env
from motorctl.envs.limb import REST
from motorctl.errors import ConfigurationError


class Load(NamedTuple):
    """Pushes against the hand: one an episode, its time within the first second, its size and direction drawn."""

    force: float  # the largest, N
    seconds: float  # how long it lasts


class Outcome(NamedTuple):
    """What came of a control step, or of many: the leading axes are those of the outputs that it was read from."""

    hand: Tensor  # (..., 2 or 3) m
    velocity: Tensor  # (..., 2 or 3) m/s
    share: Tensor  # (..., actuator) the command in parts of the largest
    activation: Tensor  # (..., muscle)


def reaching_environment(env: str, options: Mapping[str, Any]) -> Environment:
    """The environment, if its task is one that can be learned through the limb.

    Raises:
        ConfigurationError: the task is not to bring the hand to a target, or the hand is shown where it is not.
    """
    unwrapped = make_env(env, **options).unwrapped
    assert isinstance(unwrapped, Environment)
    if not isinstance(unwrapped.task, Reach) or type(unwrapped.task).shown is not Reach.shown:
        raise ConfigurationError(
            f"In {env} nothing is learned through the limb: the task is not to bring the hand, as it is, to a target.",
            "Choose motorctl/ArmReach-v0, ArmCenterOut, ArmForceField, ArmTrack or Arm3dReach.",
        )
    return unwrapped


class LimbWorld:
    """The twin of an environment's limb and the environment's perception, as a `motorctl.dynamics.rollout.World`.

    A state ``(batch, n)`` holds positions, velocities, activations, the hand's velocity a step ago where there is a
    force field, and observations that are on their way. Inputs ``(batch, k)`` are the target, then the force of a load
    and the noise of perception where there is one. Commands are read-outs: a sigmoid takes them between the least and
    the largest control. Outputs ``(batch, p)`` are an `Outcome`.

    Args:
        env: see `reaching_environment`.
        options: its options, of which delay and noise are looked at.
        load: against the hand.
        device: where states and inputs are.

    Raises:
        ConfigurationError: the limb has something that the twin does not, or its command is not that of its actuators.
    """

    def __init__(
        self, env: Environment, options: Mapping[str, Any], load: Load | None = None, device: str = "cpu"
    ) -> None:
        if env.command == "velocity":
            raise ConfigurationError(
                "Behind the command 'velocity' is a controller that has no gradient.", "Use another --command."
            )
        task, model = env.task, env.limb.model
        assert isinstance(task, Reach)
        self.env, self.task, self.period, self.load = env, task, 1 / env.control_rate, load
        self.device = device
        self.twin = TorchLimb.from_model(model, sites=("hand",), device=device)
        self._substeps = round(self.period / model.opt.timestep)
        self.least, self.most = torch.from_numpy(model.actuator_ctrlrange.T.copy()).float().to(device)
        space = env.observation_space
        assert isinstance(space, Box)
        self._low, self._high = (torch.from_numpy(end.copy()).to(device) for end in (space.low, space.high))
        self.mean, self.deviation = torch.zeros_like(self._low), torch.ones_like(self._low)
        self._late = round(options.get("delay", 0.0) / self.period)
        self._noise = options.get("noise", 0.0) / 2 * (self._high - self._low)
        self._field = float(task.condition(0)["disturbance"]) if isinstance(task, ForceField) else 0.0
        axes, width = task.center.size, len(self._low)
        self.axes = axes
        self._state_sizes = [model.nq, model.nv, model.na, axes * bool(self._field), self._late * width]
        self._input_sizes = [axes, axes * bool(load), width * bool(options.get("noise"))]
        self._joints = torch.eye(model.nv, device=device)  # one at a time: how each moves the hand
        self._output_sizes = [axes, axes, model.nu, model.na]

    def start(self, target: Tensor) -> Tensor:
        """The state of limbs at rest, each with a target ``(batch, 2 or 3)``, from any device."""
        target = target.to(self.device)
        rest = torch.cat(self.twin.initial_state(len(target), REST), dim=-1)
        still = target.new_zeros(len(target), self._state_sizes[3])
        seen = self._present(LimbState(*torch.split_with_sizes(rest, self._state_sizes[:3], -1)), target)
        return torch.cat([rest, still, seen.repeat(1, self._late)], dim=-1)

    def inputs(self, targets: Tensor, generator: np.random.Generator) -> Tensor:
        """What comes from outside ``(batch, time, k)`` while targets ``(batch, time, 2 or 3)`` are shown.

        Drawn on the CPU, so that a seed gives the same episodes on every device.
        """
        batch, time, axes = targets.shape
        parts = [targets]
        if self.load:
            direction = generator.standard_normal((batch, 1, axes))
            direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
            force = self.load.force * generator.random((batch, 1, 1)) * direction
            first = generator.integers(0, max(1, min(time, round(1 / self.period))), (batch, 1, 1))
            since = np.arange(time)[:, None] - first
            pushed = (since >= 0) & (since < max(1, round(self.load.seconds / self.period)))
            parts.append(torch.from_numpy(force * pushed).float())
        if self._input_sizes[2]:
            white = generator.standard_normal((batch, time, len(self._noise)), dtype=np.float32)
            parts.append(torch.from_numpy(white))
        return torch.cat([part.to(self.device) for part in parts], dim=-1)

    def observe(self, state: Tensor, inputs: Tensor) -> Tensor:
        """What is observed ``(batch, observation)``, standardised."""
        target, _, noise = torch.split_with_sizes(inputs, self._input_sizes, -1)
        seen = state[:, -len(self._low) :] if self._late else self._present(self._limb(state), target)
        if self._input_sizes[2]:
            seen = (seen + self._noise * noise).clamp(self._low, self._high)
        return (seen - self.mean) / self.deviation

    def advance(self, state: Tensor, command: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """State and outputs after a control step under read-outs ``(batch, actuator)``."""
        return self.move(state, self.least + (self.most - self.least) * command.sigmoid(), inputs)

    def move(self, state: Tensor, control: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """State and outputs after a control step under controls ``(batch, actuator)``, each between its limits."""
        target, push, _ = torch.split_with_sizes(inputs, self._input_sizes, -1)
        *_, before, line = torch.split_with_sizes(state, self._state_sizes, -1)
        limb = self._limb(state)
        velocity = self._velocity(limb)
        force = self._force(limb, velocity, before, push)
        if self._late:
            width = len(self._low)
            line = torch.cat([self._present(limb, target), line[:, : (self._late - 1) * width]], dim=-1)
        for _ in range(self._substeps):
            limb = self.twin.step(limb, control, force)
        after = [limb.qpos, limb.qvel, limb.activation, *([velocity] if self._field else []), line]
        outputs = [self._position(limb), self._velocity(limb), control / self.most, limb.activation]
        return torch.cat(after, dim=-1), torch.cat(outputs, dim=-1)

    def outcome(self, outputs: Tensor) -> Outcome:
        """What outputs ``(..., p)`` hold."""
        return Outcome(*torch.split_with_sizes(outputs, self._output_sizes, -1))

    def hand(self, state: Tensor) -> Tensor:
        """Where the hand is, ``(batch, 2 or 3)`` m."""
        return self._position(self._limb(state))

    def _limb(self, state: Tensor) -> LimbState:
        return LimbState(*torch.split_with_sizes(state, self._state_sizes, -1)[:3])

    def _position(self, limb: LimbState) -> Tensor:
        return self.twin.site_positions(limb)[:, 0, : self.axes]

    def _velocity(self, limb: LimbState) -> Tensor:
        return self.twin.site_velocities(limb)[:, 0, : self.axes]

    def _present(self, limb: LimbState, target: Tensor) -> Tensor:
        """What there is to observe ``(batch, observation)``, in the environment's order."""
        sensed = {"hand_position": self._position, "hand_velocity": self._velocity}
        parts = []
        for name in self.env.observed:
            if name == "target_position":
                parts.append(target)
            elif name in sensed:
                parts.append(sensed[name](limb))
            elif name == "activation":
                parts.append(limb.activation)
            else:
                sense = self.env.limb.senses[name]
                parts.append({"qpos": limb.qpos, "qvel": limb.qvel}[sense.field][:, sense.index])
        return torch.cat(parts, dim=-1).clamp(self._low, self._high)

    def _force(self, limb: LimbState, velocity: Tensor, before: Tensor, push: Tensor) -> Tensor | None:
        """Joint torques ``(batch, joint)`` of what acts at the hand: field and load."""
        if not (self._field or self.load):
            return None
        forces = [push] if self.load else []
        if self._field:
            ahead = 1.5 * velocity - 0.5 * before  # in the middle of the step, as the task says
            forces.append(self._field * torch.stack([ahead[:, 1], -ahead[:, 0]], dim=-1))
        force = forces[0] if len(forces) == 1 else forces[0] + forces[1]
        moved = [self._velocity(limb._replace(qvel=joint.expand_as(limb.qvel))) for joint in self._joints]
        return torch.stack([(velocity * force).sum(-1) for velocity in moved], dim=-1)
