"""Pretraining foretells what can be foretold, hides what it says it hides, and gives its layers to others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from motorctl.agents import ControllerConfig, RecurrentController
from motorctl.errors import ConfigurationError
from motorctl.signals.pipeline import Features
from motorctl.training.pretraining import (
    PretrainingConfig,
    check_pretraining,
    foretell,
    pose,
    pretrain,
    stack,
    start_from,
)

RATE = 10.0
SMALL = PretrainingConfig(epochs=30, learning_rate=1e-2, hidden=0.2, span=0.3, ahead=0.5, lane=10.0, horizon=5.0)


def waves(seed: int, length: int = 400) -> Features:
    """Two features of one sine of 1 Hz, a quarter apart, and one of noise; scaled."""
    phase = 2 * np.pi * (np.arange(length) / RATE + np.random.default_rng(seed).random())
    noise = np.random.default_rng(seed + 100).standard_normal(length)
    values = np.stack([np.sqrt(2) * np.sin(phase), np.sqrt(2) * np.cos(phase), noise], axis=1).astype(np.float32)
    return Features(values, np.arange(length) / RATE, np.ones(values.shape, bool))


def network(seed: int = 0) -> RecurrentController:
    torch.manual_seed(seed)
    return RecurrentController(ControllerConfig(widths=(16,)), 3, 2)


def test_what_follows_from_the_past_is_foretold_and_noise_is_not() -> None:
    foreteller, losses = pretrain(network(), [waves(s) for s in range(4)], SMALL, RATE, seed=0)
    assert len(losses) == SMALL.epochs and losses[-1] < 0.6 * losses[0]
    told = foretell(foreteller, [waves(99)], SMALL, RATE, seed=0)
    # Two of three features follow from the past; half a turn later they are their opposite; noise has variance 1.
    assert told.hidden == pytest.approx(1 / 3, abs=0.2)
    assert told.ahead == pytest.approx(1 / 3, abs=0.2)
    assert told.held == pytest.approx((4 + 4 + 2) / 3, abs=0.3)


def test_a_seed_fixes_the_result_and_the_read_out_stays() -> None:
    few = replace(SMALL, epochs=2)
    first, again, other = (network() for _ in range(3))
    for controller, seed in ((first, 3), (again, 3), (other, 4)):
        pretrain(controller, [waves(0)], few, RATE, seed)
    states = [c.state_dict() for c in (first, again, other, network())]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0]["layers.0.weight_ih_l0"], states[2]["layers.0.weight_ih_l0"])
    assert torch.equal(states[0]["readout.weight"], states[3]["readout.weight"])


def test_so_much_is_hidden_in_spans_and_rows_are_paired_with_later_ones() -> None:
    values, known = stack([waves(0, 4000)], 4000)
    task = pose(values, known, SMALL, RATE, np.random.default_rng(0))
    hidden = task.hidden[0].bool()
    assert float(hidden.float().mean()) == pytest.approx(SMALL.hidden, abs=0.03)
    assert not task.shown[0][hidden].any() and torch.equal(task.shown[0][~hidden], values[0][~hidden])
    began = hidden[1:] & ~hidden[:-1]
    for row, feature in began[:-4].nonzero().tolist():
        assert hidden[row + 1 : row + 4, feature].all()
    assert torch.equal(task.later[0, :-5], values[0, 5:])
    assert not task.told[0, -5:].any() and task.told[0, :-5].all()


def test_what_was_not_measured_is_neither_shown_nor_foretold() -> None:
    whole, few = waves(0), replace(SMALL, epochs=2)
    mask = whole.mask.copy()
    mask[50:80, 1] = False
    wrong = whole.values.copy()
    wrong[50:80, 1] = 1e3
    losses = [pretrain(network(), [Features(v, whole.times, mask)], few, RATE, 0)[1] for v in (whole.values, wrong)]
    assert losses[0] == losses[1]


def test_stretches_of_different_length_count_by_their_rows() -> None:
    values, known = stack([waves(0, 30), waves(1, 95)], 40)
    assert values.shape == (4, 40, 3)
    assert known.sum(dim=(1, 2)).tolist() == [90, 120, 120, 45]


def test_layers_are_handed_on_and_the_read_out_is_not() -> None:
    pretrained, controller = network(1), network(2)
    own = controller.readout.weight.clone()
    start_from(controller, pretrained)
    assert torch.equal(controller.layers[0].weight_hh_l0, pretrained.layers[0].weight_hh_l0)
    assert torch.equal(controller.readout.weight, own)


def test_layers_that_differ_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="on 3 features.*on 4.*--controller and --pipeline"):
        start_from(RecurrentController(ControllerConfig(widths=(16,)), 4, 2), network())


@pytest.mark.parametrize(
    "wrong", [{"hidden": 1.0}, {"hidden": -0.1}, {"span": 0.0}, {"ahead": -1.0}, {"epochs": 0}, {"lane": 0.0}]
)
def test_numbers_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        check_pretraining(replace(SMALL, **wrong))  # type: ignore[arg-type]
