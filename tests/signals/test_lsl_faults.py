"""What devices and networks do wrong, done by a device in another process, and what a source makes of it."""

import math
import os
import signal
import time

import numpy as np
import pylsl
import pytest

from motorctl.errors import StreamError
from motorctl.signals.lsl import LSLSource

PATIENCE = 20.0  # s


def read_until(source, enough):
    """One chunk of all that comes until ``enough(samples)``."""
    chunks, deadline = [source.read(0.0)], time.monotonic() + PATIENCE
    while not enough(np.concatenate([c.samples for c in chunks])):
        assert time.monotonic() < deadline
        chunks.append(source.read(0.2))
    return tuple(np.concatenate([getattr(c, part) for c in chunks]) for part in ("samples", "times", "mask"))


def rows(first, count):
    """Rows numbered from ``first``."""
    return [[k, -k] for k in range(first, first + count)]


def until(number):
    return lambda samples: len(samples) and samples[-1, 0] >= number


def kinds(source):
    return [event.kind for event in source.events]


def test_lost_samples_are_masked_rows(device, stream_name, connect):
    device.open(stream_name)
    with connect(stream_name) as source:
        begin = pylsl.local_clock()
        device.push(stream_name, rows(1, 10), begin - 0.59 + np.arange(10) / 100)
        device.push(stream_name, rows(11, 10), begin - 0.09 + np.arange(10) / 100)
        samples, times, mask = read_until(source, until(20))
    assert mask[:, 0].tolist() == [True] * 10 + [False] * 40 + [True] * 10
    np.testing.assert_allclose(np.diff(times), 0.01, atol=1e-4)
    assert kinds(source) == ["gap"]


def test_stamps_of_unix_time_are_put_right(device, stream_name, connect):
    device.open(stream_name)
    with connect(stream_name) as source:
        before = pylsl.local_clock()
        device.push(stream_name, rows(1, 3), time.time() + np.arange(-2, 1) / 100)
        _, times, _ = read_until(source, until(3))
        assert before < times[-1] <= pylsl.local_clock()
        assert 0 <= source.age < PATIENCE
    assert kinds(source) == ["clock"] and "time.time()" in source.events[0].text


@pytest.mark.parametrize("jump", [-5.0, 5.0])
def test_a_clock_that_jumps_is_put_right(device, stream_name, jump, connect):
    device.open(stream_name)
    with connect(stream_name) as source:
        device.push(stream_name, rows(1, 3), pylsl.local_clock() + np.arange(-2, 1) / 100)
        read_until(source, until(3))
        device.push(stream_name, rows(4, 3), pylsl.local_clock() + np.arange(-2, 1) / 100 + jump)
        _, times, mask = read_until(source, until(6))
        assert pylsl.local_clock() - PATIENCE < times[-1] <= pylsl.local_clock()
    assert "clock" in kinds(source)


def test_a_device_that_freezes_and_resumes_gives_a_burst_that_is_spread(new_device, stream_name, connect):
    device = new_device()
    device.open(stream_name)
    with connect(stream_name) as source:
        device.push(stream_name, rows(1, 1))
        read_until(source, until(1))
        last = pylsl.local_clock()
        device.process.popen.send_signal(signal.SIGSTOP)
        assert len(source.read(0.5)) == 0  # no error, nothing
        device.process.popen.send_signal(signal.SIGCONT)
        now = pylsl.local_clock()
        count = math.ceil(100 * (now - last)) + 10  # more than there was time for
        device.push(stream_name, rows(2, count), np.full(count, now))
        _, times, mask = read_until(source, until(count + 1))
    assert mask.all() and len(times) == count
    assert (np.diff(times) > 0).all()
    assert np.median(np.diff(times)) == pytest.approx(0.01, abs=1e-4)
    assert kinds(source) == ["bunched"]


