"""Filters are what their names say, in any chunks, with gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter, welch

from motorctl.person import filters
from motorctl.person.filters import Filter

RATE = 250.0
NOISES = {
    "slow": filters.slow_noise(0.5, RATE),
    "high": filters.high_noise(30.0, RATE),
    "resonance": filters.resonance(10.0, 2.0, RATE),
    "power law": filters.power_law(1.3, 0.1, RATE),
}


def run(wanted: Filter, signal: torch.Tensor) -> torch.Tensor:
    return wanted(signal, wanted.at_rest(*signal.shape[1:]))[0]


@pytest.mark.parametrize("wanted", NOISES.values(), ids=NOISES)
@given(cuts=st.lists(st.integers(0, 300), max_size=5))
@settings(max_examples=15, deadline=None)
def test_any_chunks_give_the_same(wanted: Filter, cuts: list[int]) -> None:
    signal = torch.from_numpy(np.random.default_rng(0).standard_normal((300, 2, 3), dtype=np.float32))
    state, parts = wanted.at_rest(2, 3), []
    for piece in torch.tensor_split(signal, sorted(cuts)):
        part, state = wanted(piece, state)
        parts.append(part)
    torch.testing.assert_close(torch.cat(parts), run(wanted, signal), rtol=1e-4, atol=1e-5)


def test_a_lag_is_scipys() -> None:
    signal = np.random.default_rng(0).standard_normal(500)
    decay = np.exp(-1 / (0.2 * RATE))
    expected = lfilter([1 - decay], [1, -decay], signal)
    np.testing.assert_allclose(run(filters.low_pass(0.2, RATE), torch.tensor(signal).float()), expected, atol=1e-5)


@pytest.mark.parametrize("wanted", NOISES.values(), ids=NOISES)
def test_noise_has_unit_variance_from_the_first_sample(wanted: Filter) -> None:
    rng = np.random.default_rng(0)
    white = torch.from_numpy(rng.standard_normal((40, 20_000), dtype=np.float32))
    noise, _ = wanted(white, wanted.running(rng, 20_000))
    np.testing.assert_allclose(noise.std(dim=1), 1.0, atol=0.03)


def test_resonance_and_power_law_have_their_spectra() -> None:
    white = torch.from_numpy(np.random.default_rng(0).standard_normal((50_000, 4), dtype=np.float32))
    f, power = welch(run(NOISES["resonance"], white).numpy(), RATE, nperseg=2500, axis=0)
    power = power.mean(axis=1)
    assert abs(f[power.argmax()] - 10) <= 0.5
    above = f[power > power.max() / 2]
    assert 1.2 < np.ptp(above) < 2.8
    f, power = welch(run(NOISES["power law"], white).numpy(), RATE, nperseg=2500, axis=0)
    band = (f >= 0.5) & (f <= 40)
    slope = np.polyfit(np.log(f[band]), np.log(power.mean(axis=1)[band]), 1)[0]
    assert slope == pytest.approx(-1.3, abs=0.12)


def test_waves_have_a_peak_of_one_where_they_should() -> None:
    impulse = torch.zeros(500)
    impulse[0] = 1
    wave = run(filters.pulse(0.05, 4, RATE), impulse)
    assert wave.max() == pytest.approx(1.0, abs=1e-4) and wave.argmax() / RATE == pytest.approx(0.15, abs=0.01)
    answer = run(filters.transient(0.4, 1.5, RATE), torch.ones(4000))
    peak = np.log(1.5 / 0.4) * 0.4 * 1.5 / 1.1
    assert answer.max() == pytest.approx(1.0, abs=1e-3) and answer.argmax() / RATE == pytest.approx(peak, abs=0.02)
    assert abs(answer[-1]) < 1e-3
    held = run(filters.band_pass(0.0, 8.0, RATE), torch.ones(2000))
    assert held[-1] == pytest.approx(1.0, abs=1e-4)
    assert abs(run(filters.band_pass(0.3, 3.0, RATE), torch.ones(4000))[-1]) < 1e-3


def test_gradients_are_exact() -> None:
    wanted = filters.resonance(10.0, 2.0, RATE)
    signal = torch.zeros(100, requires_grad=True)
    torch.autograd.backward(run(wanted, signal)[-1])
    impulse = torch.zeros(100)
    impulse[0] = 1
    torch.testing.assert_close(signal.grad, run(wanted, impulse).flip(0))
