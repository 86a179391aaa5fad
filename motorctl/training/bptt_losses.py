"""What a movement costs: the terms that backpropagation through the limb makes small.

Every term is a mean over lanes and time, in units that do not depend on the control rate.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from motorctl.errors import ConfigurationError


@dataclass(frozen=True)
class TaskLoss:
    """Weights of the terms of the task loss; 0 leaves a term out."""

    position: float = 1.0
    """Of the distance of hand and target, |x| + |y| (+ |z|) in m. The L1 norm and the weight of 1 are those of MotorNet
    (Codol et al. 2024, eLife 12:RP88591)."""
    effort: float = 0.02
    """Of the squared command, its mean over actuators, each in parts of its largest. Squared commands: Todorov & Jordan
    2002, Nat. Neurosci. 5:1226-1235; their weight is in other units, this one was chosen here."""
    activity: float = 0.02
    """Of the squared activation, its mean over muscles. Squared activations: Codol et al. 2024; chosen here."""
    jerk: float = 2e-6
    """Of the squared third derivative of the hand's path, m²/s⁶ (Flash & Hogan 1985, J. Neurosci. 5:1688-1703); chosen
    here: with 1e-5 and more the hand is late."""
    hidden: float = 1e-3
    """Of the squared hidden units, their mean: Sussillo et al. 2015, Nat. Neurosci. 18:1025-1033, keep rates low for
    natural solutions; chosen here."""
    hidden_change: float = 1e-5
    """Of the squared rate of change of the hidden units, 1/s², its mean, for the same reason; chosen here."""


class Movement(NamedTuple):
    """What many lanes did. Row k is what was there when the command of row k had acted."""

    hand: Tensor  # (batch, time, 2 or 3) m
    target: Tensor  # the same, m
    command: Tensor  # (batch, time, actuator) in parts of the largest
    activation: Tensor  # (batch, time, muscle); no muscle, no cost
    hidden: Tensor  # (batch, time, unit)


def task_loss(movement: Movement, weights: TaskLoss, period: float) -> dict[str, Tensor]:
    """The weighted terms by name, whose sum is the loss; those of weight 0 are not there.

    Args:
        movement: of at least four rows, or the jerk is not defined and costs nothing.
        weights: of the terms.
        period: of the control (s).
    """
    terms = {
        "position": lambda: (movement.hand - movement.target).abs().sum(-1),
        "effort": lambda: movement.command.square().mean(-1),
        "activity": lambda: movement.activation.square().mean(-1),
        "jerk": lambda: (torch.diff(movement.hand, n=3, dim=1) / period**3).square().sum(-1),
        "hidden": lambda: movement.hidden.square().mean(-1),
        "hidden_change": lambda: (torch.diff(movement.hidden, dim=1) / period).square().mean(-1),
    }
    possible = {"activity": movement.activation.shape[-1] > 0, "jerk": movement.hand.shape[1] > 3}
    given = {name: weight for name, weight in asdict(weights).items() if weight and possible.get(name, True)}
    return {name: weight * terms[name]().mean() for name, weight in given.items()}


def total_loss(movement: Movement, weights: TaskLoss, period: float) -> Tensor:
    """The sum of :func:`task_loss`, a scalar."""
    return torch.stack(list(task_loss(movement, weights, period).values())).sum()


def check_task_loss(weights: TaskLoss) -> None:
    """Say that weights are numbers, 0 or above, and not all 0.

    Raises:
        ConfigurationError: they are not.
    """
    if not any(asdict(weights).values()):
        raise ConfigurationError("All weights of the loss are 0.", "Give one a number above 0, position for example.")
    for name, weight in asdict(weights).items():
        if not 0 <= weight < math.inf:
            raise ConfigurationError(f"The weight of {name} is {weight:g}.", "Give 0 or a number above 0.")
