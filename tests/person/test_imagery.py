"""Steering by imagery: what is imagined for a direction, and that the rhythms show it for as long as it lasts."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import welch

from motorctl.person.brain import make_brain
from motorctl.person.imagery import ELECTRODES, FULL, imagine
from motorctl.person.movements import MOVEMENTS
from motorctl.person.person import Person
from motorctl.person.user import User


@pytest.mark.parametrize(
    ("direction", "more", "less"),
    [
        ((1.0, 0.0), {"right"}, {"left"}),
        ((-1.0, 0.0), {"left"}, {"right"}),
        ((0.0, 1.0), {"right", "left"}, {"feet", "tongue"}),
        ((0.0, -1.0), {"feet", "tongue"}, {"right", "left"}),
    ],
)
def test_each_direction_is_more_of_some_and_less_of_others(
    direction: tuple[float, float], more: set[str], less: set[str]
) -> None:
    imagined = dict(zip(MOVEMENTS, imagine(FULL * torch.tensor(direction)).tolist(), strict=True))
    assert {name for name, value in imagined.items() if value > 0.5} == more
    assert {name for name in ("right", "left", "feet", "tongue") if imagined[name] < 0.5} == less


@given(st.floats(0, 10), st.floats(0, 2 * math.pi))
def test_imagery_is_between_not_at_all_and_all_the_way_and_grows_with_speed(speed: float, angle: float) -> None:
    direction = torch.tensor([math.cos(angle), math.sin(angle)])
    slow, fast = imagine(0.5 * speed * direction), imagine(speed * direction)
    assert ((fast >= 0) & (fast <= 1)).all()
    assert ((fast - 0.5).abs() >= (slow - 0.5).abs() - 1e-6).all()


def test_every_laplacian_over_the_motor_areas_has_its_neighbours() -> None:
    neighbours = {"C3": "FC3 C5 C1 CP3", "C4": "FC4 C6 C2 CP4", "Cz": "FCz C1 C2 CPz"}
    for electrode, around in neighbours.items():
        assert {electrode, *around.split()} <= set(ELECTRODES)


def test_the_rhythm_across_the_body_stays_down_for_as_long_as_a_movement_is_imagined() -> None:
    """Where the potentials that follow velocity are long gone; the published loss of mu power is a quarter to three
    quarters (Pfurtscheller & Lopes da Silva 1999)."""
    brain = make_brain("realistic", ELECTRODES)
    power = {}
    for name, x in (("right", 0.3), ("left", -0.3)):
        wanted = torch.tensor([x, 0.0]).expand(8, 20 * 250, 2)
        eeg, _ = brain.emit(torch.zeros_like(wanted), brain.initial_state(8, seed=0), imagine(wanted))
        late = eeg[:, 10 * 250 :].numpy()
        f, spectrum = welch(late - late.mean(axis=2, keepdims=True), 250, nperseg=500, axis=1)
        mu = spectrum[:, (f >= 8) & (f <= 13)].mean(axis=(0, 1))
        power[name] = {label: float(mu[ELECTRODES.index(label)]) for label in ("C3", "C4")}
    assert power["right"]["C3"] < 0.75 * power["left"]["C3"]
    assert power["left"]["C4"] < 0.75 * power["right"]["C4"]


def test_a_person_who_imagines_gives_off_the_eeg_of_that_movement() -> None:
    user, brain = User(50.0, delay=0.0), make_brain("ideal", ("C3", "Cz", "C4"))
    person = Person(user, brain, seed=3, imagine=imagine)
    person.see(np.zeros(2), np.array([0.1, 0.0]))
    wanted, _ = user.intend(torch.zeros(1, 2), torch.tensor([[0.1, 0.0]]), user.initial_state(3))
    movement = imagine(wanted[:, None].expand(-1, 50, -1))
    eeg, _ = brain.emit(torch.zeros(1, 50, 2), brain.initial_state(1, 3), movement)
    np.testing.assert_allclose(person.next_samples(50), eeg[0].numpy(), rtol=1e-5, atol=1e-4)
