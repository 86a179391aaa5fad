"""A user who is told what to intend, by cues: a movement class, as in a motor imagery experiment."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from motorctl.person.attention import Attention


class CuedState(NamedTuple):
    """What a cued user remembers."""

    cues: tuple[Tensor, ...]  # (batch, class) on their way, the oldest first
    attentive: Tensor  # (batch or 1, 1) bool
    rng: np.random.Generator


@dataclass(frozen=True)
class CuedUser:
    """Intends the movement that a cue shows, while the cue is there.

    Args:
        rate: control steps per second (Hz).
        reaction: time from cue to intention (s). To choose between two answers takes about 0.3 s (Luce 1986, Response
            Times, Oxford).
        attention: how it lapses; then nothing is intended.
    """

    rate: float
    reaction: float = 0.3
    attention: Attention = Attention()

    def initial_state(self, seed: int = 0) -> CuedState:
        """No cue seen yet, by any number of users."""
        return CuedState((), torch.ones(1, 1, dtype=torch.bool), np.random.default_rng(seed))

    def intend(self, cue: Tensor, state: CuedState) -> tuple[Tensor, CuedState]:
        """The movement intended now.

        Args:
            cue: ``(batch, class)`` how far each of ``movements.MOVEMENTS`` is asked for now, 0 to 1.
            state: returned by the previous call; it stays as it is.

        Returns:
            ``(batch, class)`` for ``Brain.emit``, and the new state.
        """
        rng = deepcopy(state.rng) if self.attention.lapses_per_minute else state.rng
        attentive = self.attention.step(state.attentive, len(cue), self.rate, rng)
        steps = round(self.reaction * self.rate)
        cues = (*state.cues, cue)[-steps - 1 :]
        movement = attentive * cues[0] if len(cues) > steps else torch.zeros_like(cue)
        return movement, CuedState(cues, attentive, rng)
