"""Recurrent controllers: a sequence of features in, a sequence of commands out, the hidden state outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from motorctl.errors import ConfigurationError

from .cells import make_layer
from .stage import LayerState, Stage, State


@dataclass(frozen=True)
class ControllerConfig:
    """The recurrent network."""

    cell: Literal["rnn", "lstm", "gru"] = "gru"
    """Recurrent cell: Elman's (Elman 1990), LSTM (Hochreiter & Schmidhuber 1997) or GRU (Cho et al. 2014)."""
    widths: tuple[int, ...] = (64,)
    """Units of each recurrent layer, the first one first."""
    dropout: float = 0.0
    """Share of units dropped while training, from the features and after every recurrent layer (0 to 1)."""
    nonlinearity: Literal["tanh", "sigmoid", "relu"] = "tanh"
    """What an ``rnn`` passes its sum through; the gated cells take tanh alone."""
    bidirectional: bool = False
    """Read every sequence backwards as well (Schuster & Paliwal 1997): offline work only, since it needs the future."""
    layer_norm: bool = False
    """Normalise the units of every row after each layer (Ba et al. 2016)."""
    learned_state: bool = False
    """Learn the state that a sequence starts from; else it is zero."""
    memory: int = 0
    """Rows for which the gates of an LSTM or GRU hold something before training (Tallec & Ollivier 2018); 0: a few."""


class RecurrentCore(Stage):
    """Features ``(batch, time, feature)`` to hidden units ``(batch, time, width)`` through a stack of recurrent layers.

    ``width`` is the last layer's, twice that if the core reads both ways (forward units first).

    Args:
        config: the network.
        features: how many features a row has.

    Raises:
        ConfigurationError: the network has no layer, or a value is out of its range.
    """

    def __init__(self, config: ControllerConfig, features: int) -> None:
        super().__init__()
        if not config.widths or min(config.widths) < 1:
            raise ConfigurationError(f"Layer widths {config.widths} make no network.", "Give one or more, above 0.")
        if not 0 <= config.dropout < 1:
            raise ConfigurationError(f"Dropout is {config.dropout:g}.", "Choose a share from 0 to below 1.")
        ways = 2 if config.bidirectional else 1
        self.config, self.features, self.width = config, features, ways * config.widths[-1]
        sizes = list(zip((features, *(ways * w for w in config.widths[:-1])), config.widths, strict=True))
        self.layers, self.backward_layers = (
            nn.ModuleList(make_layer(config.cell, config.nonlinearity, *size, config.memory) for size in sizes[:count])
            for count in (len(sizes), len(sizes) if config.bidirectional else 0)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(ways * width) for width in config.widths if config.layer_norm)
        self.dropout = nn.Dropout(config.dropout)
        entries = (2 if config.cell == "lstm" else 1) if config.learned_state else 0
        learned = [torch.zeros(entries, width) for width in ways * config.widths if entries]
        self.initial = nn.ParameterList(learned)  # per layer: hidden and, for the LSTM, cell state

    def initial_state(self, batch: int) -> State:
        """The state before anything was seen: zeros or what was learned, forward layers first."""
        like = next(self.parameters())
        state: list[LayerState] = []
        for index, layer in enumerate([*self.layers, *self.backward_layers]):
            parts = [like.new_zeros(1, batch, layer.hidden_size) for _ in range(2)]
            if len(self.initial):
                parts = [row.repeat(1, batch, 1) for row in self.initial[index]]
            state.append((parts[0], parts[1]) if self.config.cell == "lstm" else parts[0])
        return tuple(state)

    def forward(self, features: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """Hidden units for ``features``, and the state to go on with.

        Args:
            features: ``(batch, time, feature)``.
            state: from :meth:`initial_state` or from the call before.
            lengths: ``(batch,)`` rows of each sequence that are no padding, for a core that reads both ways, so that
                the way back starts at each sequence's own end; all rows if not given. Read forwards alone, padding at
                the end comes too late to matter.

        Raises:
            ConfigurationError: a core that reads both ways is asked to go on from a state that it gave.
        """
        if self.config.bidirectional and not state:
            raise ConfigurationError(
                "A bidirectional network reads whole sequences and cannot go on from a state, nor run live.",
                "Start every sequence from initial_state, or use a network that is not bidirectional.",
            )
        hidden, states = self.dropout(features), []
        for index, layer in enumerate(self.layers):
            seen = hidden
            hidden, after = layer(seen, state[index])
            states.append(after)
            if self.config.bidirectional:
                back, _ = self.backward_layers[index](_turn(seen, lengths), state[len(self.layers) + index])
                hidden = torch.cat([hidden, _turn(back, lengths)], dim=-1)
            if self.config.layer_norm:
                hidden = self.norms[index](hidden)
            hidden = self.dropout(hidden)
        return hidden, () if self.config.bidirectional else tuple(states)


class RecurrentController(RecurrentCore):
    """Features ``(batch, time, feature)`` to commands ``(batch, time, command)`` through a recurrent network.

    The read-out is linear, ``y_t = W_hy h_t + b_y``.

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
        super().__init__(config, features)
        self.commands = commands
        self.readout = nn.Linear(self.width, commands)
        self.register_buffer("scale", torch.tensor(scale))

    def forward(self, features: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """Commands for ``features``, and the state to go on with; see :meth:`RecurrentCore.forward`."""
        hidden, state = super().forward(features, state, lengths)
        return self.readout(hidden) * self.scale, state


def _turn(rows: Tensor, lengths: Tensor | None) -> Tensor:
    """``rows (batch, time, ...)`` back to front, each sequence within its own length; its padding stays at the end."""
    if lengths is None:
        return rows.flip(1)
    index = torch.arange(rows.shape[1], device=rows.device).expand(len(rows), -1)  # (batch, time)
    end = lengths.to(rows.device)[:, None]
    index = torch.where(index < end, end - 1 - index, index)
    return rows.gather(1, index[..., None].expand_as(rows))
