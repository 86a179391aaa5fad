"""The whole loop in one graph: the same episodes as the closed loop in MuJoCo, and gradients where they are wanted."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import torch

from motorctl.agents import ControllerConfig, RecurrentController
from motorctl.envs import make_vec
from motorctl.errors import ConfigurationError
from motorctl.evaluation.closed_loop import ClosedLoop
from motorctl.person.brain import make_brain
from motorctl.person.user import User
from motorctl.signals.pipeline import PipelineConfig
from motorctl.training import bptt_eeg
from motorctl.training.bptt_eeg import Bounded, Watcher, fitted_pipeline, watched_practice
from motorctl.training.led_world import LedWorld
from motorctl.training.limb_world import LimbWorld, reaching_environment
from motorctl.training.steering import way_to_steer

ENVIRONMENT, SEED = "motorctl/ArmReach-v0", 4
Command = Literal["velocity", "muscles"]


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> tuple[LimbWorld | LedWorld, Watcher]:
    command: Command = request.param
    monkeypatch.setattr(bptt_eeg, "FITTED_ON", (2, 4.0))
    env = reaching_environment(ENVIRONMENT, {"command": command})
    world = LedWorld(env) if command == "velocity" else LimbWorld(env, {"command": command})
    user, brain = User(50.0), make_brain("ideal")
    config = PipelineConfig(amplitude_band=(0.0, 8.0), power_bands=())
    return world, Watcher(user, brain, fitted_pipeline(config, world.task, user, brain, 0))


def controller_of(world: LimbWorld | LedWorld, watcher: Watcher) -> RecurrentController:
    torch.manual_seed(1)
    size = len(world.most)
    return RecurrentController(ControllerConfig(widths=(8,)), len(watcher.pipeline.names), size, scale=0.4)


@pytest.fixture
def imagining(monkeypatch: pytest.MonkeyPatch) -> tuple[LedWorld, Watcher]:
    """Somebody who steers by imagery, at 25 control steps a second."""
    monkeypatch.setattr(bptt_eeg, "FITTED_ON", (2, 4.0))
    way = way_to_steer("realistic")
    env = reaching_environment(ENVIRONMENT, {"command": "velocity", "control_rate": way.pipeline.rate})
    world, user, brain = LedWorld(env), User(way.pipeline.rate), make_brain("realistic", way.electrodes)
    pipeline = fitted_pipeline(way.pipeline, world.task, user, brain, 0)
    return world, Watcher(user, brain, pipeline, imagine=way.imagine)


both = pytest.mark.parametrize("parts", ["velocity", "muscles"], indirect=True)


@both
def test_practice_is_the_closed_loop(parts: tuple[LimbWorld | LedWorld, Watcher]) -> None:
    assert_practice_is_the_closed_loop(*parts)


def test_practice_by_imagery_is_the_closed_loop(imagining: tuple[LedWorld, Watcher]) -> None:
    assert_practice_is_the_closed_loop(*imagining)


def assert_practice_is_the_closed_loop(world: LimbWorld | LedWorld, watcher: Watcher) -> None:
    controller, steps = controller_of(world, watcher), 20
    movement = watched_practice(world, watcher, controller, 3)(steps, SEED)
    env = make_vec(ENVIRONMENT, 3, 1, command=world.env.command, control_rate=watcher.user.rate)
    loop = ClosedLoop(env, watcher.user, watcher.brain, watcher.pipeline, watcher.imagine)
    moment, state = loop.reset(SEED), controller.initial_state(3)
    for step in range(steps):
        assert movement.target[:, step].numpy() == pytest.approx(moment.info["target_position"], abs=1e-6)
        with torch.no_grad():
            command, state = controller(moment.features[:, None], state)
        moment = loop.step(command[:, 0])
        assert movement.hand[:, step].detach().numpy() == pytest.approx(moment.info["hand_position"], abs=1e-4)


@both
def test_gradients_through_what_the_person_sees_can_be_stopped(parts: tuple[LimbWorld | LedWorld, Watcher]) -> None:
    world, watcher = parts

    def gradient(feedback: bool, steps: int) -> torch.Tensor:
        controller = controller_of(world, watcher)
        own = Watcher(watcher.user, watcher.brain, watcher.pipeline, feedback)
        movement = watched_practice(world, own, controller, 2)(steps, SEED)
        torch.autograd.backward((movement.hand - movement.target).abs().mean())
        found = controller.readout.weight.grad
        assert found is not None and found.abs().sum() > 0
        return found

    soon, late = 5, 5 + 2 * watcher.user.delay_steps  # what is seen now changes nothing before the person's delay
    assert torch.allclose(gradient(True, soon), gradient(False, soon), rtol=1e-5)
    with_feedback, without = gradient(True, late), gradient(False, late)
    assert (with_feedback - without).norm() > 1e-3 * without.norm()


def test_a_bound_lets_gradients_pass_that_lead_back() -> None:
    values = torch.tensor([-1.0, -1.0, 0.5, 2.0, 2.0], requires_grad=True)
    weights = torch.tensor([1.0, -1.0, 3.0, 1.0, -1.0])  # descent lowers where the weight is above 0
    bounded = Bounded.apply(values, torch.zeros(5), torch.ones(5))
    torch.autograd.backward((weights * bounded).sum())
    assert bounded.tolist() == [0, 0, 0.5, 1, 1]
    assert values.grad is not None and values.grad.tolist() == [0, -1, 3, 1, 0]


@pytest.mark.parametrize("parts", ["velocity"], indirect=True)
def test_a_led_hand_has_the_gradient_of_one_that_does_what_it_is_told(parts: tuple[LedWorld, Watcher]) -> None:
    world, _ = parts
    targets = torch.tensor([[0.0, 0.5]])
    velocity = torch.tensor([[0.2, -0.1]], requires_grad=True)
    state = world.start(targets)
    for _ in range(25):
        state, outputs = world.move(state, velocity, targets)
    torch.autograd.backward(state.hand[0, 0])
    assert velocity.grad is not None and velocity.grad[0].tolist() == pytest.approx([25 * world.period, 0.0])
    moved = (state.hand - world.start(targets).hand)[0].detach().numpy()
    assert moved == pytest.approx(25 * world.period * np.array([0.2, -0.1]), abs=0.03)  # and it does, by the leash
    assert world.outcome(outputs).hand.shape == (1, 2)


def test_only_a_planar_arm_is_led() -> None:
    with pytest.raises(ConfigurationError, match="not a planar arm"):
        LedWorld(reaching_environment("motorctl/Arm3dReach-v0", {"command": "velocity"}))
