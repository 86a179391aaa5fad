"""Augmentation: each kind changes what it says, by as much as it says, alike for a seed, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import welch

from motorctl.errors import ConfigurationError
from motorctl.signals.pipeline import Features, Pipeline, PipelineConfig
from motorctl.signals.stream import Channel, Chunk, StreamInfo
from motorctl.training.augmentation import (
    Augmentation,
    augment_eeg,
    augment_features,
    augmented,
    channel_groups,
    check_augmentation,
)
from motorctl.training.sequence import Sequence

RATE = 25.0


def sequence(length: int = 100, features: int = 4) -> Sequence:
    """Feature and target of a row are its number."""
    rows = np.arange(length, dtype=np.float32)
    values = np.repeat(rows[:, None], features, axis=1)
    return Sequence(
        Features(values, rows / RATE, np.ones(values.shape, bool)), rows[:, None].copy(), np.full(length, -1)
    )


def white(seconds: float = 60.0, rate: float = 160.0, channels: int = 3) -> Chunk:
    samples = np.random.default_rng(0).standard_normal((int(seconds * rate), channels)).astype(np.float32) * 10
    return Chunk(samples, np.arange(len(samples)) / rate)


@given(seed=st.integers(0, 1000), length=st.integers(1, 60))
def test_a_time_shift_pairs_each_target_with_a_neighbour_and_invents_nothing(seed: int, length: int) -> None:
    config = Augmentation(time_shift=0.2)  # 5 rows
    shifted = augment_features(sequence(length), config, RATE, [], np.random.default_rng(seed))
    lag = shifted.features.values[:, 0] - shifted.targets[:, 0]
    assert len(set(lag.tolist())) == 1 and abs(lag[0]) <= 5
    assert len(shifted) == length - abs(int(lag[0])) == len(shifted.trial) == len(shifted.features.mask)


def test_shifts_go_both_ways() -> None:
    config = Augmentation(time_shift=0.2)
    lags = {
        float(np.subtract(s.features.values[0, 0], s.targets[0, 0]))
        for s in (augment_features(sequence(), config, RATE, [], np.random.default_rng(seed)) for seed in range(200))
    }
    assert lags == set(range(-5, 6))


def test_channels_drop_out_whole_and_as_often_as_asked() -> None:
    groups, config = [[0, 2], [1, 3]], Augmentation(channel_dropout=0.3)
    dropped = []
    for seed in range(400):
        values = augment_features(sequence(), config, RATE, groups, np.random.default_rng(seed)).features.values
        silent = (values[1:] == 0).all(axis=0)
        assert silent[0] == silent[2] and silent[1] == silent[3]
        dropped += [silent[0], silent[1]]
    assert np.mean(dropped) == pytest.approx(0.3, abs=0.06)


def test_noise_is_white_and_as_strong_as_asked() -> None:
    noisy = augment_features(sequence(5000), Augmentation(noise=0.2), RATE, [], np.random.default_rng(0))
    noise = noisy.features.values - sequence(5000).features.values
    assert noise.std() == pytest.approx(0.2, rel=0.02)
    assert abs(np.corrcoef(noise[1:, 0], noise[:-1, 0])[0, 1]) < 0.05 > abs(np.corrcoef(noise[:, :2].T)[0, 1])


def test_an_amplitude_is_a_factor_within_its_octaves_for_all_channels() -> None:
    chunk, factors = white(2), []
    for seed in range(200):
        changed = augment_eeg(chunk, 160.0, Augmentation(amplitude=1.0), np.random.default_rng(seed))
        ratio = changed.samples / chunk.samples
        assert np.ptp(ratio) < 1e-5
        factors.append(float(ratio[0, 0]))
    assert 0.5 <= min(factors) < 0.55 and 1.8 < max(factors) <= 2.0


@pytest.mark.parametrize("seed", range(5))
def test_a_stopped_band_is_gone_and_the_rest_is_there(seed: int) -> None:
    chunk = white(120)
    changed = augment_eeg(chunk, 160.0, Augmentation(band_stop=4.0), np.random.default_rng(seed))
    frequencies, before = welch(chunk.samples[:, 0], 160.0, nperseg=320)
    after = welch(changed.samples[:, 0], 160.0, nperseg=320)[1]
    gone = frequencies[after < 0.25 * before]
    assert 2 <= gone.min() and gone.max() <= 42
    assert 2 <= np.ptp(gone) <= 4
    far = (frequencies < gone.min() - 4) | (frequencies > gone.max() + 4)
    np.testing.assert_allclose(after[far], before[far], rtol=0.1)


def test_missing_samples_stay_missing_and_harm_no_others() -> None:
    chunk = white()
    samples = chunk.samples.copy()
    samples[1000:1200, 1] = np.nan
    changed = augment_eeg(replace(chunk, samples=samples), 160.0, Augmentation(band_stop=2.0), np.random.default_rng(0))
    np.testing.assert_array_equal(np.isnan(changed.samples), np.isnan(samples))


def test_an_epoch_reads_alike_in_any_order_and_another_differs() -> None:
    config = Augmentation(noise=0.1, time_shift=0.1, channel_dropout=0.2)

    def read(epoch: int, order: tuple[int, int]) -> list[Any]:
        stretches = augmented([sequence(), sequence()], config, RATE, [[0, 1], [2, 3]], seed=1, epoch=epoch)
        pieces = {number: stretches[number][10:60].features.values for number in order}
        return [pieces[0], pieces[1]]

    first, again, other = read(1, (0, 1)), read(1, (1, 0)), read(2, (0, 1))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert first[0].shape != other[0].shape or not np.array_equal(first[0], other[0])
    assert first[0].shape != first[1].shape or not np.array_equal(first[0], first[1])


def test_nothing_asked_for_changes_nothing() -> None:
    plain = [sequence()]
    assert augmented(plain, Augmentation(), RATE, [], 0, 1) is plain
    chunk = white(1)
    np.testing.assert_array_equal(
        augment_eeg(chunk, 160.0, Augmentation(), np.random.default_rng(0)).samples, chunk.samples
    )


def test_the_features_of_a_channel_are_found_by_its_name() -> None:
    info = StreamInfo("s", "EEG", 250.0, tuple(Channel(name) for name in ("C3", "C4", "C 3")))
    config = PipelineConfig(power_bands=((7.0, 13.0),), covariance_band=(7.0, 30.0), reference="none")
    pipeline = Pipeline(config, info)
    groups = [{pipeline.names[i] for i in group} for group in channel_groups(pipeline)]
    assert groups[1] == {
        "C4 amplitude",
        "C4 power 7-13 Hz",
        "C3 C4 covariance 7-30 Hz",
        "C4 C4 covariance 7-30 Hz",
        "C4 C 3 covariance 7-30 Hz",
    }
    assert set.union(*groups) == set(pipeline.names)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"noise": -0.1}, "augment.noise is -0.1"),
        ({"time_shift": float("nan")}, "augment.time_shift is nan"),
        ({"channel_dropout": 1.0}, "augment.channel_dropout is 1"),
    ],
)
def test_what_cannot_be_done_is_said(options: dict[str, float], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        check_augmentation(Augmentation(**options))


def test_a_band_that_does_not_fit_the_rate_is_said() -> None:
    with pytest.raises(ConfigurationError, match="does not fit EEG at 20 Hz"):
        augment_eeg(white(5, rate=20.0), 20.0, Augmentation(band_stop=5.0), np.random.default_rng(0))
