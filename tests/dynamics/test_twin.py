"""The twin is held to MuJoCo: steps, rollouts, gradients, for every limb of the project and for drawn ones."""

import mujoco
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from motorctl.dynamics import LimbState, TorchLimb
from motorctl.dynamics import twin as twin_module
from motorctl.dynamics.harmonics import TooManyTerms
from motorctl.dynamics.support import obstacles
from motorctl.envs.registry import DEFINITIONS

LIMBS = sorted({(d.limb.__name__, command) for d in DEFINITIONS.values() for command in d.commands})


def limb_model(name, command):
    """The model that the environments run."""
    limb = next(d.limb for d in DEFINITIONS.values() if d.limb.__name__ == name)
    return limb(command, 0.02).model


ACCEPTED = [pytest.param(*limb, id="-".join(limb)) for limb in LIMBS if not obstacles(limb_model(*limb))]
each_limb = pytest.mark.parametrize(("name", "command"), ACCEPTED)
shapes = st.integers(1, 4).flatmap(
    lambda count: st.tuples(
        st.tuples(*(st.integers(-1, body - 1) for body in range(count))),
        st.tuples(*(st.sampled_from(["h", "h", "s", "hh", "sh"]) for _ in range(count))),
    )
)
drawn = {
    "seed": st.integers(0, 2**31),
    "shape": shapes,
    "planar": st.booleans(),
    "integrator": st.sampled_from(["Euler", "implicitfast"]),
}


def close(got, want, tolerance):
    """Each part agrees relative to its own size."""
    for one, other in zip(got, want, strict=True):
        one, other = np.asarray(one), np.asarray(other)
        size = max(1.0, np.abs(other).max(initial=0))
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance * size)


def step(limb, rows):
    qpos, qvel, activation, control, force = (torch.tensor(row) for row in rows)
    return [part.numpy() for part in limb.step(LimbState(qpos, qvel, activation), control, force)]


def test_the_arms_are_accepted():
    assert {name for name, _ in (limb.values for limb in ACCEPTED)} == {"arm", "arm3d"}


@each_limb
def test_steps_are_mujocos(name, command, states, mj_step):
    model = limb_model(name, command)
    rows = states(model, 50, seed=1)
    close(step(TorchLimb.from_model(model, dtype=torch.float64), rows), mj_step(model, *rows), 1e-9)


@each_limb
def test_rollouts_are_mujocos(name, command, states):
    model = limb_model(name, command)
    limb, data = TorchLimb.from_model(model, dtype=torch.float64), mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key("rest").id)
    state = limb.initial_state(1, "rest")
    controls = states(model, 20, seed=2)[3].repeat(10, 0)
    for control in controls:
        data.ctrl = control
        mujoco.mj_step(model, data)
        state = limb.step(state, torch.tensor(control)[None])
    close([part[0] for part in state], (data.qpos, data.qvel, data.act), 1e-6)
    mujoco.mj_forward(model, data)
    positions = limb.site_positions(state)[0]
    close([positions], [np.array([data.site(site).xpos for site in limb.sites])], 1e-6)


def sound(model, qpos, qvel, act, ctrl, force):
    """Whether MuJoCo itself can take the step: a drawn drive may push along a movement so hard that implicitfast's
    matrix is not positive definite, and MuJoCo replaces its pivots."""
    data = mujoco.MjData(model)
    data.qpos, data.qvel, data.act, data.ctrl, data.qfrc_applied = qpos, qvel, act, ctrl, force
    mujoco.mj_step(model, data)
    return not warned(data)


def warned(data):
    return any(warning.number for warning in data.warning)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(**drawn)
def test_steps_of_drawn_limbs_are_mujocos(seed, shape, planar, integrator, draw, states, mj_step):
    model = draw(seed, *shape, planar, integrator)
    rows = states(model, 3, seed)
    assume(all(sound(model, *row) for row in zip(*rows, strict=True)))
    close(step(TorchLimb.from_model(model, dtype=torch.float64), rows), mj_step(model, *rows), 1e-9)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(**drawn)
def test_rollouts_of_drawn_limbs_are_mujocos(seed, shape, planar, integrator, draw, states):
    model = draw(seed, *shape, planar, integrator)
    limb, data = TorchLimb.from_model(model, dtype=torch.float64), mujoco.MjData(model)
    state = limb.initial_state(1)
    for control in states(model, 20, seed)[3].repeat(10, 0):
        data.ctrl = control
        mujoco.mj_step(model, data)
        assume(not warned(data))
        state = limb.step(state, torch.tensor(control)[None])
    assume(np.abs(data.qvel).max() < 100)  # beyond, MuJoCo's own step of this model is not stable
    close([part[0] for part in state], (data.qpos, data.qvel, data.act), 1e-6)


