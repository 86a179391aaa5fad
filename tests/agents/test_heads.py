"""Heads: what they say is their formula, and what does not count never reaches the loss nor its gradient."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from motorctl.agents import (
    ATTENTIONS,
    ClassHead,
    CommandHead,
    DecoderHead,
    ForecastHead,
    Gaussian,
    GaussianHead,
    LabelHead,
    MultiTaskHead,
    last_row,
    mean_row,
)
from motorctl.errors import ConfigurationError

BATCH, TIME, WIDTH = 3, 12, 6


def both() -> MultiTaskHead:
    return MultiTaskHead({"velocity": CommandHead(WIDTH, 2), "movement": ClassHead(WIDTH, 4)}, {"movement": 0.5})


ROW_HEADS: dict[str, Callable[[], Any]] = {
    "command": lambda: CommandHead(WIDTH, 2, scale=0.3),
    "gaussian": lambda: GaussianHead(WIDTH, 2, scale=0.3),
    "class": lambda: ClassHead(WIDTH, 4),
    "both": both,
    "forecast": lambda: ForecastHead(WIDTH, 2, steps=4, scale=0.3),
}
SEQUENCE_HEADS: dict[str, Callable[[], Any]] = {
    "label, mean": lambda: LabelHead(WIDTH, 4, "mean"),
    "label, last": lambda: LabelHead(WIDTH, 4, "last"),
} | {f"decoder, {kind}": (lambda kind=kind: DecoderHead(WIDTH, 2, 5, kind, scale=0.3)) for kind in ATTENTIONS}


def make(name: str) -> Any:
    torch.manual_seed(0)
    return (ROW_HEADS | SEQUENCE_HEADS)[name]().double()


def targets_for(name: str, rows: int = TIME) -> Any:
    velocity, movement = torch.randn(BATCH, rows, 2).double(), torch.randint(4, (BATCH, rows))
    return {"class": movement, "both": {"velocity": velocity, "movement": movement}}.get(name, velocity)


def spoil(targets: Any, weight: Tensor) -> Any:
    """The same where it counts, NaN (or a class that does not exist) where it does not."""
    if isinstance(targets, dict):
        return {name: spoil(values, weight) for name, values in targets.items()}
    if targets.dtype == torch.int64:
        return torch.where(weight[..., 0] > 0, targets, -7)
    return torch.where(weight > 0, targets, math.nan)


def spread(name: str, weight: Tensor) -> Any:
    return {"velocity": weight, "movement": weight} if name == "both" else weight


def gradients(loss: Tensor, hidden: Tensor, head: nn.Module) -> list[Tensor]:
    found = torch.autograd.grad(loss, [hidden, *head.parameters()], allow_unused=True, materialize_grads=True)
    assert all(gradient.isfinite().all() for gradient in found)
    return list(found)


@pytest.mark.parametrize("name", ROW_HEADS)
@given(seed=st.integers(0, 1000), share=st.floats(0, 1))
@settings(max_examples=15, deadline=None)
def test_rows_that_do_not_count_cost_nothing(name: str, seed: int, share: float) -> None:
    head = make(name)
    torch.manual_seed(seed)
    hidden, targets = torch.randn(BATCH, TIME, WIDTH).double().requires_grad_(), targets_for(name)
    weight = (torch.rand(BATCH, TIME, 1) < share).double()
    loss = head.loss(head(hidden), targets, spread(name, weight))
    spoiled = head.loss(head(hidden), spoil(targets, weight), spread(name, weight))
    torch.testing.assert_close(spoiled, loss, rtol=0, atol=0)
    found = gradients(loss, hidden, head)
    for a, b in zip(found, gradients(spoiled, hidden, head), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    if name != "forecast":  # which may foretell a row that counts from one that does not
        assert (found[0][weight[..., 0] == 0] == 0).all()
    assert share > 0 or loss == 0


@pytest.mark.parametrize("name", ROW_HEADS)
@given(padding=st.integers(1, 6))
@settings(max_examples=6, deadline=None)
def test_padding_a_batch_does_not_change_its_loss(name: str, padding: int) -> None:
    head, hidden = make(name), torch.randn(BATCH, TIME + padding, WIDTH).double().requires_grad_()
    targets, weight = targets_for(name, TIME + padding), torch.ones(BATCH, TIME + padding, 1).double()
    weight[:, TIME:] = 0
    short = {k: v[:, :TIME] for k, v in targets.items()} if name == "both" else targets[:, :TIME]
    loss = head.loss(head(hidden[:, :TIME]), short)
    padded = head.loss(head(hidden), spoil(targets, weight), spread(name, weight))
    torch.testing.assert_close(padded, loss)
    for a, b in zip(gradients(padded, hidden, head), gradients(loss, hidden, head), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("name", SEQUENCE_HEADS)
@given(seed=st.integers(0, 1000), padding=st.integers(0, 6))
@settings(max_examples=10, deadline=None)
def test_padding_a_sequence_does_not_change_what_is_said_of_it(name: str, seed: int, padding: int) -> None:
    head = make(name)
    torch.manual_seed(seed)
    hidden = torch.randn(BATCH, TIME + padding, WIDTH).double().requires_grad_()
    weight = torch.ones(BATCH, TIME + padding, 1)
    weight[:, TIME:] = 0
    padded, short = head(hidden, weight), head(hidden[:, :TIME])
    torch.testing.assert_close(padded, short)
    for a, b in zip(
        gradients(padded.square().sum(), hidden, head), gradients(short.square().sum(), hidden, head), strict=True
    ):
        torch.testing.assert_close(a, b)
    nothing = head(hidden, torch.zeros_like(weight))
    assert nothing.isfinite().all()
    assert not gradients(nothing.sum(), hidden, head)[0].any()


@pytest.mark.parametrize("name", SEQUENCE_HEADS)
def test_sequences_of_a_batch_do_not_meet(name: str) -> None:
    head, hidden, weight = make(name), torch.randn(BATCH, TIME, WIDTH).double(), torch.ones(BATCH, TIME, 1)
    weight[1, 5:] = 0
    torch.testing.assert_close(head(hidden, weight)[1], head(hidden[1:2], weight[1:2])[0])


def test_the_naive_mean_learns_from_padding() -> None:
    hidden, weight = torch.randn(2, 8, 4), torch.ones(2, 8, 1)
    weight[0, 3:] = 0
    torch.testing.assert_close(mean_row(hidden, weight)[0], hidden[0, :3].mean(dim=0))
    torch.testing.assert_close(last_row(hidden, weight), torch.stack([hidden[0, 2], hidden[1, 7]]))
    assert not torch.allclose(hidden.mean(dim=1)[0], hidden[0, :3].mean(dim=0))


def test_losses_are_their_formulas() -> None:
    y, t = torch.randn(BATCH, TIME, 2).double(), torch.randn(BATCH, TIME, 2).double()
    torch.testing.assert_close(make("command").loss(y, t), ((y - t) / 0.3).square().mean(), rtol=1e-6, atol=0)
    gaussian, variance = make("gaussian"), torch.rand(BATCH, TIME, 2).double() + 0.1
    density = torch.distributions.Normal(y / gaussian.scale, variance.sqrt() / gaussian.scale).log_prob(
        t / gaussian.scale
    )
    torch.testing.assert_close(gaussian.loss(Gaussian(y, variance), t), -density.mean() - math.log(2 * math.pi) / 2)
    logits, movement = torch.randn(BATCH, TIME, 4).double(), torch.randint(4, (BATCH, TIME))
    picked = logits.softmax(-1).gather(2, movement[..., None]).log()
    torch.testing.assert_close(make("class").loss(logits, movement), -picked.mean())
    head, hidden, targets = make("both"), torch.randn(BATCH, TIME, WIDTH).double(), targets_for("both")
    said = head(hidden)
    apart = [head.heads[task].loss(said[task], targets[task]) for task in ("velocity", "movement")]
    torch.testing.assert_close(head.loss(said, targets), apart[0] + 0.5 * apart[1])
    torch.testing.assert_close(head.loss(said, {"velocity": targets["velocity"]}), apart[0])


def test_weights_are_relative() -> None:
    head, hidden, targets = make("command"), torch.randn(BATCH, TIME, WIDTH).double(), targets_for("command")
    weight = torch.rand(BATCH, TIME, 1).double()
    errors = ((head(hidden) - targets) / 0.3).square().mean(dim=-1, keepdim=True)
    expected = (errors * weight).sum() / weight.sum()
    torch.testing.assert_close(head.loss(head(hidden), targets, weight), expected, rtol=1e-6, atol=0)


def test_a_single_missing_output_is_masked() -> None:
    head, hidden, targets = make("command"), torch.randn(BATCH, TIME, WIDTH).double(), targets_for("command")
    weight = torch.ones_like(targets)
    weight[..., 1] = 0
    expected = ((head(hidden) - targets) / 0.3)[..., 0].square().mean()
    torch.testing.assert_close(head.loss(head(hidden), spoil(targets, weight), weight), expected, rtol=1e-6, atol=0)


def test_a_variance_is_learned() -> None:
    torch.manual_seed(0)
    head, hidden = GaussianHead(1, 1, scale=2.0), torch.randint(2, (4, 500, 1)).float()
    targets = 3 + (0.5 + 1.5 * hidden) * torch.randn(4, 500, 1)  # deviation 0.5 or 2
    optimizer = torch.optim.Adam(head.parameters(), 0.1)
    for _ in range(400):
        optimizer.zero_grad()
        head.loss(head(hidden), targets).backward()
        optimizer.step()
    found = head(torch.tensor([[[0.0], [1.0]]]))
    assert found.mean.flatten().tolist() == pytest.approx([3, 3], abs=0.2)
    assert found.variance.sqrt().flatten().tolist() == pytest.approx([0.5, 2], rel=0.1)


def test_a_forecast_is_held_to_the_rows_after() -> None:
    head = make("forecast")
    targets = torch.randn(BATCH, TIME, 2).double()
    perfect = torch.zeros(BATCH, TIME, 4, 2).double()
    for row in range(TIME):
        for step in range(min(4, TIME - 1 - row)):
            perfect[:, row, step] = targets[:, row + 1 + step]
    assert head.loss(perfect, targets) == 0
    for row, step in [(0, 0), (3, 2), (TIME - 2, 0)]:
        wrong = perfect.clone()
        wrong[:, row, step] += 1
        assert head.loss(wrong, targets) > 0
    wrong = perfect.clone()
    wrong[:, TIME - 2, 1] += 1  # after the end: nothing is known of it
    assert head.loss(wrong, targets) == 0
    assert head.loss(wrong[:, :6], targets) == 0 and head.loss(wrong[:, :6] + 1, targets) > 0


def test_calibration_finds_the_temperature() -> None:
    torch.manual_seed(0)
    head, logits = ClassHead(4, 3), 2 * torch.randn(4000, 3)
    targets = torch.distributions.Categorical(logits=logits).sample()
    sure, weight = 3 * logits, torch.ones(4000)
    before = head.loss(sure, targets)
    sure[:100], targets[:100], weight[:100] = math.nan, 99, 0
    assert head.calibrate(sure, targets, weight) == pytest.approx(3, rel=0.08)
    said = head.probabilities(sure[100:])
    torch.testing.assert_close(said.sum(dim=-1), torch.ones(3900))
    assert nn.functional.nll_loss(said.log(), targets[100:]) < before - 0.1
    torch.testing.assert_close(said.argmax(dim=-1), sure[100:].argmax(dim=-1))
    confidence, right = said.max(dim=-1).values, (said.argmax(dim=-1) == targets[100:]).float()
    assert abs(float((confidence - right).mean())) < 0.02  # as sure as it is right
    with pytest.raises(ConfigurationError, match="no rows"):
        head.calibrate(sure, targets, torch.zeros(4000))


@pytest.mark.parametrize("kind", ATTENTIONS)
def test_a_decoder_reads_targets_in_training_and_itself_afterwards(kind: str) -> None:
    head, hidden = make(f"decoder, {kind}"), torch.randn(BATCH, TIME, WIDTH).double()
    alone = head(hidden)
    assert alone.shape == (BATCH, 5, 2)
    torch.testing.assert_close(head(hidden, targets=alone.detach()), alone)
    targets = torch.randn(BATCH, 7, 2).double()
    taught = head(hidden, targets=targets)
    assert taught.shape == (BATCH, 7, 2)
    torch.testing.assert_close(taught[:, 0], alone[:, 0])
    assert not torch.allclose(taught[:, 1], alone[:, 1])
    targets.requires_grad_()
    (gradient,) = torch.autograd.grad(head(hidden, targets=targets)[:, 3].sum(), targets)
    assert gradient[:, :3].any(dim=2).all() and not gradient[:, 3:].any()  # causal


@pytest.mark.parametrize("kind", ATTENTIONS)
def test_missing_targets_never_reach_a_decoder(kind: str) -> None:
    head, hidden = make(f"decoder, {kind}"), torch.randn(BATCH, TIME, WIDTH).double().requires_grad_()
    targets, weight = torch.randn(BATCH, 5, 2).double(), torch.ones(BATCH, 5, 1).double()
    weight[0, 3:] = weight[1, 1] = 0
    spoiled = spoil(targets, weight)
    losses = [head.loss(head(hidden, None, t, weight), t, weight) for t in (targets, spoiled)]
    torch.testing.assert_close(losses[1], losses[0], rtol=0, atol=0)
    for a, b in zip(*(gradients(loss, hidden, head) for loss in losses), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["dot", "additive"])
def test_attention_is_its_equation_and_never_on_padding(kind: str) -> None:
    attention = make(f"decoder, {kind}").attention
    encoded, state = torch.randn(BATCH, TIME, WIDTH).double(), torch.randn(BATCH, WIDTH).double()
    weight = torch.ones(BATCH, TIME, 1)
    weight[1, 4:] = 0
    context, found = attention(state, attention.keys(encoded), encoded, weight)
    if kind == "dot":
        scores = torch.einsum("bw,btw->bt", state, encoded) / WIDTH**0.5
    else:
        w, u, v = attention.query, attention.key, attention.score
        scores = torch.tanh((state @ w.weight.T + w.bias)[:, None] + encoded @ u.weight.T) @ v.weight[0]
    torch.testing.assert_close(found[0], scores[0].softmax(dim=0))
    torch.testing.assert_close(found[1, :4], scores[1, :4].softmax(dim=0))
    assert not found[1, 4:].any()
    torch.testing.assert_close(context, torch.einsum("bt,btw->bw", found, encoded))


@pytest.mark.parametrize("kind", ["dot", "additive"])
def test_attention_finds_a_row_that_the_last_state_forgot(kind: str) -> None:
    torch.manual_seed(0)
    head = DecoderHead(8, 2, 1, kind)  # type: ignore[arg-type]
    optimizer = torch.optim.Adam(head.parameters(), 0.02)

    def draw() -> tuple[Tensor, Tensor]:
        rows, said = torch.zeros(64, 10, 8), torch.randn(64, 1, 2)
        rows[torch.arange(64), torch.randint(9, (64,)), :3] = torch.cat([torch.full((64, 1), 3.0), said[:, 0]], dim=1)
        return rows, said

    for _ in range(300):
        rows, said = draw()
        optimizer.zero_grad()
        head.loss(head(rows), said).backward()
        optimizer.step()
    rows, said = draw()
    assert head.loss(head(rows), said) < 0.3 * said.square().mean()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: CommandHead(4, 2, scale=0),
        lambda: GaussianHead(4, 2, scale=-1),
        lambda: ForecastHead(4, 2, steps=0),
        lambda: ClassHead(4, 1),
        lambda: LabelHead(4, 3, "first"),  # type: ignore[arg-type]
        lambda: MultiTaskHead({}),
        lambda: MultiTaskHead({"a": CommandHead(4, 2)}, {"b": 1}),
        lambda: MultiTaskHead({"a": CommandHead(4, 2)}, {"a": -1}),
        lambda: DecoderHead(4, 2, 0),
        lambda: DecoderHead(4, 2, 3, "cosine"),  # type: ignore[arg-type]
    ],
)
def test_heads_that_cannot_be_are_refused(wrong: Callable[[], nn.Module]) -> None:
    with pytest.raises(ConfigurationError):
        wrong()
