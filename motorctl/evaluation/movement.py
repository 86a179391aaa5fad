"""One movement of the hand to a target, simulated or recorded, and the figures that tell how it went."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motorctl.evaluation.smoothness import log_dimensionless_jerk, spectral_arc_length

Array = NDArray[np.float64]

ONSET = 0.05
"""A movement begins when the hand is as fast as this share of its peak speed."""


@dataclass(frozen=True, eq=False)  # arrays have no one truth value to compare by
class Movement:
    """The hand from when a target is shown until it is reached, or time is up. Row 0 is the first with the target.

    Args:
        times: ``(row,)`` s, rising.
        hand: ``(row, axis)`` as people see it (m).
        velocity: ``(row, axis)`` of the hand (m/s).
        target: ``(axis,)`` m.
        radius: of the target, m.
        reached: whether the hand stayed in the target as long as was asked.
        command: ``(row, size)`` that led to each row; NaN where there was none.
        activation: ``(row, muscle)`` 0 to 1; no muscle where it is not known.
        power: ``(row,)`` sum over joints of ``|torque · speed|`` (W); NaN where it is not known.
        person: number of whoever did it; movements of one person go together.
    """

    times: Array
    hand: Array
    velocity: Array
    target: Array
    radius: float
    reached: bool
    command: Array
    activation: Array
    power: Array
    person: int = 0


def movement_figures(m: Movement) -> dict[str, float]:
    """The figures of one movement, NaN where there is none.

    seconds             until it was reached, staying included, or until time was up (s)
    acquisition         the same without staying: until the hand came into the target for good (s); of a movement that
                        did not arrive, until time was up
    dial_in             from first touching the target to coming into it for good (s), 0 without a correction (Gilja
                        et al. 2012, Nat. Neurosci. 15:1752-1757); only of those reached
    overshoots          how often the hand left the target (target re-entry of MacKenzie, Kauppinen & Silfverberg 2001,
                        CHI, one less if it was missed at last)
    orbits              turns around the target after first touching it, outside of it
    path_efficiency     how much nearer the hand has come, as a share of its path
    distance, error     from start to target (m); along that line at the end, positive beyond the target (m)
    radius              of the target (m)
    peak_speed          m/s
    sparc, ldlj         smoothness from the onset on (:mod:`.smoothness`); only of those reached
    command_effort      integral of the squared command (m²/s of a velocity)
    muscle_effort       integral of the squared activation, summed over muscles (s)
    work                integral of the power, taken positive (J)
    """
    away = m.hand - m.target
    distance = np.linalg.norm(away, axis=1)
    inside = distance <= m.radius
    touched = np.flatnonzero(inside)
    seconds = float(m.times[-1] - m.times[0])
    figures = dict.fromkeys(FIGURES, math.nan)
    figures |= {
        "reached": float(m.reached),
        "seconds": seconds,
        "acquisition": seconds,
        "overshoots": float((inside[:-1] & ~inside[1:]).sum()),
        "orbits": turns(away[touched[0] :], inside[touched[0] :]) if len(touched) else 0.0,
        "path_efficiency": share(distance[0] - distance[-1], np.linalg.norm(np.diff(m.hand, axis=0), axis=1).sum()),
        "distance": float(distance[0]),
        "radius": m.radius,
        "error": float(away[-1] @ -away[0] / distance[0]) if distance[0] else math.nan,
        "command_effort": integral(np.square(m.command).sum(axis=1), m.times),
        "muscle_effort": integral(np.square(m.activation).sum(axis=1), m.times) if m.activation.size else math.nan,
        "work": integral(m.power, m.times),
    }
    speed = np.linalg.norm(m.velocity, axis=1)
    figures["peak_speed"] = float(speed.max())
    if m.reached:
        outside = np.flatnonzero(~inside)
        last = int(outside[-1]) + 1 if len(outside) else 0
        last = min(last, len(m.times) - 1)
        figures["acquisition"] = float(m.times[last] - m.times[0])
        figures["dial_in"] = float(m.times[last] - m.times[touched[0]]) if len(touched) else math.nan
        rate = (len(speed) - 1) / seconds if seconds else math.nan
        even = np.interp(np.linspace(m.times[0], m.times[-1], len(speed)), m.times, speed)
        onset = int(np.argmax(even >= ONSET * even.max()))
        if len(even) - onset > 2:
            figures["sparc"] = spectral_arc_length(even[onset:], rate)
            figures["ldlj"] = log_dimensionless_jerk(even[onset:], rate)
    return figures


FIGURES = (
    *("reached", "seconds", "acquisition", "dial_in", "overshoots", "orbits", "path_efficiency", "distance", "error"),
    *("radius", "peak_speed", "sparc", "ldlj", "command_effort", "muscle_effort", "work"),
)


def turns(away: Array, inside: NDArray[np.bool_]) -> float:
    """How often a way ``(row, axis)`` from the target goes round it: the angles that are swept outside of it, taken
    positive, by a whole turn. In space, the angles of the plane of x and y."""
    angles = np.unwrap(np.arctan2(away[:, 1], away[:, 0]))
    outside = ~(inside[:-1] | inside[1:])
    return float(np.abs(np.diff(angles))[outside].sum() / (2 * math.pi))


def integral(values: Array, times: Array) -> float:
    """Of what each row ended with, held since the row before; NaN if it is not known of any but the first row."""
    return float(values[1:] @ np.diff(times))


def share(part: float, whole: float) -> float:
    """A part of something; NaN of nothing."""
    return float(part / whole) if whole > 0 else math.nan
