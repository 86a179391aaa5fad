import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motorctl.signals.formats.timestamps import LATENESS, lay_out, median_period

RATE = 250.0


def arrivals(rows, seed=0, rate=RATE, chunk=8, jitter=0.005, drift=1e-4):
    """Stamps of samples at the given rows, sent in chunks that are up to ``jitter`` s late."""
    rng = np.random.default_rng(seed)
    due = 1000 + rows / (rate * (1 + drift))
    lateness = np.repeat(rng.exponential(jitter / 3, len(rows) // chunk + 1).clip(max=jitter), chunk)
    return due + lateness[: len(rows)]


def test_one_stretch_is_the_line_of_least_squares():
    stamps = arrivals(np.arange(5000))
    layout = lay_out(stamps, RATE)
    line = np.polynomial.Polynomial.fit(np.arange(5000), stamps, 1)
    np.testing.assert_allclose(layout.times, line(np.arange(5000)), atol=1e-9)
    assert layout.rows.tolist() == list(range(5000))
    assert layout.backward == []


@given(
    gaps=st.lists(st.tuples(st.integers(700, 2000), st.integers(40, 2000)), max_size=4),
    seed=st.integers(0, 2**32 - 1),
    drift=st.floats(-2e-3, 2e-3),
)
def test_losses_longer_than_any_lateness_become_rows(gaps, seed, drift):
    """Each gap is ``(samples before it, samples lost)``."""
    rows = np.arange(sum(before for before, _ in gaps) + 1500)
    place = 0
    for before, lost in gaps:
        place += before
        rows[place:] += lost
    layout = lay_out(arrivals(rows, seed, drift=drift), RATE)
    assert np.abs(layout.rows - rows).max() <= 1 + 2 * len(gaps)  # the jitter of both stretches beside a gap
    found = np.flatnonzero(np.diff(layout.rows) > 1) + 1
    assert found.tolist() == (np.flatnonzero(np.diff(rows) > 1) + 1).tolist()
    assert (np.diff(layout.times) > 0).all()
    assert np.abs(layout.times - 1000 - rows / (RATE * (1 + drift))).max() < 0.01


@given(st.integers(0, 2**32 - 1), st.integers(500, 2500))
def test_a_burst_is_no_loss(seed, at):
    """The radio is silent for half a second, and everything comes at once afterwards."""
    stamps = arrivals(np.arange(3000), seed)
    stamps[at : at + 125] = np.maximum(stamps[at : at + 125], stamps[at + 125])
    layout = lay_out(stamps, RATE)
    assert layout.rows.tolist() == list(range(3000))


@given(st.sets(st.integers(5, 990), max_size=4), st.sampled_from([100.0, 160.0, 250.0, 1000.0]))
def test_exact_stamps_tell_a_single_loss(lost, rate):
    rows = np.array([row for row in range(1000) if row not in lost])
    layout = lay_out(5.0 + rows / rate, rate)
    assert layout.rows.tolist() == rows.tolist()
    np.testing.assert_allclose(layout.row_times(), 5.0 + np.arange(1000) / rate, atol=1e-9)


def test_a_clock_that_jumps_back_is_reported_and_time_goes_on():
    stamps = arrivals(np.arange(4000))
    stamps[2000:] -= 3.0
    layout = lay_out(stamps, RATE)
    ((sample, seconds),) = layout.backward
    assert sample == 2000 and seconds == pytest.approx(3.0, abs=0.02)
    assert layout.rows.tolist() == list(range(4000))
    np.testing.assert_allclose(np.diff(layout.times), 1 / RATE, atol=1e-3)


def test_a_device_that_does_not_keep_its_rate_loses_nothing():
    layout = lay_out(arrivals(np.arange(20000), drift=-0.07), RATE)
    assert layout.rows.tolist() == list(range(20000))
    assert len(layout.times) / (layout.times[-1] - layout.times[0]) == pytest.approx(RATE * 0.93, rel=1e-3)


@given(st.lists(st.floats(-1e6, 1e6), max_size=40), st.sampled_from([0.5, 100.0]))
def test_any_stamps_at_all_give_rows_in_order(stamps, rate):
    layout = lay_out(np.array(stamps), rate)
    assert len(layout.rows) == len(stamps)
    assert (np.diff(layout.rows) > 0).all()


def test_the_period_is_that_between_losses():
    stamps = np.arange(2000) / 100
    stamps[1000:] += 40
    assert median_period(stamps, 100.0) == pytest.approx(0.01)
    assert median_period(np.zeros(10), 100.0) == 0.01
    assert 1 / RATE < LATENESS
