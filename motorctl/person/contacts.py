"""What electrodes, amplifier and mains add."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from motorctl.person.component import Moment, Setting, State, happens
from motorctl.person.filters import low_pass, slow_noise

LOOSE_TIME = 0.5
"""Time constant of the noise of a loose electrode (s). Our choice."""
POP_TIME = 0.5
"""Time constant with which a pop fades (s). Our choice."""


@dataclass(frozen=True)
class AmplifierNoise:
    """White noise of electrode and amplifier.

    Args:
        amplitude: standard deviation (µV); about 1 with gel (Huigen, Peper & Grimbergen 2002, Med. Biol. Eng. Comput.
            40(3):332-338).
    """

    amplitude: float = 1.0

    @staticmethod
    def width(channels: int) -> int:
        """One number for each channel."""
        return channels

    def start(self, setting: Setting, rng: np.random.Generator) -> State:
        """It remembers nothing."""
        return ()

    def emit(self, moment: Moment, white: Tensor, state: State, setting: Setting) -> tuple[Tensor, State]:
        """The noise at each channel."""
        return self.amplitude * white, ()


@dataclass(frozen=True)
class Drift:
    """The potential between electrode and skin wanders.

    Args:
        amplitude: standard deviation (µV).
        time: how long it takes to become another (s).
    """

    amplitude: float = 30.0
    time: float = 30.0

    @staticmethod
    def width(channels: int) -> int:
        """One number for each channel."""
        return channels

    def start(self, setting: Setting, rng: np.random.Generator) -> State:
        """Somewhere."""
        return (slow_noise(self.time, setting.rate).running(rng, setting.batch, len(setting.head.labels)),)

    def emit(self, moment: Moment, white: Tensor, state: State, setting: Setting) -> tuple[Tensor, State]:
        """The offset of each channel."""
        wandering, memory = slow_noise(self.time, setting.rate)(white, state[0])
        return self.amplitude * wandering, (memory,)


@dataclass(frozen=True)
class Mains:
    """Hum of the mains, at each channel with its own strength and phase.

    Args:
        amplitude: root mean square over the channels of its peak (µV).
        frequency: 50 or 60 Hz. At half the sampling rate and above there is none, as an amplifier lets none pass.
    """

    amplitude: float = 5.0
    frequency: float = 50.0

    @staticmethod
    def width(channels: int) -> int:
        """No noise."""
        return 0

    def start(self, setting: Setting, rng: np.random.Generator) -> State:
        """Samples so far, and the cosine and the sine at each channel."""
        waves = rng.standard_normal((2, setting.batch, len(setting.head.labels)), dtype=np.float32)
        return torch.zeros((), dtype=torch.int64), torch.from_numpy(waves / np.sqrt(2, dtype=np.float32))

    def emit(self, moment: Moment, white: Tensor, state: State, setting: Setting) -> tuple[Tensor, State]:
        """The hum at each channel."""
        passed, (cosine, sine) = state
        now = passed + torch.arange(len(white))
        phase = (2 * torch.pi * self.frequency / setting.rate * now.double())[:, None, None]
        heard = self.amplitude if self.frequency < setting.rate / 2 else 0.0
        hum = heard * (phase.cos().float() * cosine + phase.sin().float() * sine)
        return hum, (passed + len(white), state[1])


@dataclass(frozen=True)
class Pops:
    """An electrode's contact jumps: a step at one channel that fades.

    Args:
        amplitude: of a typical jump, up or down (µV); single ones have half to one and a half times as much.
        per_minute: how many there are on the whole cap.
    """

    amplitude: float = 80.0
    per_minute: float = 1.0

    @staticmethod
    def width(channels: int) -> int:
        """When."""
        return 1

    def start(self, setting: Setting, rng: np.random.Generator) -> State:
        """All quiet."""
        return (low_pass(POP_TIME, setting.rate).at_rest(setting.batch, len(setting.head.labels)),)

    def emit(self, moment: Moment, white: Tensor, state: State, setting: Setting) -> tuple[Tensor, State]:
        """Pops at each channel. The uniform chance tells channel, size and sign, digit after digit."""
        channels = len(setting.head.labels)
        now, chance = happens(white, self.per_minute, setting.rate)
        where = (chance * channels).floor()
        size = (chance * channels - where) * 2
        jump = torch.where(size < 1, size + 0.5, 0.5 - size) / (1 - np.exp(-1 / (POP_TIME * setting.rate)))
        struck = now & (where == torch.arange(channels))
        trace, memory = low_pass(POP_TIME, setting.rate)(struck * jump, state[0])
        return self.amplitude * trace, (memory,)


@dataclass(frozen=True)
class LooseElectrode:
    """One electrode has lost the skin: its channel shows slow noise that drowns everything else.

    Args:
        amplitude: standard deviation (µV).
    """

    amplitude: float = 150.0

    @staticmethod
    def width(channels: int) -> int:
        """One number."""
        return 1

    def start(self, setting: Setting, rng: np.random.Generator) -> State:
        """Which channel it is, in each lane."""
        channels = len(setting.head.labels)
        which = torch.from_numpy(rng.integers(channels, size=setting.batch))
        loose = torch.nn.functional.one_hot(which, channels).float()
        return loose, slow_noise(LOOSE_TIME, setting.rate).running(rng, setting.batch, 1)

    def emit(self, moment: Moment, white: Tensor, state: State, setting: Setting) -> tuple[Tensor, State]:
        """Its noise at each channel."""
        noise, memory = slow_noise(LOOSE_TIME, setting.rate)(white, state[1])
        return self.amplitude * noise * state[0], (state[0], memory)
