"""Filters against scipy's recursion, closed forms of Butterworth and notch, and a reference for group delay."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.signal import freqz_sos, sos2tf, sosfilt
from scipy.signal import group_delay as reference_delay

from motorctl.signals.filters import FilterBank, anti_alias, band_pass, group_delay, no_filter, notch, offset_gain


def gain(sections, frequency, rate):
    return float(np.abs(freqz_sos(sections, worN=[frequency], fs=rate)[1][0]))


@given(cuts=st.lists(st.integers(0, 300), max_size=12), rate=st.sampled_from([160.0, 250.0, 1000.0]))
@settings(max_examples=20, deadline=None)
def test_bank_is_the_recursion_however_it_is_cut(cuts, rate):
    signals = np.random.default_rng(0).standard_normal((300, 3)) * 50
    shared = np.concatenate([notch(50, rate), band_pass((0.5, 45.0), rate)])
    branches = (band_pass((0.0, 8.0), rate), no_filter(), band_pass((8.0, 13.0), rate))
    bank = FilterBank(shared, branches)
    state, parts = bank.initial_state(3), []
    edges = [0, *sorted(cuts), 300]
    for start, end in zip(edges[:-1], edges[1:], strict=True):
        outputs, state = bank.process(signals[start:end], state)
        parts.append(outputs)
    before = sosfilt(shared, signals, axis=0)
    expected = [sosfilt(b, before, axis=0) if len(b) else before for b in branches]
    assert_allclose(np.concatenate(parts, axis=1), expected, atol=1e-9)


def test_slow_filters_of_fast_streams_stay_exact():
    signals = np.random.default_rng(0).standard_normal((4000, 2)).cumsum(axis=0)
    slow = band_pass((0.05, 3.0), 2000.0)
    outputs, _ = (bank := FilterBank(no_filter(), (slow,))).process(signals, bank.initial_state(2))
    assert_allclose(outputs[0], sosfilt(slow, signals, axis=0), rtol=1e-7, atol=1e-7)


def test_notch_takes_out_the_harmonics_and_little_else():
    sections = notch(50, 500.0)
    assert len(sections) == 4  # 50, 100, 150, 200 Hz
    for harmonic in (50, 100, 150, 200):
        assert gain(sections, harmonic, 500.0) < 1e-6
        for edge in (harmonic - 1, harmonic + 1):  # 2 Hz wide at -3 dB
            assert gain(sections, edge, 500.0) == pytest.approx(np.sqrt(0.5), abs=0.02)
    assert gain(sections, 20, 500.0) > 0.99
    assert not len(notch(50, 100.0))


def test_anti_alias_filter_attenuates_as_butterworth_says():
    sections = anti_alias(50.0, 1000.0)
    for ratio in (1.25, 2.5):  # of its edge, 20 Hz
        closed_form = 1 / np.sqrt(1 + ratio**8)
        assert gain(sections, 20 * ratio, 1000.0) == pytest.approx(closed_form, rel=0.05)
    assert not len(anti_alias(250.0, 250.0))


@pytest.mark.parametrize("frequency", [1.0, 6.0, 10.0, 25.0])
def test_group_delay_is_scipys(frequency):
    sections = np.concatenate([notch(50, 250.0), band_pass((0.5, 45.0), 250.0)])
    _, samples = reference_delay(sos2tf(sections), w=[frequency], fs=250.0)
    assert group_delay(sections, frequency, 250.0) == pytest.approx(samples[0] / 250, rel=1e-3)
    assert group_delay(no_filter(), frequency, 250.0) == 0


def test_what_becomes_of_an_offset():
    assert offset_gain(band_pass((0.0, 8.0), 250.0)) == pytest.approx(1)
    assert offset_gain(band_pass((0.5, 8.0), 250.0)) == pytest.approx(0, abs=1e-12)
    assert offset_gain(no_filter()) == 1
