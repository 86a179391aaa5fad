"""Recurrent controllers: a sequence of features in, a sequence of commands out, the hidden state outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

CELLS: dict[str, type[nn.RNN] | type[nn.LSTM] | type[nn.GRU]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}

State = Tensor | tuple[Tensor, Tensor]
"""Hidden state ``(layer, batch, width)``; for the LSTM the pair of hidden and cell state."""


@dataclass(frozen=True)
class ControllerConfig:
    """The recurrent network."""

    cell: Literal["rnn", "lstm", "gru"] = "gru"
    """Recurrent cell: Elman's with tanh (Elman 1990), LSTM (Hochreiter & Schmidhuber 1997) or GRU (Cho et al. 2014)."""
    layers: int = 1
    """Stacked recurrent layers."""
    width: int = 64
    """Units in each layer."""
    dropout: float = 0.0
    """Share of units dropped while training, from the features and after every recurrent layer (0 to 1)."""


class RecurrentController(nn.Module):
    """Features ``(batch, time, feature)`` to commands ``(batch, time, command)`` through a recurrent network.

    Args:
        config: the network.
        features: how many features a row has.
        commands: how many outputs.
        scale: unit of the read-out in the command's own unit (m/s for a velocity), so that the network works near 1.
    """

    def __init__(self, config: ControllerConfig, features: int, commands: int, scale: float = 1.0) -> None:
        super().__init__()
        self.config = config
        self.core = CELLS[config.cell](
            features,
            config.width,
            config.layers,
            batch_first=True,
            dropout=config.dropout if config.layers > 1 else 0.0,
        )
        self.dropout = nn.Dropout(config.dropout)
        self.readout = nn.Linear(config.width, commands)
        self.register_buffer("scale", torch.tensor(scale))

    def initial_state(self, batch: int) -> State:
        """The state before anything was seen: zeros."""
        hidden = self.readout.weight.new_zeros(self.config.layers, batch, self.config.width)
        return (hidden, hidden.clone()) if self.config.cell == "lstm" else hidden

    def forward(self, features: Tensor, state: State) -> tuple[Tensor, State]:
        """Commands for ``features``, and the state to go on with."""
        hidden, state = self.core(self.dropout(features), state)
        return self.readout(self.dropout(hidden)) * self.scale, state

    @property
    def features(self) -> int:
        """How many features a row has."""
        return self.core.input_size

    @property
    def commands(self) -> int:
        """How many outputs there are."""
        return self.readout.out_features


def detach(state: State) -> State:
    """The same state, cut from the graph that made it."""
    return state.detach() if isinstance(state, Tensor) else (state[0].detach(), state[1].detach())