def test_a_chunk_that_comes_twice_is_given_once(device, stream_name, connect):
    device.open(stream_name)
    with connect(stream_name) as source:
        stamps = pylsl.local_clock() + np.arange(-4, 1) / 100
        device.push(stream_name, rows(1, 5), stamps)
        device.push(stream_name, rows(1, 5), stamps)
        device.push(stream_name, rows(6, 1), stamps[-1:] + 0.01)
        samples, _, mask = read_until(source, until(6))
    assert samples[mask.all(axis=1), 0].tolist() == [1, 2, 3, 4, 5, 6]
    assert "repeated" in kinds(source)


def test_a_reader_that_pauses_has_everything_at_once_and_knows_its_backlog(device, stream_name, connect):
    device.open(stream_name, rate=1000.0)
    with connect(stream_name) as source:
        begin = pylsl.local_clock() - 4
        device.push(stream_name, rows(1, 2000), begin + np.arange(2000) / 1000)
        device.push(stream_name, rows(2001, 2000), begin + 2 + np.arange(2000) / 1000)
        deadline = time.monotonic() + PATIENCE
        while source.backlog < 4000 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert source.backlog == 4000 and math.isnan(source.age)
        chunk = source.read(0.0)
        assert (len(chunk), chunk.samples[-1, 0], source.backlog) == (4000, 4000, 0)
        assert source.age == pytest.approx(pylsl.local_clock() - begin - 4, abs=0.1)
    assert not source.events


def test_a_device_that_comes_back_the_same_leaves_a_gap(device, stream_name, connect):
    device.open(stream_name)
    with connect(stream_name) as source:
        device.push(stream_name, rows(1, 1))
        read_until(source, until(1))
        device.close(stream_name)
        assert len(source.read(0.1)) == 0 and source.backlog == 0
        device.open(stream_name)
        deadline = time.monotonic() + PATIENCE
        while "back" not in kinds(source) and time.monotonic() < deadline:
            source.read(0.1)
        device.push(stream_name, rows(2, 2))
        _, times, mask = read_until(source, until(3))
    assert mask[:, 0].tolist() == [False] * (len(mask) - 2) + [True] * 2
    assert len(mask) > 2 and np.diff(times).max() < 0.02
    assert kinds(source) == ["lost", "back", "gap"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rate": 50.0}, "rate 100 Hz before, 50 Hz now"),
        ({"channels": [("C3", "uV"), ("C4", "uV"), ("Cz", "uV")]}, "channels C3, C4 before, C3, C4, Cz now"),
        pytest.param({"channels": [("C4", "uV"), ("C3", "uV")]}, "C3, C4 before, C4, C3 now", marks=pytest.mark.slow),
        pytest.param({"type": "EMG"}, "type EEG before, EMG now", marks=pytest.mark.slow),
        ({"channels": [("C3", "uV"), ("C4", "?")]}, "'?'"),
    ],
)
def test_a_device_that_comes_back_different_is_refused(device, stream_name, change, said, connect):
    device.open(stream_name)
    with connect(stream_name) as source:
        device.close(stream_name)
        device.open(stream_name, **change)
        for _ in range(2):  # and again
            with pytest.raises(StreamError) as caught:
                read_until(source, len)
            assert said in str(caught.value)
        device.close(stream_name)
        device.open(stream_name)
        deadline = time.monotonic() + PATIENCE
        while "back" not in kinds(source) and time.monotonic() < deadline:
            try:
                source.read(0.1)
            except StreamError:  # the wrong one may still be remembered
                pass
        device.push(stream_name, rows(1, 1))
        assert read_until(source, len)[0][-1].tolist() == [1, -1]


def test_units_may_change_as_long_as_they_are_known(device, stream_name, connect):
    device.open(stream_name)
    with connect(stream_name) as source:
        device.close(stream_name)
        device.open(stream_name, [("C3", "mV"), ("C4", "nV")])
        deadline = time.monotonic() + PATIENCE
        while "back" not in kinds(source) and time.monotonic() < deadline:
            source.read(0.1)
        device.push(stream_name, [[1, 1000]])
        assert read_until(source, len)[0][-1].tolist() == [1000, 1]


