"""Power and covariance over a trailing window of filtered signals."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from motorctl.signals.covariance import shrunk_covariance

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


class WindowState(NamedTuple):
    """The trailing window, and what the last row said."""

    squares: Array  # (window, band * signal) of filtered signals, 0 where not valid
    signals: Array  # (window, signal) whose covariance is taken; none of them where it is not
    valid: Mask  # (window, signal)
    power: Array  # (band, signal)
    covariance: Array  # (signal, signal)


class WindowRows(NamedTuple):
    """One of each for every row: ``power (row, band, signal)``, ``covariance (row, signal, signal)``, and whether at
    least half of the window was measured: ``power_valid (row, signal)``, ``covariance_valid (row,)``."""

    power: Array
    covariance: Array
    power_valid: Mask
    covariance_valid: Mask


def empty_window(window: int, bands: int, signals: int, covary: bool) -> WindowState:
    """Nothing but rest so far."""
    return WindowState(
        np.zeros((window, bands * signals)),
        np.zeros((window, signals if covary else 0)),
        np.ones((window, signals), bool),
        np.zeros((bands, signals)),
        np.eye(signals if covary else 0),
    )


def process_windows(
    banded: Array, together: Array, valid: Mask, rows: NDArray[np.intp], state: WindowState
) -> tuple[WindowRows, WindowState]:
    """Mean power in every band, and covariance, in the window that ends with each row.

    What is not valid does not count; a window without anything that counts holds what the row before it said.

    Args:
        banded: ``(band, time, signal)`` filtered signals whose power is taken.
        together: ``(time, signal)`` those whose covariance is taken; ``(time, 0)`` for none.
        valid: ``(time, signal)``.
        rows: samples that end a row.
        state: returned by the previous call.
    """
    window, count = len(state.valid), len(valid)
    new = (banded * banded * valid).transpose(1, 0, 2).reshape(count, state.squares.shape[1])
    squares, signals = np.concatenate([state.squares, new]), np.concatenate([state.signals, together])
    counts = np.concatenate([state.valid, valid])
    clean = bool(counts.all())
    power, covariance = state.power, state.covariance
    found = WindowRows(
        np.empty((len(rows), *power.shape)),
        np.empty((len(rows), *covariance.shape)),
        np.ones((len(rows), counts.shape[1]), bool),
        np.ones(len(rows), bool),
    )
    for row, end in enumerate((rows + 1).tolist()):
        inside = slice(end, end + window)
        total = (np.ones(window) @ squares[inside]).reshape(power.shape)
        whole = signals[inside]
        if clean:
            power = total / window
        else:
            number = counts[inside].sum(axis=0)
            power = np.where(number > 0, total / np.maximum(number, 1), power)
            whole = whole[counts[inside].all(axis=1)]
            found.power_valid[row], found.covariance_valid[row] = 2 * number >= window, 2 * len(whole) >= window
        if signals.shape[1] and len(whole) > 1:
            covariance = shrunk_covariance(whole)
        found.power[row], found.covariance[row] = power, covariance
    return found, WindowState(squares[count:], signals[count:], counts[count:], power, covariance)
