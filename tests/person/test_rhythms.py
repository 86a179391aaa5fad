"""Rhythms: their frequency, size and place, and what movement does to them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.signal import welch

from motorctl.person.movements import MOVEMENTS
from motorctl.person.rhythms import Alpha, Rhythm

LABELS = ("C3", "Cz", "C4", "C5", "C6", "Fz", "O1", "O2")
MU = Rhythm(10.0, 2.0, 7.0, desynchronisation=0.8, ipsilateral=0.25)
BETA = Rhythm(20.0, 5.0, 3.0, desynchronisation=0.5, ipsilateral=0.5, rebound=1.0)
RATE = 250

Record = Callable[..., np.ndarray]


def during(name: str, start: float, stop: float, seconds: float) -> torch.Tensor:
    movement = torch.zeros(round(seconds * RATE), len(MOVEMENTS))
    movement[round(start * RATE) : round(stop * RATE), MOVEMENTS.index(name)] = 1
    return movement


def power(eeg: np.ndarray, start: float, stop: float) -> dict[str, float]:
    """Mean power (µV²) of each channel, in all lanes."""
    squares = np.square(eeg[:, round(start * RATE) : round(stop * RATE)]).mean(axis=(0, 1))
    return dict(zip(LABELS, squares.tolist(), strict=True))


@pytest.mark.parametrize("name, rhythm", [("mu", MU), ("beta", BETA)])
def test_an_idle_rhythm_has_its_frequency_and_size_over_both_hands(alone: Record, name: str, rhythm: Rhythm) -> None:
    eeg = alone(LABELS, 20.0, batch=16, **{name: rhythm})
    f, spectrum = welch(eeg, RATE, nperseg=500, axis=1)
    spectrum = spectrum.mean(axis=0)
    for side in ("C3", "C4"):
        channel = spectrum[:, LABELS.index(side)]
        assert abs(f[channel.argmax()] - rhythm.frequency) <= 1.0
        assert np.sqrt(power(eeg, 0, 20)[side]) == pytest.approx(rhythm.amplitude, rel=0.2)  # arm and face add a little
    assert power(eeg, 0, 20)["O1"] < 0.1 * power(eeg, 0, 20)["C3"]


@pytest.mark.parametrize(
    "name, loser, keeper", [("left", "C4", "C3"), ("right", "C3", "C4"), ("feet", "Cz", "C3"), ("tongue", "C5", "Cz")]
)
def test_movement_desynchronises_its_own_area_most(alone: Record, name: str, loser: str, keeper: str) -> None:
    eeg = alone(LABELS, 8.0, batch=64, movement=during(name, 3.0, 8.0, 8.0), mu=MU)
    before, while_moving = power(eeg, 0, 3), power(eeg, 4.5, 8)
    assert while_moving[loser] / before[loser] < while_moving[keeper] / before[keeper] - 0.1


def test_a_fist_takes_its_share_of_power_from_both_hemispheres(alone: Record) -> None:
    eeg = alone(
        LABELS,
        8.0,
        batch=128,
        movement=during("right", 3.0, 8.0, 8.0),
        mu=Rhythm(10.0, 2.0, 7.0, 0.8, 0.25, 0, 0, 0, 0),
    )
    before, while_moving = power(eeg, 0, 3), power(eeg, 4.5, 8)
    assert while_moving["C3"] / before["C3"] == pytest.approx(1 - 0.8, abs=0.06)
    assert while_moving["C4"] / before["C4"] == pytest.approx(1 - 0.25 * 0.8, abs=0.1)


def test_both_fists_take_it_from_both_and_rest_from_none(alone: Record) -> None:
    fists = alone(LABELS, 8.0, batch=64, movement=during("fists", 3.0, 8.0, 8.0), mu=MU)
    rest = alone(LABELS, 8.0, batch=64, movement=during("rest", 3.0, 8.0, 8.0), mu=MU)
    for side in ("C3", "C4"):
        assert power(fists, 4.5, 8)[side] < 0.4 * power(fists, 0, 3)[side]
        assert power(rest, 4.5, 8)[side] == pytest.approx(power(rest, 0, 3)[side], rel=0.15)


def test_a_reach_of_the_right_hand_desynchronises_the_left_hemisphere_the_more_the_faster(alone: Record) -> None:
    ratios = []
    for speed in (0.0, 0.05, 0.3):
        velocity = torch.zeros(8 * RATE, 2)
        velocity[3 * RATE :, 0] = speed
        eeg = alone(LABELS, 8.0, batch=64, reach=velocity, mu=MU)
        ratios.append([power(eeg, 4.5, 8)[side] / power(eeg, 0, 3)[side] for side in ("C3", "C4")])
    (rest_c3, _), (slow_c3, slow_c4), (fast_c3, fast_c4) = ratios
    assert rest_c3 > slow_c3 + 0.15 > fast_c3 + 0.3
    assert slow_c3 < slow_c4 and fast_c3 < fast_c4 - 0.2


def test_beta_rebounds_after_the_movement_and_then_settles(alone: Record) -> None:
    eeg = alone(LABELS, 12.0, batch=256, movement=during("right", 2.0, 6.0, 12.0), beta=BETA)
    before, rebound, settled = power(eeg, 0, 2)["C3"], power(eeg, 6.3, 7.0)["C3"], power(eeg, 10, 12)["C3"]
    assert power(eeg, 4, 6)["C3"] < 0.7 * before
    assert rebound > 1.2 * before
    assert settled == pytest.approx(before, rel=0.12)


def test_alpha_is_occipital_and_movement_leaves_it_alone(alone: Record) -> None:
    eeg = alone(LABELS, 12.0, batch=64, movement=during("fists", 6.0, 12.0, 12.0), alpha=Alpha(amplitude=10.0))
    assert np.sqrt(power(eeg, 0, 6)["O1"]) == pytest.approx(10.0, rel=0.15)
    assert power(eeg, 0, 6)["C3"] < 0.1 * power(eeg, 0, 6)["O1"]
    assert power(eeg, 7, 12)["O1"] == pytest.approx(power(eeg, 0, 6)["O1"], rel=0.15)
    f, spectrum = welch(eeg[..., LABELS.index("O1")], RATE, nperseg=500)
    assert abs(f[spectrum.mean(axis=0).argmax()] - 10) <= 0.5
