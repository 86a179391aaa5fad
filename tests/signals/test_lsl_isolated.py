"""A reader in a process of its own: the same samples, whatever the main thread does."""

import os
import signal
import time
from multiprocessing import get_context

import numpy as np
import pylsl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motorctl.errors import StreamError
from motorctl.signals.lsl import IsolatedSource
from motorctl.signals.lsl.isolated import Ring
from motorctl.signals.stream import Chunk

PATIENCE = 20.0  # s

STEADY = """
import sys, numpy as np
from motorctl.signals.headset import stream_chunks
from motorctl.signals.lsl import LSLSink
from motorctl.signals.stream import Channel, StreamInfo
sent = 0
def ramp(count):
    global sent
    sent += count
    return np.arange(sent - count, sent, dtype=np.float32)[:, None] * np.ones(2, np.float32)
with LSLSink(StreamInfo(sys.argv[1], "EEG", 250.0, (Channel("C3"), Channel("C4")))) as sink:
    print("ready", flush=True)
    stream_chunks(sink.send, 250.0, ramp)
"""


def isolated(name):
    (found,) = pylsl.resolve_byprop("name", name, 1, PATIENCE)
    return IsolatedSource(found, PATIENCE)


def test_a_busy_main_thread_does_not_hold_it_up(spawn, stream_name):
    spawn(STEADY, stream_name).hear()
    with isolated(stream_name) as source:
        assert source.info.labels == ("C3", "C4") and source.info.rate == 250
        first = source.read(PATIENCE)
        begin = pylsl.local_clock()
        while pylsl.local_clock() - begin < 1.0:  # and nothing else gets a turn in this process
            pass
        end = pylsl.local_clock()
        assert source.backlog > 0
        chunk = source.read(0.0)
        arrived = source.arrived
        assert 0 <= source.age < PATIENCE
    assert len(arrived) == len(chunk)
    assert ((arrived > begin) & (arrived < end)).sum() > 0.9 * len(chunk)
    assert len(np.unique(arrived[arrived < end])) > 10  # as they came, not at one go
    samples = np.concatenate([first.samples, chunk.samples])
    np.testing.assert_array_equal(np.diff(samples[:, 0]), 1)


def test_errors_and_events_come_through(device, stream_name):
    device.open(stream_name)
    with isolated(stream_name) as source:
        now = pylsl.local_clock()
        device.push(stream_name, [[1, 1], [2, 2]], [now - 0.5, now])
        chunks, deadline = [source.read(0.1)], time.monotonic() + PATIENCE
        while not (sum(map(len, chunks)) == 51 and source.events) and time.monotonic() < deadline:
            chunks.append(source.read(0.1))
        samples, mask = (np.concatenate([getattr(c, part) for c in chunks]) for part in ("samples", "mask"))
        assert samples[:, 0].tolist() == [1, *[0] * 49, 2] and not mask[1:-1].any()
        assert [event.kind for event in source.events] == ["gap"]
        device.close(stream_name)
        device.open(stream_name, rate=50.0)
        with pytest.raises(StreamError, match="came back different: rate 100 Hz before, 50 Hz now"):
            while time.monotonic() < deadline:
                source.read(0.1)
    device.open(f"{stream_name}-f", [("C3", "furlong")])
    with pytest.raises(StreamError, match="furlong"):
        isolated(f"{stream_name}-f")


def test_a_reader_that_is_killed_is_one_line_and_another_one_reads_on(device, stream_name):
    device.open(stream_name)
    with isolated(stream_name) as source:
        os.kill(source.pid, signal.SIGKILL)
        with pytest.raises(StreamError, match="process that reads .* ended with -9"):
            for _ in range(100):
                source.read(0.2)
        assert source.deaths == 1
        deadline = time.monotonic() + PATIENCE
        while not source.events and time.monotonic() < deadline:
            assert len(source.read(0.1)) == 0
        device.push(stream_name, [[7, 8]])
        assert source.read(PATIENCE).samples.tolist() == [[7, 8]]


PARENT = """
import sys, pylsl
from motorctl.signals.lsl import IsolatedSource
if __name__ == "__main__":
    (found,) = pylsl.resolve_byprop("name", sys.argv[1], 1, 20)
    with IsolatedSource(found, 20.0) as source:
        print(source.pid, flush=True)
        try:
            source.read(60.0)
        except KeyboardInterrupt:
            print("interrupted", flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_it_ends_with_its_parent(device, stream_name, spawn, tmp_path, number):
    device.open(stream_name)
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    run = "import runpy, sys; sys.argv[0] = sys.argv.pop(); runpy.run_path(sys.argv[0], run_name='__main__')"
    parent = spawn(run, stream_name, str(script))
    reader = int(parent.hear())
    parent.popen.send_signal(number)
    if number == signal.SIGINT:
        assert parent.hear() == "interrupted"
    parent.popen.wait(PATIENCE)
    deadline = time.monotonic() + PATIENCE
    while os.path.exists(f"/proc/{reader}") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not os.path.exists(f"/proc/{reader}")


@settings(max_examples=30, deadline=None)  # each makes a ring in shared memory
@given(st.lists(st.tuples(st.integers(0, 7), st.booleans()), max_size=40))
def test_what_is_put_into_a_ring_comes_out_once_and_in_order(moves):
    ring, put, taken = Ring(get_context("spawn"), 16, 2), 0, []
    for count, take in moves:
        count = min(count, ring.room)
        numbers = np.arange(put, put + count)
        samples = np.stack([numbers, -numbers], axis=1).astype(np.float32)
        ring.put(Chunk(samples, numbers.astype(float), samples % 2 == 0), 0.5)
        put += count
        assert ring.waiting + ring.room == 16
        if take:
            taken.append(ring.take())
    taken.append(ring.take())
    samples = np.concatenate([chunk.samples for chunk, _ in taken])
    assert samples[:, 0].tolist() == list(range(put))
    np.testing.assert_array_equal(np.concatenate([chunk.times for chunk, _ in taken]), np.arange(put))
    np.testing.assert_array_equal(np.concatenate([chunk.mask for chunk, _ in taken]), samples % 2 == 0)
    assert all((arrived == 0.5).all() for _, arrived in taken)
