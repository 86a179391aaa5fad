"""Recurrent controllers: the cells are the textbook's, and the state outside is all that there is."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from motorctl.agents import CELLS, ControllerConfig, RecurrentController, RecurrentCore, detach
from motorctl.errors import ConfigurationError

KINDS = ["tanh", "sigmoid", "relu", "lstm", "gru"]
"""Every cell with everything it can pass its sum through."""

EXTRAS: list[dict[str, Any]] = [{}, {"layer_norm": True}, {"learned_state": True}, {"memory": 50}]


def config_of(kind: str, *widths: int, **options: Any) -> ControllerConfig:
    cell, nonlinearity = (kind, "tanh") if kind in CELLS else ("rnn", kind)
    if cell == "rnn":
        options.pop("memory", None)
    return ControllerConfig(cell, widths or (5,), nonlinearity=nonlinearity, **options)  # type: ignore[arg-type]


def make(kind: str, *widths: int, **options: Any) -> RecurrentController:
    torch.manual_seed(0)
    controller = RecurrentController(config_of(kind, *widths, **options), features=3, commands=2, scale=0.3)
    for parameter in controller.initial:
        torch.nn.init.normal_(parameter)
    return controller.double().eval()


def gates(x: Tensor, h: Tensor, core: torch.nn.RNNBase, count: int) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """What input and hidden state add to each gate, apart."""
    weights = core.weight_ih_l0, core.bias_ih_l0, core.weight_hh_l0, core.bias_hh_l0
    w_x, b_x, w_h, b_h = (w for w in weights if isinstance(w, Tensor))
    return (w_x @ x + b_x).chunk(count), (w_h @ h + b_h).chunk(count)


def textbook(kind: str, core: torch.nn.RNNBase, xs: Tensor) -> list[Tensor]:
    """Hidden states by the published equations, one sample at a time."""
    h, c, out = torch.zeros(5).double(), torch.zeros(5).double(), []
    nonlinearity = {"tanh": torch.tanh, "sigmoid": lambda a: 1 / (1 + torch.exp(-a)), "relu": lambda a: a.clamp(min=0)}
    for x in xs:
        if kind in nonlinearity:  # Elman 1990
            (a,), (b,) = gates(x, h, core, 1)
            h = nonlinearity[kind](a + b)
        elif kind == "lstm":  # Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000
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


@pytest.mark.parametrize("kind", KINDS)
def test_a_cell_follows_its_textbook_equations(kind: str) -> None:
    controller, xs = make(kind), torch.randn(20, 3).double()
    hidden = torch.stack(textbook(kind, controller.layers[0], xs))
    expected = 0.3 * (hidden @ controller.readout.weight.T + controller.readout.bias)
    commands, _ = controller(xs[None], controller.initial_state(1))
    torch.testing.assert_close(commands[0], expected)


@pytest.mark.parametrize("kind", KINDS)
def test_backwards_the_same_equations_hold_from_the_end(kind: str) -> None:
    torch.manual_seed(0)
    core, xs = RecurrentCore(config_of(kind, bidirectional=True), features=3).double(), torch.randn(20, 3).double()
    hidden, _ = core(xs[None], core.initial_state(1))
    forwards = torch.stack(textbook(kind, core.layers[0], xs))
    backwards = torch.stack(textbook(kind, core.backward_layers[0], xs.flip(0))).flip(0)
    torch.testing.assert_close(hidden[0], torch.cat([forwards, backwards], dim=1))


def test_layer_norm_has_rows_of_mean_0_and_variance_1() -> None:
    core = RecurrentCore(ControllerConfig(widths=(16,), layer_norm=True), features=3)
    hidden, _ = core(torch.randn(2, 30, 3), core.initial_state(2))
    torch.testing.assert_close(hidden.mean(dim=-1), torch.zeros(2, 30), atol=1e-5, rtol=0)
    torch.testing.assert_close(hidden.var(dim=-1, correction=0), torch.ones(2, 30), atol=0.05, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
@given(
    cuts=st.lists(st.integers(1, 29), max_size=5, unique=True),
    batch=st.integers(1, 4),
    widths=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    options=st.sampled_from(EXTRAS),
)
@settings(max_examples=10, deadline=None)
def test_any_chunking_gives_the_same_commands(
    kind: str, cuts: list[int], batch: int, widths: list[int], options: dict[str, Any]
) -> None:
    controller, features = make(kind, *widths, **options), torch.randn(batch, 30, 3).double()
    whole, _ = controller(features, controller.initial_state(batch))
    state, parts = controller.initial_state(batch), []
    for rows in torch.tensor_split(features, sorted(cuts), dim=1):
        part, state = controller(rows, state)
        parts.append(part)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole)


@pytest.mark.parametrize("options", EXTRAS)
@pytest.mark.parametrize("kind", KINDS)
def test_shapes_and_gradients(kind: str, options: dict[str, Any]) -> None:
    controller = make(kind, 5, 4, **options)
    features = torch.randn(4, 10, 3).double().requires_grad_()
    commands, state = controller(features, controller.initial_state(4))
    assert commands.shape == (4, 10, 2)
    assert (controller.features, controller.commands) == (3, 2)
    commands[:, 4].sum().backward()
    assert features.grad is not None
    assert (features.grad[:, 5:] == 0).all()  # causal
    assert kind == "relu" or (features.grad[:, :5] != 0).all()
    assert kind != "relu" or features.grad[:, 4].any()
    cut = detach(state)
    assert not any(p.requires_grad for s in cut for p in (s if isinstance(s, tuple) else (s,)))


def test_dropout_acts_in_training_only() -> None:
    controller = RecurrentController(ControllerConfig(dropout=0.5), 3, 2)
    features, state = torch.randn(1, 10, 3), controller.initial_state(1)
    assert not torch.equal(controller(features, state)[0], controller(features, state)[0])
    controller.eval()
    assert torch.equal(controller(features, state)[0], controller(features, state)[0])


@pytest.mark.parametrize("options", EXTRAS)
@pytest.mark.parametrize("kind", KINDS)
def test_sequences_of_a_batch_do_not_meet(kind: str, options: dict[str, Any]) -> None:
    controller, features = make(kind, 5, 4, **options), torch.randn(3, 10, 3).double()
    together, _ = controller(features, controller.initial_state(3))
    alone, _ = controller(features[1:2], controller.initial_state(1))
    torch.testing.assert_close(together[1:2], alone)


@pytest.mark.parametrize("kind", KINDS)
def test_padding_does_not_reach_a_network_that_reads_both_ways(kind: str) -> None:
    controller, features = make(kind, 5, 4, bidirectional=True), torch.randn(3, 10, 3).double().requires_grad_()
    lengths = torch.tensor([10, 6, 1])
    padded, _ = controller(features, controller.initial_state(3), lengths)
    naive, _ = controller(features, controller.initial_state(3))
    for index, length in enumerate(lengths):
        alone, _ = controller(features[index : index + 1, :length], controller.initial_state(1))
        torch.testing.assert_close(padded[index, :length], alone[0])
    assert not torch.allclose(padded[1, :6], naive[1, :6])
    (gradient,) = torch.autograd.grad(padded[1, :6].sum(), features)
    assert (gradient[1, 6:] == 0).all() and gradient[1, :6].any(dim=1).all()


def test_a_network_that_reads_both_ways_does_not_go_on() -> None:
    controller = make("gru", bidirectional=True)
    _, state = controller(torch.randn(1, 4, 3).double(), controller.initial_state(1))
    with pytest.raises(ConfigurationError, match="bidirectional"):
        controller(torch.randn(1, 4, 3).double(), detach(state))


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_first_state_is_learned(kind: str, bidirectional: bool) -> None:
    controller = make(kind, 5, 4, learned_state=True, bidirectional=bidirectional)
    commands, _ = controller(torch.randn(4, 3, 3).double(), controller.initial_state(4))
    commands.sum().backward()
    gradients = [parameter.grad for parameter in controller.initial]
    assert len(gradients) == (4 if bidirectional else 2)
    assert all(gradient is not None and gradient.any() for gradient in gradients)


def test_gates_start_open() -> None:
    torch.manual_seed(0)
    plain, slow = (RecurrentCore(ControllerConfig("lstm", (400,), memory=m), 3).layers[0] for m in (0, 1000))
    forget = plain.bias_ih_l0[400:800] + plain.bias_hh_l0[400:800]
    assert abs(float(forget.mean().detach()) - 1) < 0.01
    held = 1 + torch.exp(slow.bias_ih_l0[400:800]).detach()  # rows
    assert held.min() < 30 and 950 < held.max() <= 1000


@pytest.mark.parametrize(
    "config",
    [
        ControllerConfig(widths=()),
        ControllerConfig(widths=(4, 0)),
        ControllerConfig(dropout=1.0),
        ControllerConfig("gru", nonlinearity="relu"),
        ControllerConfig("rnn", nonlinearity="cosine"),  # type: ignore[arg-type]
        ControllerConfig("esn"),  # type: ignore[arg-type]
        ControllerConfig("rnn", memory=10),
        ControllerConfig("gru", memory=1),
    ],
)
def test_a_network_that_cannot_be_is_refused(config: ControllerConfig) -> None:
    with pytest.raises(ConfigurationError):
        RecurrentController(config, 3, 2)


@pytest.mark.parametrize("kind", ["tanh", "sigmoid", "relu", "relu, strong", "lstm", "gru"])
def test_gradients_over_500_steps_vanish_or_explode_in_the_vanilla_network_alone(kind: str) -> None:
    """Bengio et al. 1994, IEEE Trans. Neural Netw. 5(2):157-166.

    Weights as torch draws them; ``relu, strong`` with recurrent weights three times that; LSTM and GRU with gates that
    start out holding up to 1000 rows (``memory``).
    """
    torch.manual_seed(0)
    kind, _, strong = kind.partition(", ")
    core = RecurrentCore(config_of(kind, 64, memory=1000), features=3).double()
    if strong:
        core.layers[0].weight_hh_l0.data *= 3
    features = torch.randn(8, 500, 3).double().requires_grad_()
    hidden, _ = core(features, core.initial_state(8))
    (gradient,) = torch.autograd.grad(hidden[:, -1].square().sum(), features)
    first, last = gradient[:, 0].norm(), gradient[:, -1].norm()
    ratio = float(first / last)
    print(f"{kind} {strong}: the first row's gradient is {ratio:.3g} of the last row's")
    if strong:
        assert ratio > 1e6
    elif kind in ("lstm", "gru"):
        assert 1e-3 < ratio < 1e3
    else:
        assert ratio < 1e-20
