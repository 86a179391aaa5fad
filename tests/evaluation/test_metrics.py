"""Scores against other people's implementations, closed forms, and what chance must be."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import pearsonr

from motorctl.evaluation.metrics import decoding_score, mean_pearson_r, pearson_r


def test_pearson_r_is_scipys() -> None:
    rng = np.random.default_rng(0)
    decoded = rng.standard_normal((200, 3))
    target = decoded * [1, -2, 0.5] + rng.standard_normal((200, 3))
    expected = [pearsonr(decoded[:, i], target[:, i]).statistic for i in range(3)]
    np.testing.assert_allclose(pearson_r(decoded, target), expected)
    assert mean_pearson_r(decoded, target) == pytest.approx(np.mean(expected))


def test_an_output_that_never_moves_has_no_correlation_and_does_not_count() -> None:
    target = np.stack([np.arange(10.0), np.zeros(10)], axis=1)
    assert np.isnan(pearson_r(target, target)[1])
    assert mean_pearson_r(target + np.arange(10.0)[:, None], target) == pytest.approx(1)
    assert np.isnan(mean_pearson_r(target, np.zeros((10, 2))))


def trials(signs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Trials of 40 rows with a bell-shaped target of the given sign, 20 rows of rest between them."""
    bell = np.concatenate([np.sin(np.linspace(0, np.pi, 40)), np.zeros(20)])
    target = np.concatenate([sign * bell for sign in signs])[:, None]
    trial = np.concatenate([np.r_[np.full(40, k), np.full(20, -1)] for k in range(len(signs))])
    return target, trial


def test_a_perfect_decoder_stands_far_above_chance() -> None:
    target, trial = trials(np.tile([1, -1, -1, 1], 10))
    score = decoding_score(target, target, trial, seed=0)
    assert score.pearson_r == pytest.approx(1)
    assert abs(score.chance_r) < 0.05 and 0.1 < score.chance_r_95 < 0.4
    assert (score.correct, score.trials) == (40, 40)
    assert score.accuracy_interval == pytest.approx((0.9124, 1.0), abs=1e-3)  # Wilson's interval for 40 of 40


def test_a_decoder_that_knows_when_but_not_where_is_at_chance() -> None:
    target, trial = trials(np.tile([1, -1, -1, 1], 10))
    score = decoding_score(np.abs(target), target, trial, seed=0)
    assert abs(score.pearson_r) < score.chance_r_95 + 1e-9
    assert score.correct == 20