def test_a_twin_does_not_take_over(device, stream_name):
    device.open(stream_name)
    device.open(stream_name, key="twin", source_id=f"id-{stream_name}")
    (found, other) = pylsl.resolve_byprop("name", stream_name, 2, PATIENCE)
    with LSLSource(found, PATIENCE) as source:
        time.sleep(0.2)
        source.read(0.0)  # both are there
        device.close(stream_name if found.created_at() < other.created_at() else "twin")
        with pytest.raises(StreamError, match="is gone, and .* is another device under its source_id"):
            read_until(source, len)


def test_a_stream_that_goes_while_it_is_connected_to_is_one_line(device, stream_name):
    device.open(stream_name)
    (found,) = pylsl.resolve_byprop("name", stream_name, 1, PATIENCE)
    device.close(stream_name)
    with pytest.raises(StreamError, match="is gone|does not answer"):
        LSLSource(found, timeout=0.5)


LIAR = """
import sys, numpy as np
from motorctl.signals.headset import stream_chunks
from motorctl.signals.lsl import LSLSink
from motorctl.signals.stream import Channel, StreamInfo
name, rate = sys.argv[1], float(sys.argv[2])
with LSLSink(StreamInfo(name, "EEG", 250.0, (Channel("C3"), Channel("C4")))) as sink:
    print("ready", flush=True)
    stream_chunks(sink.send, rate, lambda count: np.ones((count, 2), np.float32))
"""


@pytest.mark.slow
@pytest.mark.parametrize("rate", [125.0, 500.0])
def test_a_rate_that_is_not_kept_is_refused(spawn, stream_name, rate, connect):
    spawn(LIAR, stream_name, str(rate)).hear()
    with connect(stream_name) as source, pytest.raises(StreamError, match=r"samples a second, not 250\.") as caught:
        read_until(source, lambda samples: False)
    said = float(str(caught.value).split(" gives ")[1].split()[0])
    assert said == pytest.approx(rate, rel=0.05)


@pytest.mark.slow
def test_a_device_that_keeps_its_rate_is_read_for_long(spawn, stream_name, connect):
    spawn(LIAR, stream_name, "250").hear()
    with connect(stream_name) as source:
        samples, times, mask = read_until(source, lambda samples: len(samples) >= 2500)
        assert source.measured_rate == pytest.approx(250, rel=0.05)
    assert mask.all() and not source.events
    np.testing.assert_allclose(np.diff(times), 0.004, atol=1e-3)


@pytest.mark.slow
def test_a_restart_in_which_the_rate_is_silently_another_is_refused(spawn, stream_name, connect):
    first = spawn(LIAR, stream_name, "250")
    first.hear()
    with connect(stream_name) as source:
        read_until(source, len)
        first.end()
        spawn(LIAR, stream_name, "125").hear()
        with pytest.raises(StreamError, match=r"samples a second, not 250\."):
            read_until(source, lambda samples: False)
    assert [kind for kind in kinds(source) if kind != "gap"] == ["lost", "back"]


def test_every_wait_is_bounded(device, stream_name, connect):
    """Whatever state a source is in, a read that has nothing to give comes back."""
    device.open(stream_name)
    with connect(stream_name) as source:
        for state in ("connected", "lost"):
            if state == "lost":
                device.close(stream_name)
                while "lost" not in kinds(source):
                    source.read(0.0)
            before = time.process_time(), os.times().elapsed
            for _ in range(20):
                assert len(source.read(0.01)) == 0
            assert time.process_time() - before[0] < 1
            assert os.times().elapsed - before[1] < PATIENCE


def test_a_device_that_comes_back_under_another_name_is_refused(device, stream_name, connect):
    device.open(stream_name)
    with connect(stream_name) as source:
        device.close(stream_name)
        device.open(f"{stream_name}-2", key=stream_name, source_id=f"id-{stream_name}")
        with pytest.raises(StreamError, match=f"different: name {stream_name} before, {stream_name}-2 now"):
            read_until(source, len)
