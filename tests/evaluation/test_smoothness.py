"""Smoothness against published values, and what must hold of any movement."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from motorctl.evaluation.smoothness import log_dimensionless_jerk, spectral_arc_length

RATE = 100.0


def minimum_jerk(duration: float, rate: float = RATE) -> NDArray[np.float64]:
    """Speed of a movement of 1 m (Flash & Hogan 1985)."""
    p = np.arange(round(duration * rate)) / rate / duration
    return 30 * p**2 * (1 - p) ** 2 / duration


@pytest.mark.parametrize(
    ("speed", "sparc", "ldlj", "places"),
    [
        pytest.param(np.exp(-5 * np.arange(-1, 1, 0.01) ** 2), -1.41403, -5.81636, 5, id="bell"),
        pytest.param(minimum_jerk(1.0), -1.406, -5.224, 3, id="minimum-jerk"),
        pytest.param(np.tile(minimum_jerk(0.5), 2), -2.245, -8.001, 3, id="two-submovements"),
    ],
)
def test_reference_values(speed: NDArray[np.float64], sparc: float, ldlj: float, places: int) -> None:
    """The first are those of the authors' own program (github.com/siva82kb/smoothness)."""
    tolerance = {"rel": 0, "abs": 0.5 * 10**-places}
    assert spectral_arc_length(speed, RATE) == pytest.approx(sparc, **tolerance)
    assert log_dimensionless_jerk(speed, RATE) == pytest.approx(ldlj, **tolerance)


@given(size=st.floats(1e-3, 1e3), faster=st.sampled_from([0.5, 2.0, 4.0]))
def test_size_does_not_matter_and_speed_not_to_the_jerk(size: float, faster: float) -> None:
    speed = np.tile(minimum_jerk(0.5), 2)
    for measure in (spectral_arc_length, log_dimensionless_jerk):
        assert measure(size * speed, RATE) == pytest.approx(measure(speed, RATE), rel=1e-9)
    assert log_dimensionless_jerk(faster * speed, faster * RATE) == pytest.approx(log_dimensionless_jerk(speed, RATE))


@pytest.mark.parametrize("measure", [spectral_arc_length, log_dimensionless_jerk])
def test_more_strokes_are_less_smooth(measure: object) -> None:
    assert callable(measure)
    strokes = [measure(np.tile(minimum_jerk(1 / count), count), RATE) for count in (1, 2, 3, 4)]
    assert strokes == sorted(strokes, reverse=True) and len(set(strokes)) == 4


def test_what_does_not_move_has_no_smoothness() -> None:
    assert np.isnan(spectral_arc_length(np.zeros(10), RATE))
    assert np.isnan(log_dimensionless_jerk(np.zeros(10), RATE))
    assert np.isnan(log_dimensionless_jerk(np.ones(2), RATE))
