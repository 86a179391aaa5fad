"""MuJoCo's own step with gradients: the twin's where there is a twin, central differences elsewhere."""

import mujoco
import numpy as np
import pytest
import torch

from motorctl.dynamics import LimbState, MujocoStep, TorchLimb, limb_dynamics
from motorctl.envs.registry import DEFINITIONS
from motorctl.errors import ConfigurationError

TWINNED = [("ArmReach", "muscles"), ("ArmReach", "torque"), ("Arm3dReach", "torque")]
OTHERS = [("HandGrasp", 0), ("LegGait", 0)]
FALLING = """
<mujoco>
  <option timestep="0.002" {option}/>
  <worldbody>
    <body pos="0 0 1">
      <joint type="ball" pos="0 0 0.2"/>
      <geom type="box" size="0.05 0.1 0.2"/>
      <body pos="0 0 -0.3"><joint type="hinge" axis="1 0 0"/><geom size="0.05"/></body>
    </body>
    <body name="thrown" pos="1 0 2"><freejoint/><geom type="box" size="0.1 0.2 0.3"/></body>
  </worldbody>
</mujoco>
"""


def everything(limb, rows, force):
    """What a step and the sites give, and the gradients of a weighted sum of it with respect to all inputs."""
    inputs = [torch.tensor(row, requires_grad=True) for row in (*rows, force)]
    state = LimbState(*inputs[:3])
    following = limb.step(state, inputs[3], inputs[4] + limb.site_torques(state, inputs[5]))
    results = [*following, limb.site_positions(following), limb.site_velocities(following)]
    random = torch.Generator().manual_seed(1)
    total = sum((part * torch.randn(part.shape, generator=random, dtype=torch.float64)).sum() for part in results)
    return [part.detach() for part in results], torch.autograd.grad(total, inputs)


@pytest.mark.parametrize(("name", "command"), TWINNED)
def test_it_agrees_with_the_twin(name, command, states):
    model = DEFINITIONS[name].limb(command, 0.02).model
    rows, force = states(model, 4, seed=1), np.random.default_rng(2).normal(size=(4, 1, 3))
    options = {"sites": ("hand",), "dtype": torch.float64}
    results, gradients = everything(MujocoStep.from_model(model, **options), rows, force)
    twins, twin_gradients = everything(TorchLimb.from_model(model, **options), rows, force)
    for part, twin in zip((*results, *gradients), (*twins, *twin_gradients), strict=True):
        torch.testing.assert_close(part, twin, rtol=1e-4, atol=1e-4 * twin.abs().max().item() if twin.numel() else 0)


