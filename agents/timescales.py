"""Two time scales: a slow layer that follows the course of things, and a fast one that acts."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from motorctl.errors import ConfigurationError

from .cells import make_layer
from .stage import LayerState, Stage, State

TwoTimeScalesState = tuple[LayerState, LayerState, Tensor, Tensor]
"""Slow layer, fast layer, sum ``(batch, feature)`` of the rows since the slow one moved, and their number ``()``."""


class TwoTimeScales(Stage):
    """A recurrent core of a slow layer, which moves once in ``every`` rows on their mean, and a fast one on top.

    The fast layer moves with every row and sees the row and the slow layer's units, which stay as they are between
    moves (El Hihi & Bengio 1996, NIPS; Koutník et al. 2014, ICML): so what the slow layer remembers, and the gradient,
    cross ``every`` rows in one step.

    Args:
        features: how many numbers a row has.
        slow, fast: units of each layer; the fast one's go out.
        every: rows between moves of the slow layer, at least 1.
        cell: ``rnn``, ``lstm`` or ``gru``, of both layers.

    Raises:
        ConfigurationError: a size is below 1, or there is no such cell.
    """

    def __init__(
        self, features: int, slow: int, fast: int, every: int, cell: Literal["rnn", "lstm", "gru"] = "gru"
    ) -> None:
        super().__init__()
        if min(features, slow, fast, every) < 1:
            raise ConfigurationError(
                f"{features} features, {slow} slow and {fast} fast units, a move every {every} rows make no network.",
                "Give 1 or more of each.",
            )
        self.features, self.width, self.every, self.cell = features, fast, every, cell
        self.slow = make_layer(cell, "tanh", features, slow)
        self.fast = make_layer(cell, "tanh", features + slow, fast)

    def initial_state(self, batch: int) -> State:
        """Zeros, and no row seen."""
        like = self.fast.get_parameter("weight_ih_l0")
        hidden = [like.new_zeros(1, batch, width) for width in (self.slow.hidden_size, self.fast.hidden_size)]
        layers = [(h, h.clone()) if self.cell == "lstm" else h for h in hidden]
        return (*layers, like.new_zeros(batch, self.features), torch.zeros((), dtype=torch.int64))

    def forward(self, features: Tensor, state: TwoTimeScalesState) -> tuple[Tensor, State]:
        """``(batch, time, feature)`` to ``(batch, time, fast)``, and the state to go on with."""
        slow, fast, since, phase = state
        seen = int(phase) + torch.arange(features.shape[1] + 1, device=features.device)  # rows before each, and in all
        moves = seen // self.every
        count = int(moves[-1])
        sums = torch.cat([since[:, None], features.new_zeros(len(features), count, self.features)], dim=1)
        sums = sums.index_add(1, moves[:-1], features)  # (batch, block, feature), the last one not yet full
        held = (slow if isinstance(slow, Tensor) else slow[0]).transpose(0, 1)  # (batch, 1, slow)
        if count:
            moved, slow = self.slow(sums[:, :count] / self.every, slow)
            held = torch.cat([held, moved], dim=1)
        rows, fast = self.fast(torch.cat([features, held[:, moves[1:]]], dim=-1), fast)
        return rows, (slow, fast, sums[:, count].clone(), (seen[-1] % self.every).cpu())
