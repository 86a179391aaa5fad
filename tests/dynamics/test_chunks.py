"""Activations that are dropped and computed again: the same numbers, and less memory."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from motorctl.agents import ControllerConfig, RecurrentController
from motorctl.dynamics.rollout import roll_out


class Decay:
    """A state that fades and is pushed."""

    def observe(self, state: Tensor, inputs: Tensor) -> Tensor:
        return torch.cat([state, inputs], dim=1)

    def advance(self, state: Tensor, command: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
        after = 0.9 * state + 0.1 * command.tanh() * inputs
        return after, after.square()


@pytest.mark.parametrize("length", [1, 3, 7, 11, 50])
@pytest.mark.parametrize("of", ["states", "outputs", "commands", "hidden"])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_gradients_are_those_of_the_whole(length: int, of: str, cell: str) -> None:
    torch.manual_seed(0)
    config = ControllerConfig(cell, (5, 4), dropout=0.3, learned_state=True)  # type: ignore[arg-type]
    controller = RecurrentController(config, 4, 2).double()
    state, inputs = (torch.randn(size, dtype=torch.float64, requires_grad=True) for size in ((6, 2), (6, 11, 2)))
    wanted = [state, inputs, *controller.parameters()]
    found = []
    for checkpoint in (0, length):
        torch.manual_seed(1)  # of the drop-out
        part = getattr(roll_out(controller, Decay(), state, inputs, checkpoint=checkpoint), of)
        weights = torch.linspace(0.1, 1, part[0].numel(), dtype=part.dtype).reshape(part.shape[1:])
        found.append([part, *torch.autograd.grad((part * weights).sum(), wanted, allow_unused=True)])
    for ours, theirs in zip(*found, strict=True):
        expected = torch.zeros_like(ours) if theirs is None else theirs
        torch.testing.assert_close(torch.zeros_like(expected) if ours is None else ours, expected, rtol=0, atol=1e-12)


def test_what_needs_no_gradients_has_none() -> None:
    controller = RecurrentController(ControllerConfig("gru", (5,)), 4, 2).requires_grad_(False)
    rollout = roll_out(controller, Decay(), torch.zeros(3, 2), torch.ones(3, 9, 2), checkpoint=4)
    assert not any(part.requires_grad for part in rollout)


def test_a_single_way_to_the_gradients() -> None:
    """Of weights that are trained beside others that are not."""
    controller = RecurrentController(ControllerConfig("gru", (5,)), 4, 2)
    for name, weight in controller.named_parameters():
        weight.requires_grad_("readout" in name)
    rollout = roll_out(controller, Decay(), torch.randn(3, 2), torch.ones(3, 9, 2), checkpoint=4)
    torch.autograd.backward(rollout.outputs.sum())
    assert controller.readout.weight.grad is not None
    assert all(weight.grad is None for weight in controller.parameters() if not weight.requires_grad)
