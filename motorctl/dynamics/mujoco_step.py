"""MuJoCo's own step, with gradients by finite differences: for limbs that the twin has no equations for."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Self

import mujoco
import numpy as np
import torch
from mujoco.batch import Batch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import ConfigurationError
from .limb import LimbDynamics, LimbState
from .twin import TorchLimb

Array = NDArray[np.float64]
Function = Callable[..., Array]
Inputs = Sequence[Array]
Gradients = Sequence[Array | None]
PullBack = Callable[[Inputs, Sequence[bool], Array, Array], Gradients]
"""From inputs, which of their gradients are asked for, the result and its gradient, to those of the inputs."""

FREE = int(mujoco.mjtJoint.mjJNT_FREE)
SCALAR = int(mujoco.mjtJoint.mjJNT_SLIDE), int(mujoco.mjtJoint.mjJNT_HINGE)

NUDGE = 1e-6
"""How far inputs are moved, either way: the central difference is then exact to about 1e-10 for smooth motion."""
MOST_SIMULATIONS = 4096
"""In a call of MuJoCo; what it takes of memory."""


class MujocoStep(LimbDynamics):
    """Steps any model, contacts, free joints and all; the same calls as `TorchLimb`.

    Forward, it is `mj_step` on `mujoco.batch`; backward, `mjd_transitionFD`, simulation by simulation. That does not
    compute anew what an input leaves as it is, and took half the time of a batch of two simulations for every input of
    every one, for all limbs here. The batch is left for what it cannot do: the force, the sites, the Runge-Kutta
    integrator. The solver starts cold, so that a step is a function of nothing but its inputs.
    """

    @classmethod
    def from_model(
        cls,
        model: mujoco.MjModel,
        *,
        sites: Sequence[str] | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
        threads: int = 1,
    ) -> Self:
        """Step a copy of a compiled model.

        Args:
            model: what `mj_step` would step.
            sites: names of the sites whose positions and velocities are asked for; None is all that have a name.
            dtype: of states and gradients; MuJoCo computes in double precision.
            device: of states and gradients; MuJoCo computes on the CPU.
            threads: of MuJoCo's batch; 0 is all CPUs.

        Raises:
            ConfigurationError: the model has a state beyond positions, velocities and activations.
        """
        return cls(model, sites, dtype, device, threads)

    def __init__(
        self,
        model: mujoco.MjModel,
        sites: Sequence[str] | None,
        dtype: torch.dtype,
        device: torch.device | str,
        threads: int,
    ) -> None:
        """As `from_model`."""
        model = copy.copy(model)
        _check(model)
        # what diverges is not to start afresh unnoticed, and nobody reads the sensors
        model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET | mujoco.mjtDisableBit.mjDSBL_SENSOR
        super().__init__(model, sites, dtype, device)
        self._ids = [model.site(name).id for name in self.sites]
        self._quaternions = model.nq != model.nv
        self._simulations, self._data = Batch(model, MOST_SIMULATIONS, threads), mujoco.MjData(model)

    def step(self, state: LimbState, control: Tensor, force: Tensor | None = None) -> LimbState:
        """As `LimbDynamics.step`."""
        push = torch.zeros_like(state.qvel) if force is None else force
        following = _differentiable(self._advance, self._pull_back, *state, control, push)
        return LimbState(*torch.split(following, [self.model.nq, self.model.nv, self.model.na], -1))

    def _positions(self, qpos: Tensor) -> Tensor:
        rows = _differentiable(self._place, self._differences(self._place), qpos.mT)
        return rows.mT.view(len(self.sites), 3, -1)

    def _jacobian(self, qpos: Tensor) -> Tensor:
        rows = _differentiable(self._lever, self._differences(self._lever), qpos.mT)
        return rows.mT.reshape(len(self.sites), 3, self.model.nv, -1)

    def _advance(self, qpos: Array, qvel: Array, activation: Array, control: Array, force: Array) -> Array:
        """The next positions, velocities and activations, (simulation, ...)."""
        simulations, ids = self._simulations, np.arange(len(qpos))
        for name, value in (("qpos", qpos), ("qvel", qvel), ("act", activation), ("ctrl", control)):
            simulations.bind(name)[ids] = value
        simulations.bind("qfrc_applied")[ids] = force
        simulations.bind("qacc_warmstart")[ids] = 0
        simulations.step(ids)
        return np.concatenate([simulations.bind(name)[ids] for name in ("qpos", "qvel", "act")], -1)

    def _place(self, qpos: Array) -> Array:
        """Positions of the sites, (simulation, site * 3)."""
        simulations, ids = self._simulations, np.arange(len(qpos))
        simulations.bind("qpos")[ids] = qpos
        simulations.bind("site_xpos")
        simulations.forward(ids, mujoco.mjtStage.mjSTAGE_POS.value)
        places: Array = simulations.bind("site_xpos")[ids][:, self._ids]
        return places.reshape(len(ids), -1)

    def _lever(self, qpos: Array) -> Array:
        """The sites' Jacobian, (simulation, site * 3 * joint)."""
        ids = np.arange(len(qpos))
        places = self._place(qpos).reshape(len(ids), -1, 3)
        bodies = self.model.site_bodyid[self._ids]
        levers = [self._simulations.jac(body, places[:, i], ids)[0] for i, body in enumerate(bodies)]
        return np.stack(levers, 1).reshape(len(ids), -1)

    def _tangents(self, qpos: Array) -> Array:
        """Where positions can go, (simulation or 1, joint, position): a quaternion stays on its sphere."""
        if not self._quaternions:
            return np.eye(self.model.nv)[None]
        tangents = np.zeros((len(qpos), self.model.nv, self.model.nq))
        for kind, position, joint in zip(
            self.model.jnt_type, self.model.jnt_qposadr, self.model.jnt_dofadr, strict=True
        ):
            if kind in SCALAR:
                tangents[:, joint, position] = 1
                continue
            if kind == FREE:
                tangents[:, range(joint, joint + 3), range(position, position + 3)] = 1
                position, joint = position + 3, joint + 3
            w, x, y, z = qpos[:, position : position + 4].T
            turns = np.array([[-x, w, z, -y], [-y, -z, w, x], [-z, y, -x, w]])  # 2 d quaternion / d local rotation
            tangents[:, joint : joint + 3, position : position + 4] = turns.transpose(2, 0, 1) / 2
        return tangents

    def _pull_back(self, inputs: Inputs, asked: Sequence[bool], following: Array, gradient: Array) -> Gradients:
        """Of a step."""
        differences = self._differences(self._advance)
        if self.model.opt.integrator == mujoco.mjtIntegrator.mjINT_RK4:
            return differences(inputs, asked, following, gradient)
        *_, force = differences(inputs, (False, False, False, False, asked[4]), following, gradient)
        if not any(asked[:4]):
            return [None, None, None, None, force]
        nq, nv, na = self.model.nq, self.model.nv, self.model.na
        moves = np.einsum("bjp,bp->bj", self._tangents(following[:, :nq]), gradient[:, :nq])
        slopes = self._transitions(inputs, np.hstack([moves, gradient[:, nq:]]))
        qpos, qvel, activation, control = np.split(slopes, [nv, 2 * nv, 2 * nv + na], 1)
        return [_along(self._tangents(inputs[0]), qpos), qvel, activation, control, force]

    def _transitions(self, inputs: Inputs, gradient: Array) -> Array:
        """From the gradient (simulation, tangent velocity activation) of what follows to that of state and controls."""
        model, data, size = self.model, self._data, gradient.shape[1]
        by_state, by_control = np.zeros((size, size)), np.zeros((size, model.nu))
        pulled = np.zeros((len(gradient), size + model.nu))
        for row, (qpos, qvel, activation, control, force) in enumerate(zip(*inputs, strict=True)):
            data.qpos, data.qvel, data.act, data.ctrl, data.qfrc_applied = qpos, qvel, activation, control, force
            data.qacc_warmstart = 0
            mujoco.mjd_transitionFD(model, data, NUDGE, True, by_state, by_control, None, None)
            pulled[row] = gradient[row] @ np.hstack([by_state, by_control])
        return pulled

    def _differences(self, function: Function) -> PullBack:
        """How gradients of any function of positions, and maybe more, are pulled back."""

        def pull_back(inputs: Inputs, asked: Sequence[bool], result: Array, gradient: Array) -> Gradients:
            found: list[Array | None] = []
            for place, (values, wanted) in enumerate(zip(inputs, asked, strict=True)):
                ways = np.eye(values.shape[1])[None] if place else self._tangents(values)
                found.append(_along(ways, _slopes(function, inputs, place, ways, gradient)) if wanted else None)
            return found

        return pull_back


