"""Recurrent networks as scikit-learn estimators: for grid search, pipelines and cross-validation of whole trials.

``X`` is an array ``(trial, time, channel)`` or a list of trials ``(time, channel)`` of any lengths. Shorter trials are
padded for the batch; padding is masked, in the scaling, the loss and the prediction alike. scikit-learn is an extra:
this module alone needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin  # type: ignore[import-untyped]
from sklearn.utils import check_random_state  # type: ignore[import-untyped]
from sklearn.utils.validation import check_is_fitted  # type: ignore[import-untyped]
from torch import Tensor, nn

from motorctl.errors import check_positive
from motorctl.threads import one_thread

from .recurrent import ControllerConfig, RecurrentController

Cell = Literal["rnn", "lstm", "gru"]
Trials = ArrayLike | Iterable[ArrayLike]
Loss = Callable[[Tensor], Tensor]


class Batch(NamedTuple):
    """Trials side by side: ``values (trial, time, channel)`` and ``weight (trial, time)``, 0 where padded."""

    values: Tensor
    weight: Tensor

    def mean(self, rows: Tensor) -> Tensor:
        """Of ``(trial, time, ...)`` over the rows of each trial that are no padding: ``(trial, ...)``."""
        weight = self.weight.reshape(*self.weight.shape, *[1] * (rows.ndim - 2))
        mean: Tensor = (rows * weight).sum(dim=1) / weight.sum(dim=1)
        return mean


class _Recurrent(BaseEstimator):  # type: ignore[misc]
    """What both estimators share: the network's options, scaling, and training.

    Args:
        cell: ``rnn``, ``lstm`` or ``gru``.
        widths: units of each recurrent layer.
        dropout: share of units dropped while training.
        epochs: updates, each from all trials.
        learning_rate: of AdamW.
        weight_decay: of AdamW.
        random_state: seed, generator or None, as everywhere in scikit-learn.
    """

    def __init__(
        self,
        cell: Cell = "gru",
        widths: tuple[int, ...] = (16,),
        dropout: float = 0.3,
        epochs: int = 60,
        learning_rate: float = 5e-3,
        weight_decay: float = 1e-2,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.cell = cell
        self.widths = widths
        self.dropout = dropout
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.random_state = random_state

    def _fit(self, trials: list[NDArray[np.float32]], outputs: int, loss: Callable[[Batch, Tensor], Tensor]) -> None:
        check_positive("epochs", self.epochs)
        check_positive("learning_rate", self.learning_rate)
        rows = np.concatenate(trials)
        std = rows.std(axis=0)
        self.n_features_in_ = rows.shape[1]
        self.mean_, self.scale_ = rows.mean(axis=0), np.where(std > 1e-6, std, 1.0).astype(np.float32)
        batch, losses = self._batch(trials), []
        with torch.random.fork_rng(devices=[]), one_thread():  # leaves the caller's generator as it was
            torch.manual_seed(int(check_random_state(self.random_state).randint(2**31)))
            config = ControllerConfig(self.cell, tuple(self.widths), self.dropout)
            network = RecurrentController(config, self.n_features_in_, outputs)
            optimizer = torch.optim.AdamW(network.parameters(), self.learning_rate, weight_decay=self.weight_decay)
            for _ in range(self.epochs):
                error = loss(batch, network(batch.values, network.initial_state(len(trials)))[0])
                optimizer.zero_grad()
                torch.autograd.backward(error)
                nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimizer.step()
                losses.append(float(error.detach()))
        self.network_, self.loss_curve_ = network.eval(), losses

    @torch.inference_mode()
    def _outputs(self, X: Trials) -> tuple[Batch, Tensor]:
        """The trials and the network's outputs ``(trial, time, output)``."""
        check_is_fitted(self, "network_")
        trials = as_trials(X)
        if trials[0].shape[1] != self.n_features_in_:
            raise ValueError(f"X has {trials[0].shape[1]} channels, but it was fitted on {self.n_features_in_}.")
        batch = self._batch(trials)
        with one_thread():
            return batch, self.network_(batch.values, self.network_.initial_state(len(trials)))[0]

    def _batch(self, trials: list[NDArray[np.float32]]) -> Batch:
        return pad([(trial - self.mean_) / self.scale_ for trial in trials])


