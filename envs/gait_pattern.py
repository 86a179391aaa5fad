"""What a leg that stands, walks, runs or jumps should do when: the normative curves, blended into one another."""

from dataclasses import dataclass
from typing import NamedTuple, Self

import mujoco
import numpy as np
from numpy.typing import NDArray

from .gait_curves import MOVEMENTS, PERIODS, joint_angles

Array = NDArray[np.float64]

SAMPLES = 200
"""Rows a cycle of the tables, which are interpolated linearly."""
BLENDING = 0.15
"""Time constant with which one movement gives way to the next, s."""
BEGIN = (0.0, 0.23, 0.10, 0.0)
"""Phase at which each movement is begun: the foot is under the hip, on the floor."""
LEAVE = (0.0, 0.82, 0.78, 0.0)
"""Phase at which it is left: the foot is under the hip, in the air where there is such a phase."""
ASIDE = 0.025
"""By which the other leg holds the hip higher than in standing while this one gets into place to stand, m."""
SPEEDS = (0.0, 1.2, 3.7, 0.0)
"""Of the belt under each movement, m/s: that of the foot, against the hip, while its curves have it on the floor."""
STANCE = (0.0, 0.60, 0.33, 0.0)
"""Part of the cycle, from contact on, for which a leg that takes turns with another carries the body: till toe-off."""
CATCH = 0.55
"""Height at which the harness catches the hip of one who stands or jumps, m."""
FADED = 0.02
"""Weight of a movement below which the body is no longer held up for it."""
SAG = 0.016
"""By which the other leg gives under its share of the body, m: weight over `gait_control.SUPPORT`."""


EACH = np.arange(len(MOVEMENTS))
STAND = MOVEMENTS.index("stand")
STANDING = (EACH == STAND).astype(float)
START = np.concatenate([[0.0], STANDING, STANDING])
"""The course at the start: standing, at time 0."""


class Reference(NamedTuple):
    """What the leg should do now."""

    angles: Array
    """(..., 3) of hip, knee and ankle, rad."""
    velocities: Array
    """(..., 3) rad/s."""
    accelerations: Array
    """(..., 3) rad/s²."""
    height: Array
    """(...) of the hip with these angles and the foot on the floor, m."""
    support: Array
    """(...) height to which the other leg or the harness holds the hip up, m."""
    speed: Array
    """(...) of the belt, m/s."""


@dataclass(frozen=True)
class Pattern:
    """The movements as tables over their cycles.

    All of them go on all the time, each at its own pace from time 0, and the course tells which is done. So a movement
    that is begun late is still in step with the one that was asked for. A course (..., 9) holds the time, s; 1 for the
    movement that is done and 0 for the others; and the weights of all with which they make the reference.
    """

    table: Array
    """(movement, `SAMPLES` + 1, 12): the fields of `Reference`, one after the other."""

    @classmethod
    def of(cls, model: mujoco.MjModel) -> Self:
        """Work out the tables for a leg with joints `hip`, `knee`, `ankle` and sites `heel`, `ball` at the sole.

        While one leg is in the air, the other one carries the body: it does the same, half a cycle later, so that it
        holds the hip where this leg did half a cycle ago.
        """
        phase = np.arange(SAMPLES) / SAMPLES
        rows = []
        for index, period in enumerate(PERIODS):
            curves = [joint_angles(index, phase, order) / period**order for order in range(3)]
            height = _heights(model, curves[0])
            support = np.full(SAMPLES, CATCH)
            if STANCE[index]:
                there = np.roll(phase, SAMPLES // 2) < STANCE[index]
                flight = ~there & (phase >= STANCE[index])
                other = np.where(flight, height[0], np.roll(height, SAMPLES // 2)) + SAG
                support = np.where(there | flight, other, CATCH)
            speed = np.full(SAMPLES, SPEEDS[index])
            rows.append(np.concatenate([*curves, np.stack([height, support, speed], axis=-1)], axis=-1))
        table = np.stack(rows)
        return cls(np.concatenate([table, table[:, :1]], axis=1))

    def follow(self, course: Array, asked: Array, duration: float) -> Array:
        """The course (..., 9) after a time, s, for which a movement (..., 4), 1 and else 0, was asked for.

        It is left for standing, and begun from standing, when the foot is where it should be for that.
        """
        clock, doing, weights = course[..., :1], course[..., 1:5], course[..., 5:]
        turns = clock / PERIODS, (clock + duration) / PERIODS
        begins, leaves = (np.floor(turns[1] - gate) > np.floor(turns[0] - gate) for gate in (BEGIN, LEAVE))
        begins[..., STAND] = True
        other = (doing * asked).sum(-1) == 0
        standing = doing[..., STAND] == 1
        begun = other & standing & (asked * begins).any(-1)
        left = other & ~standing & (doing * leaves).any(-1)
        doing = np.where(begun[..., None], asked, np.where(left[..., None], STANDING, doing))
        weights = weights + (doing - weights) * -np.expm1(-duration / BLENDING)
        return np.concatenate([clock + duration, doing, weights], axis=-1)

    def at(self, course: Array, ahead: float = 0.0) -> Reference:
        """The reference on a course (..., 9), a time ahead, s."""
        weights = course[..., 5:]
        place = np.remainder((course[..., :1] + ahead) / PERIODS, 1.0) * SAMPLES
        before = place.astype(np.int64)
        rows, after = self.table[EACH, before], self.table[EACH, before + 1]
        row = (weights[..., None] * (rows + (place - before)[..., None] * (after - rows))).sum(-2)
        settling = (course[..., 1 + STAND] == 1) & (weights[..., STAND] < 1 - FADED)
        aside = settling * (self.table[STAND, 0, 9] + SAG + ASIDE)
        support = np.maximum(((weights > FADED) * rows[..., 10]).max(-1), aside)
        return Reference(row[..., 0:3], row[..., 3:6], row[..., 6:9], row[..., 9], support, row[..., 11])


def _heights(model: mujoco.MjModel, angles: Array) -> Array:
    """Height (row,) of the hip over the lower end of the sole, m, with joint angles (row, 3)."""
    data = mujoco.MjData(model)
    joints = [model.joint(name).qposadr[0] for name in ("hip", "knee", "ankle")]
    heights = np.empty(len(angles))
    for row, posture in enumerate(angles):
        data.qpos[joints] = posture
        mujoco.mj_kinematics(model, data)
        hip = data.xanchor[model.joint("hip").id, 2]
        heights[row] = hip - min(data.site(name).xpos[2] for name in ("heel", "ball"))
    return heights
