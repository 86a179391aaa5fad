"""Slow potentials: what codes the hand's velocity, and what rises before a movement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from motorctl.person.component import Moment, Setting, State, areas_to_sites, at_sites
from motorctl.person.filters import band_pass, transient
from motorctl.person.movements import AREAS


@dataclass(frozen=True)
class VelocityCoding:
    """Potentials that follow the intended velocity and speed of the right hand.

    Low-frequency EEG over the motor areas follows hand velocity (Bradberry, Gentili & Contreras-Vidal 2010, J.
    Neurosci. 30(9):3432-3437), as do the cells below (Georgopoulos et al. 1982, J. Neurosci. 2(11):1527-1537). Here the
    crown of the hand area codes x and the wall of its sulcus y, in the other hemisphere with x reversed and at half
    strength; the midline codes speed. Which source codes what is our choice: published are bands and correlations.

    Args:
        per_velocity: potential per velocity (µV per m/s).
        per_speed: negative potential per speed at the midline (µV per m/s).
        low, high: the band that is coded (Hz): 0.3 to 3 holds what decoders use; with ``low`` 0, a constant velocity
            gives a constant potential.
    """

    per_velocity: float
    per_speed: float = 0.0
    low: float = 0.3
    high: float = 3.0

    @staticmethod
    def width(channels: int) -> int:
        """No noise."""
        return 0

    def start(self, setting: Setting, rng: np.random.Generator) -> State:
        """Nothing has moved."""
        return (band_pass(self.low, self.high, setting.rate).at_rest(setting.batch, 3),)

    def emit(self, moment: Moment, white: Tensor, state: State, setting: Setting) -> tuple[Tensor, State]:
        """The potentials at each site."""
        speed = torch.linalg.vector_norm(moment.velocity, dim=-1, keepdim=True)
        coded, memory = band_pass(self.low, self.high, setting.rate)(
            torch.cat([moment.velocity, speed], dim=-1), state[0]
        )
        signal = (
            self.per_velocity * coded[..., [0]] * at_sites({"hand left": 1.0, "hand right": -0.5})
            + self.per_velocity * coded[..., [1]] * at_sites({"sulcus left": 1.0, "sulcus right": 0.5})
            - self.per_speed * coded[..., [2]] * at_sites({"midline": 1.0})
        )
        return signal, (memory,)


@dataclass(frozen=True)
class MovementPotential:
    """The negative shift before and at the onset of a movement (Shibasaki & Hallett 2006, Clin. Neurophysiol.
    117(11):2341-2356).

    In a person it begins one to two seconds before the movement, because the intention does. The brain here knows
    nothing of the future either: the shift begins with the intention, and what the intention moves comes later. Where
    an onset is announced, as by a cue to get ready, give the brain the intention when the person forms it, ahead of the
    movement.

    Args:
        amplitude: at Cz, a second after an area is fully engaged (µV); 5 to 10 is usual.
        hand: the lateralised part over the engaged hand, arm and face areas, a share of it.
        rise, decay: time constants (s).
    """

    amplitude: float = 6.0
    hand: float = 0.5
    rise: float = 0.4
    decay: float = 1.5

    @staticmethod
    def width(channels: int) -> int:
        """No noise."""
        return 0

    def start(self, setting: Setting, rng: np.random.Generator) -> State:
        """Nothing was intended."""
        return (transient(self.rise, self.decay, setting.rate).at_rest(setting.batch, len(AREAS) + 1),)

    def emit(self, moment: Moment, white: Tensor, state: State, setting: Setting) -> tuple[Tensor, State]:
        """The shift at each site."""
        any_area = 1 - (1 - moment.areas).prod(dim=-1, keepdim=True)
        engaged = torch.cat([any_area, moment.areas], dim=-1)
        shift, memory = transient(self.rise, self.decay, setting.rate)(engaged, state[0])
        lateral = torch.tensor([0.0 if area.startswith("leg") else self.hand for area in AREAS])  # legs: at the midline
        signal = shift[..., [0]] * at_sites({"midline": 1.0}) + areas_to_sites(lateral * shift[..., 1:])
        return -self.amplitude * signal, (memory,)
