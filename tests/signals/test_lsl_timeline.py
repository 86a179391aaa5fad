"""Stamps put right, without a network: what is given out is in order, on one clock, and whole."""

import time
from collections import deque

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from motorctl.signals.lsl.rate import RateMeter
from motorctl.signals.lsl.timeline import LONGEST_GAP, Timeline
from motorctl.signals.stream import Chunk

RATE, OPENED = 100.0, 1000.0


class Device:
    """Gives a timeline stamps, and numbers the samples from 1."""

    def __init__(self, rate=RATE):
        self.events = deque()
        self.timeline = Timeline(rate, OPENED, self.events)
        self.given = 0

    def send(self, stamps, now=None, offset=0.0):
        stamps = np.atleast_1d(np.asarray(stamps, float))
        numbers = np.arange(self.given + 1, self.given + len(stamps) + 1)
        self.given += len(stamps)
        samples = np.stack([numbers, -numbers], axis=1).astype(np.float32)
        return self.timeline.place(Chunk(samples, stamps), offset, stamps[-1] + offset if now is None else now)

    @property
    def kinds(self):
        return [event.kind for event in self.events]


def join(chunks):
    return (np.concatenate([getattr(chunk, part) for chunk in chunks]) for part in ("samples", "times", "mask"))


def regular(count, begin=OPENED):
    return begin + np.arange(count) / RATE


def test_good_stamps_stay_as_they_are_but_for_the_clock():
    device = Device()
    chunk = device.send(regular(50) + 7, offset=-7.0)
    np.testing.assert_allclose(chunk.times, regular(50), rtol=0, atol=1e-9)
    assert chunk.mask.all() and not device.events


@given(st.lists(st.integers(1, 30), min_size=1, max_size=8), st.data())
def test_however_it_is_cut_the_same_rows_come_out(sizes, data):
    """Of an honest device that loses samples here and there."""
    total = sum(sizes)
    steps = data.draw(st.lists(st.integers(1, 20), min_size=total, max_size=total))
    stamps = OPENED + np.cumsum(steps) / RATE
    whole, parts = Device(), Device()
    edges = np.cumsum([0, *sizes])
    cut = join([parts.send(stamps[a:b], now=stamps[b - 1]) for a, b in zip(edges, edges[1:], strict=False)])
    samples, times, mask = join([whole.send(stamps)])
    real = mask.all(axis=1)
    np.testing.assert_allclose(times[real], stamps, atol=1e-6)
    cut_samples, cut_times, cut_mask = cut
    cut_real = cut_mask.all(axis=1)
    np.testing.assert_array_equal(cut_samples[cut_real], samples[real])
    np.testing.assert_allclose(cut_times[cut_real], times[real], atol=1e-6)


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 1.0, 1.0, 1.0, 3.0]), st.floats(-0.012, 0.012)), max_size=40),
    st.floats(-0.002, 0.002),
)
def test_a_sample_that_is_due_is_placed_by_the_short_way_as_by_the_long(steps, offset):
    short, long = Device(), Device()
    long.timeline._one_that_is_due = lambda *arguments: None
    stamp = OPENED
    for step, jitter in steps:
        stamp += step / RATE
        one, other = (device.send(stamp + jitter, now=stamp + 0.02, offset=offset) for device in (short, long))
        for part in ("samples", "times", "mask"):
            np.testing.assert_array_equal(getattr(one, part), getattr(other, part))
    assert short.events == long.events
    assert short.timeline.newest == long.timeline.newest


def test_a_steady_device_takes_the_short_way(monkeypatch):
    device = Device()
    device.send(OPENED)
    monkeypatch.setattr(device.timeline, "_once", None)
    for stamp in regular(20, OPENED + 1 / RATE):
        assert len(device.send(stamp)) == 1


@given(st.integers(1, 5), st.integers(4, 300))
def test_a_gap_is_as_many_masked_rows_as_samples_are_missing(before, lost):
    device = Device()
    stamps = np.delete(regular(lost + 2 * before), slice(before, before + lost))
    chunk = device.send(stamps)
    assert len(chunk) == lost + 2 * before
    np.testing.assert_allclose(chunk.times, regular(len(chunk)), atol=1e-6)
    missing = ~chunk.mask.any(axis=1)
    assert np.flatnonzero(missing).tolist() == list(range(before, before + lost))
    assert (chunk.samples[missing] == 0).all()
    assert device.kinds == ["gap"] and f"{lost} samples are missing, {lost / RATE:.3f} s" in device.events[0].text


