"""Rhythms: of the motor areas, which fade before and during movement and rebound after it, and of the visual areas.

A rhythm is noise in a narrow band, so it waxes and wanes as rhythms do. Engaging an area lowers its power within a few
tenths of a second (event-related desynchronisation), in the other hemisphere less; the beta rhythm overshoots for about
a second afterwards (Pfurtscheller & Lopes da Silva 1999, Clin. Neurophysiol. 110(11):1842-1857).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from motorctl.person.component import Moment, Setting, State, areas_to_sites
from motorctl.person.filters import low_pass, resonance
from motorctl.person.head import SITES
from motorctl.person.movements import AREAS, OTHER_SIDE, either

ONSET = 0.25
"""Time constant with which power falls (s). With imagery on a cue it is down after about half a second."""
REBOUND = 0.8
"""Time constant with which a rebound ends (s); it is strongest about half a second after the movement and lasts about
one (Pfurtscheller, Stancák & Neuper 1996, Electroencephalogr. Clin. Neurophysiol. 98(4):281-293)."""


@dataclass(frozen=True)
class Rhythm:
    """A rhythm of the motor areas.

    Args:
        frequency: its centre (Hz).
        bandwidth: its width at half power (Hz).
        amplitude: standard deviation over an idle hand area, under the electrode above it (µV).
        desynchronisation: share of its power that an engaged area loses.
        ipsilateral: how much of that the same area of the other hemisphere loses, a share.
        rebound: power that comes back above the idle one afterwards, a share of it.
        arm, leg, face: amplitude over these areas, a share of the hand's.
    """

    frequency: float
    bandwidth: float
    amplitude: float
    desynchronisation: float
    ipsilateral: float
    rebound: float = 0.0
    arm: float = 0.5
    leg: float = 0.5
    face: float = 0.4

    @staticmethod
    def width(channels: int) -> int:
        """One number for each area."""
        return len(AREAS)

    def start(self, setting: Setting, rng: np.random.Generator) -> State:
        """Idle."""
        idle = low_pass(ONSET, setting.rate).at_rest(setting.batch, len(AREAS))
        rhythm = resonance(self.frequency, self.bandwidth, setting.rate).running(rng, setting.batch, len(AREAS))
        return idle, idle, rhythm

    def emit(self, moment: Moment, white: Tensor, state: State, setting: Setting) -> tuple[Tensor, State]:
        """The rhythm at each site."""
        lost, slow, rhythm = state
        engaged = either(moment.areas, self.ipsilateral * moment.areas[..., OTHER_SIDE])
        falling, lost = low_pass(ONSET, setting.rate)(engaged, lost)
        trace, slow = low_pass(REBOUND, setting.rate)(engaged, slow)
        wave, rhythm = resonance(self.frequency, self.bandwidth, setting.rate)(white, rhythm)
        power = 1 - self.desynchronisation * falling + self.rebound * torch.relu(trace - falling)
        sizes = torch.tensor([1.0, 1.0, self.arm, self.arm, self.leg, self.leg, self.face, self.face])  # as AREAS
        signal = self.amplitude * sizes * torch.sqrt(power.clamp_min(1e-6)) * wave
        return areas_to_sites(signal), (lost, slow, rhythm)


@dataclass(frozen=True)
class Alpha:
    """The rhythm of the visual areas, which movement leaves alone.

    Args:
        frequency: its centre (Hz); 10 in adults (Klimesch 1999, Brain Res. Rev. 29(2-3):169-195).
        bandwidth: its width at half power (Hz).
        amplitude: standard deviation at O1 and O2 (µV). With eyes open a few, with eyes closed 10 to 20.
    """

    frequency: float = 10.0
    bandwidth: float = 1.5
    amplitude: float = 6.0

    @staticmethod
    def width(channels: int) -> int:
        """One number for each hemisphere."""
        return 2

    def start(self, setting: Setting, rng: np.random.Generator) -> State:
        """Under way."""
        return (resonance(self.frequency, self.bandwidth, setting.rate).running(rng, setting.batch, 2),)

    def emit(self, moment: Moment, white: Tensor, state: State, setting: Setting) -> tuple[Tensor, State]:
        """The rhythm at each site."""
        wave, rhythm = resonance(self.frequency, self.bandwidth, setting.rate)(white, state[0])
        first = list(SITES).index("visual left")
        padded = torch.nn.functional.pad(self.amplitude * wave, (first, len(SITES) - first - 2))
        return padded, (rhythm,)
