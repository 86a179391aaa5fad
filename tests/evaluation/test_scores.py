"""Scores against scikit-learn, closed forms and published values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motorctl.evaluation.scores import (
    class_scores,
    information_transfer_rate,
    mean_value_scores,
    value_moments,
    value_scores,
)

metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), classes=st.integers(2, 4), ties=st.booleans())
def test_class_scores_are_scikit_learns(seed: int, classes: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    labels = np.r_[np.arange(classes), rng.integers(0, classes, 30)]
    probabilities = rng.dirichlet(np.ones(classes), len(labels))
    if ties:
        probabilities = np.round(probabilities + 0.05, 1)
        probabilities /= probabilities.sum(axis=1, keepdims=True)
    predicted = probabilities.argmax(axis=1)
    scores = class_scores(labels, probabilities, 4.0)
    assert scores["accuracy"] == pytest.approx(metrics.accuracy_score(labels, predicted))
    assert scores["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(labels, predicted))
    assert scores["kappa"] == pytest.approx(metrics.cohen_kappa_score(labels, predicted))
    assert scores["log_loss"] == pytest.approx(metrics.log_loss(labels, probabilities))
    given_areas = [metrics.roc_auc_score(labels == c, probabilities[:, c]) for c in range(classes)]
    assert scores["roc_auc"] == pytest.approx(np.mean(given_areas))


def test_a_choice_without_probabilities_has_no_score_that_needs_them() -> None:
    scores = class_scores(np.array([0, 1, 1]), np.eye(2)[[0, 1, 0]], 4.0, graded=False)
    assert set(scores) == {"accuracy", "balanced_accuracy", "kappa", "itr"}


def test_the_calibration_error_is_its_definition() -> None:
    probabilities = np.array([[0.9, 0.1]] * 10 + [[0.4, 0.6]] * 10)
    labels = np.array([0] * 8 + [1] * 2 + [1] * 5 + [0] * 5)
    assert class_scores(labels, probabilities, 1.0)["calibration_error"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("accuracy", "classes", "bits"),
    [(1.0, 2, 1.0), (0.9, 2, 0.531), (0.9, 4, 1.373), (0.8, 2, 0.278), (0.5, 2, 0.0), (0.2, 4, 0.0), (1.0, 4, 2.0)],
)
def test_the_information_transfer_rate_is_wolpaws(accuracy: float, classes: int, bits: float) -> None:
    assert information_transfer_rate(accuracy, classes, 60.0) == pytest.approx(bits, abs=5e-4)
    assert information_transfer_rate(accuracy, classes, 6.0) == pytest.approx(10 * bits, abs=5e-3)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), offset=st.floats(-1e3, 1e3))
def test_value_scores_are_scikit_learns_and_numpys_whatever_the_blocks(seed: int, offset: float) -> None:
    rng = np.random.default_rng(seed)
    targets = rng.standard_normal((60, 2)) * [1, 3] + offset
    decoded = targets + rng.standard_normal((60, 2)) + 0.3
    missing = rng.random(60) < 0.2
    targets[missing, 0] = np.nan
    moments = value_moments(decoded, targets, np.sort(rng.integers(0, 7, 60)))
    scores = value_scores(moments.sum(axis=0))
    for output, known in enumerate((~missing, np.ones(60, bool))):
        y, x = targets[known, output], decoded[known, output]
        assert scores["r2"][output] == pytest.approx(metrics.r2_score(y, x), abs=1e-6)
        assert scores["pearson_r"][output] == pytest.approx(np.corrcoef(y, x)[0, 1], abs=1e-6)
        assert scores["rmse"][output] == pytest.approx(metrics.root_mean_squared_error(y, x), abs=1e-6)
        assert scores["nrmse"][output] == pytest.approx(metrics.root_mean_squared_error(y, x) / y.std(), abs=1e-6)


def test_the_mean_has_r2_0_and_no_correlation_and_what_never_changes_no_score() -> None:
    targets = np.column_stack([np.arange(10.0), np.full(10, 7.0)])
    scores = value_scores(value_moments(np.full((10, 2), 4.5), targets, np.zeros(10, np.int64)).sum(axis=0))
    assert scores["r2"][0] == pytest.approx(0) and scores["pearson_r"][0] == 0
    assert np.isnan(scores["r2"][1]) and np.isnan(scores["pearson_r"][1])


def test_folds_weigh_as_their_rows() -> None:
    def fold(rows: int, decoded: float) -> np.ndarray:
        targets = np.resize([-1.0, 1.0], rows)[:, None]
        return value_moments(decoded * targets, targets, np.zeros(rows, np.int64))

    assert mean_value_scores([fold(30, 1.0), fold(10, 0.0)])["r2"] == pytest.approx(0.75)
