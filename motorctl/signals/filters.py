"""Causal filters: their design, their group delay, and a bank of them that runs in blocks.

Everything is second-order sections (Oppenheim & Schafer, Discrete-Time Signal Processing, ch. 6).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, freqz_sos, iirnotch, sosfilt, tf2sos

Array = NDArray[np.float64]

FILTER_ORDER = 2
ANTI_ALIAS_ORDER = 4
NOTCH_WIDTH = 2.0
"""Width of the notch at -3 dB (Hz): mains frequency stays within a few tenths of a hertz of its nominal value."""
BLOCK = 32
"""Samples that a filter bank takes at once: longer blocks cost more multiplications, shorter ones more calls."""


def band_pass(band: tuple[float, float], rate: float) -> Array:
    """Butterworth sections ``(section, 6)`` for a pass band (Hz), a low-pass if its lower edge is 0."""
    kind, edges = ("bandpass", band) if band[0] else ("lowpass", band[1])
    sections: Array = butter(FILTER_ORDER, edges, kind, fs=rate, output="sos")
    return sections


def notch(line: float, rate: float) -> Array:
    """Sections ``(section, 6)`` that take out mains hum at ``line`` (Hz) and its harmonics below half of ``rate``."""
    harmonics = np.arange(line, rate / 2, line)
    sections = [tf2sos(*iirnotch(f, f / NOTCH_WIDTH, fs=rate)) for f in harmonics]
    return np.concatenate(sections) if sections else no_filter()


def anti_alias(out: float, rate: float) -> Array:
    """Sections ``(section, 6)`` of the low-pass before taking ``out`` samples a second out of ``rate``; none if equal.

    Butterworth at 0.4 of the new rate: at the new Nyquist frequency, 0.5 of it, -8 dB; at the new rate, -32 dB.
    """
    if out == rate:
        return no_filter()
    sections: Array = butter(ANTI_ALIAS_ORDER, 0.4 * out, fs=rate, output="sos")
    return sections


def no_filter() -> Array:
    """Sections of a filter that lets everything through."""
    return np.empty((0, 6))


def group_delay(sections: Array, frequency: float, rate: float) -> float:
    """Group delay (s) at ``frequency`` (Hz): minus the slope of the phase."""
    if not len(sections):
        return 0.0
    frequencies = frequency * np.array([0.999, 1.001])
    _, response = freqz_sos(sections, worN=frequencies, fs=rate)
    phase = np.unwrap(np.angle(response))
    return float(-np.diff(phase)[0] / np.diff(2 * np.pi * frequencies)[0])


def offset_gain(sections: Array) -> float:
    """What becomes of a constant."""
    return float(np.prod(sections[:, :3].sum(axis=1) / sections[:, 3:].sum(axis=1)))


@dataclass(frozen=True, eq=False)
class FilterBank:
    """Filters in parallel, all of them behind one that they share, with carried state.

    A linear filter takes its state and a block of samples to outputs and its next state by one matrix. That matrix is
    the same for every channel, so a block of all channels through all filters is one matrix product, where a call of
    ``sosfilt`` for each filter costs more than the arithmetic of a short chunk (state-space form: Oppenheim & Schafer).

    Args:
        shared: sections ``(section, 6)`` that every branch is behind; may be none.
        branches: the parallel filters, sections each.
    """

    shared: Array
    branches: tuple[Array, ...]

    def initial_state(self, channels: int) -> Array:
        """``(state, channel)`` at rest."""
        return np.zeros((self._states, channels))

    def process(self, signals: Array, state: Array) -> tuple[Array, Array]:
        """Outputs ``(branch, time, channel)`` for signals ``(time, channel)``, and the new state."""
        count, channels = signals.shape
        outputs = np.empty((len(self.branches), count, channels))
        for start in range(0, count, BLOCK):
            block = signals[start : start + BLOCK]
            advanced = self.matrices[len(block) - 1] @ np.concatenate([state, block])
            state = advanced[: self._states]
            outputs[:, start : start + BLOCK] = advanced[self._states :].reshape(-1, len(block), channels)
        return outputs, state

    @cached_property
    def _states(self) -> int:
        return 2 * sum(len(sections) for sections in (self.shared, *self.branches))

    @cached_property
    def matrices(self) -> list[Array]:
        """For blocks of 1 to ``BLOCK`` samples, the matrix ``(state + branch * time, state + time)`` that takes the
        state and the block to the state after and the branches' outputs; found by superposition."""
        matrices = []
        for length in range(1, BLOCK + 1):
            basis = np.eye(self._states + length)
            outputs, state = self._by_recursion(basis[self._states :], basis[: self._states])
            matrices.append(np.concatenate([state, *outputs]))
        return matrices

    def _by_recursion(self, signals: Array, state: Array) -> tuple[list[Array], Array]:
        states, outputs = [], []
        before, start = signals, 0
        for i, sections in enumerate((self.shared, *self.branches)):
            zi = state[start : start + 2 * len(sections)]
            start += len(zi)
            after = before
            if len(sections):
                after, zf = sosfilt(sections, before, axis=0, zi=zi.reshape(len(sections), 2, -1))
                states.append(zf.reshape(zi.shape))
            if i:
                outputs.append(after)
            else:
                before = after
        return outputs, np.concatenate(states) if states else state