def test_both_forms_of_the_equations_agree(monkeypatch, states):
    """What has a closed form goes through spatial vectors as well."""
    model = limb_model("arm", "muscles")
    rows = states(model, 20, seed=3)
    closed = TorchLimb.from_model(model, dtype=torch.float64)
    monkeypatch.setattr(twin_module, "ClosedForm", _no_closed_form)
    spatial = TorchLimb.from_model(model, dtype=torch.float64)
    close(step(spatial, rows), step(closed, rows), 1e-11)
    state = LimbState(*(torch.tensor(row) for row in rows[:3]))
    close([spatial.site_velocities(state)], [closed.site_velocities(state)], 1e-11)


def _no_closed_form(*_):
    raise TooManyTerms


def gradients(limb, rows, weights):
    """Of a weighted sum of what follows a step, with respect to all inputs."""
    inputs = [torch.tensor(row, requires_grad=True) for row in rows]
    following = limb.step(LimbState(*inputs[:3]), *inputs[3:])
    sum((part * torch.tensor(weight)).sum() for part, weight in zip(following, weights, strict=True)).backward()
    return [value.grad.numpy() for value in inputs]


def differences(model, rows, weights, mj_step):
    """The same by central differences of `mj_step`."""
    found = []
    for place, row in enumerate(rows):
        slopes = np.zeros_like(row)
        for column in range(row.shape[1]):
            ends = []
            for nudge in (1e-6, -1e-6):
                nudged = [value.copy() for value in rows]
                nudged[place][:, column] += nudge
                following = mj_step(model, *nudged)
                ends.append(sum((part * weight).sum(-1) for part, weight in zip(following, weights, strict=True)))
            slopes[:, column] = (ends[0] - ends[1]) / 2e-6
        found.append(slopes)
    return found


@each_limb
def test_gradients_are_those_of_mujoco(name, command, states, mj_step):
    model = limb_model(name, command)
    rows = states(model, 10, seed=4)
    weights = [np.random.default_rng(5).normal(size=row.shape) for row in rows[:3]]
    got = gradients(TorchLimb.from_model(model, dtype=torch.float64), rows, weights)
    close(got, differences(model, rows, weights, mj_step), 1e-5)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(**drawn)
def test_gradients_of_drawn_limbs_are_those_of_mujoco(seed, shape, planar, integrator, draw, states, mj_step):
    model = draw(seed, *shape, planar, integrator)
    rows = states(model, 2, seed)
    weights = [np.random.default_rng(seed).normal(size=row.shape) for row in rows[:3]]
    got = gradients(TorchLimb.from_model(model, dtype=torch.float64), rows, weights)
    close(got, differences(model, rows, weights, mj_step), 1e-5)


@each_limb
def test_sites_move_as_mujocos(name, command, states):
    model = limb_model(name, command)
    qpos, qvel, activation, *_ = states(model, 5, seed=6)
    limb = TorchLimb.from_model(model, sites=("hand",), dtype=torch.float64)
    state = LimbState(*(torch.tensor(row) for row in (qpos, qvel, activation)))
    force = np.random.default_rng(7).normal(size=(5, 1, 3))
    data, lever = mujoco.MjData(model), np.zeros((3, model.nv))
    want = []
    for row in range(5):
        data.qpos, data.qvel = qpos[row], qvel[row]
        mujoco.mj_forward(model, data)
        mujoco.mj_jacSite(model, data, lever, None, model.site("hand").id)
        want.append((data.site("hand").xpos.copy(), lever @ data.qvel, force[row, 0] @ lever))
    got = limb.site_positions(state), limb.site_velocities(state), limb.site_torques(state, torch.tensor(force))
    close([got[0][:, 0], got[1][:, 0], got[2]], [np.array(part) for part in zip(*want, strict=True)], 1e-9)


def test_single_precision_is_the_default_and_near(states, mj_step):
    model = limb_model("arm", "muscles")
    limb, rows = TorchLimb.from_model(model), states(model, 50, seed=8)
    following = limb.step(LimbState(*(torch.tensor(row).float() for row in rows[:3])), torch.tensor(rows[3]).float())
    assert {part.dtype for part in (*following, *limb.initial_state(2))} == {torch.float32}
    close(following, mj_step(model, *rows[:4], 0 * rows[4]), 1e-4)


def test_later_changes_of_the_model_do_not_count(states):
    model = limb_model("arm", "muscles")
    limb, rows = TorchLimb.from_model(model, dtype=torch.float64), states(model, 3, seed=9)
    before = step(limb, rows)
    model.opt.timestep, model.key_qpos[:], model.body_mass[:] = 0.1, 0, 9
    close(step(limb, rows), before, 0)
    assert limb.initial_state(1, "rest").qpos.any()