@pytest.mark.parametrize("option", ["", 'integrator="RK4"'], ids=["Euler", "RK4"])
def test_gradients_of_turning_bodies_are_central_differences(option):
    """Ball and free joints: along every way that positions can go, in the tangent of the quaternions."""
    model = mujoco.MjModel.from_xml_string(FALLING.format(option=option))
    limb = MujocoStep.from_model(model, dtype=torch.float64)
    random = np.random.default_rng(3)
    qpos, qvel = limb.initial_state(1).qpos.numpy()[0], random.normal(size=model.nv)
    mujoco.mj_integratePos(model, qpos, random.normal(size=model.nv), 0.5)
    weight = torch.tensor(random.normal(size=model.nq + model.nv))
    start = torch.tensor(qpos[None], requires_grad=True)
    speed = torch.tensor(qvel[None], requires_grad=True)
    empty = torch.zeros(1, 0, dtype=torch.float64)
    following = limb.step(LimbState(start, speed, empty), empty)
    (torch.cat(following[:2], -1)[0] * weight).sum().backward()

    def after(nudge):
        """The weighted sum from a start moved along a way, (position and velocity)."""
        data = mujoco.MjData(model)
        data.qpos, data.qvel = qpos, qvel + nudge[model.nv :]
        mujoco.mj_integratePos(model, data.qpos, nudge[: model.nv], 1)
        where = data.qpos.copy()
        mujoco.mj_step(model, data)
        return where, weight.numpy() @ np.concatenate([data.qpos, data.qvel])

    for way in np.eye(2 * model.nv):
        (ahead, more), (behind, less) = after(1e-5 * way), after(-1e-5 * way)
        tangent = (ahead - behind) / 2e-5
        along = start.grad[0].numpy() @ tangent + speed.grad[0].numpy() @ way[model.nv :]
        assert along == pytest.approx((more - less) / 2e-5, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize(("name", "command"), OTHERS)
def test_limbs_with_contacts_have_it(name, command):
    """Steps are MuJoCo's, and a control goes down its gradient's slope, in contact."""
    definition = DEFINITIONS[name]
    model = definition.limb(definition.commands[command], 0.02).model
    with pytest.warns(RuntimeWarning, match="contacts"):
        limb = limb_dynamics(model, dtype=torch.float64)
    assert isinstance(limb, MujocoStep)
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key("rest").id)
    data.ctrl = control = np.full(model.nu, 0.3)
    mujoco.mj_step(model, data, nstep=100)
    assert data.ncon
    start = tuple(torch.tensor(part[None].copy()) for part in (data.qpos, data.qvel, data.act))
    driven = torch.tensor(control[None] + 0.2, requires_grad=True)  # not at the kink where it is the activation
    state, data.ctrl = LimbState(*start), control + 0.2
    for _ in range(3):
        state = limb.step(state, driven)
        data.qacc_warmstart = 0
        mujoco.mj_step(model, data)
    np.testing.assert_allclose(state.qpos[0].detach(), data.qpos, rtol=1e-6, atol=1e-9)
    state.qvel.square().sum().backward()

    def speed(nudge):
        state = LimbState(*start)
        for _ in range(3):
            state = limb.step(state, driven.detach() + nudge * driven.grad)
        return state.qvel.square().sum().item()

    size = 1e-4 / driven.grad.norm().item()
    assert (speed(size) - speed(-size)) / (2 * size) == pytest.approx(driven.grad.square().sum().item(), rel=1e-2)


def test_many_simulations_take_turns(monkeypatch, states):
    """More than fit in a batch give what each gives alone."""
    monkeypatch.setattr("motorctl.dynamics.mujoco_step.MOST_SIMULATIONS", 7)
    model = DEFINITIONS["ArmReach"].limb("muscles", 0.02).model
    limb, rows = MujocoStep.from_model(model, sites=("hand",), dtype=torch.float64), states(model, 10, seed=5)
    force = np.ones((10, 1, 3))
    together, gradients = everything(limb, rows, force)
    for part in (slice(0, 4), slice(4, 10)):
        alone = LimbState(*(torch.tensor(row[part]) for row in rows[:3]))
        push = torch.tensor(rows[4][part]) + limb.site_torques(alone, torch.tensor(force[part]))
        assert torch.equal(limb.step(alone, torch.tensor(rows[3][part]), push).qvel, together[1][part])
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_what_diverges_is_not_started_afresh():
    """MuJoCo alone would reset the state and go on."""
    model = DEFINITIONS["ArmReach"].limb("torque", 0.02).model
    limb = MujocoStep.from_model(model, dtype=torch.float64)
    state = limb.initial_state(2, "rest")
    state.qvel[1] = torch.nan
    following = limb.step(state, torch.zeros(2, 2, dtype=torch.float64))
    assert following.qvel[0].isfinite().all() and following.qvel[1].isnan().all()


def test_a_state_of_its_own_is_refused():
    body = '<body><joint name="j"/><geom size="1"/></body>'
    motor = '<motor joint="j" delay="0.1" nsample="60"/>'
    delayed = f"<mujoco><worldbody>{body}</worldbody><actuator>{motor}</actuator></mujoco>"
    with pytest.raises(ConfigurationError, match="delays of actuators"):
        MujocoStep.from_model(mujoco.MjModel.from_xml_string(delayed))


def test_what_has_a_twin_gets_it():
    assert isinstance(limb_dynamics(DEFINITIONS["ArmReach"].limb("muscles", 0.02).model), TorchLimb)
