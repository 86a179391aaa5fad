"""How the constants of a limb are made, and what its equations of motion are made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

SHORTEST = 1e-12
"""Lengths, m, below this have no direction; nothing is divided by them."""


@dataclass(frozen=True)
class Constants:
    """Makes tensors of one type on one device."""

    dtype: torch.dtype
    device: torch.device | str

    def number(self, values: Any) -> Tensor:
        """A tensor of numbers."""
        return torch.tensor(np.asarray(values, float), dtype=self.dtype, device=self.device)

    def column(self, values: Any) -> Tensor:
        """A tensor of numbers (..., 1), which goes with a batch on the last axis."""
        return self.number(values)[..., None]

    def index(self, values: Iterable[int]) -> Tensor:
        """A tensor of indices."""
        return torch.tensor([int(value) for value in values], dtype=torch.long, device=self.device)


class Equations(NamedTuple):
    """Of motion, for a batch of limbs at their positions and velocities; the batch is the last axis."""

    mass: Tensor
    """The mass matrix, (joint, joint, batch)."""
    bias: Tensor
    """Forces of inertia and gravity, (joint, batch): mass @ acceleration + bias = other forces."""
    lengths: Tensor
    """Of the paths, (path, batch)."""
    moments: Tensor
    """d length / d position of the paths, (path, joint, batch)."""
