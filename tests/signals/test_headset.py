"""A recording played in another process, and read back over LSL."""

import json
import signal
import time

import numpy as np
import pytest

from motorctl.errors import ConfigurationError
from motorctl.signals.headset import play_recording
from motorctl.signals.lsl import open_markers, open_source
from motorctl.signals.recording import read_recording

RATE = 160
PATIENCE = 20.0  # s

# Plays as the command line does, but begins only when told, so that a reader can be there from the first sample on.
PLAYER = """
import json, sys
from motorctl.signals.headset import play_recording
from motorctl.signals.recording import read_recording

def announce(line):
    print(line, flush=True)
    sys.stdin.readline()

path, name, options = sys.argv[1:]
try:
    play_recording(read_recording(path), name, announce=announce, **json.loads(options))
    print("ended", flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""

# A simulated brain: a ramp, with a sample and a value missing.
BRAIN = """
import sys
import numpy as np
from motorctl.signals.headset import stream_chunks
from motorctl.signals.lsl import LSLSink
from motorctl.signals.stream import Channel, StreamInfo

ramp = np.arange(1, 101, dtype=np.float32)[:, None] * np.ones(2, np.float32)
ramp[50] = ramp[60, 1] = np.nan
given = 0

def next_chunk(count):
    global given
    given += min(count, 3)
    return ramp[given - min(count, 3) : given]

with LSLSink(StreamInfo(sys.argv[1], "EEG", 500.0, (Channel("C3"), Channel("C4")))) as sink:
    print("ready", flush=True)
    sys.stdin.readline()
    stream_chunks(sink.send, 500.0, next_chunk)
