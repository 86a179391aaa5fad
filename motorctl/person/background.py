"""The background: activity of the whole cortex that has nothing to do with the movement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from motorctl.person.component import Moment, Setting, State
from motorctl.person.filters import power_law

LOWEST = 0.1
"""Below this the spectrum is flat (Hz)."""


@dataclass(frozen=True)
class Background:
    """Noise with a 1/f spectrum from independent dipoles all over the cortex, which neighbouring electrodes share.

    Args:
        amplitude: standard deviation in the mean over the electrodes (µV).
        exponent: of the spectrum, power over 1/f; 1 to 2 in waking adults (Donoghue et al. 2020, Nat. Neurosci.
            23(12):1655-1665).
    """

    amplitude: float = 8.0
    exponent: float = 1.3

    @staticmethod
    def width(channels: int) -> int:
        """One number for each channel."""
        return channels

    def start(self, setting: Setting, rng: np.random.Generator) -> State:
        """Under way."""
        noise = power_law(self.exponent, LOWEST, setting.rate)
        return (noise.running(rng, setting.batch, len(setting.head.labels)),)

    def emit(self, moment: Moment, white: Tensor, state: State, setting: Setting) -> tuple[Tensor, State]:
        """The background at each channel."""
        noise, memory = power_law(self.exponent, LOWEST, setting.rate)(white, state[0])
        return noise @ (self.amplitude * setting.head.background), (memory,)
