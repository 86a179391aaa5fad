"""Artefacts of body and electrodes: how large, how often, where."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.signal import find_peaks, welch

from motorctl.person.artifacts import Blinks, Muscles
from motorctl.person.background import Background
from motorctl.person.contacts import AmplifierNoise, Drift, LooseElectrode, Mains, Pops

LABELS = ("Fp1", "Fp2", "F3", "Fz", "C3", "Cz", "C4", "T7", "T8", "O1", "O2", "Iz")
RATE = 250

Record = Callable[..., np.ndarray]


def at(*labels: str) -> list[int]:
    return [LABELS.index(label) for label in labels]


def test_blinks_come_as_often_and_as_large_as_said_and_from_the_front(alone: Record) -> None:
    eeg = alone(LABELS, 60.0, batch=16, blinks=Blinks(amplitude=100.0, per_minute=17.0))
    forehead = eeg[..., LABELS.index("Fp1")]
    peaks = [find_peaks(lane, height=10)[0] for lane in forehead]
    assert sum(map(len, peaks)) / 16 == pytest.approx(17.0, rel=0.15)  # some run into one
    heights = np.concatenate([lane[rows] for lane, rows in zip(forehead, peaks, strict=True)])
    assert 60 < np.median(heights) < 120 and heights.min() > 35
    size = np.abs(eeg).max(axis=(0, 1))
    assert size[at("Fp1")] > 2 * size[at("F3")] > 4 * size[at("C3")] > 8 * size[at("O1")]
    np.testing.assert_allclose(size[at("Fp1")], size[at("Fp2")], rtol=0.1)
    lasts = (forehead > 10).sum() / RATE / sum(map(len, peaks))
    assert 0.15 < lasts < 0.5


def test_muscles_burst_at_jaw_and_neck_above_twenty_hertz(alone: Record) -> None:
    eeg = alone(LABELS, 120.0, batch=8, muscles=Muscles(amplitude=20.0, per_minute=6.0))
    spread = eeg.std(axis=(0, 1))
    assert min(spread[at("T7", "T8", "Iz")]) > 4 * max(spread[at("Cz", "Fz")])
    f, power = welch(eeg[..., LABELS.index("T7")], RATE, nperseg=250)
    power = power.mean(axis=0)
    assert power[(f > 20) & (f < 120)].sum() > 0.9 * power.sum()
    tense = np.sqrt(np.square(eeg[..., LABELS.index("T7")]).reshape(8, -1, 50).mean(axis=2))  # every 0.2 s
    assert np.percentile(tense, 99) > 15 and np.percentile(tense, 20) < 0.5
    sides = np.corrcoef(
        tense.ravel(), np.sqrt(np.square(eeg[..., LABELS.index("T8")]).reshape(8, -1, 50).mean(axis=2)).ravel()
    )
    assert sides[0, 1] > 0.8  # both sides clench together
    assert abs(np.corrcoef(eeg[0, :, at("T7", "T8")])[0, 1]) < 0.1  # each with noise of its own


def test_the_background_has_its_size_and_slope(alone: Record) -> None:
    eeg = alone(LABELS, 120.0, batch=4, background=Background(amplitude=8.0, exponent=1.3))
    assert np.sqrt(eeg.var(axis=(0, 1)).mean()) == pytest.approx(8.0, rel=0.1)
    f, power = welch(eeg, RATE, nperseg=2500, axis=1)
    band = (f >= 0.5) & (f <= 40)
    slope = np.polyfit(np.log(f[band]), np.log(power.mean(axis=(0, 2))[band]), 1)[0]
    assert slope == pytest.approx(-1.3, abs=0.12)


def test_amplifier_noise_is_white_and_of_each_channel_alone(alone: Record) -> None:
    eeg = alone(LABELS, 60.0, amplifier=AmplifierNoise(2.0))[0]
    np.testing.assert_allclose(eeg.std(axis=0), 2.0, rtol=0.05)
    np.testing.assert_allclose(np.corrcoef(eeg.T), np.eye(len(LABELS)), atol=0.05)
    assert abs(np.corrcoef(eeg[1:, 0], eeg[:-1, 0])[0, 1]) < 0.05


@pytest.mark.parametrize("frequency", [50.0, 60.0])
def test_mains_hum_is_one_line_that_never_slips(alone: Record, frequency: float) -> None:
    eeg = alone(LABELS, 20.0, batch=64, mains=Mains(amplitude=5.0, frequency=frequency))
    spectrum = np.abs(np.fft.rfft(eeg, axis=1)) * 2 / eeg.shape[1]
    line = round(frequency * 20)
    assert np.sqrt(np.square(spectrum[:, line]).mean()) == pytest.approx(5.0, rel=0.1)
    assert np.delete(spectrum, line, axis=1).max() < 1e-3


def test_drift_wanders_slowly(alone: Record) -> None:
    eeg = alone(LABELS, 30.0, batch=64, drift=Drift(amplitude=30.0, time=10.0))
    assert eeg[:, 0].std() == pytest.approx(30.0, rel=0.1) and eeg[:, -1].std() == pytest.approx(30.0, rel=0.1)
    later = [np.corrcoef(eeg[:, 0].ravel(), eeg[:, lag * RATE].ravel())[0, 1] for lag in (1, 10, 29)]
    np.testing.assert_allclose(later, np.exp([-0.1, -1, -2.9]), atol=0.12)


def test_pops_are_jumps_of_single_channels_up_and_down(alone: Record) -> None:
    eeg = alone(LABELS, 120.0, batch=8, pops=Pops(amplitude=80.0, per_minute=8.0))
    jumps = np.diff(eeg, axis=1)
    lane, time, channel = np.nonzero(np.abs(jumps) > 30)
    assert len(time) / (8 * 2) == pytest.approx(8.0, rel=0.25)
    assert len(set(zip(lane, time, strict=True))) == len(time)  # one channel at a time
    assert len(set(channel)) == len(LABELS)
    size = jumps[lane, time, channel]
    assert 39 < np.abs(size).min() and np.abs(size).max() < 125 and 0.3 < (size > 0).mean() < 0.7


def test_one_electrode_of_each_session_is_loose(alone: Record) -> None:
    spread = alone(LABELS, 60.0, batch=32, loose=LooseElectrode(100.0)).std(axis=1)
    assert ((spread > 50).sum(axis=1) == 1).all() and ((spread == 0).sum(axis=1) == len(LABELS) - 1).all()
    assert len(set(spread.argmax(axis=1))) > 5
    assert spread.max(axis=1).mean() == pytest.approx(100.0, rel=0.1)
