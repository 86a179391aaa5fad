"""The numpy step gives torch's numbers and holds no more after any number of steps."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motorctl.agents import CELLS, ControllerConfig, RecurrentController, Stepper, from_torch
from motorctl.errors import ConfigurationError

KINDS = ["tanh", "sigmoid", "relu", "lstm", "gru"]


def make(kind: str, **options: Any) -> RecurrentController:
    torch.manual_seed(0)
    cell, nonlinearity = (kind, "tanh") if kind in CELLS else ("rnn", kind)
    config = ControllerConfig(cell, nonlinearity=nonlinearity, **{"widths": (7, 5)} | options)  # type: ignore[arg-type]
    controller = RecurrentController(config, features=3, commands=2, scale=0.3)
    for parameter in controller.initial:
        torch.nn.init.normal_(parameter)
    return controller.eval()


@pytest.mark.parametrize("kind", KINDS)
@given(
    layer_norm=st.booleans(),
    learned_state=st.booleans(),
    size=st.sampled_from([1e-3, 1.0, 1e3]),
    before=st.integers(0, 9),
)
@settings(max_examples=10, deadline=None)
@torch.inference_mode()
def test_steps_are_torchs(kind: str, layer_norm: bool, learned_state: bool, size: float, before: int) -> None:
    controller = make(kind, layer_norm=layer_norm, learned_state=learned_state).double()
    features = size * torch.randn(1, 50, 3).double()
    expected, _ = controller(features, controller.initial_state(1))
    _, torchs = controller(features[:, :before], controller.initial_state(1)) if before else (None, None)
    stepper = Stepper(controller)
    state = from_torch(torchs) if torchs else stepper.initial_state()
    for row, command in zip(features[0, before:].numpy(), expected[0, before:].numpy(), strict=True):
        found, state = stepper.step(row, state)
        np.testing.assert_allclose(found, command, rtol=1e-9, atol=1e-9 * size)


@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_in_single_precision_they_agree_to_1e_6(kind: str) -> None:
    controller = make(kind, widths=(128, 128))
    features = torch.randn(1, 200, 3)
    expected, _ = controller(features, controller.initial_state(1))
    stepper = Stepper(controller)
    state = stepper.initial_state()
    for row, command in zip(features[0].numpy(), expected[0].numpy(), strict=True):
        found, state = stepper.step(row, state)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, command, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@given(orders=st.lists(st.lists(st.integers(0, 5), max_size=3), min_size=6, max_size=6))
@settings(max_examples=10, deadline=None)
def test_whatever_was_prepared_a_step_gives_the_same(kind: str, orders: list[list[int]]) -> None:
    plain, ahead = Stepper(make(kind)), Stepper(make(kind))
    rows = np.random.default_rng(0).standard_normal((6, 3)).astype(np.float32)
    states = [plain.initial_state()]
    for row, order in zip(rows, orders, strict=True):
        expected, after = plain.step(row, states[-1])
        for prepared in order:
            ahead.prepare(states[prepared % len(states)])
        found, _ = ahead.step(row, states[-1])
        np.testing.assert_array_equal(found, expected)
        states.append(after)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_grows(kind: str) -> None:
    stepper = Stepper(make(kind))
    row, state = np.ones(3, np.float32), stepper.initial_state()
    first = size(state)
    for _ in range(200):
        _, state = stepper.step(row, state)
    before = sys.getallocatedblocks()
    for _ in range(10_000):
        _, state = stepper.step(row, state)
    assert sys.getallocatedblocks() - before < 100
    assert size(state) == first


def size(state: Any) -> int:
    return sum(array.nbytes if array.base is None else array.base.nbytes for layer in state for array in layer)


def test_training_does_not_reach_the_stepper() -> None:
    controller = make("gru")
    stepper = Stepper(controller)
    before, _ = stepper.step(np.ones(3, np.float32), stepper.initial_state())
    with torch.no_grad():
        for parameter in controller.parameters():
            parameter.zero_()
    after, _ = stepper.step(np.ones(3, np.float32), stepper.initial_state())
    np.testing.assert_array_equal(before, after)


def test_a_network_that_reads_both_ways_does_not_step() -> None:
    with pytest.raises(ConfigurationError, match="bidirectional"):
        Stepper(make("gru", bidirectional=True))