print("ended", flush=True)
"""


@pytest.fixture
def recording(tmp_path, write_edf):
    """Two seconds: 0.2 s lost at row 100, zeros from row 290 on; channel 0 counts rows from 1."""
    rows = np.arange(1, 2 * RATE + 1)
    samples = np.stack([rows, -rows, np.random.default_rng(0).integers(-9999, 9999, len(rows))], axis=1)
    samples[100:132] = 0
    samples[290:] = 0
    notes = [((row + 0.25) / RATE, 0.1, f"T{row}") for row in (0, 8, 81, 110, 250, 289)]
    notes.append((300 / RATE, 0.1, "too late"))
    return read_recording(write_edf(tmp_path / "ramp.edf", samples, ["C3..", "C4..", "EEG Cz-REF"], annotations=notes))


def play(spawn, path, name, **options):
    player = spawn(PLAYER, str(path), name, json.dumps(options))
    return player, player.hear()


def read_rows(source, count):
    """``count`` rows that were measured, at least in part, as (samples, times)."""
    samples, times, deadline = [], [], time.monotonic() + PATIENCE
    while sum(map(len, times)) < count and time.monotonic() < deadline:
        chunk = source.read(1.0)
        there = chunk.mask.any(axis=1)
        samples.append(chunk.samples[there])
        times.append(chunk.times[there])
    return np.concatenate(samples), np.concatenate(times)


def test_every_sample_and_marker_is_played_once_in_order_at_its_time(spawn, recording, stream_name):
    player, line = play(spawn, recording.path, stream_name)
    assert line.startswith(f"Streaming {stream_name}: 3 channels at 160 Hz, 1.8125 s, and 6 markers")
    with open_source(stream_name) as source, open_markers(f"{stream_name} markers") as markers:
        assert source.info.channels == recording.info.channels
        assert (source.info.rate, source.info.kind) == (RATE, "EEG")
        player.tell("go")
        measured = recording.samples[recording.mask.all(axis=1)]
        samples, times = read_rows(source, len(measured))
        assert player.hear() == "ended"
        heard = markers.read()

    np.testing.assert_array_equal(samples, measured)
    rows = samples[:, 0].astype(int) - 1
    np.testing.assert_allclose(times - times[0], rows / RATE, atol=1e-3)  # the gap is still there
    assert [text for _, text in heard] == ["T0", "T8", "T81", "T110", "T250", "T289"]
    onsets = [times[0] + int(text[1:]) / RATE for _, text in heard]
    assert np.abs(np.array([stamp for stamp, _ in heard]) - onsets).max() < 0.5 / RATE


def test_a_loop_begins_again_at_start_without_a_break(spawn, recording, stream_name, connect, connect_markers):
    player, _ = play(spawn, recording.path, stream_name, loop=True, start=1.0, speed=2.0)
    with connect(stream_name) as source, connect_markers(f"{stream_name} markers") as markers:
        assert source.info.rate == RATE
        player.tell("go")
        lap = 290 - RATE
        samples, times = read_rows(source, 2 * lap + 10)
        heard, deadline = markers.read(), time.monotonic() + PATIENCE
        while len(heard) < 4 and time.monotonic() < deadline:
            heard += markers.read()
    rows = np.arange(len(samples)) % lap + RATE
    np.testing.assert_array_equal(samples, recording.samples[rows])
    np.testing.assert_allclose(np.diff(times), 1 / (2 * RATE), atol=1e-3)
    assert [text for _, text in heard[:4]] == ["T250", "T289"] * 2


@pytest.mark.slow
def test_a_recording_at_twice_its_speed_keeps_the_rate_it_says(spawn, recording, stream_name, connect):
    player, _ = play(spawn, recording.path, stream_name, loop=True, start=1.0, speed=2.0)
    with connect(stream_name) as source:
        player.tell("go")
        read_rows(source, 7 * 2 * RATE)  # long enough to be judged
        assert source.info.rate == RATE
        assert source.measured_rate == pytest.approx(2 * RATE, rel=0.1)
    assert not source.events


def test_ctrl_c_ends_a_player(spawn, recording, stream_name, connect):
    player, _ = play(spawn, recording.path, stream_name, loop=True)
    player.tell("go")
    with connect(stream_name) as source:
        read_rows(source, 1)
        player.popen.send_signal(signal.SIGINT)
        assert player.hear() == "interrupted"
        assert player.popen.wait(PATIENCE) == 0


def test_any_giver_of_samples_is_streamed_and_what_it_misses_is_left_out(spawn, stream_name, connect):
    brain = spawn(BRAIN, stream_name)
    brain.hear()
    with connect(stream_name) as source:
        brain.tell("go")
        samples, times = read_rows(source, 99)
        assert brain.hear() == "ended"
    expected = np.delete(np.arange(1, 101), 50)
    np.testing.assert_array_equal(samples[:, 0], expected)
    np.testing.assert_array_equal(samples[:, 1], np.where(expected == 61, 0, expected))
    np.testing.assert_allclose(times - times[0], (expected - 1) / 500, atol=1e-3)


def test_a_real_recording_is_played_to_where_its_padding_begins(spawn, eegmmi, stream_name, connect):
    path = eegmmi / "S001R06.edf"
    player, line = play(spawn, path, stream_name, start=100.0, speed=20.0)
    assert "64 channels at 160 Hz, 24.5 s, 20 times as fast" in line
    with connect(stream_name) as source:
        player.tell("go")
        expected = read_recording(path).samples[16000:19920]
        samples, _ = read_rows(source, len(expected))
        assert player.hear() == "ended"
        assert len(source.read(0.0)) == 0
    np.testing.assert_array_equal(samples, expected)


@pytest.mark.parametrize("options", [{"speed": 0}, {"speed": -1}, {"speed": float("nan")}, {"speed": float("inf")}])
def test_a_speed_that_cannot_be_played(recording, options):
    with pytest.raises(ConfigurationError, match="--speed"):
        play_recording(recording, **options)


@pytest.mark.parametrize("start", [-1, 1.8125, 1.9, 5, float("nan")])
def test_a_start_that_is_not_in_the_recording(recording, start):
    with pytest.raises(ConfigurationError, match="--start .* is not within 'ramp.edf', which lasts 1.8125 s"):
        play_recording(recording, start=start)
