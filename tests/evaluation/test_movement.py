"""Figures of movements whose figures are known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from motorctl.evaluation.movement import Movement, movement_figures

Array = NDArray[np.float64]
RATE = 100.0


def moved(hand: Array, target: tuple[float, float], reached: bool = True, **more: Any) -> Movement:
    """Along ``hand (row, 2)`` at 100 Hz, with a radius of 2 cm."""
    rows = len(hand)
    given = {
        "times": np.arange(rows) / RATE,
        "velocity": np.gradient(hand, 1 / RATE, axis=0),
        "command": np.vstack([[math.nan] * 2, np.ones((rows - 1, 2))]),
        "activation": np.full((rows, 6), 0.5),
        "power": np.full(rows, 3.0),
    }
    return Movement(hand=hand, target=np.array(target), radius=0.02, reached=reached, **given | more)


def line(*stops: float, steps: int = 20) -> Array:
    """Along x from stop to stop, then 10 rows at rest."""
    legs = [np.linspace(a, b, steps, endpoint=False) for a, b in zip(stops, stops[1:], strict=False)]
    x = np.concatenate([*legs, np.full(11, stops[-1])])
    return np.stack([x, np.zeros_like(x)], axis=1)


def test_a_straight_reach() -> None:
    told = movement_figures(moved(line(0.0, 0.1, steps=22), (0.1, 0.0)))
    assert told["reached"] == 1
    assert told["seconds"] == pytest.approx(0.32)
    assert told["acquisition"] == pytest.approx(0.18)  # 4.5 mm a row; 8 cm are gone in the 18th
    assert told["dial_in"] == told["overshoots"] == told["orbits"] == 0
    assert told["path_efficiency"] == pytest.approx(1)
    assert told["distance"] == pytest.approx(0.1) and told["error"] == pytest.approx(0)
    assert told["command_effort"] == pytest.approx(2 * 0.32)
    assert told["muscle_effort"] == pytest.approx(6 * 0.25 * 0.32)
    assert told["work"] == pytest.approx(0.96)
    assert told["peak_speed"] == pytest.approx(0.1 / 0.22)
    assert -5 < told["sparc"] < -1 and told["ldlj"] < -5


def test_a_reach_that_overshoots_twice() -> None:
    told = movement_figures(moved(line(0.0, 0.15, 0.05, 0.1), (0.1, 0.0)))
    assert told["overshoots"] == 2
    assert told["path_efficiency"] == pytest.approx(0.1 / 0.3)
    assert 0 < told["dial_in"] < told["acquisition"] < told["seconds"]
    assert told["orbits"] == 0  # it goes through, not round


def test_a_hand_that_circles_its_target() -> None:
    angles = np.linspace(0, 6 * np.pi, 301)
    circle = np.array([0.1, 0.0]) + 0.03 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    touch = np.array([[0.2, 0.0], [0.1, 0.0]])
    told = movement_figures(moved(np.vstack([touch, circle]), (0.1, 0.0), reached=False))
    assert told["orbits"] == pytest.approx(3)
    assert told["overshoots"] == 1
    assert told["error"] == pytest.approx(-0.03)  # short of it, on the side of the start
    assert told["acquisition"] == told["seconds"]
    assert all(math.isnan(told[name]) for name in ("dial_in", "sparc", "ldlj"))


def test_what_is_not_known_is_not_made_up() -> None:
    hand = line(0.0, 0.1)
    told = movement_figures(
        moved(hand, (0.1, 0.0), activation=np.empty((len(hand), 0)), power=np.full(len(hand), math.nan))
    )
    assert math.isnan(told["muscle_effort"]) and math.isnan(told["work"])
    assert told["command_effort"] == pytest.approx(0.6)


def test_lost_rows_change_no_time() -> None:
    whole = moved(line(0.0, 0.1), (0.1, 0.0))
    kept = np.delete(np.arange(len(whole.hand)), [5, 6, 12])
    part = Movement(
        times=whole.times[kept],
        hand=whole.hand[kept],
        velocity=whole.velocity[kept],
        target=whole.target,
        radius=whole.radius,
        reached=True,
        command=whole.command[kept],
        activation=whole.activation[kept],
        power=whole.power[kept],
    )
    told, expected = movement_figures(part), movement_figures(whole)
    for name in ("seconds", "acquisition", "command_effort", "work", "path_efficiency"):
        assert told[name] == pytest.approx(expected[name])
    assert told["sparc"] == pytest.approx(expected["sparc"], abs=0.05)
