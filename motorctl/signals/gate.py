"""The artefact gate: samples that no electrode on a quiet head gives are treated as missing, and counted.

Peak-to-peak limits as in MNE's ``reject`` and ``flat`` (Gramfort et al. 2013, Front. Neurosci. 7:267), here over a
trailing window, channel by channel.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

GATE_WINDOW = 1.0
"""Length of the trailing window (s): a channel stays shut for as long after its last artefact."""


Gated = dict[str, dict[str, float]]
"""Electrode to the shares of its samples that were ``missing``, ``rejected`` or ``flat``; of those with any."""


def gated_in_words(gated: Gated) -> str:
    """How many electrodes, and which of them most."""
    most = max(gated, key=lambda electrode: sum(gated[electrode].values()))
    shares = ", ".join(f"{reason} {100 * share:.2g} %" for reason, share in gated[most].items() if share)
    return f"{len(gated)} electrode{'s' * (len(gated) > 1)} gated at times, {most} the most ({shares})"


class GateState(NamedTuple):
    """The samples of the trailing window."""

    recent: Array  # (window, channel) µV, a missing one replaced by the one before; NaN before the first
    seen: int  # samples so far, as far as the window reaches


def open_gate(window: int, channels: int) -> GateState:
    """Nothing seen yet."""
    return GateState(np.full((window, channels), np.nan), 0)


def find_artefacts(
    samples: Array, measured: Mask, state: GateState, reject: float | None, flat: float | None
) -> tuple[Mask, Mask, GateState]:
    """Which samples end a window of too large, and which of too small a peak-to-peak amplitude.

    Args:
        samples: ``(time, channel)`` µV, at most as many as the window is long.
        measured: ``(time, channel)`` bool.
        state: returned by the previous call.
        reject: upper limit (µV), None for none.
        flat: lower limit (µV), None for none; a window that is not yet full is never flat.

    Returns:
        rejected, flat: ``(time, channel)`` bool, and the new state.
    """
    samples = last_measured(samples, measured, state.recent[-1])
    window, count = len(state.recent), len(samples)
    span = trailing(np.fmax, samples, state.recent) - trailing(np.fmin, samples, state.recent)
    full = (state.seen + np.arange(1, count + 1) >= window)[:, None]
    rejected = span > (np.inf if reject is None else reject)
    still = (span < (0.0 if flat is None else flat)) & full
    recent = np.concatenate([state.recent[count:], samples])
    return rejected & measured, still & measured, GateState(recent, min(state.seen + count, window))


def last_measured(samples: Array, measured: Mask, before: Array) -> Array:
    """Samples ``(time, channel)`` with each missing one replaced by its channel's last measured one."""
    if measured.all():
        return samples
    padded = np.vstack([before, samples])
    known = np.vstack([np.ones(len(before), bool), measured])
    newest = np.maximum.accumulate(np.where(known, np.arange(len(padded))[:, None], 0), axis=0)
    return np.take_along_axis(padded, newest, axis=0)[1:]


def trailing(extreme: np.ufunc, samples: Array, before: Array) -> Array:
    """Largest (``np.fmax``) or smallest (``np.fmin``) of the window that ends with each row of ``samples``.

    Every window is a tail of ``before``, cut in the part that all windows share and the rest, and a head of ``samples``
    (van Herk 1992, Pattern Recognit. Lett. 13:517-521).
    """
    count = len(samples)
    shared = extreme.reduce(before[count:], axis=0, initial=np.nan)
    ends: Array = extreme(extreme.accumulate(samples, axis=0), shared)
    tails = extreme.accumulate(before[count - 1 : 0 : -1], axis=0)[::-1]
    ends[: count - 1] = extreme(ends[: count - 1], tails)
    return ends