class RecurrentClassifier(ClassifierMixin, _Recurrent):  # type: ignore[misc]
    """A class for each trial: the probabilities of every row, averaged over the trial.

    Attributes: ``classes_``, ``network_``, ``mean_``, ``scale_``, ``n_features_in_``, ``loss_curve_``.
    """

    def fit(self, X: Trials, y: ArrayLike) -> Self:
        """Learn the labels ``y (trial,)``, of two classes or more."""
        trials, labels = as_trials(X), np.asarray(y)
        check_targets(trials, labels, (1,))
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y holds only the class {self.classes_[0]}; two or more are needed.")
        targets = torch.from_numpy(numbers)

        def loss(batch: Batch, logits: Tensor) -> Tensor:
            wanted = targets[:, None].expand(logits.shape[:2])
            losses = nn.functional.cross_entropy(logits.transpose(1, 2), wanted, reduction="none")
            return batch.mean(losses).mean()

        self._fit(trials, len(self.classes_), loss)
        return self

    def predict_proba(self, X: Trials) -> NDArray[np.float64]:
        """``(trial, class)``, in the order of ``classes_``; each row sums to 1."""
        batch, logits = self._outputs(X)
        return np.asarray(batch.mean(logits.double().softmax(dim=-1)).numpy())

    def predict(self, X: Trials) -> NDArray[Any]:
        """The most probable class of each trial, ``(trial,)``."""
        numbers = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[numbers])


class RecurrentRegressor(RegressorMixin, _Recurrent):  # type: ignore[misc]
    """One number or vector for each trial: the network's output at its last row.

    Attributes: ``network_``, ``mean_``, ``scale_``, ``target_mean_``, ``target_scale_``, ``n_features_in_``,
    ``loss_curve_``.
    """

    def fit(self, X: Trials, y: ArrayLike) -> Self:
        """Learn the targets ``y``, ``(trial,)`` or ``(trial, output)``."""
        trials, values = as_trials(X), np.asarray(y, np.float64)
        check_targets(trials, values, (1, 2))
        if not np.isfinite(values).all():
            raise ValueError("y holds NaN or infinity.")
        std = values.std(axis=0)
        self.target_mean_, self.target_scale_ = values.mean(axis=0), np.where(std > 0, std, 1.0)
        scaled = ((values - self.target_mean_) / self.target_scale_).reshape(len(values), -1).astype(np.float32)
        targets = torch.from_numpy(scaled)
        self._fit(trials, targets.shape[1], lambda batch, rows: (last(batch, rows) - targets).square().mean())
        return self

    def predict(self, X: Trials) -> NDArray[np.float64]:
        """``(trial,)`` or ``(trial, output)``, as ``y`` was."""
        values = last(*self._outputs(X)).double().numpy()
        shaped = values.reshape(len(values), *self.target_mean_.shape)
        return np.asarray(shaped * self.target_scale_ + self.target_mean_)


def as_trials(X: Trials) -> list[NDArray[np.float32]]:
    """``X`` as a list of ``(time, channel)``.

    Raises:
        ValueError: there is no trial, or one is of another shape, empty, or not finite.
    """
    trials = [np.asarray(trial, np.float32) for trial in X]  # type: ignore[union-attr]
    if not trials:
        raise ValueError("X holds no trial.")
    for number, trial in enumerate(trials):
        if trial.ndim != 2 or not trial.size or trial.shape[1] != trials[0].shape[-1]:
            raise ValueError(
                f"Trial {number} has the shape {trial.shape}; expected (time, channel), alike in channels."
            )
        if not np.isfinite(trial).all():
            raise ValueError(f"Trial {number} holds NaN or infinity.")
    return trials


def check_targets(trials: list[NDArray[np.float32]], targets: NDArray[Any], dimensions: tuple[int, ...]) -> None:
    """Raise ``ValueError`` unless there is one target for each trial."""
    if targets.ndim not in dimensions or len(targets) != len(trials):
        raise ValueError(f"y has the shape {targets.shape} for {len(trials)} trials; give one target for each.")


def pad(trials: list[NDArray[np.float32]]) -> Batch:
    """Trials side by side, filled up with zeros at their ends."""
    values = torch.zeros(len(trials), max(map(len, trials)), trials[0].shape[1])
    weight = torch.zeros(values.shape[:2])
    for place, trial in enumerate(trials):
        values[place, : len(trial)], weight[place, : len(trial)] = torch.from_numpy(trial), 1
    return Batch(values, weight)


def last(batch: Batch, rows: Tensor) -> Tensor:
    """The last row of each trial that is no padding: ``(trial, output)`` of ``(trial, time, output)``."""
    return rows[torch.arange(len(rows)), batch.weight.sum(dim=1).long() - 1]
