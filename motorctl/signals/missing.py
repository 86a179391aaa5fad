"""Missing samples: what stands in for them, so that a filter never sees them and other channels never feel them.

An average over the electrodes must not jump when one of them falls silent, nor follow its last value. So a silent
electrode keeps the distance it last had from the average of all, and that average is made of those that are measured:

    average = (sum of w x over the measured + sum of w distance over the silent) / (sum of w over the measured)
    x of a silent one = average + its distance

Without weights (no common reference) the average is 0, and a silent channel holds its last value.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


class MissingState(NamedTuple):
    """What is remembered of each channel."""

    base: Array  # (channel,) level that is taken off, so that an electrode's offset never steps into a filter
    last: Array  # (channel,) the last sample less that, or what stood in for it
    silent: NDArray[np.int64]  # (channel,) samples since it was last measured


def first_state(samples: Array, measured: Mask, weights: Array, restart: int) -> MissingState:
    """Before the first of ``samples (time, channel)``, on which every channel is at rest."""
    there = measured[0]
    first = np.where(there, samples[0], 0.0)
    total = weights @ there
    base = np.where(there, first, weights @ first / total if total else 0.0)
    return MissingState(base, np.zeros_like(base), np.where(there, 0, restart))


def fill_missing(
    samples: Array, measured: Mask, state: MissingState, weights: Array, restart: int
) -> tuple[Array, Array, MissingState]:
    """Samples with a stand-in for each missing one.

    Args:
        samples: ``(time, channel)``, anything where not measured.
        measured: ``(time, channel)`` bool.
        state: returned by the previous call.
        weights: ``(channel,)`` of the average, not negative, summing to 1; or all 0.
        restart: a channel silent for as many samples has drifted or moved: it goes on from its stand-in, on a new base.

    Returns:
        the samples less their base, ``(time, channel)``; the base, ``(time, channel)`` or, where it stayed the same,
        ``(1, channel)``; and the new state.
    """
    if measured.all() and not state.silent.any():
        signals = samples - state.base
        return signals, state.base[None], MissingState(state.base, signals[-1], state.silent)
    signals, bases = np.empty_like(samples), np.empty_like(samples)
    changes = np.flatnonzero((measured[1:] != measured[:-1]).any(axis=1)) + 1
    for start, end in pairwise([0, *changes.tolist(), len(samples)]):
        rows = slice(start, end)
        signals[rows], state = _fill_stretch(samples[rows], measured[start], state, weights, restart)
        bases[rows] = state.base
    return signals, bases, state


def _fill_stretch(
    samples: Array, there: Mask, state: MissingState, weights: Array, restart: int
) -> tuple[Array, MissingState]:
    """A stretch in which the same channels are measured throughout."""
    base, last, silent = state
    average = float(weights @ last)
    distance = last - average
    back = there & (silent >= restart)
    if back.any():
        stays = there & ~back
        beside = _average(np.where(stays, samples[:1] - base, distance), stays, weights, average)[0]
        base = np.where(back, np.where(back, samples[0], 0.0) - beside - distance, base)
    signals = np.where(there, samples - base, distance)
    averages = _average(signals, there, weights, average)
    signals = np.where(there, signals, averages[:, None] + distance)
    silent = np.where(there, 0, np.minimum(silent + len(samples), restart))
    return signals, MissingState(base, signals[-1], silent)


def _average(signals: Array, there: Mask, weights: Array, before: float) -> Array:
    """``(time,)`` the average, where ``signals`` holds the distance of those that are not there."""
    total = weights @ there
    return signals @ weights / total if total else np.full(len(signals), before)
