"""Pursuit tracking: how far the hand is off, and up to which frequency it follows.

The target is a sum of sines, so what the hand does at their frequencies is what it does because of the target; the
quotient is the describing function of the loop, and all else is its remnant (McRuer & Jex 1967, IEEE Trans. Hum.
Factors Electron. 8(3):231-249).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

HALF_POWER = math.sqrt(0.5)


class Pursuit(NamedTuple):
    """How a target was followed.

    Args:
        error: root mean square distance to it (m).
        on_target: share of the time within its radius.
        frequencies: ``(sine,)`` of all axes, ascending (Hz).
        gain: ``(sine,)`` of the hand to the target.
        phase: ``(sine,)`` of the hand to the target (rad), below 0 if it is late.
        bandwidth: up to where the gain stays above the square root of one half (Hz), between sines on a logarithmic
            scale; 0 if it never is, the highest frequency if it always is.
        coherent: share of the hand's variance that lies at the sines' frequencies; the rest is remnant.
    """

    error: float
    on_target: float
    frequencies: Array
    gain: Array
    phase: Array
    bandwidth: float
    coherent: float


def pursuit(times: Array, hand: Array, target: Array, frequencies: Array, radius: float) -> Pursuit:
    """How ``hand`` follows ``target``, both ``(row, axis)`` (m), at ``times (row,)`` (s).

    Args:
        times, hand, target: without the time that it takes to get to the target at first.
        frequencies: ``(axis, sine)`` of the target (Hz).
        radius: of the target (m).
    """
    distance = np.linalg.norm(hand - target, axis=1)
    gains, explained, whole = [], 0.0, 0.0
    for own, followed, sines in zip(hand.T, target.T, frequencies, strict=True):
        waves = np.exp(2j * math.pi * np.outer(times, sines))
        basis = np.hstack([waves.real, waves.imag, np.ones((len(times), 1))])
        fitted = np.linalg.lstsq(basis, np.stack([own, followed], axis=1), rcond=None)[0]
        amplitude = fitted[: len(sines)] - 1j * fitted[len(sines) : -1]
        gains.append(amplitude[:, 0] / amplitude[:, 1])
        explained += float(np.var(basis @ fitted[:, 0]))
        whole += float(np.var(own))
    order = np.argsort(frequencies.ravel())
    response = np.concatenate(gains)[order]
    ascending = frequencies.ravel()[order]
    return Pursuit(
        error=float(np.sqrt(np.mean(distance**2))),
        on_target=float(np.mean(distance <= radius)),
        frequencies=ascending,
        gain=np.abs(response),
        phase=np.angle(response),
        bandwidth=bandwidth(ascending, np.abs(response)),
        coherent=explained / whole if whole else math.nan,
    )


def bandwidth(frequencies: Array, gain: Array) -> float:
    """Where ``gain (frequency,)`` first falls below the square root of one half (Hz), see :class:`Pursuit`."""
    low = np.flatnonzero(gain < HALF_POWER)
    if not len(low):
        return float(frequencies[-1])
    k = int(low[0])
    if k == 0:
        return 0.0
    place = (gain[k - 1] - HALF_POWER) / (gain[k - 1] - gain[k])
    return float(np.exp(np.interp(place, [0, 1], np.log(frequencies[[k - 1, k]]))))
