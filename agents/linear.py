"""Linear controllers, the field's baselines: a Wiener filter and a steady-state Kalman filter.

Both are stages, ``controller(features (batch, time, feature), state) -> (commands (batch, time, command), state)``, and
step row by row as the live loop asks. Nothing in them is trained by gradients: ``motorctl.training.wiener`` and
``motorctl.training.kalman`` fit them in closed form.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .stage import Stage, State


class LinearController(Stage):
    """What both share: a state for one lane or many, and the live loop's step."""

    def initial_state(self, batch: int = 1) -> State:
        """The state before anything was seen, ``(row, batch, width)``."""
        raise NotImplementedError

    @torch.inference_mode()
    def step(self, features: NDArray[np.floating], state: State) -> tuple[NDArray[np.floating], State]:
        """The command ``(command,)`` for one row of ``features (feature,)``, and the state to go on with."""
        commands, state = self(torch.from_numpy(np.asarray(features))[None, None], state)
        return commands[0, 0].numpy(), state

    def prepare(self, state: State) -> None:
        """All of its little work waits for the row."""


class WienerController(LinearController):
    """Every command is a linear map of the last few rows (Carmena et al. 2003, PLoS Biol. 1(2):e42); before the first
    row there are zeros.

    Args:
        weights: ``(lag, feature, command)``, this row's first.
        offset: ``(command,)``.
    """

    weights: Tensor
    offset: Tensor

    def __init__(self, weights: Tensor, offset: Tensor) -> None:
        super().__init__()
        self.register_buffer("weights", weights)
        self.register_buffer("offset", offset)
        self.lags, self.features, self.width = weights.shape

    def initial_state(self, batch: int = 1) -> State:
        """Rows before the first: ``(lags - 1, batch, feature)``."""
        return (self.weights.new_zeros(self.lags - 1, batch, self.features),)

    def forward(self, features: Tensor, state: State) -> tuple[Tensor, State]:
        """Commands for ``features``, and the state to go on with."""
        before = state[0]
        assert isinstance(before, Tensor)
        rows = torch.cat([before.transpose(0, 1), features.to(before)], dim=1)
        count, newest = features.shape[1], self.lags - 1
        commands = self.offset + sum(
            rows[:, newest - lag : newest - lag + count] @ weights for lag, weights in enumerate(self.weights)
        )
        return commands, (rows[:, count:].transpose(0, 1),)


class KalmanController(LinearController):
    """The commands are the state of a linear system that is seen through the features (Wu, Gao, Bienenstock, Donoghue
    & Black 2006, Neural Comput. 18:80-118): ``x_t = A x_(t-1) + w``, ``z_t = C x_t + q``.

    The gain is the one that the filter settles on within a few rows, whatever it sees (Malik et al. 2011, IEEE Trans.
    Neural Syst. Rehabil. Eng. 19(1):25-34), so a row costs two matrix products.

    Args:
        transition: ``(I - K C) A``, ``(command, command)``: what is kept of the command before.
        gain: ``K``, ``(command, feature)``.
        feature_mean: ``(feature,)``.
        command_mean: ``(command,)``, which commands start from.
    """

    transition: Tensor
    gain: Tensor
    feature_mean: Tensor
    command_mean: Tensor

    def __init__(self, transition: Tensor, gain: Tensor, feature_mean: Tensor, command_mean: Tensor) -> None:
        super().__init__()
        self.register_buffer("transition", transition)
        self.register_buffer("gain", gain)
        self.register_buffer("feature_mean", feature_mean)
        self.register_buffer("command_mean", command_mean)
        self.width, self.features = gain.shape

    def initial_state(self, batch: int = 1) -> State:
        """The command's departure from its mean: ``(1, batch, command)``."""
        return (self.gain.new_zeros(1, batch, self.width),)

    def forward(self, features: Tensor, state: State) -> tuple[Tensor, State]:
        """Commands for ``features``, and the state to go on with."""
        before = state[0]
        assert isinstance(before, Tensor)
        departure, kept, rows = before[0], self.transition.T, []
        for seen in ((features.to(before) - self.feature_mean) @ self.gain.T).unbind(dim=1):
            departure = torch.addmm(seen, departure, kept)
            rows.append(departure)
        return torch.stack(rows, dim=1) + self.command_mean, (departure[None],)
