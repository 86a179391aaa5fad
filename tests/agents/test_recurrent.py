"""Recurrent controllers: the cells are the textbook's, and the state outside is all that there is."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from motorctl.agents import CELLS, ControllerConfig, RecurrentController, detach


def make(cell: str, *widths: int) -> RecurrentController:
    torch.manual_seed(0)
    return (
        RecurrentController(ControllerConfig(cell, widths or (5,)), features=3, commands=2, scale=0.3).double().eval()
    )  # type: ignore[arg-type]


def gates(x: Tensor, h: Tensor, core: torch.nn.RNNBase, count: int) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """What input and hidden state add to each gate, apart."""
    weights = core.weight_ih_l0, core.bias_ih_l0, core.weight_hh_l0, core.bias_hh_l0
    w_x, b_x, w_h, b_h = (w for w in weights if isinstance(w, Tensor))
    return (w_x @ x + b_x).chunk(count), (w_h @ h + b_h).chunk(count)


def textbook(cell: str, core: torch.nn.RNNBase, xs: Tensor) -> list[Tensor]:
    """Hidden states by the published equations, one sample at a time."""
    h, c, out = torch.zeros(5).double(), torch.zeros(5).double(), []
    for x in xs:
        if cell == "rnn":  # Elman 1990
            (a,), (b,) = gates(x, h, core, 1)
            h = torch.tanh(a + b)
        elif cell == "lstm":  # Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000
            a, b = gates(x, h, core, 4)
            i, f, g, o = (p + q for p, q in zip(a, b, strict=True))
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
        else:  # Cho et al. 2014
            a, b = gates(x, h, core, 3)
            r, z = torch.sigmoid(a[0] + b[0]), torch.sigmoid(a[1] + b[1])
            h = (1 - z) * torch.tanh(a[2] + r * b[2]) + z * h
        out.append(h)
    return out


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_follows_its_textbook_equations(cell: str) -> None:
    controller, xs = make(cell), torch.randn(20, 3).double()
    hidden = torch.stack(textbook(cell, controller.layers[0], xs))
    expected = 0.3 * (hidden @ controller.readout.weight.T + controller.readout.bias)
    commands, _ = controller(xs[None], controller.initial_state(1))
    torch.testing.assert_close(commands[0], expected)


@pytest.mark.parametrize("cell", CELLS)
@given(
    cuts=st.lists(st.integers(1, 29), max_size=5, unique=True),
    batch=st.integers(1, 4),
    widths=st.lists(st.integers(1, 6), min_size=1, max_size=3),
)
@settings(max_examples=10, deadline=None)
def test_any_chunking_gives_the_same_commands(cell: str, cuts: list[int], batch: int, widths: list[int]) -> None:
    controller, features = make(cell, *widths), torch.randn(batch, 30, 3).double()
    whole, _ = controller(features, controller.initial_state(batch))
    state, parts = controller.initial_state(batch), []
    for rows in torch.tensor_split(features, sorted(cuts), dim=1):
        part, state = controller(rows, state)
        parts.append(part)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole)


@pytest.mark.parametrize("cell", CELLS)
def test_shapes_and_gradients(cell: str) -> None:
    controller = make(cell, 5, 4)
    features = torch.randn(4, 10, 3).double().requires_grad_()
    commands, state = controller(features, controller.initial_state(4))
    assert commands.shape == (4, 10, 2)
    assert (controller.features, controller.commands) == (3, 2)
    commands[:, 4].sum().backward()
    assert features.grad is not None
    assert (features.grad[:, :5] != 0).all() and (features.grad[:, 5:] == 0).all()  # causal
    cut = detach(state)
    assert not any(p.requires_grad for s in cut for p in (s if isinstance(s, tuple) else (s,)))


def test_dropout_acts_in_training_only() -> None:
    controller = RecurrentController(ControllerConfig(dropout=0.5), 3, 2)
    features, state = torch.randn(1, 10, 3), controller.initial_state(1)
    assert not torch.equal(controller(features, state)[0], controller(features, state)[0])
    controller.eval()
    assert torch.equal(controller(features, state)[0], controller(features, state)[0])
