"""What decoders cost, counted another way."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from motorctl.agents import ControllerConfig, RecurrentController, WienerController
from motorctl.evaluation.cost import decision_flops, size, step_flops


def test_the_operations_of_a_wiener_filter_are_those_that_torch_counts() -> None:
    controller = WienerController(torch.zeros(5, 7, 2), torch.zeros(2))
    with FlopCounterMode(display=False) as counter:
        controller(torch.zeros(1, 1, 7), controller.initial_state())
    assert step_flops(controller) == counter.get_total_flops()


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_a_recurrent_step_multiplies_and_adds_once_for_each_weight(cell: str) -> None:
    controller = RecurrentController(ControllerConfig(cell=cell, widths=(8, 5)), 3, 2)  # type: ignore[arg-type]
    weights = sum(p.numel() for name, p in controller.named_parameters() if "weight" in name)
    assert step_flops(controller) == 2 * weights
    numbers, memory = size(controller)
    assert numbers == sum(p.numel() for p in controller.parameters()) + 1 and memory == 4 * numbers


def test_a_neighbours_decoder_holds_what_it_was_given() -> None:
    neighbors = pytest.importorskip("sklearn.neighbors", reason="scikit-learn is not installed")
    fitted = neighbors.KNeighborsClassifier(1).fit(np.zeros((50, 4)), np.arange(50) % 2)
    assert size(fitted) == (200, 1600)
    assert decision_flops(fitted, 0, 0) == 3 * 200
    assert decision_flops(object(), 3, 3) is None
