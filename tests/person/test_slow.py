"""Slow potentials: their size, place and band, and that they follow, never lead."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from motorctl.person.movements import MOVEMENTS
from motorctl.person.slow import MovementPotential, VelocityCoding

LABELS = ("Fz", "FC1", "C3", "Cz", "C4", "CP1", "O1")
RATE = 250
DIRECT = VelocityCoding(per_velocity=50.0, low=0.0, high=20.0)

Record = Callable[..., np.ndarray]


def channel(eeg: np.ndarray, label: str) -> np.ndarray:
    return eeg[0, :, LABELS.index(label)]


def step(*velocity: float) -> torch.Tensor:
    """A second of rest, then three of this velocity (m/s)."""
    steps = torch.zeros(4 * RATE, 2)
    steps[RATE:] = torch.tensor(velocity)
    return steps


@pytest.mark.parametrize("speed", [0.3, -0.1])
def test_x_shows_over_both_hands_with_opposite_sign(alone: Record, speed: float) -> None:
    eeg = alone(LABELS, 4.0, reach=step(speed, 0.0), velocity=DIRECT)
    assert channel(eeg, "C3")[-1] == pytest.approx(50.0 * speed, rel=0.1)
    assert channel(eeg, "C4")[-1] == pytest.approx(-25.0 * speed, rel=0.25)
    assert not eeg[0, : RATE - 1].any()


def test_y_shows_before_and_behind_the_contralateral_hand(alone: Record) -> None:
    eeg = alone(LABELS, 4.0, reach=step(0.0, 0.2), velocity=DIRECT)
    assert channel(eeg, "FC1")[-1] > 4 and channel(eeg, "CP1")[-1] < -4 and abs(channel(eeg, "C3")[-1]) < 1


def test_speed_shows_at_the_midline_whatever_the_direction(alone: Record) -> None:
    coding = VelocityCoding(per_velocity=0.0, per_speed=20.0, low=0.0, high=20.0)
    for velocity in ((0.3, 0.0), (0.0, -0.3)):
        assert channel(alone(LABELS, 4.0, reach=step(*velocity), velocity=coding), "Cz")[-1] == pytest.approx(-6.0, 0.1)


@pytest.mark.parametrize("frequency, gain", [(0.03, 0.1), (1.0, 0.82), (30.0, 0.1)])
def test_only_its_band_is_coded(alone: Record, frequency: float, gain: float) -> None:
    """Against the closed form of a first-order band-pass, difference of two lags."""
    times = torch.arange(100 * RATE) / RATE
    velocity = torch.stack([0.2 * torch.sin(2 * torch.pi * frequency * times), torch.zeros(len(times))], dim=1)
    eeg = alone(LABELS, 100.0, reach=velocity, velocity=VelocityCoding(50.0))
    high, low = 1 / (1 + 1j * frequency / 3.0), 1 / (1 + 1j * frequency / 0.3)
    measured = np.sqrt(2) * channel(eeg, "C3")[34 * RATE :].std() / 10.0
    assert measured == pytest.approx(abs(high - low), rel=0.1)
    assert measured == pytest.approx(gain, abs=0.05)


def test_a_movement_begins_with_a_negative_shift_at_the_midline_that_passes(alone: Record) -> None:
    movement = torch.zeros(12 * RATE, len(MOVEMENTS))
    movement[2 * RATE :, MOVEMENTS.index("feet")] = 1
    cz = channel(alone(LABELS, 12.0, movement=movement, shift=MovementPotential(8.0)), "Cz")
    assert not cz[: 2 * RATE - 1].any()  # nothing before the intention
    assert cz.min() == pytest.approx(-8.0, rel=0.02)
    assert cz.argmin() / RATE == pytest.approx(2.72, abs=0.05)  # rise * decay / (decay - rise) * log(decay / rise)
    assert abs(cz[-1]) < 0.1


def test_the_shift_is_lateralised_against_the_limb(alone: Record) -> None:
    peaks = {}
    for side in ("left", "right"):
        movement = torch.zeros(3 * RATE, len(MOVEMENTS))
        movement[RATE:, MOVEMENTS.index(side)] = 1
        eeg = alone(LABELS, 3.0, movement=movement, shift=MovementPotential(8.0))
        peaks[side] = {label: channel(eeg, label).min() for label in LABELS}
    assert peaks["right"]["C3"] < peaks["right"]["C4"] - 2 and peaks["left"]["C4"] < peaks["left"]["C3"] - 2
    assert peaks["right"]["Cz"] == pytest.approx(peaks["left"]["Cz"], abs=0.5)
    assert abs(peaks["left"]["O1"]) < 1.5
