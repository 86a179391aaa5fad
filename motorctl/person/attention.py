"""Attention, which lapses now and then."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Attention:
    """Lapses that begin and end by chance, without memory; while one lasts, nothing is intended.

    Args:
        lapses_per_minute: how often attention lapses while it is there.
        lapse: how long a lapse lasts in the mean (s).
    """

    lapses_per_minute: float = 0.0
    lapse: float = 1.5

    def step(self, attentive: Tensor, batch: int, rate: float, rng: np.random.Generator) -> Tensor:
        """Whether each of ``batch`` users attends now, ``(batch, 1)``, given whether it did a step ago."""
        if not self.lapses_per_minute:
            return attentive
        chance = torch.from_numpy(rng.random((batch, 1)))
        lost = chance < self.lapses_per_minute / 60 / rate
        found = chance < 1 / (self.lapse * rate)
        return torch.where(attentive, ~lost, found)
