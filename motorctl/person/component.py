"""What every part of the simulated EEG has in common.

Inside the brain the time axis comes first, ``(time, batch, ...)``, as filters want it. White noise is drawn for every
part, switched on or not: a seed gives the same EEG with and without any other part.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from motorctl.person.head import SITES, Head
from motorctl.person.movements import AREAS

State = tuple[Tensor, ...]


class Setting(NamedTuple):
    """Where a part is recorded."""

    head: Head
    rate: float  # Hz
    batch: int


class Moment(NamedTuple):
    """What goes on in a stretch of time."""

    velocity: Tensor  # (time, batch, 2) intended hand velocity in m/s, as the brain codes it today
    areas: Tensor  # (time, batch, area) how far each motor area is engaged, 0 to 1


class Part(Protocol):
    """One part of the EEG: a source in the brain, or what the recording adds."""

    @staticmethod
    def width(channels: int) -> int:
        """White noise that it takes, numbers a sample."""
        ...

    def start(self, setting: Setting, rng: np.random.Generator) -> State:
        """Its state when the recording begins."""
        ...

    def emit(self, moment: Moment, white: Tensor, state: State, setting: Setting) -> tuple[Tensor, State]:
        """Its signal (µV) and new state: ``(time, batch, site)`` from a source in the brain, peak potential of each of
        ``SITES``; ``(time, batch, channel)`` from elsewhere. ``white`` is ``(time, batch, width)``."""
        ...


def at_sites(weights: dict[str, float]) -> Tensor:
    """``(site,)`` weights of ``SITES``, 0 where not named."""
    return torch.tensor([weights.get(site, 0.0) for site in SITES])


def areas_to_sites(signal: Tensor) -> Tensor:
    """``(..., site)`` from ``signal (..., area)``: the motor areas are the first sites."""
    return torch.nn.functional.pad(signal, (0, len(SITES) - len(AREAS)))


def happens(white: Tensor, per_minute: float, rate: float) -> tuple[Tensor, Tensor]:
    """Where in ``white`` noise something happens that happens so often, by chance and without memory.

    Returns:
        True where it happens, and there a number of uniform chance between 0 and 1, to choose which and how.
    """
    chance = per_minute / 60 / rate
    tail = torch.special.ndtr(-white)
    return tail < chance, tail / max(chance, 1e-12)
