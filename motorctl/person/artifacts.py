"""Artefacts of the body: blinks and muscles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from motorctl.person.component import Moment, Setting, State, happens
from motorctl.person.filters import high_noise, pulse
from motorctl.person.head import near

BLINK_TIME, BLINK_ORDER = 0.035, 4
"""A blink's wave has its peak after 0.1 s and is over after 0.3 s, as the lid's is (VanderWerf et al. 2003, J.
Neurophysiol. 89(5):2784-2796)."""

MUSCLES = {"jaw": ("T7", "T8"), "neck": ("I1", "I2")}
"""Muscle groups that tense together, and the electrodes they lie under: temporal muscles and those at the nape."""
BURST_TIME, BURST_ORDER = 0.3, 3
"""A burst of muscle activity has its peak after 0.6 s and lasts about one; people clench for as long. Our choice."""
MUSCLE_FREQUENCY = 30.0
"""Muscle activity begins to show at 20 to 30 Hz (Goncharova et al. 2003, Clin. Neurophysiol. 114(9):1580-1593)."""


@dataclass(frozen=True)
class Blinks:
    """The lids slide over the eyes' dipoles.

    Args:
        amplitude: of a typical blink at Fp1 and Fp2 (µV), 50 to 200 (Croft & Barry 2000, Neurophysiol. Clin.
            30(1):5-19); single ones have half to one and a half times as much.
        per_minute: 17 in adults at rest (Bentivoglio et al. 1997, Mov. Disord. 12(6):1028-1034).
    """

    amplitude: float = 120.0
    per_minute: float = 17.0

    @staticmethod
    def width(channels: int) -> int:
        """When."""
        return 1

    def start(self, setting: Setting, rng: np.random.Generator) -> State:
        """Eyes open."""
        return (pulse(BLINK_TIME, BLINK_ORDER, setting.rate).at_rest(setting.batch, 1),)

    def emit(self, moment: Moment, white: Tensor, state: State, setting: Setting) -> tuple[Tensor, State]:
        """Blinks at each channel: at Fz half of what Fp1 has, at Cz a sixth."""
        now, chance = happens(white, self.per_minute, setting.rate)
        wave, memory = pulse(BLINK_TIME, BLINK_ORDER, setting.rate)(now * (0.5 + chance), state[0])
        place = near(setting.head.labels, "Fpz", 0.055) / near(("Fp1",), "Fpz", 0.055)
        return self.amplitude * wave * place, (memory,)


@dataclass(frozen=True)
class Muscles:
    """Bursts of muscle activity at jaw and neck.

    Args:
        amplitude: standard deviation at the peak of a typical burst, above the muscle (µV); tens of µV.
        per_minute: bursts of each group.
    """

    amplitude: float = 25.0
    per_minute: float = 3.0

    @staticmethod
    def width(channels: int) -> int:
        """When each group tenses, and the noise of each muscle."""
        return len(MUSCLES) + sum(map(len, MUSCLES.values()))

    def start(self, setting: Setting, rng: np.random.Generator) -> State:
        """Relaxed."""
        relaxed = pulse(BURST_TIME, BURST_ORDER, setting.rate).at_rest(setting.batch, len(MUSCLES))
        return relaxed, high_noise(MUSCLE_FREQUENCY, setting.rate).at_rest(setting.batch, 4)

    def emit(self, moment: Moment, white: Tensor, state: State, setting: Setting) -> tuple[Tensor, State]:
        """Muscle activity at each channel."""
        when, noise = white[..., : len(MUSCLES)], white[..., len(MUSCLES) :]
        now, chance = happens(when, self.per_minute, setting.rate)
        tension, memory = pulse(BURST_TIME, BURST_ORDER, setting.rate)(now * (0.5 + chance), state[0])
        activity, noise_memory = high_noise(MUSCLE_FREQUENCY, setting.rate)(noise, state[1])
        places = torch.stack([near(setting.head.labels, place, 0.02) for pair in MUSCLES.values() for place in pair])
        signal = self.amplitude * tension.repeat_interleave(2, dim=-1) * activity
        return signal @ places, (memory, noise_memory)
