"""Sequence to sequence: a decoder that reads what an encoder left and writes a sequence of another length."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from motorctl.errors import ConfigurationError

from .classes import last_row
from .heads import CommandHead

ATTENTIONS = ("none", "dot", "additive")


class Attention(nn.Module):
    """Where in the encoded sequence to look: a mean of its rows, weighted by how well each answers the decoder's state.

    ``dot``: the score of row s is ``h · k_s`` (Luong et al. 2015, EMNLP, eq. 8), here by √width (Vaswani et al. 2017).
    ``additive``: ``v · tanh(W h + U k_s)`` (Bahdanau et al. 2015, ICLR, appendix A.1.2).

    Args:
        width: of the state and of the encoded rows.
        kind: ``dot`` or ``additive``.
    """

    def __init__(self, width: int, kind: str) -> None:
        super().__init__()
        self.kind = kind
        if kind == "additive":
            self.query, self.key = nn.Linear(width, width), nn.Linear(width, width, bias=False)
            self.score = nn.Linear(width, 1, bias=False)

    def keys(self, encoded: Tensor) -> Tensor:
        """What the scores need of every row, once per sequence: ``(batch, time, width)``."""
        return self.key(encoded) if self.kind == "additive" else encoded / math.sqrt(encoded.shape[-1])

    def forward(self, state: Tensor, keys: Tensor, encoded: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Context ``(batch, width)`` for ``state`` ``(batch, width)``, and the attention ``(batch, time)`` it rests on.

        ``weight`` ``(batch, time, 1)`` is 0 for rows that must not be looked at; where all are, the context is zeros.
        """
        if self.kind == "additive":
            scores = self.score(torch.tanh(self.query(state)[:, None] + keys))[..., 0]
        else:
            scores = (keys * state[:, None]).sum(dim=-1)  # (batch, time)
        hidden = weight[..., 0] <= 0
        # The least finite number, not -inf: a sequence of padding alone would give 0 / 0.
        attention = scores.masked_fill(hidden, torch.finfo(scores.dtype).min).softmax(dim=1).masked_fill(hidden, 0)
        return (attention[:, None] @ encoded)[:, 0], attention


class DecoderHead(nn.Module):
    """Writes ``steps`` rows from an encoded sequence, each from the one before (Cho et al. 2014, EMNLP).

    A GRU starts from the last encoded row; at every step it reads the row that it wrote, and what attention found with
    the state before, as in Bahdanau et al. 2015. The encoder may be any core; one that reads both ways needs attention,
    since its last row holds the whole sequence in one direction alone.

    Args:
        width: of the encoded rows.
        outputs: how many numbers a written row has.
        steps: how many rows to write, at least 1.
        attention: ``none``, ``dot`` or ``additive``.
        scale: unit of the output in the target's own unit.

    Raises:
        ConfigurationError: there is nothing to write, or no such attention.
    """

    def __init__(
        self,
        width: int,
        outputs: int,
        steps: int,
        attention: Literal["none", "dot", "additive"] = "none",
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        if steps < 1 or attention not in ATTENTIONS:
            raise ConfigurationError(
                f"A decoder of {steps} steps with attention {attention!r} does not exist.",
                f"Ask for 1 step or more, and one of {', '.join(ATTENTIONS)}.",
            )
        self.steps = steps
        self.attention = None if attention == "none" else Attention(width, attention)
        context = width if self.attention else 0
        self.bridge = nn.Linear(width, width)
        self.cell = nn.GRUCell(outputs + context, width)
        self.command = CommandHead(width + context, outputs, scale)

    def forward(
        self,
        encoded: Tensor,
        weight: Tensor | None = None,
        targets: Tensor | None = None,
        target_weight: Tensor | None = None,
    ) -> Tensor:
        """Rows ``(batch, step, output)``.

        Args:
            encoded: ``(batch, time, width)``.
            weight: ``(batch, time, 1)``, 0 for padding of ``encoded``.
            targets: ``(batch, step, output)`` to read instead of what was written, in training (teacher forcing,
                Williams & Zipser 1989, Neural Comput. 1:270); as many rows are written.
            target_weight: ``(batch, step, 1)``, 0 where a target is missing: there the written row is read.
        """
        weight = encoded.new_ones(*encoded.shape[:2], 1) if weight is None else weight.to(encoded)
        encoded = torch.where(weight > 0, encoded, 0)
        keys = self.attention.keys(encoded) if self.attention else encoded
        state = torch.tanh(self.bridge(last_row(encoded, weight)))
        previous = encoded.new_zeros(len(encoded), self.command.readout.out_features)
        rows: list[Tensor] = []
        for step in range(self.steps if targets is None else targets.shape[1]):
            context = [self.attention(state, keys, encoded, weight)[0]] if self.attention else []
            state = self.cell(torch.cat([previous, *context], dim=-1), state)
            rows.append(self.command(torch.cat([state, *context], dim=-1)))
            previous = rows[-1]
            if targets is not None:
                known = torch.ones_like(targets) if target_weight is None else target_weight
                previous = torch.where(known[:, step] > 0, targets[:, step], previous)
            previous = previous / self.command.scale
        return torch.stack(rows, dim=1)

    def loss(self, output: Tensor, targets: Tensor, weight: Tensor | None = None) -> Tensor:
        """Mean squared error in units of the scale; ``weight`` ``(batch, step, 1)`` is 0 for missing targets."""
        return self.command.loss(output, targets, weight)
