"""Power and covariance over a trailing window of filtered signals."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from motorctl.signals.covariance import shrunk_covariance
from motorctl.signals.trail import Trail, trail_of

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


class WindowState(NamedTuple):
    """The trailing window of whatever is looked at, and what the last row said."""

    seen: Trail  # (window, number)
    valid: Trail  # (window, signal)
    said: Array


def first_window(window: int, numbers: int, signals: int, said: Array) -> WindowState:
    """Nothing but rest so far, all of it valid; ``said`` is told while nothing counts."""
    return WindowState(trail_of(np.zeros((window, numbers))), trail_of(np.ones((window, signals), bool)), said)


def mean_power(
    banded: Array, valid: Mask, rows: NDArray[np.intp], state: WindowState
) -> tuple[Array, Mask, WindowState]:
    """Mean power in every band in the window that ends with each row.

    What is not valid does not count; a window without anything that counts holds what the row before it said.

    Args:
        banded: ``(band, time, signal)`` filtered signals.
        valid: ``(time, signal)``.
        rows: samples that end a row.
        state: returned by the previous call.

    Returns:
        ``(row, band, signal)``; ``(row, signal)`` whether at least half of the window was measured; the new state.
    """
    window, said = state.valid.window, state.said
    new = (banded * banded * valid).transpose(1, 0, 2).reshape(len(valid), said.size)
    squares, seen = state.seen.followed_by(new)
    counts, counted = state.valid.followed_by(valid)
    power, enough = np.empty((len(rows), *said.shape)), np.ones((len(rows), valid.shape[1]), bool)
    clean, ones = counts.all(), np.ones(window)
    for row, end in enumerate((rows + 1).tolist()):
        total = (ones @ squares[end : end + window]).reshape(said.shape)
        if clean:
            said = total / window
        else:
            number = counts[end : end + window].sum(axis=0)
            said = np.where(number > 0, total / np.maximum(number, 1), said)
            enough[row] = 2 * number >= window
        power[row] = said
    return power, enough, WindowState(seen, counted, said)


def mean_covariance(
    together: Array, valid: Mask, rows: NDArray[np.intp], state: WindowState
) -> tuple[Array, Mask, WindowState]:
    """Shrunk covariance between signals in the window that ends with each row, of the samples that are valid of all of
    them; a window with fewer than two holds what the row before it said.

    Args:
        together: ``(time, signal)`` filtered signals.
        valid, rows, state: as for :func:`mean_power`.

    Returns:
        ``(row, signal, signal)``; ``(row,)`` whether at least half of the window was measured; the new state.
    """
    window, said = state.valid.window, state.said
    signals, seen = state.seen.followed_by(together)
    counts, counted = state.valid.followed_by(valid)
    covariance, enough = np.empty((len(rows), *said.shape)), np.empty(len(rows), bool)
    for row, end in enumerate((rows + 1).tolist()):
        whole = signals[end : end + window][counts[end : end + window].all(axis=1)]
        said = shrunk_covariance(whole) if len(whole) > 1 else said
        covariance[row], enough[row] = said, 2 * len(whole) >= window
    return covariance, enough, WindowState(seen, counted, said)
