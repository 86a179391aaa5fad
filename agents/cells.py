"""The recurrent layers: Elman's network, the LSTM and the GRU, and how their gates start out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from motorctl.errors import ConfigurationError

CELLS: dict[str, type[nn.RNN] | type[nn.LSTM] | type[nn.GRU]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
"""The layer of each cell, by name; :func:`make_layer` makes one."""

NONLINEARITIES = ("tanh", "sigmoid", "relu")
"""What an Elman cell can pass its sum through; the gated cells have their own."""


class SigmoidRNN(nn.RNN):
    """Elman's cell with the logistic units he used, ``h_t = σ(W_hh h_{t-1} + b_hh + W_xh x_t + b_xh)``.

    Elman 1990, Cogn. Sci. 14(2):179-211. Torch has fused cells for tanh and ReLU alone; parameters, shapes and state
    are those of :class:`torch.nn.RNN`.
    """

    def forward(self, input: Tensor, hx: Tensor | None = None) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """``(batch, time, feature)``, state ``(1, batch, width)`` to ``(batch, time, width)`` and the state after."""
        weights = [self.weight_ih_l0, self.weight_hh_l0, self.bias_ih_l0, self.bias_hh_l0]
        w_x, w_h, b_x, b_h = (w for w in weights if isinstance(w, Tensor))
        hidden = input.new_zeros(len(input), self.hidden_size) if hx is None else hx[0]
        driven, rows = nn.functional.linear(input, w_x, b_x), []
        for row in driven.unbind(dim=1):
            hidden = torch.sigmoid(row + nn.functional.linear(hidden, w_h, b_h))
            rows.append(hidden)
        return torch.stack(rows, dim=1), hidden[None]


def make_layer(cell: str, nonlinearity: str, inputs: int, width: int, memory: int = 0) -> nn.RNN | nn.LSTM | nn.GRU:
    """One recurrent layer, batch first.

    Weights start as torch draws them, uniform within ``1 / sqrt(width)``. The LSTM's forget gate starts with a bias of
    1, or it would halve what it holds at every step (Jozefowicz et al. 2015, ICML, section 4).

    Args:
        cell: a name in :data:`CELLS`.
        nonlinearity: of an ``rnn``, one of :data:`NONLINEARITIES`.
        inputs, width: how many values come in and go out per row.
        memory: longest time (rows) that the gates of an LSTM or GRU hold something before training; 0: as above.

    Raises:
        ConfigurationError: there is no such cell or nonlinearity, or an ``rnn`` is asked for a memory.
    """
    if cell not in CELLS:
        raise ConfigurationError(f"There is no cell {cell!r}.", f"Choose one of {', '.join(CELLS)}.")
    if nonlinearity not in NONLINEARITIES or (cell != "rnn" and nonlinearity != "tanh"):
        raise ConfigurationError(
            f"A cell {cell!r} with {nonlinearity!r} does not exist.",
            f"Choose one of {', '.join(NONLINEARITIES)} for an rnn; lstm and gru take tanh alone.",
        )
    if memory and (cell == "rnn" or memory < 2):
        raise ConfigurationError(
            f"A cell {cell!r} cannot start with a memory of {memory} rows.", "Give 2 rows or more, to an lstm or a gru."
        )
    if cell == "rnn" and nonlinearity == "sigmoid":
        return SigmoidRNN(inputs, width, batch_first=True)
    if cell == "rnn":
        return nn.RNN(inputs, width, batch_first=True, nonlinearity=nonlinearity)
    layer = CELLS[cell](inputs, width, batch_first=True)
    if memory:
        _hold(layer, memory)
    elif cell == "lstm":
        with torch.no_grad():
            _bias(layer)[width : 2 * width] += 1
    return layer


def _hold(layer: nn.RNN | nn.LSTM | nn.GRU, memory: int) -> None:
    """Set the gate biases so that time constants spread from 1 to ``memory`` rows.

    Chrono initialisation (Tallec & Ollivier 2018, ICLR, section 2): a gate that keeps a share σ(b) per step has a time
    constant of 1 + exp(b) steps, so ``b`` is drawn as log U(1, memory - 1); the LSTM's input gate gets the opposite.
    """
    width = layer.hidden_size
    with torch.no_grad():
        keep = torch.empty(width).uniform_(1, max(1, memory - 1)).log_()
        _bias(layer)[width : 2 * width] = keep  # LSTM: (input, forget, cell, output); GRU: (reset, update, new)
        _bias(layer, "hh")[width : 2 * width] = 0
        if isinstance(layer, nn.LSTM):
            _bias(layer)[:width] = -keep
            _bias(layer, "hh")[:width] = 0


def _bias(layer: nn.Module, of: str = "ih") -> Tensor:
    return layer.get_parameter(f"bias_{of}_l0")
