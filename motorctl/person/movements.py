"""What is intended, as activity of the motor areas: a hand velocity, a movement class, or both."""

from __future__ import annotations

import torch
from torch import Tensor

MOVEMENTS = ("rest", "left", "right", "feet", "fists", "tongue")
"""Movement classes: left fist, right fist, both feet, both fists, tongue."""

AREAS = ("hand left", "hand right", "arm left", "arm right", "leg left", "leg right", "face left", "face right")
"""Motor areas, named by hemisphere; each moves the other side of the body."""

OTHER_SIDE = [AREAS.index(area.replace("left", "RIGHT").replace("right", "left").lower()) for area in AREAS]
"""Index of the same area in the other hemisphere."""

ACTIVE = {
    "rest": {},
    "left": {"hand right": 1.0, "arm right": 0.5},
    "right": {"hand left": 1.0, "arm left": 0.5},
    "feet": {"leg left": 1.0, "leg right": 1.0},
    "fists": {"hand left": 1.0, "hand right": 1.0, "arm left": 0.5, "arm right": 0.5},
    "tongue": {"face left": 1.0, "face right": 1.0},
}
"""Areas that a movement engages, those across the body from the limb (Pfurtscheller & Lopes da Silva 1999, Clin.
Neurophysiol. 110(11):1842-1857). That a fist takes half as much of the arm's area is our choice."""

REACH = torch.tensor([1.0 if area in ("hand left", "arm left") else 0.0 for area in AREAS])
"""Areas that a reach of the right hand engages."""

REACH_SPEED = 0.1
"""Speed that engages them to 63 % (m/s), a third of a comfortable reach: desynchronisation grows with speed (Yuan,
Perdoni & He 2010, J. Neural Eng. 7(2):026001); that it saturates so is our choice."""

_ENGAGED = torch.tensor([[ACTIVE[movement].get(area, 0.0) for area in AREAS] for movement in MOVEMENTS])


def activity(velocity: Tensor, movement: Tensor | None) -> Tensor:
    """How far each motor area is engaged, 0 to 1: ``(..., area)``.

    Args:
        velocity: ``(..., 2)`` intended velocity of the right hand (m/s).
        movement: ``(..., class)`` how far each of ``MOVEMENTS`` is intended, 0 to 1.
    """
    speed = torch.linalg.vector_norm(velocity, dim=-1, keepdim=True)
    reaching = (1 - torch.exp(-speed / REACH_SPEED)) * REACH
    if movement is None:
        return reaching
    return either(reaching, (movement @ _ENGAGED).clamp(max=1.0))  # two movements at once engage an area fully at most


def either(first: Tensor, second: Tensor) -> Tensor:
    """Activity, 0 to 1, for two causes that do not know of each other."""
    return 1 - (1 - first) * (1 - second)