def limb_dynamics(
    model: mujoco.MjModel,
    *,
    sites: Sequence[str] | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> LimbDynamics:
    """The twin of a model where it has one, and else `MujocoStep`, with a `RuntimeWarning` that says why.

    Raises:
        ConfigurationError: neither can step it.
    """
    try:
        return TorchLimb.from_model(model, sites=sites, dtype=dtype, device=device)
    except ConfigurationError as error:
        problem = f"MuJoCo's own step is used, with finite differences. {error.problem}"
        warnings.warn(problem, RuntimeWarning, stacklevel=2)
        return MujocoStep.from_model(model, sites=sites, dtype=dtype, device=device)


def _differentiable(function: Function, pull_back: PullBack, *inputs: Tensor) -> Tensor:
    result: Tensor = _External.apply(function, pull_back, *inputs)  # type: ignore[no-untyped-call]
    return result


class _External(torch.autograd.Function):
    """A function of arrays (simulation, ...), with a function that pulls its gradients back."""

    @staticmethod
    def forward(ctx: Any, function: Function, pull_back: PullBack, *inputs: Tensor) -> Tensor:
        ctx.pull_back, ctx.result = pull_back, _in_parts(function, [_array(values) for values in inputs])
        ctx.save_for_backward(*inputs)
        return torch.from_numpy(ctx.result).to(inputs[0])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        inputs = ctx.saved_tensors
        arrays = [_array(values) for values in inputs]
        found = ctx.pull_back(arrays, ctx.needs_input_grad[2:], ctx.result, _array(gradients[0]))
        back = (None if g is None else torch.from_numpy(g).to(x) for g, x in zip(found, inputs, strict=True))
        return None, None, *back


def _slopes(function: Function, inputs: Inputs, place: int, ways: Array, gradient: Array) -> Array:
    """Of values times gradient, along ways (simulation or 1, way, width) of one input: (simulation, way)."""
    batch, count = len(gradient), ways.shape[1]
    nudges = NUDGE * np.stack([ways, -ways], 2)  # (simulation or 1, way, both, width)
    nudged = [np.repeat(values, 2 * count, 0) for values in inputs]
    nudged[place] = (inputs[place][:, None, None] + nudges).reshape(nudged[place].shape)
    values = _in_parts(function, nudged).reshape(batch, count, 2, gradient.shape[1])
    slopes: Array = np.einsum("bwo,bo->bw", values[:, :, 0] - values[:, :, 1], gradient) / (2 * NUDGE)
    return slopes


def _along(ways: Array, slopes: Array) -> Array:
    """The gradient (simulation, width) whose slopes along orthogonal ways (simulation or 1, way, width) are these."""
    gradient: Array = (slopes[..., None] * ways / (ways * ways).sum(-1, keepdims=True)).sum(1)
    return gradient


def _in_parts(function: Function, inputs: Inputs) -> Array:
    """The function's values, with as many simulations at once as there are."""
    starts = range(0, max(1, len(inputs[0])), MOST_SIMULATIONS)
    return np.concatenate([function(*(values[i : i + MOST_SIMULATIONS] for values in inputs)) for i in starts])


def _array(values: Tensor) -> Array:
    array: Array = values.detach().cpu().numpy().astype(float)
    return array


def _check(model: mujoco.MjModel) -> None:
    """Say that there is more state than what is carried from step to step."""
    more = {
        "delays of actuators or sensors": model.nhistory,
        "plastic deformation": model.nplastic,
        "plugins with a state": model.npluginstate,
        "sleeping": model.opt.enableflags & mujoco.mjtEnableBit.mjENBL_SLEEP,
    }
    found = [name for name, has in more.items() if has]
    if found:
        raise ConfigurationError(
            f"A step can have no state but positions, velocities and activations; the model has {', '.join(found)}.",
            "Take them out of the model.",
        )
