"""One row in, one command out: a trained controller as plain numpy, for the live loop.

Torch takes longer to arrange a step of a small network than to compute it. Written out on the same weights, two layers
of 128 GRU units take a fifth of the time of torch's own layers, and less than a graph from ``torch.export``
(``scripts/benchmarks/training.py`` measures the step). Numbers agree with torch's to 1e-6.

A layer is driven by its input and by its own units of the step before. What these contribute is half of the work and
does not wait for the next row: :meth:`Stepper.prepare` does it ahead.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from motorctl.errors import ConfigurationError

from .recurrent import RecurrentController
from .stage import State

Array = NDArray[np.floating]
StepState = tuple[tuple[Array, ...], ...]
"""Per layer the hidden state ``(width,)`` and, for the LSTM, the cell state."""


class Stepper:
    """A controller's weights as they are now, and the step they make; of the controller's own precision.

    ``readout`` is what makes a command of the last layer's units: weights ``(command, width)`` and bias ``(command,)``,
    which may be exchanged between two steps.

    Args:
        controller: trained; later training does not reach the stepper.

    Raises:
        ConfigurationError: the controller reads both ways, so it has to wait for the end of a sequence.
    """

    def __init__(self, controller: RecurrentController) -> None:
        config = controller.config
        if config.bidirectional:
            raise ConfigurationError(
                "A bidirectional network reads whole sequences and cannot run live.",
                "Train one that is not bidirectional.",
            )
        self._cell = _CELLS[config.nonlinearity if config.cell == "rnn" else config.cell]
        self._layers = [
            tuple(
                _array(layer.get_parameter(f"{part}_l0")) for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            for layer in controller.layers
        ]
        self._norms = [
            (_array(norm.weight), _array(norm.bias), norm.eps)
            for norm in controller.norms
            if isinstance(norm, nn.LayerNorm)
        ]
        scale = _array(controller.scale)
        self.readout = _array(controller.readout.weight) * scale, _array(controller.readout.bias) * scale
        self._initial = from_torch(controller.initial_state(1))
        self._ahead: tuple[StepState, list[Array]] = self._initial, self._held(self._initial)

    def initial_state(self) -> StepState:
        """The state before anything was seen."""
        return self._initial

    def step(self, features: Array, state: StepState) -> tuple[Array, StepState]:
        """The command ``(command,)`` for one row of ``features (feature,)``, and the state to go on with."""
        hidden, states = self.units(features, state)
        weight, bias = self.readout
        return weight @ hidden + bias, states

    def units(self, features: Array, state: StepState) -> tuple[Array, StepState]:
        """What is before the read-out, ``(width,)``, for one row of ``features (feature,)``, and the state to go on
        with."""
        hidden: Array = features.astype(self.readout[0].dtype, copy=False)
        self._hold(state)
        states = []
        for index, ((w_x, _, b_x, _), held, before) in enumerate(zip(self._layers, self._ahead[1], state, strict=True)):
            after = self._cell(w_x @ hidden + b_x, held, before)
            states.append(after)
            hidden = _normalise(after[0], *self._norms[index]) if self._norms else after[0]
        return hidden, tuple(states)

    def prepare(self, state: StepState) -> None:
        """Work out what of the step from ``state`` does not wait for its row, and have the weights at hand that it will
        meet: whatever else runs pushes them out of the processor's cache within milliseconds."""
        self._hold(state)
        for w_x, *_ in self._layers:
            w_x.sum()  # to read them is enough

    def _hold(self, state: StepState) -> None:
        if state is not self._ahead[0]:
            self._ahead = state, self._held(state)

    def _held(self, state: StepState) -> list[Array]:
        """What each layer's units contribute to what drives it."""
        return [w_h @ before[0] + b_h for (_, w_h, _, b_h), before in zip(self._layers, state, strict=True)]


def from_torch(state: State) -> StepState:
    """The stepper's form of a controller's state for a batch of one, so that it can go on where torch was."""
    return tuple(
        (_array(layer)[0, 0],) if isinstance(layer, Tensor) else tuple(_array(part)[0, 0] for part in layer)  # type: ignore[arg-type]
        for layer in state
    )


def _array(tensor: Tensor) -> Array:
    return np.array(tensor.detach().cpu().numpy())  # a copy: training goes on in place


def _logistic(x: Array) -> Array:
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * x))  # no overflow, unlike 1 / (1 + exp(-x))


def _normalise(x: Array, weight: Array, bias: Array, eps: float) -> Array:
    centred = x - x.mean()
    return np.asarray(weight * (centred / np.sqrt(np.square(centred).mean() + eps)) + bias)


def _rnn(nonlinearity: Callable[[Array], Array]) -> Callable[..., tuple[Array, ...]]:
    return lambda driven, held, state: (nonlinearity(driven + held),)


def _lstm(driven: Array, held: Array, state: tuple[Array, Array]) -> tuple[Array, ...]:
    h, c = state
    width = len(h)
    driven = driven + held  # gates: input, forget, cell, output
    take, keep = _logistic(driven[: 2 * width]).reshape(2, width)
    c = keep * c + take * np.tanh(driven[2 * width : 3 * width])
    return _logistic(driven[3 * width :]) * np.tanh(c), c


def _gru(driven: Array, held: Array, state: tuple[Array]) -> tuple[Array, ...]:
    (h,) = state
    width = len(h)  # gates: reset, update, new
    reset, keep = _logistic(driven[: 2 * width] + held[: 2 * width]).reshape(2, width)
    new = np.tanh(driven[2 * width :] + reset * held[2 * width :])
    return (new + keep * (h - new),)


_CELLS: dict[str, Callable[..., tuple[Array, ...]]] = {
    "tanh": _rnn(np.tanh),
    "sigmoid": _rnn(_logistic),
    "relu": _rnn(lambda x: np.maximum(x, 0)),
    "lstm": _lstm,
    "gru": _gru,
}
