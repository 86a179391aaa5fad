"""Fitts' law, throughput and bit rate against numbers worked out by hand or published."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import linregress

from motorctl.evaluation.fitts import achieved_bit_rate, effective_throughput, fitts_line, index_of_difficulty


def test_difficulty_is_shannons() -> None:
    assert index_of_difficulty(np.array([0.0, 1.0, 3.0, 7.0]), 1.0).tolist() == [0, 1, 2, 3]


def test_effective_width_is_that_of_the_endpoints() -> None:
    """Endpoints that spread by 1/4.133 make a width of 1; at a distance of 7 that is 3 bits, in 1.5 s."""
    spread = 1 / (4.133 * math.sqrt(2))  # of two, -1 and 1 times this, the sample's deviation is its square root of 2
    distance, error = np.array([7 + spread, 7 - spread]), np.array([-spread, spread])
    assert effective_throughput(distance, error, np.array([1.5, 1.5])) == pytest.approx(2.0)


def test_who_gives_up_accuracy_for_time_gains_nothing_for_certain() -> None:
    rng = np.random.default_rng(0)
    distance, scatter = np.full(1000, 0.1), rng.standard_normal(1000)
    exact, sloppy = (effective_throughput(distance, s * scatter, np.ones(1000)) for s in (0.005, 0.02))
    assert exact == pytest.approx(math.log2(0.1 / (4.133 * 0.005) + 1), rel=0.03)
    assert sloppy == pytest.approx(math.log2(0.1 / (4.133 * 0.02) + 1), rel=0.1)
    missed = effective_throughput(distance, np.where(np.arange(1000) % 2, -0.1, 0.0), np.ones(1000))
    assert missed < 0.5  # half of them never moved
    assert math.isnan(effective_throughput(distance, 0 * scatter, np.ones(1000)))


def test_the_line_is_scipys() -> None:
    rng = np.random.default_rng(1)
    bits = rng.uniform(1, 5, 50)
    seconds = 0.2 + 0.15 * bits + 0.05 * rng.standard_normal(50)
    line, theirs = fitts_line(bits, seconds), linregress(bits, seconds)
    assert line == pytest.approx((theirs.intercept, theirs.slope, theirs.rvalue**2))
    assert all(math.isnan(v) for v in fitts_line(np.ones(3), np.arange(3.0)))


@pytest.mark.parametrize(
    ("targets", "right", "wrong", "seconds", "bits"),
    [(9, 10, 0, 10, 3.0), (9, 10, 5, 10, 1.5), (9, 3, 5, 10, 0.0), (36, 40, 2, 60, math.log2(35) * 38 / 60)],
)
def test_achieved_bit_rate(targets: int, right: int, wrong: int, seconds: float, bits: float) -> None:
    assert achieved_bit_rate(targets, right, wrong, seconds) == pytest.approx(bits)
