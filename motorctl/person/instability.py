"""How the brain differs from session to session, and from minute to minute."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from motorctl.person.component import Setting, State
from motorctl.person.filters import slow_noise
from motorctl.person.head import SITES


@dataclass(frozen=True)
class Instability:
    """What makes a decoder of yesterday fail today. Every lane of a batch is a session of its own; with zeros, all
    sessions are alike. That signals change so is well known (Shenoy et al. 2006, J. Neural Eng. 3(1):R13-R23); how much
    is our choice.

    Args:
        strength: standard deviation of the logarithm of each source's strength.
        minutes: how long that takes to become another (min).
        tuning: standard deviation of the angle by which the directions of the velocity code are turned (rad).
        cap: standard deviation of the angles by which the cap is turned on the head (rad); 0.05 is 5 mm.
    """

    strength: float = 0.0
    minutes: float = 3.0
    tuning: float = 0.0
    cap: float = 0.0

    @staticmethod
    def width() -> int:
        """White noise that it takes, numbers a sample."""
        return len(SITES)

    def start(self, setting: Setting, rng: np.random.Generator) -> State:
        """The sessions: state of the strengths, turn of the velocity code, topographies ``(batch, site, channel)``."""
        wandering = slow_noise(60 * self.minutes, setting.rate).running(rng, setting.batch, len(SITES))
        angle = torch.from_numpy(self.tuning * rng.standard_normal(setting.batch, dtype=np.float32))
        turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], dim=-1).reshape(-1, 2, 2)
        slipped = torch.from_numpy(self.cap * rng.standard_normal((setting.batch, 3), dtype=np.float32))
        topographies = setting.head.topographies + torch.einsum("ba,asc->bsc", slipped, setting.head.turns)
        return wandering, turn, topographies

    def gains(self, white: Tensor, state: State, rate: float) -> tuple[Tensor, State]:
        """Strength of each source, 1 in the median, ``(time, batch, site)``, from ``white`` noise of that shape."""
        wandering, memory = slow_noise(60 * self.minutes, rate)(white, state[0])
        return torch.exp(self.strength * wandering), (memory, *state[1:])
