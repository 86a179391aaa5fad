"""Decoders of continuous values: each learns from stretches of standardised rows and says values row by row.

Controllers that the live loop can run as they are (recurrent, Wiener, Kalman), and scikit-learn's regressors on lagged
rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motorctl.agents import ControllerConfig, RecurrentController, Stepper
from motorctl.errors import ConfigurationError
from motorctl.evaluation import cost
from motorctl.signals.pipeline import Features
from motorctl.training.imitation import ImitationConfig, train
from motorctl.training.kalman import fit_kalman, intended_velocity
from motorctl.training.sequence import Sequence as Stretch
from motorctl.training.wiener import LAGS, Part, fit_wiener, lagged

Array = NDArray[np.float64]

NEIGHBOURS = 20
"""Rows whose targets the nearest neighbours' decoder averages; of neighbouring rows that are much alike."""


NOISES = (1.0, 3.0, 10.0, 30.0, 100.0)
"""Of the Kalman filters, to choose from."""


class Learned(Protocol):
    """A fitted decoder."""

    def predict(self, inputs: NDArray[np.float32]) -> Array:
        """Values ``(time, output)`` for a stretch ``(time, channel)``; each rests on its row and those before."""
        ...


class Controlled(NamedTuple):
    """A controller of the live loop as a fitted decoder, and the loss of every epoch, of what learns in epochs."""

    controller: Any
    losses: Sequence[float] = ()

    def predict(self, inputs: NDArray[np.float32]) -> Array:
        """Values ``(time, output)``, the state carried from row to row."""
        with torch.inference_mode():
            commands: Tensor = self.controller(torch.from_numpy(inputs)[None], self.controller.initial_state(1))[0]
        return np.asarray(commands[0].double().numpy())


class Lagged(NamedTuple):
    """A scikit-learn regressor that is given ``lags`` rows side by side."""

    estimator: Any
    lags: int

    def predict(self, inputs: NDArray[np.float32]) -> Array:
        """Values ``(time, output)``."""
        return np.asarray(self.estimator.predict(lagged(inputs, self.lags)), float).reshape(len(inputs), -1)


def one_row(learned: Learned, row: NDArray[np.float32]) -> Callable[[], Any]:
    """What decodes a single ``row (1, channel)``, as the live loop would."""
    if not isinstance(learned, Controlled):
        return lambda: learned.predict(row)
    controller = learned.controller
    stepper = Stepper(controller) if isinstance(controller, RecurrentController) else controller
    state = stepper.initial_state()
    return lambda: stepper.step(row[0], state)


def step_cost(learned: Learned, row: NDArray[np.float32]) -> dict[str, Any]:
    """What one ``row (1, channel)`` costs a decoder."""
    numbers, memory = cost.size(learned)
    return {
        "latency_ms": cost.latency_ms(one_row(learned, row)),
        "parameters": numbers,
        "memory_bytes": memory,
        "flops": cost.step_flops(learned.controller) if isinstance(learned, Controlled) else None,
    }


class Stretches(NamedTuple):
    """What a fold learns from.

    Args:
        parts: stretches of inputs ``(time, channel)``, standardised, and targets ``(time, output)``, standardised, NaN
            where there is none.
        trials: ``(time,)`` number of the trial of each row, a stretch each.
        rate: rows per second (Hz).
    """

    parts: Sequence[Part]
    trials: Sequence[NDArray[np.int64]]
    rate: float


class ValueDecoder(NamedTuple):
    """How it learns, given a seed and hyper-parameters, and what nested selection chooses among."""

    learn: Callable[..., Learned]
    grid: Mapping[str, Sequence[Any]]


def _wiener(given: Stretches, seed: int, lags: int = LAGS) -> Learned:
    return Controlled(fit_wiener(given.parts, lags))


def _kalman(given: Stretches, seed: int, noise: float = 1.0) -> Learned:
    return Controlled(fit_kalman(given.parts, noise))


