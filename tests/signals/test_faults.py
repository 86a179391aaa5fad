"""A headset that misbehaves: each fault, on a real stream, against what was sent."""

import time
from dataclasses import replace

import numpy as np
import pylsl
import pytest

from motorctl.errors import ConfigurationError
from motorctl.signals.faults import CLOCK_JUMP, DURATIONS, JITTER, NO_FAULTS, Faults, FaultySink, open_sink
from motorctl.signals.lsl import LSLSink
from motorctl.signals.stream import Channel, StreamInfo

RATE = 250.0
PATIENCE = 20.0  # s


def raw_inlet(name):
    (found,) = pylsl.resolve_byprop("name", name, 1, PATIENCE)
    inlet = pylsl.StreamInlet(found)
    inlet.open_stream(PATIENCE)
    return inlet


def send_seconds(name, kinds, seconds=6.0, seed=0, every=0.5):
    """Send numbered rows of a device's time, as fast as they go, with faults; what was told, and what came.

    Returns:
        ``(told, samples, stamps)``; rows are numbered from 1, stamps begin at 0.
    """
    info = StreamInfo(name, "EEG", RATE, tuple(Channel(label) for label in ("C3", "Cz", "C4", "Pz")))
    told = []
    with open_sink(info, Faults(kinds, every, seed), 1.0, told.append) as sink:
        inlet = raw_inlet(name)
        count = round(seconds * RATE)
        rows = np.arange(1, count + 1, dtype=np.float32)[:, None] * np.ones(4, np.float32)
        for first in range(0, count, 2):
            sink.send(rows[first : first + 2], np.arange(first, first + 2) / RATE + 1e-9)  # 0 would mean now
        samples, stamps = np.empty((0, 4), np.float32), np.empty(0)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and not (len(samples) and np.nanmax(samples[-1]) == count):
            more, at = inlet.pull_chunk(1.0, 4096, min_samples=1, as_numpy=True)
            samples, stamps = np.concatenate([samples, more]), np.concatenate([stamps, at])
            if not len(at) and len(samples):
                break
    return told, samples, stamps


def test_without_faults_it_is_a_plain_stream(stream_name):
    info = StreamInfo(stream_name, "EEG", RATE, (Channel("C3"),))
    assert type(open_sink(info, NO_FAULTS, 1.0, print)) is LSLSink
    with pytest.raises(ConfigurationError, match="fault_every"):
        open_sink(info, replace(NO_FAULTS, every=0), 1.0, print)


def test_drop_outs(stream_name):
    told, samples, stamps = send_seconds(stream_name, ("drop-out",))
    assert told[0] == "Fault: drop-out for 0.5 s"
    gaps = np.diff(samples[:, 0])
    lost = gaps[gaps > 1] - 1
    assert 1 <= len(lost) <= len(told)
    np.testing.assert_allclose(lost / RATE, DURATIONS["drop-out"], atol=4 / RATE)
    np.testing.assert_allclose(stamps, (samples[:, 0] - 1) / RATE, atol=1e-6)


def test_jitter(stream_name):
    _, samples, stamps = send_seconds(stream_name, ("jitter",))
    assert samples[:, 0].tolist() == list(range(1, 1501))
    assert np.std(stamps - (samples[:, 0] - 1) / RATE) == pytest.approx(JITTER, rel=0.1)


def test_bursts(stream_name):
    told, samples, stamps = send_seconds(stream_name, ("burst",))
    assert samples[:, 0].tolist() == sorted(samples[:, 0].tolist())
    assert np.diff(samples[:, 0]).max() == 1  # nothing is lost
    bunched = np.diff(stamps) == 0
    assert bunched.sum() >= DURATIONS["burst"] * RATE
    assert told.count("Fault: burst for 0.3 s") == len(told) > 0


def test_chunks_that_come_twice(stream_name):
    told, samples, _ = send_seconds(stream_name, ("repeat",))
    assert told and set(samples[:, 0].tolist()) == set(range(1, 1501))
    twice = (len(samples) - 1500) / RATE
    assert twice == pytest.approx(len(told) * DURATIONS["repeat"], abs=0.2)


def test_a_clock_that_jumps_to_and_fro(stream_name):
    told, samples, stamps = send_seconds(stream_name, ("clock-jump",))
    jumps = np.diff(stamps - (samples[:, 0] - 1) / RATE).round(3)
    jumps = jumps[jumps != 0]
    assert jumps.tolist() == [CLOCK_JUMP * (-1) ** k for k in range(len(told))] and told


def test_nan_in_half_the_channels(stream_name):
    told, samples, _ = send_seconds(stream_name, ("nan",))
    missing = np.isnan(samples)
    assert set(missing.sum(axis=1)) == {0, 2}
    assert missing.any(axis=1).sum() / RATE == pytest.approx(len(told) * DURATIONS["nan"], abs=0.3)


def test_a_flat_channel(stream_name):
    told, samples, _ = send_seconds(stream_name, ("flat",))
    flat = samples == 0
    assert told and set(flat.sum(axis=1)) == {0, 1}


@pytest.mark.parametrize("kind", ["restart", "restart-channels", "restart-rate", "restart-name"])
def test_restarts(stream_name, kind):
    info = StreamInfo(stream_name, "EEG", RATE, (Channel("C3"), Channel("Cz"), Channel("C4")), f"id-{stream_name}")
    told = []
    sink = FaultySink(info, Faults((kind,), 0.5, 0), 1.0, told.append)
    before = raw_inlet(stream_name).info(PATIENCE)
    chunk, now = np.ones((2, 3), np.float32), 0.0
    while not told:
        now += 2 / RATE
        sink.send(chunk, np.array([now - 1 / RATE, now]))
    began = now
    while now < began + 1.01:
        now += 2 / RATE
        sink.send(chunk, np.array([now - 1 / RATE, now]))
    deadline, after = time.monotonic() + PATIENCE, before
    while after.uid() == before.uid() and time.monotonic() < deadline:
        (found, *_) = pylsl.resolve_byprop("source_id", f"id-{stream_name}", 1, PATIENCE)
        after = found
    assert after.uid() != before.uid() and after.source_id() == before.source_id()
    assert after.name() == (f"{stream_name} 2" if kind == "restart-name" else stream_name)
    assert after.channel_count() == (2 if kind == "restart-channels" else 3)
    assert after.nominal_srate() == (RATE / 2 if kind == "restart-rate" else RATE)
    inlet = pylsl.StreamInlet(after)
    inlet.open_stream(PATIENCE)
    stamps = np.arange(1, 101) / RATE + now
    sink.send(np.ones((100, 3), np.float32), stamps)
    _, came = inlet.pull_chunk(PATIENCE, 50 if kind == "restart-rate" else 100)
    np.testing.assert_allclose(np.diff(came), 1 / after.nominal_srate(), atol=1e-6)


def test_a_seed_gives_the_same_faults(stream_name):
    kinds = ("drop-out", "nan", "flat", "burst")
    runs = [send_seconds(f"{stream_name}-{k}", kinds, seed=seed) for k, seed in enumerate((1, 1, 2))]
    assert runs[0][0] == runs[1][0] != runs[2][0]
    np.testing.assert_array_equal(runs[0][1], runs[1][1])
