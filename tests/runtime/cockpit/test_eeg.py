"""What is shown of the EEG: traces, quality, band power."""

import numpy as np
import pytest

from motorctl.runtime.cockpit.eeg import BandMeter, band_power, channel_quality, fitting_scale, hold, thinned, traces
from motorctl.runtime.cockpit.history import History
from motorctl.signals.bad_channels import find_bad_channels
from motorctl.signals.stream import Channel, Chunk, StreamInfo

RATE = 250.0
LABELS = ("C3", "Cz", "C4", "FC1", "FC2", "Pz")
INFO = StreamInfo("cap", "EEG", RATE, (*(Channel(label) for label in LABELS), Channel("counter", "", "MISC")))


def filled(samples: np.ndarray) -> History:
    history = History(30.0, RATE, samples.shape[1])
    history.append(np.arange(len(samples)) / RATE, samples.astype(np.float32))
    return history


def noise(seconds: float = 10.0, scale: float = 10.0) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((round(seconds * RATE), len(INFO.channels))) * scale


def test_a_channel_is_bad_by_the_rule_of_training() -> None:
    samples = noise() + 1000 * np.arange(len(INFO.channels))  # electrodes have offsets
    samples[:, 0] = 7.0
    samples[:, 1] *= 20
    samples[::3, 2] = np.nan
    found = [channel.problem for channel in channel_quality(INFO, filled(samples), 0.0)]
    assert found == ["flat", "noisy", "missing", "", "", ""]
    newest = samples[-round(5 * RATE) :, : len(LABELS)]
    there = np.isfinite(newest)
    chunk = Chunk(np.nan_to_num(newest).astype(np.float32), np.arange(len(newest)) / RATE, there)
    assert found == find_bad_channels([chunk], RATE)


def test_channels_of_a_stream_that_is_silent_are_missing() -> None:
    assert {channel.problem for channel in channel_quality(INFO, filled(noise()), 2.0)} == {"missing"}
    assert {channel.problem for channel in channel_quality(INFO, History(30.0, RATE, 7), np.inf)} == {"missing"}


def test_traces_are_the_eeg_above_its_offset() -> None:
    times = np.arange(round(10 * RATE)) / RATE
    samples = np.tile(20 * np.sin(2 * np.pi * 8 * times)[:, None] + 5000, (1, 7))
    samples[-100:, 1] = np.nan
    seen = traces(INFO, filled(samples))
    assert seen.values.shape == (len(seen.times), len(LABELS)) and len(seen.times) <= 300
    assert -5.01 < seen.times[0] < -4.9 and seen.times[-1] <= 0
    assert np.nanmax(seen.values[:, 0]) == pytest.approx(20, rel=0.1)
    assert np.isnan(seen.values[-10:, 1]).all() and np.isfinite(seen.values[:200, 1]).all()
    assert seen.scale == 50


def test_thinning_keeps_the_mean_and_passes_over_what_is_missing() -> None:
    times, values = thinned(np.arange(7.0), np.array([[9], [1], [3], [5], [np.nan], [np.nan], [np.nan]]), 3)
    np.testing.assert_allclose(times, [2.0, 5.0])
    np.testing.assert_allclose(values, [[3.0], [np.nan]])


def test_held_values() -> None:
    held = hold(np.array([[np.nan, 1.0], [2.0, np.nan], [np.nan, np.nan]]))
    np.testing.assert_array_equal(held, [[0, 1], [2, 1], [2, 1]])


@pytest.mark.parametrize(("reach", "scale"), [(0.0, 5), (2.4, 5), (2.6, 10), (60.0, 200), (1e9, 5000)])
def test_a_scale_is_a_round_number_that_fits(reach: float, scale: float) -> None:
    assert fitting_scale(np.full((10, 3), reach)) == scale


def test_band_power_is_that_of_a_sine() -> None:
    times = np.arange(round(2 * RATE)) / RATE
    sine = 10 * np.sin(2 * np.pi * 10 * times)[:, None]
    theta, mu, beta = band_power(sine, RATE)[:, 0]
    assert mu == pytest.approx(50, rel=0.02)  # a sine of amplitude a has the power a²/2
    assert theta < 0.1 and beta < 0.1


def test_band_power_is_compared_with_what_it_was() -> None:
    meter, samples = BandMeter(), noise(30.0)
    for end in range(2, 20):
        before = meter.measure(INFO, filled(samples[: round(end * RATE)]))
    assert abs(before["mu"].change).max() < 6
    louder = samples.copy()
    louder[round(18 * RATE) :, 2] *= 10
    after = meter.measure(INFO, filled(louder[: round(20 * RATE)]))
    assert after["mu"].change[2] > 6 and abs(after["mu"].change[[0, 1]]).max() < 6


def test_too_little_eeg_has_no_band_power() -> None:
    assert BandMeter().measure(INFO, filled(noise(0.5))) == {}
