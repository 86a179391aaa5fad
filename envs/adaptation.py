"""The two classic adaptation tasks: center-out reaches in a force field, and with a rotated view of the hand.

In both, blocks of trials without and with the disturbance take turns, beginning without; nothing but its effects tells
which it is. `metrics` has the measure that such studies go by, `deviation`: large at first, less with practice, and the
other way when the disturbance is gone, the after-effect.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motorctl.errors import ConfigurationError

from .center_out import CenterOut
from .limb import Limb, Senses
from .task import State

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Disturbed(CenterOut):
    """Center-out with a disturbance of some size, on in every other block of trials."""

    size: float = 0.0
    """Of the disturbance when it is on."""
    block_trials: int = 40
    """Trials in a block; 0 leaves the disturbance on."""

    def condition(self, trial: int) -> State:
        """The disturbance of a trial."""
        on = self.block_trials == 0 or trial // self.block_trials % 2 == 1
        return {"disturbance": self.size if on else 0.0}


class ForceField(Disturbed):
    """A force across the hand's velocity v: f = b·(v_y, -v_x), to the right of the movement for b > 0.

    A curl field as in Shadmehr & Mussa-Ivaldi, J Neurosci 14, 1994, whose method this is; with b = 13 N·s/m as in
    Thoroughman & Shadmehr, Nature 407, 2000. It is held for a control step: v is extrapolated to the middle of the step
    (the Adams-Bashforth formula of second order), or else the delay would make the field add energy.
    """

    def condition(self, trial: int) -> State:
        """As `Disturbed`; the hand is taken to be at rest."""
        return super().condition(trial) | {"velocity": np.zeros(2), "ahead": np.zeros(2)}

    def advance(self, state: State, senses: Senses) -> State:
        """As `CenterOut`; extrapolate the velocity by half a step."""
        velocity = senses["hand_velocity"].copy()
        ahead = 1.5 * velocity - 0.5 * state["velocity"]
        return {**super().advance(state, senses), "velocity": velocity, "ahead": ahead}

    def force(self, state: State) -> Array:
        """The force at the hand (..., 2), N."""
        strength = np.asarray(state["disturbance"])[..., None]
        across: Array = strength * state["ahead"][..., ::-1] * (1.0, -1.0)
        return across

    def info(self, state: State, senses: Senses) -> dict[str, Array]:
        """As `Reach`, and `field`, b in N·s/m."""
        return super().info(state, senses) | {"field": state["disturbance"]}


class Rotation(Disturbed):
    """The hand is shown turned about the center, counter-clockwise for positive angles.

    Krakauer, Pine, Ghilardi & Ghez, J Neurosci 20, 2000, with their 30°. The person, observation and reward know the
    hand as it is shown; the joints are felt as they are.
    """

    def shown(self, state: State, senses: Senses) -> tuple[Array, Array]:
        """Position and velocity of the hand as it is shown."""
        angle = state["disturbance"]
        offset = turned(senses["hand_position"] - self.center, angle)
        return self.center + offset, turned(senses["hand_velocity"], angle)

    def scene(self, state: State) -> dict[str, Array]:
        """The target, and the hand as it is shown."""
        return {"target": state["target"], "cursor": np.append(state["hand"], 0.03)}  # above the arm

    def info(self, state: State, senses: Senses) -> dict[str, Array]:
        """As `Reach`, and `rotation`, rad."""
        return super().info(state, senses) | {"rotation": state["disturbance"]}


def turned(vector: Array, angle: Any) -> Array:
    """Vectors (..., 2) turned counter-clockwise by angles (...), rad."""
    cosine, sine = np.cos(angle), np.sin(angle)
    x, y = vector[..., 0], vector[..., 1]
    return np.stack([cosine * x - sine * y, sine * x + cosine * y], axis=-1)


def force_field(
    limb: Limb,
    period: float,
    target_radius: float = 0.02,
    dwell: float = 0.2,
    target_distance: float = 0.10,
    strength: float = 13.0,
    block_trials: int = 40,
) -> ForceField:
    """Center-out reaches in a force field that comes and goes.

    Args:
        limb, period, target_radius, dwell, target_distance: as `center_out`.
        strength: b of the field, N·s/m; negative to the left.
        block_trials: trials in a block without, then with the field; 0 leaves it on.

    Raises:
        ConfigurationError: an option has a value that cannot be used.
    """
    _check(strength=strength, block_trials=block_trials)
    return ForceField.of(limb, period, target_radius, dwell, target_distance, size=strength, block_trials=block_trials)


def rotation(
    limb: Limb,
    period: float,
    target_radius: float = 0.02,
    dwell: float = 0.2,
    target_distance: float = 0.10,
    angle: float = 30.0,
    block_trials: int = 40,
) -> Rotation:
    """Center-out reaches with a rotation of the shown hand that comes and goes.

    Args:
        limb, period, target_radius, dwell, target_distance: as `center_out`.
        angle: of the rotation, degrees; positive turns counter-clockwise.
        block_trials: trials in a block without, then with the rotation; 0 leaves it on.

    Raises:
        ConfigurationError: an option has a value that cannot be used.
    """
    _check(angle=angle, block_trials=block_trials)
    size = math.radians(angle)
    return Rotation.of(limb, period, target_radius, dwell, target_distance, size=size, block_trials=block_trials)


def _check(block_trials: int, **sizes: float) -> None:
    for name, size in sizes.items():
        if not math.isfinite(size):
            raise ConfigurationError(f"{name} is {size!r}.", "Give a number.")
    if not (isinstance(block_trials, int) and block_trials >= 0):
        raise ConfigurationError(f"block_trials is {block_trials!r}.", "Give a whole number, 0 or more.")
