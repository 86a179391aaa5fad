"""Every part of a controller streams: chunked is whole, sequences do not meet, nothing looks ahead, nothing grows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from motorctl.agents import (
    CausalConvolution,
    ClassHead,
    CommandHead,
    ControllerConfig,
    Dense,
    LabelHead,
    Modalities,
    MultiTaskHead,
    Network,
    RecurrentController,
    RecurrentCore,
    Stage,
    TwoTimeScales,
    detach,
)
from motorctl.errors import ConfigurationError

F = 5


def modalities(dropout: float = 0.0) -> Modalities:
    return Modalities({"eeg": CausalConvolution(3, 4, kernel=6), "arm": Dense(2, 3)}, dropout)


def small(cell: Any = "gru", **options: Any) -> ControllerConfig:
    return ControllerConfig(cell, (4, 3), **options)


STAGES: dict[str, Callable[[], Stage]] = {
    "convolution": lambda: CausalConvolution(F, 4, kernel=6),
    "convolution of one row": lambda: CausalConvolution(F, 4, kernel=1),
    "dense": lambda: Dense(F, 4),
    "modalities": modalities,
    "two time scales": lambda: TwoTimeScales(F, 4, 3, every=4),
    "two time scales, lstm": lambda: TwoTimeScales(F, 4, 3, every=7, cell="lstm"),
    "one time scale": lambda: TwoTimeScales(F, 4, 3, every=1, cell="rnn"),
    "core": lambda: RecurrentCore(small(layer_norm=True), F),
    "core, lstm": lambda: RecurrentCore(small("lstm", learned_state=True), F),
    "controller": lambda: RecurrentController(small(), F, 2),
    "all of them": lambda: Network([modalities(), TwoTimeScales(7, 4, 3, every=4)], CommandHead(3, 2)),
}


def make(name: str) -> Stage:
    torch.manual_seed(0)
    return STAGES[name]().double().eval()


def tensors(state: Any) -> Iterator[Tensor]:
    for part in state:
        yield from [part] if isinstance(part, Tensor) else tensors(part)


@pytest.mark.parametrize("name", STAGES)
@given(cuts=st.lists(st.integers(1, 29), max_size=8, unique=True), batch=st.integers(1, 3))
@settings(max_examples=15, deadline=None)
def test_any_chunking_gives_the_same_rows(name: str, cuts: list[int], batch: int) -> None:
    stage, features = make(name), torch.randn(batch, 30, F).double()
    features[0, 7:12, 0] = math.nan if name in ("modalities", "all of them") else 0.0
    whole, end = stage(features, stage.initial_state(batch))
    state, parts = stage.initial_state(batch), []
    for rows in torch.tensor_split(features, sorted(cuts), dim=1):
        part, state = stage(rows, state)
        parts.append(part)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole)
    torch.testing.assert_close(list(tensors(state)), list(tensors(end)))


@pytest.mark.parametrize("name", STAGES)
def test_sequences_of_a_batch_do_not_meet(name: str) -> None:
    stage, features = make(name), torch.randn(3, 20, F).double()
    together, _ = stage(features, stage.initial_state(3))
    alone, _ = stage(features[1:2], stage.initial_state(1))
    torch.testing.assert_close(together[1:2], alone)


@pytest.mark.parametrize("row", [0, 7, 19])
@pytest.mark.parametrize("name", STAGES)
def test_nothing_looks_ahead(name: str, row: int) -> None:
    stage, features = make(name), torch.randn(2, 20, F).double().requires_grad_()
    rows, _ = stage(features, stage.initial_state(2))
    (gradient,) = torch.autograd.grad(rows[:, row].square().sum(), features)
    assert gradient[:, row].any() and not gradient[:, row + 1 :].any()


@pytest.mark.parametrize("name", STAGES)
@torch.inference_mode()
def test_the_state_does_not_grow(name: str) -> None:
    stage = make(name)
    row, state = torch.randn(1, 1, F).double(), stage.initial_state(1)
    before = [(s.shape, s.dtype, s.untyped_storage().nbytes()) for s in tensors(state)]
    for _ in range(10_000 if name == "controller" else 1000):
        _, state = stage(row, state)
    assert [(s.shape, s.dtype, s.untyped_storage().nbytes()) for s in tensors(state)] == before


@pytest.mark.parametrize("name", STAGES)
def test_every_weight_learns_and_a_state_can_be_cut(name: str) -> None:
    stage, features = make(name), torch.randn(2, 20, F).double()
    features[0, 3:9] = math.nan if name in ("modalities", "all of them") else 0.0
    rows, state = stage(features, stage.initial_state(2))
    assert rows.isfinite().all()
    (rows * torch.randn_like(rows)).sum().backward()
    assert all(p.grad is not None and p.grad.any() and p.grad.isfinite().all() for p in stage.parameters())
    assert not any(s.requires_grad for s in tensors(detach(state)))


def test_the_convolution_is_its_formula() -> None:
    stage, xs = CausalConvolution(F, 4, kernel=3).double(), torch.randn(10, F).double()
    rows, _ = stage(xs[None], stage.initial_state(1))
    padded = torch.cat([torch.zeros(2, F).double(), xs])
    for t in range(10):
        for unit in range(4):
            spatial = padded[t : t + 3] @ stage.spatial.weight[unit]
            total = spatial @ stage.temporal.weight[unit, 0] + stage.temporal.bias[unit]
            torch.testing.assert_close(rows[0, t, unit], torch.nn.functional.elu(total))


def test_the_slow_layer_moves_on_means() -> None:
    stage, xs = make("two time scales"), torch.randn(1, 11, F).double()
    assert isinstance(stage, TwoTimeScales)
    rows, (slow, *_) = stage(xs, stage.initial_state(1))
    moved, last = stage.slow(xs[:, :8].unflatten(1, (2, 4)).mean(dim=2))
    torch.testing.assert_close(slow, last)
    held = torch.cat([torch.zeros(1, 3, 4).double(), moved.repeat_interleave(4, dim=1)], dim=1)
    torch.testing.assert_close(rows, stage.fast(torch.cat([xs, held], dim=-1))[0])


@given(lost=st.lists(st.booleans(), min_size=20, max_size=20), garbage=st.sampled_from([math.nan, math.inf, -math.inf]))
@settings(max_examples=20, deadline=None)
def test_an_absent_modality_says_nothing(lost: list[bool], garbage: float) -> None:
    stage, features = make("modalities"), torch.randn(2, 20, F).double()
    for vector in stage.absent:  # type: ignore[union-attr]
        torch.nn.init.normal_(vector)
    absent = torch.tensor(lost)
    one, other = features.clone(), features.clone()
    one[:, absent, 1], other[:, absent, 0] = garbage, math.nan
    other[:, absent, 1:3] = 7
    (a, state_a), (b, state_b) = stage(one, stage.initial_state(2)), stage(other, stage.initial_state(2))
    torch.testing.assert_close(a, b, rtol=0, atol=0)
    torch.testing.assert_close(list(tensors(state_a)), list(tensors(state_b)), rtol=0, atol=0)
    whole, _ = stage(features, stage.initial_state(2))
    torch.testing.assert_close(a[..., 4:], whole[..., 4:])  # the other modality goes on


def test_a_network_trained_with_modality_dropout_does_without() -> None:
    """Both modalities tell the target. The naive network leans on both, and fails when one falls silent."""
    errors = {dropout: lost_modality_error(dropout) for dropout in (0.0, 0.5)}
    assert errors[0.5] < 0.25 < errors[0.0], errors


def lost_modality_error(dropout: float) -> float:
    torch.manual_seed(0)
    network = Network(
        [Modalities({"eeg": Dense(2, 8), "emg": Dense(2, 8)}, dropout), RecurrentCore(ControllerConfig(), 16)],
        CommandHead(64, 1),
    )
    optimizer = torch.optim.Adam(network.parameters(), 5e-3)
    for _ in range(150):
        features, targets = draw_two_modalities()
        optimizer.zero_grad()
        network.head.loss(network(features, network.initial_state(32))[0], targets).backward()  # type: ignore[operator]
        optimizer.step()
    network.eval()
    features, targets = draw_two_modalities()
    features[..., :2] = math.nan
    with torch.inference_mode():
        return float((network(features, network.initial_state(32))[0] - targets).square().mean())


def draw_two_modalities() -> tuple[Tensor, Tensor]:
    targets = torch.randn(32, 10, 1)
    return targets + 0.1 * torch.randn(32, 10, 4), targets


def test_modality_dropout_leaves_one_and_acts_in_training_only() -> None:
    torch.manual_seed(0)
    stage = Modalities({"a": Dense(2, 3), "b": Dense(2, 3)}, dropout=0.9)
    for vector in stage.absent:
        torch.nn.init.constant_(vector, 100)
    rows, _ = stage(torch.randn(500, 4, 4), stage.initial_state(500))
    gone = (rows.unflatten(-1, (2, 3)) == 100).all(dim=-1)  # (batch, time, modality)
    assert (gone == gone[:, :1]).all()
    assert not gone.all(dim=-1).any() and gone.any(dim=-1).float().mean() > 0.9
    rows, _ = stage.eval()(torch.randn(500, 4, 4), stage.initial_state(500))
    assert not (rows == 100).any()


def test_a_network_gives_what_its_head_gives() -> None:
    head = MultiTaskHead({"velocity": CommandHead(3, 2), "movement": ClassHead(3, 4)})
    network = Network([CausalConvolution(F, 6, 4), RecurrentCore(small(), 6)], head)
    said, _ = network(torch.randn(2, 9, F), network.initial_state(2))
    assert said["velocity"].shape == (2, 9, 2) and said["movement"].shape == (2, 9, 4)
    label = Network([RecurrentCore(small(), F)], LabelHead(3, 4))
    weight = torch.ones(2, 9, 1)
    weight[:, 6:] = 0
    features = torch.randn(2, 9, F)
    padded, _ = label(features, label.initial_state(2), weight)
    torch.testing.assert_close(padded, label(features[:, :6], label.initial_state(2))[0])


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: CausalConvolution(F, 4, kernel=0),
        lambda: Dense(0, 4),
        lambda: Modalities({}),
        lambda: modalities(dropout=1.0),
        lambda: TwoTimeScales(F, 4, 3, every=0),
        lambda: TwoTimeScales(F, 4, 3, every=2, cell="esn"),  # type: ignore[arg-type]
        lambda: Network([], CommandHead(3, 2)),
        lambda: Network([Dense(F, 4), RecurrentCore(small(), 5)], CommandHead(3, 2)),
    ],
)
def test_parts_that_cannot_be_are_refused(wrong: Callable[[], Stage]) -> None:
    with pytest.raises(ConfigurationError):
        wrong()
