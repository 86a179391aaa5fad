"""The estimators keep scikit-learn's conventions, and never learn from padding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.base import clone  # noqa: E402
from sklearn.exceptions import NotFittedError  # noqa: E402
from sklearn.model_selection import GridSearchCV, cross_val_score  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import FunctionTransformer  # noqa: E402

from motorctl.agents.estimators import RecurrentClassifier, RecurrentRegressor  # noqa: E402


def trials(seed: int, count: int = 40, shortest: int = 12) -> tuple[list[Any], Any, Any]:
    """Trials of 12 rows at most, the class of each in its means, and the value of its last row."""
    rng = np.random.default_rng(seed)
    labels = np.array(["feet", "fists"])[np.arange(count) % 2]
    lengths = rng.integers(shortest, 13, count)
    X = [
        rng.standard_normal((n, 3)) + [2.0 * (label == "feet"), 0, 5] for n, label in zip(lengths, labels, strict=True)
    ]
    return X, labels, np.array([2 * trial[-1, 1] + 10 for trial in X])


@pytest.mark.parametrize("shortest", [12, 3])
def test_the_classifier_learns_from_trials_of_one_and_of_many_lengths(shortest: int) -> None:
    X, y, _ = trials(0, shortest=shortest)
    held, truth, _ = trials(1, shortest=shortest)
    model = RecurrentClassifier(random_state=0).fit(np.array(X) if shortest == 12 else X, y)
    assert model.score(held, truth) > 0.9
    assert model.classes_.tolist() == ["feet", "fists"]
    np.testing.assert_allclose(model.predict_proba(held).sum(axis=1), 1)
    assert (model.predict(held) == model.classes_[model.predict_proba(held).argmax(axis=1)]).all()


def test_the_regressor_gives_each_trial_its_value() -> None:
    X, _, y = trials(0, count=150, shortest=4)
    held, _, truth = trials(1, shortest=4)
    options = {"epochs": 150, "dropout": 0.0, "random_state": 0}
    model = RecurrentRegressor(**options).fit(X, y)
    assert model.score(held, truth) > 0.8 and model.predict(held).shape == (40,)
    both = RecurrentRegressor(**options).fit(X, np.column_stack([y, -y]))
    assert both.predict(held).shape == (40, 2) and both.score(held, np.column_stack([truth, -truth])) > 0.8


def test_padding_is_not_learned_from_where_the_naive_way_fails() -> None:
    """A trial's length tells its class while training and not later: who learns from padding learns the length."""
    rng = np.random.default_rng(0)

    def make(count: int, long_if_one: bool) -> tuple[list[Any], Any]:
        y = np.arange(count) % 2
        lengths = np.where((y == 1) == long_if_one, 30, 6)
        X = [rng.standard_normal((n, 1)) + 1.2 * label + 5 for n, label in zip(lengths, y, strict=True)]
        return X, y

    def filled(X: list[Any]) -> Any:
        return np.array([np.vstack([x, np.zeros((30 - len(x), 1))]) for x in X])

    (train, y), (test, truth) = make(60, True), make(60, False)
    assert RecurrentClassifier(random_state=0).fit(train, y).score(test, truth) > 0.75
    assert RecurrentClassifier(random_state=0).fit(filled(train), y).score(filled(test), truth) < 0.25


def test_a_trial_is_predicted_alike_alone_and_beside_longer_ones() -> None:
    X, y, values = trials(0, count=10, shortest=3)
    for model, targets in ((RecurrentClassifier(epochs=3), y), (RecurrentRegressor(epochs=3), values)):
        model.fit(X, targets)
        ask = getattr(model, "predict_proba", model.predict)
        np.testing.assert_allclose(np.concatenate([ask([x]) for x in X]), ask(X), rtol=1e-4, atol=1e-5)


def test_clone_grid_search_pipeline_and_cross_validation() -> None:
    X, y, _ = trials(0, shortest=5)
    model = RecurrentClassifier(widths=(8,), epochs=15, random_state=0)
    assert clone(model).get_params() == model.get_params() and not hasattr(clone(model.fit(X, y)), "network_")
    blind = 1e-6  # learns nothing, so that any guess it makes is the one it was born with
    search = GridSearchCV(model, {"learning_rate": [blind, 5e-3]}, cv=2, scoring="neg_log_loss").fit(X, y)
    assert search.best_params_ == {"learning_rate": 5e-3}
    halved = make_pipeline(FunctionTransformer(lambda X: [x[::2] for x in X]), model)
    assert halved.fit(X, y).predict(X).shape == (40,)
    assert cross_val_score(model, np.array(trials(0)[0]), y, cv=3).mean() > 0.7


def test_random_state_fixes_the_result_and_the_global_generator_is_left_alone() -> None:
    X, y, _ = trials(0, count=8)
    torch.manual_seed(1)
    untouched = torch.rand(1)
    torch.manual_seed(1)
    one, same, other = (RecurrentClassifier(epochs=2, random_state=s).fit(X, y).predict_proba(X) for s in (3, 3, 4))
    assert torch.equal(torch.rand(1), untouched)
    assert (one == same).all() and (one != other).any()


def test_what_cannot_be_learned_from_is_said() -> None:
    X, y, values = trials(0, count=4)
    model = RecurrentClassifier(epochs=1)
    with pytest.raises(NotFittedError):
        model.predict(X)
    wrong: list[tuple[Any, Any, str]] = [
        ([], [], "no trial"),
        (X, ["a"] * 4, "only the class"),
        (X, y[:3], "one target for each"),
        ([X[0], X[1][:, :2]], y[:2], "Trial 1 has the shape"),
        ([X[0], X[1] * np.nan], y[:2], "Trial 1 holds NaN"),
        ([x[:0] for x in X], y, "Trial 0 has the shape"),
    ]
    for data, labels, problem in wrong:
        with pytest.raises(ValueError, match=problem):
            model.fit(data, labels)
    with pytest.raises(ValueError, match="y holds NaN"):
        RecurrentRegressor(epochs=1).fit(X, values * np.nan)
    with pytest.raises(ValueError, match="2 channels, but it was fitted on 3"):
        model.fit(X, y).predict([x[:, :2] for x in X])
