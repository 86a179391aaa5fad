"""Compiled episodes: what :func:`roll_out` gives, and its gradients, for every cell, batch and precision."""

from collections.abc import Iterator
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from motorctl.agents import ControllerConfig, RecurrentController
from motorctl.dynamics import LimbState, TorchLimb
from motorctl.dynamics.compiled import CompiledRollout, compile_rollout, torch_compiled
from motorctl.dynamics.rollout import roll_out
from motorctl.dynamics.world import Rollout
from motorctl.envs.limb import MUSCLES, load
from motorctl.errors import ConfigurationError

DELAY = 2


class Pendulum:
    """A driven pendulum, seen late: the state is angle, velocity and a line of angles."""

    def observe(self, state: Tensor, inputs: Tensor) -> Tensor:
        return torch.cat([state[:, -1:].sin(), state[:, 1:2], inputs[:, :1]], dim=1)

    def advance(self, state: Tensor, command: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
        angle, velocity, line = state.split([1, 1, DELAY], dim=1)
        velocity = velocity + 0.1 * (torch.tanh(command[:, :1]) - angle.sin() + inputs[:, 1:] * velocity.detach())
        angle = angle + 0.1 * velocity
        return torch.cat([angle, velocity, angle, line[:, :-1]], dim=1), torch.cat(
            [angle.cos(), command.square()], dim=1
        )


class Arm:
    """The project's arm, its muscles excited."""

    def __init__(self) -> None:
        self.limb = TorchLimb.from_model(load("arm", MUSCLES), sites=["hand"])

    def observe(self, state: Tensor, inputs: Tensor) -> Tensor:
        limb = LimbState(*state.split([2, 2, 6], dim=1))
        return torch.cat([inputs, self.limb.site_positions(limb)[:, 0, :2], *self.limb.actuator_lengths(limb)], dim=1)

    def advance(self, state: Tensor, command: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
        limb = self.limb.step(LimbState(*state.split([2, 2, 6], dim=1)), torch.sigmoid(command))
        return torch.cat(limb, dim=1), self.limb.site_positions(limb)[:, 0, :2]


def pendulums(batch: int, time: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    torch.manual_seed(batch)
    return torch.randn(batch, 2 + DELAY, dtype=dtype), torch.randn(batch, time, 2, dtype=dtype)


def controller_of(config: ControllerConfig, features: int, commands: int) -> RecurrentController:
    torch.manual_seed(3)
    return RecurrentController(config, features, commands, scale=0.7)


@pytest.fixture(scope="module")
def gru() -> Iterator[CompiledRollout]:
    controller = controller_of(ControllerConfig("gru", (12,)), 3, 2).double()
    yield CompiledRollout(controller, Pendulum(), *pendulums(1, 1))


def gradients(rollout: Rollout, *wanted: Tensor) -> list[Tensor]:
    """Of a sum in which every number counts."""
    weights = [torch.linspace(0.1, 1, r[0].numel(), dtype=r.dtype).reshape(r.shape[1:]) for r in rollout]
    loss = sum(
        ((r * w).sum() for r, w in zip(rollout, weights, strict=True)), torch.zeros((), dtype=rollout.states.dtype)
    )
    return list(torch.autograd.grad(loss, wanted))


def assert_equal(ours: list[Tensor], theirs: list[Tensor], tolerance: float) -> None:
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=tolerance * max(1.0, float(b.detach().abs().max())))


@pytest.mark.parametrize(
    "config",
    [
        ControllerConfig("gru", (9, 5), learned_state=True),
        ControllerConfig("lstm", (7, 10)),
        ControllerConfig("rnn", (8,)),
        ControllerConfig("rnn", (8,), nonlinearity="sigmoid"),
    ],
    ids=lambda config: f"{config.cell}-{config.nonlinearity}",
)
def test_every_cell_equals_torch(config: ControllerConfig) -> None:
    controller, world = controller_of(config, 3, 2).double(), Pendulum()
    state, inputs = (x.requires_grad_() for x in pendulums(19, 11))
    compiled = CompiledRollout(controller, world, state, inputs)
    wanted = (state, inputs, *controller.parameters())
    results = []
    for run in (compiled(state, inputs), roll_out(controller, world, state, inputs)):
        results.append([*run, *gradients(run, *wanted)])
    assert_equal(*results, 1e-12)


def test_the_arm_in_single_precision() -> None:
    world, controller = Arm(), controller_of(ControllerConfig("gru", (64,)), 16, 6)
    torch.manual_seed(0)
    state = torch.cat([0.8 + 0.6 * torch.rand(33, 2), 0.1 * torch.randn(33, 2), torch.rand(33, 6)], 1).requires_grad_()
    inputs = torch.randn(33, 10, 2)
    results = []
    for run in (
        compile_rollout(controller, world, state, inputs)(state, inputs),
        roll_out(controller, world, state, inputs),
    ):
        results.append([*run, *gradients(run, state, *controller.parameters())])
    assert_equal(*results, 1e-5)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 5), st.integers(1, 2))
