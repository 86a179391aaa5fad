"""Recurrent controllers: a sequence of features in, a sequence of commands out, the hidden state outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from motorctl.errors import ConfigurationError

CELLS: dict[str, type[nn.RNN] | type[nn.LSTM] | type[nn.GRU]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}

LayerState = Tensor | tuple[Tensor, Tensor]
"""Hidden state ``(1, batch, width)`` of a layer; for the LSTM the pair of hidden and cell state."""

State = tuple[LayerState, ...]
"""The state of each layer."""


@dataclass(frozen=True)
class ControllerConfig:
    """The recurrent network."""

    cell: Literal["rnn", "lstm", "gru"] = "gru"
    """Recurrent cell: Elman's with tanh (Elman 1990), LSTM (Hochreiter & Schmidhuber 1997) or GRU (Cho et al. 2014)."""
    widths: tuple[int, ...] = (64,)
    """Units of each recurrent layer, the first one first."""
    dropout: float = 0.0
    """Share of units dropped while training, from the features and after every recurrent layer (0 to 1)."""


class RecurrentController(nn.Module):
    """Features ``(batch, time, feature)`` to commands ``(batch, time, command)`` through a recurrent network.

    Args:
        config: the network.
        features: how many features a row has.
        commands: how many outputs.
        scale: unit of the read-out in the command's own unit (m/s for a velocity), so that the network works near 1.

    Raises:
        ConfigurationError: the network has no layer, or a value is out of its range.
    """

    scale: Tensor

    def __init__(self, config: ControllerConfig, features: int, commands: int, scale: float = 1.0) -> None:
        super().__init__()
        if not config.widths or min(config.widths) < 1:
            raise ConfigurationError(f"Layer widths {config.widths} make no network.", "Give one or more, above 0.")
        if not 0 <= config.dropout < 1:
            raise ConfigurationError(f"Dropout is {config.dropout:g}.", "Choose a share from 0 to below 1.")
        self.config, self.features, self.commands = config, features, commands
        cell, inputs = CELLS[config.cell], (features, *config.widths[:-1])
        layers = [cell(size, width, batch_first=True) for size, width in zip(inputs, config.widths, strict=True)]
        self.layers = nn.ModuleList(layers)
        self.dropout = nn.Dropout(config.dropout)
        self.readout = nn.Linear(config.widths[-1], commands)
        self.register_buffer("scale", torch.tensor(scale))

    def initial_state(self, batch: int) -> State:
        """The state before anything was seen: zeros."""
        zeros = [self.readout.weight.new_zeros(1, batch, width) for width in self.config.widths]
        return tuple((h, h.clone()) if self.config.cell == "lstm" else h for h in zeros)

    def forward(self, features: Tensor, state: State) -> tuple[Tensor, State]:
        """Commands for ``features``, and the state to go on with."""
        hidden, states = self.dropout(features), []
        for layer, before in zip(self.layers, state, strict=True):
            hidden, after = layer(hidden, before)
            hidden = self.dropout(hidden)
            states.append(after)
        return self.readout(hidden) * self.scale, tuple(states)


def detach(state: State) -> State:
    """The same state, cut from the graph that made it."""
    return tuple(s.detach() if isinstance(s, Tensor) else (s[0].detach(), s[1].detach()) for s in state)