def _refit_kalman(given: Stretches, seed: int, noise: float = 1.0) -> Learned:
    """Outputs are taken for a velocity. Of ReFIT's two changes it is the first, what was intended; the second, that the
    position is known, has nothing to act on, since no position is among the outputs."""
    relabelled = [
        (inputs, intended_velocity(targets, trial))
        for (inputs, targets), trial in zip(given.parts, given.trials, strict=True)
    ]
    return Controlled(fit_kalman(relabelled, noise))


def _recurrent(given: Stretches, seed: int, epochs: int = ImitationConfig.epochs) -> Learned:
    torch.manual_seed(seed)
    (inputs, targets), *_ = given.parts
    controller = RecurrentController(
        ControllerConfig(widths=(16,), dropout=0.3), inputs.shape[1], targets.shape[1]
    )  # as `motorctl train imitation`
    stretches = [
        _stretch(inputs, targets, trial, given.rate)
        for (inputs, targets), trial in zip(given.parts, given.trials, strict=True)
    ]
    return Controlled(controller, train(controller, stretches, ImitationConfig(epochs=epochs), given.rate))


def _stretch(
    inputs: NDArray[np.floating], targets: NDArray[np.floating], trial: NDArray[np.int64], rate: float
) -> Stretch:
    """As controllers are trained on; a row without one of its targets is masked."""
    known = np.isfinite(targets).all(axis=1, keepdims=True)
    features = Features(inputs.astype(np.float32), np.arange(len(inputs)) / rate, known)
    return Stretch(features, np.where(known, targets, 0.0).astype(np.float32), trial)


def _neighbours(given: Stretches, seed: int, neighbours: int = NEIGHBOURS, lags: int = LAGS) -> Learned:
    from sklearn.neighbors import KNeighborsRegressor  # type: ignore[import-untyped]

    return fit_lagged(KNeighborsRegressor(neighbours), given, lags)


def fit_lagged(estimator: Any, given: Stretches, lags: int = LAGS) -> Lagged:
    """A scikit-learn regressor of several outputs, fitted to lagged rows whose targets are known."""
    rows = np.concatenate([lagged(inputs, lags) for inputs, _ in given.parts])
    targets = np.concatenate([targets for _, targets in given.parts])
    known = np.isfinite(targets).all(axis=1)
    return Lagged(estimator.fit(rows[known], targets[known]), lags)


VALUE_DECODERS: dict[str, ValueDecoder] = {
    "recurrent": ValueDecoder(_recurrent, {"epochs": (20, 40)}),
    "wiener": ValueDecoder(_wiener, {"lags": (1, 5, 10, 20)}),
    "kalman": ValueDecoder(_kalman, {"noise": NOISES}),
    "refit-kalman": ValueDecoder(_refit_kalman, {"noise": NOISES}),
    "knn": ValueDecoder(_neighbours, {"neighbours": (10, 20, 50)}),
}


def value_decoder(name: str, seed: int) -> ValueDecoder:
    """One of :data:`VALUE_DECODERS`, or any scikit-learn regressor by its import path, on lagged rows.

    Raises:
        ConfigurationError: there is none of that name.
    """
    if name in VALUE_DECODERS:
        return VALUE_DECODERS[name]
    from motorctl.evaluation.class_decoders import import_estimator  # needs scikit-learn

    if name.startswith("braindecode:"):
        raise ConfigurationError(f"'{name}' recognises classes.", "Give --target class, or another decoder.")
    estimator = import_estimator(name, seed, VALUE_DECODERS)
    from sklearn.base import is_regressor  # type: ignore[import-untyped]

    if not is_regressor(estimator):
        raise ConfigurationError(f"'{name}' gives no values.", "Give a regressor, such as sklearn.linear_model:Ridge.")

    def learn(given: Stretches, seed: int) -> Learned:
        from sklearn.base import clone
        from sklearn.multioutput import MultiOutputRegressor  # type: ignore[import-untyped]
        from sklearn.utils import get_tags  # type: ignore[import-untyped]

        several = get_tags(estimator).target_tags.multi_output
        return fit_lagged(clone(estimator) if several else MultiOutputRegressor(clone(estimator)), given)

    return ValueDecoder(learn, {})