def test_any_batch_length_chunk_and_number_of_threads(
    gru: CompiledRollout, batch: int, time: int, checkpoint: int, threads: int
) -> None:
    state, inputs = (x.requires_grad_() for x in pendulums(batch, time))
    wanted = (state, inputs, *gru.controller.parameters())
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        ours = gru(state, inputs, checkpoint=checkpoint)
        theirs = roll_out(gru.controller, Pendulum(), state, inputs)
        assert_equal([*ours, *gradients(ours, *wanted)], [*theirs, *gradients(theirs, *wanted)], 1e-11)
    finally:
        torch.set_num_threads(before)


@given(st.integers(1, 9))
def test_an_episode_goes_on_where_one_ended(gru: CompiledRollout, cut: int) -> None:
    state, inputs = pendulums(5, 10)
    whole = gru(state, inputs)
    first = gru(state, inputs[:, :cut])
    second = gru(first.states[:, -1], inputs[:, cut:], first.hidden[:, -1])
    assert_equal([torch.cat(parts, 1) for parts in zip(first, second, strict=True)], list(whole), 0.0)


def test_weights_can_change_after_compiling(gru: CompiledRollout) -> None:
    state, inputs = pendulums(4, 6)
    before = gru(state, inputs)
    with torch.no_grad():
        gru.controller.readout.weight += 0.5
    after = gru(state, inputs)
    assert not torch.allclose(after.commands, before.commands)
    assert_equal(list(after), list(roll_out(gru.controller, Pendulum(), state, inputs)), 1e-12)


def test_two_episodes_can_wait_for_their_gradients(gru: CompiledRollout) -> None:
    state, inputs = (x.requires_grad_() for x in pendulums(6, 8))
    first, second = gru(state, inputs), gru(2 * state, inputs)
    (late,) = torch.autograd.grad(second.outputs.sum(), state)
    (early,) = torch.autograd.grad(first.outputs.sum(), state)
    alone = [torch.autograd.grad(gru(s, inputs).outputs.sum(), state)[0] for s in (2 * state, state)]
    assert_equal([late, early], alone, 0.0)


def test_gradients_are_given_once(gru: CompiledRollout) -> None:
    state, inputs = pendulums(3, 4)
    loss = gru(state, inputs).outputs.sum()
    torch.autograd.backward(loss, retain_graph=True)
    with pytest.raises(RuntimeError, match="once"):
        torch.autograd.backward(loss)


def test_nan_stays_in_its_lane(gru: CompiledRollout) -> None:
    state, inputs = pendulums(20, 5)
    bad = state.clone()
    bad[7, 0] = torch.nan
    good, spoilt = gru(state, inputs).outputs, gru(bad, inputs).outputs
    assert spoilt[7].isnan().any()
    others = [lane for lane in range(20) if lane != 7]
    assert_equal([spoilt[others]], [good[others]], 0.0)


