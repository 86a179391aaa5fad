"""The Kalman filter against the textbook's recursion, and what ReFIT takes for intended."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motorctl.agents import KalmanController
from motorctl.errors import ConfigurationError
from motorctl.training.kalman import fit_kalman, intended_velocity

A = np.array([[0.95, 0.05], [-0.05, 0.95]])
C = np.random.default_rng(9).standard_normal((6, 2))


def session(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets of a linear system with unit measurement noise."""
    rng = np.random.default_rng(seed)
    x = np.zeros((rows, 2))
    for t in range(1, rows):
        x[t] = A @ x[t - 1] + 0.1 * rng.standard_normal(2)
    return x @ C.T + rng.standard_normal((rows, 6)) + 3, x + 1


def decode(controller: KalmanController, inputs: np.ndarray) -> np.ndarray:
    return np.asarray(controller(torch.from_numpy(inputs)[None], controller.initial_state())[0][0].numpy())


def textbook(inputs: np.ndarray) -> np.ndarray:
    """The recursion of Kalman 1960 with the true matrices, covariance and all."""
    x, p, said = np.zeros(2), 0.1 * np.eye(2), []
    for z in inputs - 3:
        x, p = A @ x, A @ p @ A.T + 0.01 * np.eye(2)
        gain = p @ C.T @ np.linalg.inv(C @ p @ C.T + np.eye(6))
        x, p = x + gain @ (z - C @ x), (np.eye(2) - gain @ C) @ p
        said.append(x + 1)
    return np.array(said)


def test_it_finds_the_system_and_decodes_as_the_textbooks_filter_does() -> None:
    fitted = fit_kalman([session(20_000, 0), session(10_000, 1)])
    inputs, targets = session(3000, 2)
    said, best = decode(fitted, inputs), textbook(inputs)
    assert np.sqrt(np.mean((said - best)[50:] ** 2)) < 0.1 * best.std()
    assert np.mean((said - targets) ** 2) < 1.03 * np.mean((best - targets) ** 2)


def test_rows_without_a_target_do_not_count() -> None:
    inputs, targets = session(2000, 0)
    holes = np.arange(2000) % 7 == 0
    garbage = np.where(holes[:, None], 1e6, inputs)
    missing = np.where(holes[:, None], np.nan, targets)
    asked = session(300, 3)[0]
    np.testing.assert_allclose(
        decode(fit_kalman([(garbage, missing)]), asked), decode(fit_kalman([(inputs, missing)]), asked)
    )


def test_more_noise_makes_it_slower_to_believe() -> None:
    part, asked = session(2000, 0), session(500, 3)[0]
    steps = [np.abs(np.diff(decode(fit_kalman([part], noise), asked), axis=0)).mean() for noise in (1, 10, 100)]
    assert steps[0] > steps[1] > steps[2]


def test_too_little_is_said() -> None:
    with pytest.raises(ConfigurationError, match="cannot be fitted to 2 rows"):
        fit_kalman([(np.zeros((3, 6)), np.zeros((3, 2)))])


def test_what_was_intended_points_to_where_the_trial_ended_and_rests_there() -> None:
    velocity = np.array([[0.0, 1], [1, 0], [1, 0], [0, -1], [5, 5]] + [[0.001, 0]] * 3)
    trial = np.array([0, 0, 0, 0, -1, 0, 0, 0])
    intended = intended_velocity(velocity, trial)
    np.testing.assert_allclose(intended[0], [1, 0], atol=0.01)  # it went off to the side, the end lies ahead
    np.testing.assert_allclose(intended[1], np.array([2.003, -1]) / np.hypot(2.003, 1), atol=1e-9)
    np.testing.assert_array_equal(intended[4], [5, 5])
    np.testing.assert_array_equal(intended[5:], np.zeros((3, 2)))
    np.testing.assert_allclose(np.linalg.norm(intended[:4], axis=1), 1)
