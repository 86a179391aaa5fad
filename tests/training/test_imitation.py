"""Imitation learns what can be learned, and only from rows that count."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from motorctl.agents import CELLS, ControllerConfig, RecurrentController
from motorctl.errors import ConfigurationError
from motorctl.signals.pipeline import Features
from motorctl.training.imitation import ImitationConfig, decode, lane_batches, lane_costs, train
from motorctl.training.resume import Epoch
from motorctl.training.sequence import Sequence, stack_lanes

RATE = 10.0


def running_mean(seed: int, length: int = 400) -> Sequence:
    """Targets that need memory: an exponential mean of the first feature over 0.5 s."""
    values = np.random.default_rng(seed).standard_normal((length, 3)).astype(np.float32)
    target = np.zeros((length, 1), np.float32)
    for t in range(length):
        target[t] = 0.8 * target[t - 1] * (t > 0) + 0.2 * values[t, 0]
    times = np.arange(length) / RATE
    return Sequence(Features(values, times, np.ones(values.shape, bool)), target, np.full(length, -1))


def fit(cell: str, sequences: list[Sequence], seed: int = 0, epochs: int = 60) -> tuple[Any, list[float]]:
    torch.manual_seed(seed)
    controller = RecurrentController(ControllerConfig(cell, widths=(16,)), 3, 1, scale=0.5)  # type: ignore[arg-type]
    config = ImitationConfig(epochs=epochs, lane=10.0, horizon=5.0, learning_rate=1e-2)
    return controller, train(controller, sequences, config, RATE)


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_learns_a_target_that_needs_memory(cell: str) -> None:
    controller, losses = fit(cell, [running_mean(s) for s in range(4)])
    test = running_mean(99)
    r = np.corrcoef(decode(controller, test.features.values)[:, 0], test.targets[:, 0])[0, 1]
    assert r > 0.97
    assert losses[-1] < 0.1 * losses[0]


def test_a_seed_fixes_the_result() -> None:
    first, second = (fit("gru", [running_mean(0)], seed=5, epochs=3)[0].state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_masked_rows_are_not_learned_from() -> None:
    plain = running_mean(0)
    mask = plain.features.mask.copy()
    mask[100:200] = False
    wrong = plain.targets.copy()
    wrong[100:200] = 1e3
    results = [
        fit("gru", [Sequence(plain.features._replace(mask=mask), targets, plain.trial)], epochs=3)[1]
        for targets in (plain.targets, wrong)
    ]
    assert results[0] == results[1]


def test_progress_is_told_after_every_epoch() -> None:
    told: list[tuple[int, float]] = []
    torch.manual_seed(0)
    controller = RecurrentController(ControllerConfig(widths=(4,)), 3, 1)
    losses = train(controller, [running_mean(0)], ImitationConfig(epochs=3), RATE, lambda *x: told.append(x))
    assert told == list(enumerate(losses, start=1))


def test_a_learned_initial_state_is_learned() -> None:
    torch.manual_seed(0)
    controller = RecurrentController(ControllerConfig(widths=(4,), learned_state=True), 3, 1)
    train(controller, [running_mean(0)], ImitationConfig(epochs=2, lane=10.0, horizon=2.0), RATE)
    assert all(bool(state.any()) for state in controller.initial)


def gradients(controller: RecurrentController, sequences: list[Sequence], horizon: int) -> list[torch.Tensor]:
    """Of the summed error of all rows, the state carried on, no update in between."""
    controller.zero_grad()
    for cost in lane_costs(controller, stack_lanes(sequences, 400), horizon):
        torch.autograd.backward(cost.error / cost.per)
    return [p.grad.clone() for p in controller.parameters() if p.grad is not None]


@pytest.mark.parametrize("cell", CELLS)
def test_padding_costs_nothing_and_every_row_weighs_the_same(cell: str) -> None:
    """Beside each other sequences of any length give what they give one by one: the same errors, the same gradients."""
    torch.manual_seed(0)
    controller = RecurrentController(ControllerConfig(cell, widths=(6, 5)), 3, 1)  # type: ignore[arg-type]
    sequences = [running_mean(seed, length) for seed, length in enumerate((7, 95, 30, 60))]
    alone = [gradients(controller, [s], 20) for s in sequences]
    for together, *single in zip(gradients(controller, sequences, 20), *alone, strict=True):
        torch.testing.assert_close(together, torch.stack(single).sum(dim=0), rtol=1e-4, atol=1e-5)


def test_a_lane_goes_on_where_it_was_whatever_ends_beside_it() -> None:
    torch.manual_seed(0)
    controller = RecurrentController(ControllerConfig("lstm", widths=(6,)), 3, 1).eval()
    long, short = running_mean(0, 100), running_mean(1, 15)
    beside = [float(c.error.detach()) for c in lane_costs(controller, stack_lanes([short, long], 100), 10)]
    decoded = decode(controller, long.features.values)
    errors = np.square(decoded - long.targets)[:, 0].reshape(10, 10).sum(axis=1)
    np.testing.assert_allclose(beside[2:], errors[2:], rtol=1e-4)


def test_batches_hold_every_lane_once_and_are_dealt_anew() -> None:
    sequences = [running_mean(seed, 50) for seed in range(7)]
    torch.manual_seed(0)
    passes = [list(lane_batches(sequences, 20, 4, dealt)) for dealt in (False, True, True)]
    rows = [np.sort(np.concatenate([b.targets[b.weight > 0].numpy() for b in batches])) for batches in passes]
    assert [len(b.features) for b in passes[1]] == [4, 4, 4, 4, 4, 1]
    np.testing.assert_array_equal(rows[0], rows[1])
    np.testing.assert_array_equal(rows[0], rows[2])
    assert not torch.equal(passes[1][0].features, passes[2][0].features)


def test_learning_in_batches_learns() -> None:
    torch.manual_seed(0)
    controller = RecurrentController(ControllerConfig(widths=(16,)), 3, 1, scale=0.5)
    config = ImitationConfig(epochs=12, lane=10.0, horizon=5.0, learning_rate=1e-2, batch=3)
    losses = train(controller, [running_mean(s) for s in range(2)], config, RATE)
    assert losses[-1] < 0.3 * losses[0]


def test_the_best_epoch_is_kept_and_training_stops_when_validation_no_longer_falls() -> None:
    """Targets that mean nothing: what is learned of them makes another sequence worse."""
    torch.manual_seed(0)
    learned, other = (
        replace(s, targets=np.roll(s.targets, 37, axis=0)) for s in (running_mean(0, 60), running_mean(1))
    )
    controller = RecurrentController(ControllerConfig(widths=(32,)), 3, 1, scale=0.5)
    curves: list[Epoch] = []
    config = ImitationConfig(epochs=200, learning_rate=2e-2, lane=40.0, patience=5)
    losses = train(controller, [learned], config, RATE, validation=[other], log=curves.append)
    best = min(curves, key=lambda epoch: epoch.validation)
    assert len(losses) == len(curves) == best.number + 5 < 200
    error = np.square(decode(controller, other.features.values) - other.targets).mean() / 0.5**2
    assert error == pytest.approx(best.validation, rel=1e-4)
    assert curves[-1].validation > best.validation and curves[-1].loss < best.loss


def test_an_epoch_tells_norm_and_learning_rate() -> None:
    curves: list[Epoch] = []
    torch.manual_seed(0)
    controller = RecurrentController(ControllerConfig(widths=(4,)), 3, 1)
    train(controller, [running_mean(0)], ImitationConfig(epochs=2, clip=1e-3), RATE, log=curves.append)
    assert all(epoch.gradient_norm > 1e-3 for epoch in curves)  # before clipping
    assert [epoch.learning_rate for epoch in curves] == pytest.approx([5e-3, 2.5e-3])
    assert all(math.isnan(epoch.validation) for epoch in curves)


def test_each_epoch_may_learn_from_something_else() -> None:
    asked: list[int] = []

    def of_epoch(epoch: int) -> list[Sequence]:
        asked.append(epoch)
        return [running_mean(epoch, 50)]

    torch.manual_seed(0)
    controller = RecurrentController(ControllerConfig(widths=(4,)), 3, 1)
    train(controller, of_epoch, ImitationConfig(epochs=3), RATE)
    assert asked == [1, 2, 3]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"patience": 3}, "Patience needs a validation part"),
        ({"batch": -1}, "batch is -1"),
        ({"precision": "mixed"}, "needs a GPU"),
        ({"warm_up": 40}, "warm_up is 40 of 40 epochs"),
        ({"clip": 0.0}, "clip is 0"),
        pytest.param(
            {"device": "cuda"},
            "finds no GPU",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU"),
        ),
    ],
)
def test_what_no_training_could_use_is_said(options: dict[str, Any], words: str) -> None:
    controller = RecurrentController(ControllerConfig(widths=(4,)), 3, 1)
    with pytest.raises(ConfigurationError, match=words):
        train(controller, [running_mean(0)], ImitationConfig(**options), RATE)


def test_a_network_that_reads_both_ways_is_refused() -> None:
    controller = RecurrentController(ControllerConfig(widths=(4,), bidirectional=True), 3, 1)
    with pytest.raises(ConfigurationError, match="not causal"):
        train(controller, [running_mean(0)], ImitationConfig(), RATE)


def test_nothing_that_counts_is_refused() -> None:
    plain = running_mean(0)
    masked = Sequence(plain.features._replace(mask=np.zeros_like(plain.features.mask)), plain.targets, plain.trial)
    controller = RecurrentController(ControllerConfig(widths=(4,)), 3, 1)
    with pytest.raises(ConfigurationError, match="nothing to learn from"):
        train(controller, [masked], ImitationConfig(), RATE)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize("precision", ["full", "mixed"])
def test_a_gpu_learns_the_same(precision: str) -> None:
    torch.manual_seed(0)
    controller = RecurrentController(ControllerConfig(widths=(16,)), 3, 1, scale=0.5)
    config = ImitationConfig(30, 1e-2, lane=10.0, horizon=5.0, device="cuda", precision=precision)  # type: ignore[arg-type]
    losses = train(controller, [running_mean(s) for s in range(4)], config, RATE)
    assert losses[-1] < 0.1 * losses[0]
    assert next(controller.parameters()).device.type == "cpu"