def test_a_single_lost_sample_is_seen_once_the_stamps_have_proved_steady():
    device = Device()
    device.send(regular(1000))
    stamps = np.delete(regular(10, OPENED + 10), 4)
    assert np.flatnonzero(~device.send(stamps).mask[:, 0]).tolist() == [4]


def test_jitter_is_no_gap():
    device, rng = Device(), np.random.default_rng(0)
    stamps = regular(3000) + np.abs(rng.normal(0, 0.006, 3000))
    chunks = [device.send(np.sort(part)) for part in np.split(stamps, 1000)]
    _, times, mask = join(chunks)
    assert mask.mean() > 0.99 and (np.diff(times) > 0).all()


def test_of_an_endless_gap_some_rows_are_given():
    device = Device()
    device.send(regular(10))
    chunk = device.send(regular(10, OPENED + 3600))
    assert len(chunk) == LONGEST_GAP * RATE + 10
    assert "3599.900 s" in device.events[0].text


def test_a_bunch_after_a_freeze_is_spread_back_over_it():
    device = Device()
    device.send(regular(10))
    last = OPENED + 0.09
    chunk = device.send(np.full(50, last + 0.5))
    assert device.kinds == ["bunched"] and chunk.mask.all()
    np.testing.assert_allclose(chunk.times, last + np.arange(1, 51) / RATE, atol=1e-6)


def test_a_bunch_of_what_little_was_kept_leaves_a_gap():
    device = Device()
    device.send(regular(10))
    chunk = device.send(np.full(20, OPENED + 1.0))
    assert device.kinds == ["bunched", "gap"]
    assert np.flatnonzero(chunk.mask[:, 0]).tolist() == list(range(len(chunk) - 20, len(chunk)))
    assert len(chunk) == 91  # from 0.10 to 1.00 s


def test_stamps_of_unix_time_are_named_and_moved():
    device = Device()
    unix = time.time()
    chunk = device.send(unix + np.arange(5) / RATE, now=OPENED + 1)
    np.testing.assert_allclose(chunk.times, OPENED + 1 - np.arange(4, -1, -1) / RATE, atol=1e-6)
    assert device.kinds == ["clock"] and "Unix time" in device.events[0].text
    later = device.send(unix + (5 + np.arange(5)) / RATE, now=OPENED + 1.05)
    np.testing.assert_allclose(later.times, OPENED + 1.01 + np.arange(5) / RATE, atol=1e-6)
    assert len(device.events) == 1


def test_a_shift_measured_from_a_late_sample_is_put_right_by_the_next_that_is_not():
    device = Device()
    unix = time.time()
    device.send(unix, now=OPENED + 0.08)  # came 80 ms late
    chunk = device.send(unix + 0.5, now=OPENED + 0.5)
    assert chunk.times[-1] == pytest.approx(OPENED + 0.5)
    assert device.kinds.count("clock") == 1


@pytest.mark.parametrize("jump", [-3600.0, -5.0, -0.2, 0.2, 5.0, 3600.0])
def test_a_clock_that_jumps_is_followed(jump):
    device = Device()
    device.send(regular(100))
    now = OPENED + 1.02
    chunk = device.send(regular(3, OPENED + 1) + jump, now=now)
    assert device.kinds == ["clock"] and "jumped" in device.events[0].text
    assert len(chunk) == 3 and chunk.mask.all()
    np.testing.assert_allclose(chunk.times, now + np.array([-0.02, -0.01, 0]), atol=1e-3)
    np.testing.assert_allclose(device.send(OPENED + 1.03 + jump, now=OPENED + 1.03).times, OPENED + 1.03, atol=1e-3)


@given(st.lists(st.floats(-0.025, 0.025), min_size=1, max_size=12), st.integers(1, 400))
def test_an_offset_that_is_measured_anew_moves_no_sample_across_another(errors, count):
    """Each measurement is off by up to half of its round trip; a burst may be read in parts between two of them."""
    device, sent = Device(1000.0), OPENED + np.arange(len(errors) * count) / 1000
    parts = zip(np.split(sent, len(errors)), errors, strict=True)
    samples, times, mask = join([device.send(stamps, now=OPENED + 10, offset=error) for stamps, error in parts])
    np.testing.assert_allclose(np.diff(times), 0.001, atol=1e-6)
    np.testing.assert_allclose(times, sent, atol=0.025 + 1e-9)
    assert mask.all() and not device.events


