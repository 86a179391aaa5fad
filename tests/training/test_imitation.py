"""Imitation learns what can be learned, and only from rows that count."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from motorctl.agents import CELLS, ControllerConfig, RecurrentController
from motorctl.signals.pipeline import Features
from motorctl.training.imitation import ImitationConfig, decode, train
from motorctl.training.sequence import Sequence

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
