"""Linear controllers: they give what their equations give, in pieces of any length, and live."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motorctl.agents import KalmanController, LinearController, WienerController


def wiener(lags: int = 3) -> WienerController:
    rng = np.random.default_rng(0)
    return WienerController(torch.from_numpy(rng.standard_normal((lags, 4, 2))), torch.tensor([0.5, -1.0]).double())


def kalman() -> KalmanController:
    rng = np.random.default_rng(1)
    parts = (0.4 * np.eye(2), 0.1 * rng.standard_normal((2, 4)), rng.standard_normal(4), np.array([1.0, 2.0]))
    return KalmanController(*map(torch.from_numpy, parts))


@pytest.mark.parametrize("controller", [wiener(), wiener(1), kalman()], ids=["wiener", "one lag", "kalman"])
@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 20), max_size=4), batch=st.integers(1, 3))
def test_pieces_of_any_length_and_single_rows_give_the_same(
    controller: LinearController, cuts: list[int], batch: int
) -> None:
    features = torch.from_numpy(np.random.default_rng(2).standard_normal((batch, 20, 4)))
    whole, _ = controller(features, controller.initial_state(batch))
    state, rows = controller.initial_state(batch), []
    for piece in torch.tensor_split(features, sorted(cuts), dim=1):
        if piece.shape[1]:
            said, state = controller(piece, state)
            rows.append(said)
    torch.testing.assert_close(torch.cat(rows, dim=1), whole)
    state = controller.initial_state()
    for row, expected in zip(features[0].numpy(), whole[0].numpy(), strict=True):
        command, state = controller.step(row, state)
        np.testing.assert_allclose(command, expected)


def test_the_wiener_filter_is_its_formula() -> None:
    controller = wiener(2)
    x = np.random.default_rng(3).standard_normal((5, 4))
    said = controller(torch.from_numpy(x)[None], controller.initial_state())[0][0].numpy()
    now, before = controller.weights.numpy()
    offset = controller.offset.numpy()
    np.testing.assert_allclose(said[0], x[0] @ now + offset)
    np.testing.assert_allclose(said[4], x[4] @ now + x[3] @ before + offset)


def test_the_kalman_filter_is_its_formula() -> None:
    c = kalman()
    x = np.random.default_rng(3).standard_normal((3, 4))
    said = c(torch.from_numpy(x)[None], c.initial_state())[0][0].numpy()
    departure = np.zeros(2)
    for row, expected in zip(x, said, strict=True):
        departure = c.transition.numpy() @ departure + c.gain.numpy() @ (row - c.feature_mean.numpy())
        np.testing.assert_allclose(expected, departure + c.command_mean.numpy())
