"""Pursuit of loops whose describing function is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from scipy.signal import lfilter

from motorctl.envs.track import BASE, LEAD_IN, MULTIPLES
from motorctl.evaluation.pursuit import bandwidth, pursuit

FREQUENCIES = BASE * MULTIPLES
RATE = 50.0
TIMES = np.arange(0, 20, 1 / RATE)
PHASES = [[0.3, 1.0, 2.0], [4.0, 5.0, 0.7]]


def path(times: NDArray[np.float64], size: float = 0.03) -> NDArray[np.float64]:
    """Sums of sines ``(time, 2)`` m."""
    return size * np.sin(2 * np.pi * FREQUENCIES * times[:, None, None] + PHASES).sum(axis=2)


TARGET = path(TIMES)
LATER = TIMES >= LEAD_IN


def test_a_hand_that_lags_and_is_lazy() -> None:
    delay, gain = 0.2, 0.8
    late = path(TIMES - delay, gain * 0.03)
    told = pursuit(TIMES[LATER], late[LATER] + 0.05, TARGET[LATER], FREQUENCIES, 0.02)
    assert_allclose(told.frequencies, np.sort(FREQUENCIES.ravel()))
    assert_allclose(told.gain, gain, rtol=1e-6)
    assert_allclose(told.phase, -2 * np.pi * told.frequencies * delay, atol=1e-6)
    assert told.coherent == pytest.approx(1)
    assert told.bandwidth == told.frequencies[-1]
    assert told.on_target < 0.2 and told.error > 0.05


def test_a_low_pass_has_its_cut_off_as_bandwidth() -> None:
    cut = 0.4  # Hz, first order
    share = 1 - np.exp(-2 * np.pi * cut / RATE)
    twice = np.tile(TARGET, (2, 1))  # the path repeats after 20 s, so the second round is settled
    hand = lfilter([share], [1, share - 1], twice, axis=0)[len(TIMES) :]
    told = pursuit(TIMES, hand, TARGET, FREQUENCIES, 0.02)
    assert told.bandwidth == pytest.approx(cut, rel=0.05)


def test_what_does_not_answer_the_target_is_remnant() -> None:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(TARGET.shape)
    hand = TARGET + noise * TARGET.std() / noise.std()
    told = pursuit(TIMES, hand, TARGET, FREQUENCIES, 0.02)
    assert told.coherent == pytest.approx(0.5, abs=0.03)
    still = pursuit(TIMES, np.zeros_like(TARGET), TARGET, FREQUENCIES, 0.02)
    assert still.bandwidth == 0 and np.isnan(still.coherent)


def test_bandwidth_lies_between_sines_on_a_logarithmic_scale() -> None:
    frequencies = np.array([0.1, 0.4])
    assert bandwidth(frequencies, np.array([1.0, 2 * np.sqrt(0.5) - 1])) == pytest.approx(0.2)
