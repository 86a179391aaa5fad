"""Linear filters in torch: batched, differentiable, with the state outside.

A filter is a small state-space model. A stretch of samples goes through it as matrix products, block by block, so the
brain's noise and the traces of an intention take the same fast path, gradients pass, and any chunking gives the same
numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import solve_discrete_lyapunov
from torch import Tensor

Array = NDArray[np.float64]

BLOCK = 64
"""Samples that go through a filter in one product."""


@dataclass(frozen=True, eq=False)
class Filter:
    """A filter ``x' = A x + B u``, ``y = C x + D u``, prepared by :func:`prepare` for blocks of samples.

    Args:
        response: ``(block, block)`` from input to output.
        ringing: ``(block, order)`` from the state before to the output.
        filling: ``(order, block)`` from input to the state after.
        powers: ``(block + 1, order, order)`` from a state to the state so many samples later.
        spread: ``(order, order)`` root of the state's covariance under white noise of unit variance.
    """

    response: Tensor
    ringing: Tensor
    filling: Tensor
    powers: Tensor
    spread: Tensor

    def __call__(self, signal: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """``signal (time, ...)`` filtered along time, and the new state, given the old one ``(order, ...)``."""
        memory, parts = state.reshape(len(state), -1), []
        for part in blocks(signal.reshape(len(signal), memory.shape[1]), BLOCK):
            n = len(part)
            parts.append(torch.addmm(self.ringing[:n] @ memory, self.response[:n, :n], part))
            memory = torch.addmm(self.powers[n] @ memory, self.filling[:, BLOCK - n :], part)
        joined = parts[0] if len(parts) == 1 else torch.cat(parts)
        return joined.reshape(signal.shape), memory.reshape(state.shape)

    def at_rest(self, *shape: int) -> Tensor:
        """The state after endless silence: ``(order, *shape)``."""
        return torch.zeros(len(self.spread), *shape)

    def running(self, rng: np.random.Generator, *shape: int) -> Tensor:
        """A state that endless white noise of unit variance may have left: ``(order, *shape)``."""
        noise = rng.standard_normal((len(self.spread), int(np.prod(shape))), dtype=np.float32)
        return (self.spread @ torch.from_numpy(noise)).reshape(-1, *shape)


def blocks(signal: Tensor, length: int) -> list[Tensor]:
    """``signal`` cut along its first axis; at least one piece, if an empty one."""
    return [signal[start : start + length] for start in range(0, max(1, len(signal)), length)]


def prepare(a: Array, b: Array, c: Array, d: float) -> Filter:
    """The filter with these A ``(order, order)``, B ``(order,)``, C ``(order,)`` and D."""
    powers = np.stack([np.linalg.matrix_power(a, n) for n in range(BLOCK + 1)])
    impulse = np.concatenate([[d], powers[: BLOCK - 1] @ b @ c])
    lag = np.subtract.outer(np.arange(BLOCK), np.arange(BLOCK))
    spread = np.linalg.cholesky(covariance(a, b) + 1e-15 * np.eye(len(b)))
    arrays = (
        np.where(lag >= 0, impulse[np.abs(lag)], 0.0),
        c @ powers[:BLOCK],
        (powers[BLOCK - 1 :: -1] @ b).T,
        powers,
        spread,
    )
    with torch.inference_mode(False):  # filters are kept, and may be needed for gradients later
        return Filter(*(torch.tensor(values, dtype=torch.float32) for values in arrays))


def covariance(a: Array, b: Array) -> Array:
    """Of the state, under white noise of unit variance."""
    solved: Array = solve_discrete_lyapunov(a, np.outer(b, b))
    return solved


def unit_variance(a: Array, b: Array, c: Array, d: float) -> Filter:
    """The model, scaled to give unit variance from white noise of unit variance."""
    scale = 1 / float(np.sqrt(c @ covariance(a, b) @ c + d**2))
    return prepare(a, b, scale * c, scale * d)


def lags(times: tuple[float, ...], weights: tuple[float, ...], rate: float) -> tuple[Array, Array, Array, float]:
    """A weighted sum of first-order lags of time constants ``times`` (s), each of gain 1 for constant input."""
    decay, weight = np.exp(-1 / (np.array(times) * rate)), np.array(weights)
    return np.diag(decay), 1 - decay, weight * decay, float(weight @ (1 - decay))


@lru_cache
def low_pass(time: float, rate: float) -> Filter:
    """First-order lag of time constant ``time`` (s); gain 1 for constant input."""
    return prepare(*lags((time,), (1.0,), rate))


@lru_cache
def slow_noise(time: float, rate: float) -> Filter:
    """An Ornstein-Uhlenbeck process of time constant ``time`` (s) and unit variance, from white noise."""
    return unit_variance(*lags((time,), (1.0,), rate))


@lru_cache
def high_noise(frequency: float, rate: float) -> Filter:
    """White noise of unit variance above ``frequency`` (Hz), first order."""
    a, b, c, d = lags((1 / (2 * np.pi * frequency),), (1.0,), rate)
    return unit_variance(a, b, -c, 1 - d)


@lru_cache
def band_pass(low: float, high: float, rate: float) -> Filter:
    """First order on both sides, from ``low`` to ``high`` (Hz); a lower edge of 0 passes constant input too."""
    times = (1 / (2 * np.pi * high), *([1 / (2 * np.pi * low)] if low else []))
    return prepare(*lags(times, (1.0, -1.0)[: len(times)], rate))


@lru_cache
def transient(rise: float, decay: float, rate: float) -> Filter:
    """Answers a step with a wave that rises and decays with these time constants (s) and has its peak at 1."""
    peak_time = np.log(decay / rise) * rise * decay / (decay - rise)
    peak = float(np.exp(-peak_time / decay) - np.exp(-peak_time / rise))
    return prepare(*lags((rise, decay), (1 / peak, -1 / peak), rate))


@lru_cache
def pulse(time: float, order: int, rate: float) -> Filter:
    """Answers one sample of 1 with ``order`` lags of ``time`` (s) in a row, a wave of peak 1."""
    decay = np.exp(-1 / (time * rate))
    back = np.subtract.outer(np.arange(order), np.arange(order))
    a = np.where(back >= 0, decay * (1 - decay) ** np.maximum(back, 0), 0.0)
    b = (1 - decay) ** np.arange(1, order + 1)
    answer, state = [b[-1]], b
    for _ in range(round(2 * order * time * rate)):
        state = a @ state
        answer.append(state[-1])
    peak = max(answer)
    return prepare(a, b, a[-1] / peak, float(b[-1] / peak))


@lru_cache
def resonance(frequency: float, bandwidth: float, rate: float) -> Filter:
    """Noise of unit variance around ``frequency`` (Hz), ``bandwidth`` (Hz) wide at half power, from white noise."""
    angle, radius = 2 * np.pi * frequency / rate, np.exp(-np.pi * bandwidth / rate)
    a = radius * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return unit_variance(a, np.array([1.0, 0.0]), a[0], 1.0)


@lru_cache
def power_law(exponent: float, lowest: float, rate: float) -> Filter:
    """Noise of unit variance whose power falls as ``1 / frequency ** exponent`` from ``lowest`` Hz on.

    A sum of relaxations with spread time constants gives it (van der Ziel 1950, Physica 16(4):359-372). Here they share
    one noise: the amplitude ``(i w) ** -(exponent / 2)`` is the integral of ``r ** -(exponent / 2) / (i w + r)`` over
    all relaxation rates r, taken at rates a factor of 3 apart.
    """
    count = 2 + int(np.log(rate / 2 / lowest) / np.log(3.0))
    relaxation = 2 * np.pi * lowest * 3.0 ** np.arange(count)
    return unit_variance(*lags(tuple(1 / relaxation), tuple(relaxation ** (-exponent / 2)), rate))
