"""Steering by imagery: a wanted hand velocity as movements that are imagined, each more or less.

The potentials that follow a movement fade while an intention goes on (`motorctl.person.slow`), the rhythms of the motor
areas stay down for as long as a movement is imagined. People who steer a cursor by EEG therefore imagine movements and
are read by the power of these rhythms (Wolpaw & McFarland 2004, PNAS 101(51):17849-17854): one direction is the
difference between the two hemispheres, the other their sum.
"""

from __future__ import annotations

import torch
from torch import Tensor

from motorctl.person.movements import MOVEMENTS

FULL = 0.05
"""Wanted speed from which on imagery goes all the way (m/s), a sixth of a comfortable reach: who steers by it pushes
as hard as they can until the target is near."""

ELECTRODES = tuple(
    "F3 Fz F4 FC5 FC3 FC1 FCz FC2 FC4 FC6 T7 C5 C3 C1 Cz C2 C4 C6 T8 CP5 CP3 CP1 CPz CP2 CP4 CP6 P3 Pz P4".split()
)
"""Electrodes of the 10-10 system over the motor areas and around them, so that a Laplacian has its four neighbours."""

_HANDS = {"right": (1.0, 1.0), "left": (-1.0, 1.0)}
_BACK = ("feet", "tongue")


def imagine(velocity: Tensor) -> Tensor:
    """How far each of ``MOVEMENTS`` is imagined to move the hand with ``velocity (..., 2)`` (m/s): ``(..., class)``.

    To the right the right fist and not the left one, to the left the reverse; forward both fists, backward feet and
    tongue instead. At rest each is imagined half-way, so that every direction shows as more of some and less of others.

    Returns:
        0 to 1; differentiable but where imagery has gone all the way.
    """
    wanted = velocity / FULL
    imagined = dict.fromkeys(MOVEMENTS, torch.zeros_like(wanted[..., 0]))
    for fist, (right, forward) in _HANDS.items():
        imagined[fist] = _about_half((right * wanted[..., 0] + forward * wanted[..., 1]) / 2**0.5)
    for other in _BACK:
        imagined[other] = _about_half(-wanted[..., 1])
    return torch.stack([imagined[movement] for movement in MOVEMENTS], dim=-1)


def _about_half(drive: Tensor) -> Tensor:
    half: Tensor = (0.5 + 0.5 * drive).clamp(0, 1)
    return half
