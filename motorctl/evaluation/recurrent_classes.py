"""The recurrent classifier of ``motorctl train classify`` as an estimator of epochs."""

from __future__ import annotations

from collections.abc import Sequence as Labels
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin  # type: ignore[import-untyped]

from motorctl.evaluation.decoding_data import stream
from motorctl.signals.pipeline import Pipeline
from motorctl.signals.stream import Chunk
from motorctl.training.classes import trial_probabilities
from motorctl.training.classifier import Classifier, fit, prepare
from motorctl.training.sequence import Sequence
from motorctl.training.trials import stack_trials


class RecurrentClasses(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Every epoch is a stream of its own: pipeline, scaling and recurrent network, as live, in its default
    configuration; of a stream without its electrodes all channels are taken.

    Args:
        labels: of the channels.
        rate: of the epochs (Hz).
        epochs: passes over the trials.
        random_state: seed.
    """

    def __init__(self, labels: Labels[str], rate: float, epochs: int = 30, random_state: int = 0) -> None:
        self.labels, self.rate, self.epochs, self.random_state = labels, rate, epochs, random_state

    def fit(self, X: NDArray[np.floating], y: ArrayLike) -> Self:
        """Learn from ``X (trial, channel, time)`` the labels ``y (trial,)``."""
        config = Classifier()
        if not set(config.pipeline.channels) <= set(self.labels):
            config = replace(config, pipeline=replace(config.pipeline, channels=(), reference="none"))
        training = replace(config.training, epochs=self.epochs)
        self.classes_, numbers = np.unique(np.asarray(y), return_inverse=True)
        unfitted = Pipeline(config.pipeline, stream(tuple(self.labels), self.rate))
        sequences = as_sequences(X, unfitted, np.eye(len(self.classes_), dtype=np.float32)[numbers])
        self.prepared_ = prepare(sequences, unfitted, config)
        trials = stack_trials([self.prepared_.apply(s) for s in sequences])
        config = replace(config, training=training)
        self.network_, self.losses_ = fit(trials, len(self.classes_), config, int(self.random_state))
        self.unfitted_ = unfitted
        return self

    def predict_proba(self, X: NDArray[np.floating]) -> NDArray[np.float64]:
        """``(trial, class)``, in the order of ``classes_``."""
        nothing = np.zeros((len(X), len(self.classes_)), np.float32)
        sequences = as_sequences(X, self.unfitted_, nothing)
        trials = stack_trials([self.prepared_.apply(s) for s in sequences])
        return np.asarray(trial_probabilities(self.network_, trials).double().numpy())

    def predict(self, X: NDArray[np.floating]) -> NDArray[Any]:
        """The most probable class of each trial, ``(trial,)``."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])


def as_sequences(X: NDArray[np.floating], pipeline: Pipeline, targets: NDArray[np.float32]) -> list[Sequence]:
    """What the pipeline gives of each epoch, from the first row on that has a full window."""
    times = np.arange(X.shape[2]) / pipeline.info.rate
    sequences = []
    for epoch, target in zip(X, targets, strict=True):
        features, _ = pipeline.process(Chunk(np.asarray(epoch.T, np.float32), times))
        rows = len(features.times)
        sequence = Sequence(features, np.tile(target, (rows, 1)), np.zeros(rows, np.int64))
        sequences.append(sequence[int(features.mask.all(axis=1).argmax()) :])
    return sequences