class Functions:
    """Gives every function that the kernel has its own code for."""

    def observe(self, state: Tensor, inputs: Tensor) -> Tensor:
        return state

    def advance(self, state: Tensor, command: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
        x = inputs
        positive = x.abs() + 1e-3
        parts = [
            x.sin(),
            x.cos(),
            torch.exp(x / 10),
            x.tanh(),
            torch.sigmoid(x),
            positive.log(),
            positive.sqrt(),
            x.floor(),
        ]
        more = [
            torch.atan2(x, 1 - x),
            torch.asin(x / 100),
            torch.acos(x / 100),
            x.sign(),
            x.clamp(-1, 1),
            torch.maximum(x, -x),
        ]
        return state, torch.cat([*parts, *more, x**3, torch.where((x > 0) & (x < 2) | (x == 5), x, -x)], dim=1)


def test_functions_in_single_precision() -> None:
    controller, world = controller_of(ControllerConfig("rnn", (1,)), 1, 1), Functions()
    x = torch.cat([torch.linspace(-80, 80, 4001), torch.tensor([0.0, -0.0, 5.0, 1e-30, -1e-7])])
    state, inputs = torch.zeros(1, 1), x[None, :, None]
    compiled = CompiledRollout(controller, world, state, inputs)(state, inputs).outputs[0]
    expected = world.advance(torch.zeros(len(x), 1), torch.zeros(len(x), 1), x[:, None])[1]
    torch.testing.assert_close(compiled, expected, rtol=2e-6, atol=2e-6)


def test_without_a_compiler_a_warning_and_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "/nonexistent")
    controller, world = controller_of(ControllerConfig("gru", (4,)), 3, 2).double(), Pendulum()
    state, inputs = pendulums(3, 5)
    with pytest.warns(RuntimeWarning, match="'/nonexistent' is not there"):
        run = compile_rollout(controller, world, state, inputs)
    assert_equal(list(run(state, inputs)), list(roll_out(controller, world, state, inputs)), 0.0)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings(  # torch's own
    "ignore:`torch.jit:DeprecationWarning",
    "ignore:The .grad:UserWarning",
    "ignore:The distutils package:DeprecationWarning",
)
def test_torch_compile_gives_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs on a GPU, on the CPU; and without a compiler it is said."""
    controller, world = controller_of(ControllerConfig("gru", (4,)), 3, 2).double(), Pendulum()
    state, inputs = (x.requires_grad_() for x in pendulums(3, 5))
    wanted = (state, inputs, *controller.parameters())
    results = []
    for run in (torch_compiled(controller, world, state, inputs), partial(roll_out, controller, world)):
        for checkpoint in (0, 2):
            rollout = run(state, inputs, checkpoint=checkpoint)
            results.append([*rollout, *gradients(rollout, *wanted)])
    for other in results[:-1]:
        assert_equal(other, results[-1], 1e-12)
    torch.compiler.reset()
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", ("/nonexistent",))
    monkeypatch.setattr("torch._inductor.config.force_disable_caches", True)
    with pytest.raises(ConfigurationError, match="torch.compile failed"):
        torch_compiled(controller, Pendulum(), state, inputs)


def test_a_failing_compiler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "false")
    controller = controller_of(ControllerConfig("gru", (4,)), 3, 2).double()
    with pytest.raises(ConfigurationError, match="false failed"):
        CompiledRollout(controller, Pendulum(), *pendulums(1, 1))


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (ControllerConfig("gru", (4,), layer_norm=True), "layer normalisation"),
        (ControllerConfig("gru", (4,), dropout=0.1), "dropout"),
        (ControllerConfig("gru", (4,), bidirectional=True), "reading both ways"),
    ],
)
def test_controllers_that_have_no_compiled_form(config: ControllerConfig, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        CompiledRollout(controller_of(config, 3, 2).double(), Pendulum(), *pendulums(1, 1))


def test_a_controller_for_another_world() -> None:
    with pytest.raises(ConfigurationError, match="takes 5 features, the world shows 3"):
        CompiledRollout(controller_of(ControllerConfig("gru", (4,)), 5, 2).double(), Pendulum(), *pendulums(1, 1))