def test_an_offset_is_followed_in_the_end_and_at_once_if_it_is_far_off():
    device = Device()
    device.send(regular(1))
    for second in range(50):
        chunk = device.send(regular(100, OPENED + 0.01 + second), offset=0.02)
    assert chunk.times[-1] == pytest.approx(OPENED + 50.02)
    far = device.send(regular(1, OPENED + 50.01 - 700), offset=700.0)
    assert far.times[-1] == pytest.approx(OPENED + 50.01, abs=0.02)


def test_a_backlog_is_old_and_no_jump():
    device = Device()
    device.send(regular(10))
    chunk = device.send(regular(600, OPENED + 0.1), now=OPENED + 6.1)
    np.testing.assert_allclose(chunk.times, regular(600, OPENED + 0.1), atol=1e-6)
    assert not device.events


def test_what_comes_twice_is_taken_once():
    device = Device()
    values = np.random.default_rng(0).standard_normal((8, 2)).astype(np.float32)
    first = device.timeline.place(Chunk(values[:5], regular(8)[:5]), 0.0, OPENED + 0.05)
    again = device.timeline.place(Chunk(values[2:], regular(8)[2:]), 0.0, OPENED + 0.1)
    assert len(first) == 5 and device.kinds == ["repeated"] and "3 samples" in device.events[0].text
    np.testing.assert_array_equal(again.samples, values[5:])
    assert len(device.timeline.place(Chunk(values, regular(8)), 0.0, OPENED + 0.2)) == 0


STAMPS = st.lists(
    st.tuples(st.floats(-10, 10).map(lambda x: round(x, 3)), st.integers(1, 20), st.floats(0, 3)),
    min_size=1,
    max_size=20,
)


@given(STAMPS, st.sampled_from([0.0, RATE, 1000.0]))
def test_whatever_the_stamps_say_rows_are_in_order_none_from_the_future_and_none_lost(parts, rate):
    device, now, chunks = Device(rate), OPENED, []
    for begin, count, pause in parts:
        now += pause
        chunks.append(device.send(now + begin + np.arange(count) / RATE, now=now))
    samples, times, mask = join(chunks)
    assert (np.diff(times) > 0).all()
    assert times[-1] <= now + 0.1 + 1e-3
    assert samples[mask.all(axis=1), 0].tolist() == list(range(1, device.given + 1))
    assert (samples[~mask] == 0).all()


@pytest.mark.parametrize(("rate", "refused"), [(250, False), (230, False), (270, False), (125, True), (500, True)])
def test_a_rate_that_is_not_kept_is_noticed(rate, refused):
    meter = RateMeter(250.0)
    verdicts = [meter.add(1, 5.0 + k / rate, 5.0 + k / rate) for k in range(5 * rate)]
    assert any(verdicts) == refused
    assert meter.measured == pytest.approx(rate, rel=0.01)


def test_pauses_and_the_bursts_after_them_do_not_count():
    meter = RateMeter(250.0)
    now, wrong = 0.0, False
    for _ in range(20):
        for _ in range(250):
            now += 1 / 250
            wrong |= meter.add(1, now, now)
        now += 3.0
        wrong |= meter.add(750, now, now)
    assert not wrong


@pytest.mark.parametrize(("lag", "refused"), [(9.0, False), (0.0, True)])
def test_a_device_that_catches_up_is_not_off_and_one_that_runs_ahead_is(lag, refused):
    """Twice as many samples as there should be, stamped as if they were not."""
    meter = RateMeter(250.0)
    assert any(meter.add(1, 5.0 + k / 500, 5.0 + k / 250 - lag) for k in range(8 * 500)) == refused


@given(st.floats(0.5, 200), st.floats(1, 1000))
def test_a_rate_is_judged_only_after_a_while(rate, nominal):
    assume(abs(rate / nominal - 1) > 0.2)
    meter = RateMeter(nominal)
    assert not any(meter.add(1, k / rate, k / rate) for k in range(int(3.9 * rate)))
