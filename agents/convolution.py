"""Front ends that look at a row: a learned spatial-temporal filter, and a plain dense layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from motorctl.errors import ConfigurationError

from .stage import Stage, State


class CausalConvolution(Stage):
    """Learned spatial filters over the channels, each followed by its own filter in time: what CSP and band-pass do.

    Spatial and temporal filter in a row, nothing between, are the separable filters of Lawhern et al. 2018 (EEGNet,
    J. Neural Eng. 15:056013); there the temporal one comes first, which is the same linear map and costs more. An ELU
    follows. Row t sees rows t - kernel + 1 to t; before the first row there were zeros.

    Args:
        features: channels, or features of the pipeline.
        width: how many spatial filters.
        kernel: length in time (rows), at least 1.

    Raises:
        ConfigurationError: a size is below 1.
    """

    def __init__(self, features: int, width: int, kernel: int) -> None:
        super().__init__()
        if min(features, width, kernel) < 1:
            raise ConfigurationError(
                f"A convolution of {width} filters over {kernel} rows of {features} is empty.",
                "Give 1 or more of each.",
            )
        self.features, self.width, self.kernel = features, width, kernel
        self.spatial = nn.Linear(features, width, bias=False)
        self.temporal = nn.Conv1d(width, width, kernel, groups=width)

    def initial_state(self, batch: int) -> State:
        """The last ``kernel - 1`` spatially filtered rows: ``(batch, kernel - 1, width)`` zeros."""
        return (self.spatial.weight.new_zeros(batch, self.kernel - 1, self.width),)

    def forward(self, features: Tensor, state: tuple[Tensor]) -> tuple[Tensor, State]:
        """``(batch, time, feature)`` to ``(batch, time, width)``, and the state to go on with."""
        rows = torch.cat([state[0], self.spatial(features)], dim=1)
        filtered = self.temporal(rows.transpose(1, 2)).transpose(1, 2)
        last = rows[:, rows.shape[1] - self.kernel + 1 :].clone()  # a view would keep the whole piece alive
        return nn.functional.elu(filtered), (last,)


class Dense(Stage):
    """One dense layer with ELU on every row by itself.

    Args:
        features, width: how many numbers of a row come in and go out.

    Raises:
        ConfigurationError: a size is below 1.
    """

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        if min(features, width) < 1:
            raise ConfigurationError(f"A layer from {features} to {width} is empty.", "Give 1 or more of each.")
        self.features, self.width = features, width
        self.linear = nn.Linear(features, width)

    def forward(self, features: Tensor, state: State) -> tuple[Tensor, State]:
        """``(batch, time, feature)`` to ``(batch, time, width)``; nothing is remembered."""
        return nn.functional.elu(self.linear(features)), state
