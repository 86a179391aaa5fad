"""``motorctl record`` in a process of its own: a disk that is full or slow, and what is said of it."""

import signal
import subprocess
import sys
import time

import numpy as np
import pylsl
import pytest
import pyxdf

from motorctl.runtime.operator import Operator
from motorctl.runtime.recording import recording_of
from motorctl.signals.lsl import signal_outlet
from motorctl.signals.stream import Channel, StreamInfo

PATIENCE = 120.0  # s
resource = pytest.importorskip("resource")


class Recording:
    """The command at work on a stream of numbered rows."""

    def __init__(self, name, path):
        info = StreamInfo(name, "EEG", 1000.0, tuple(Channel(f"C{k}") for k in range(8)), f"id-{name}")
        self.outlet, self.path, self.sent = signal_outlet(info), path, 0
        words = [sys.executable, "-P", "-u", "-m", "motorctl", "record", "--out", str(path), "--streams", name]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.hear("Recording 1 streams")

    def hear(self, words):
        for line in self.process.stdout:
            if words in line:
                return
        raise AssertionError(self.process.communicate())

    def send(self, seconds=1.0):
        count = round(1000 * seconds)
        rows = np.arange(self.sent, self.sent + count)[:, None] * np.ones(8)
        self.outlet.push_chunk(rows.astype(np.float32), (pylsl.local_clock() - np.arange(count)[::-1] / 1000).tolist())
        self.sent += count

    def room(self, more):
        """Leave the recorder room for so many more bytes, or for as many as it likes."""
        limit = resource.RLIM_INFINITY if more is None else self.path.stat().st_size + more
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    def wait_until_written(self, least):
        deadline = time.monotonic() + PATIENCE
        while len(self.rows()) < least and time.monotonic() < deadline:
            time.sleep(0.2)
        return self.rows()

    def rows(self):
        (eeg,) = [s for s in pyxdf.load_xdf(str(self.path))[0] if s["info"]["type"] == ["EEG"]]
        return np.reshape(eeg["time_series"], (-1, 8))[:, 0]

    def end(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.communicate(timeout=PATIENCE)


@pytest.fixture
def recording(stream_name, tmp_path):
    found = Recording(stream_name, tmp_path / "session.xdf")
    yield found
    found.process.kill()
    found.process.communicate()


def test_a_disk_that_is_full_for_a_while_costs_nothing(recording):
    recording.send()
    recording.wait_until_written(1000)
    recording.room(10_000)
    for _ in range(5):
        recording.send()
    recording.hear("waits for room")
    recording.room(None)
    recording.hear("There is room again")
    recording.send()
    recording.end()
    assert recording.process.returncode == 0
    np.testing.assert_array_equal(recording.rows(), np.arange(7000))


def test_a_disk_that_is_full_in_the_end_is_an_error_and_what_it_could_hold_is_there(recording):
    recording.send()
    recording.wait_until_written(1000)
    recording.room(1000)
    recording.send()
    recording.hear("waits for room")
    _, complaints = recording.end()
    assert recording.process.returncode == 1
    assert complaints.startswith("motorctl: File too large") and complaints.count("\n") == 1
    np.testing.assert_array_equal(recording.rows(), np.arange(1000))


def test_a_recorder_that_stands_still_for_a_while_loses_nothing(recording):
    """As on a disk that keeps it waiting."""
    recording.send()
    recording.wait_until_written(1000)
    recording.process.send_signal(signal.SIGSTOP)
    for _ in range(20):
        recording.send()
    recording.process.send_signal(signal.SIGCONT)
    np.testing.assert_array_equal(recording.wait_until_written(21_000), np.arange(21_000))


def test_of_a_recorder_that_is_killed_all_but_the_last_second_is_there(recording):
    for _ in range(3):
        recording.send(0.5)
        recording.wait_until_written(recording.sent)
    recording.process.kill()
    recording.process.wait(PATIENCE)
    np.testing.assert_array_equal(recording.rows(), np.arange(1500))


def test_the_operator_starts_and_stops_recordings_each_in_a_file_of_its_own(stream_name, tmp_path):
    outlet = signal_outlet(StreamInfo(stream_name, "EEG", 1000.0, (Channel("C3"),), f"id-{stream_name}"))
    operator, said = Operator(), []

    def wait_for(words, times=1):
        deadline = time.monotonic() + PATIENCE
        while sum(words in line for line in said) < times and time.monotonic() < deadline:
            time.sleep(0.05)
        assert sum(words in line for line in said) == times, said

    with recording_of([stream_name], [], None, tmp_path, operator, said.append):
        for times in (1, 2):
            operator.record = True
            assert outlet.wait_for_consumers(PATIENCE)
            operator.record = False
            wait_for("Everything is recorded", times)
    assert sorted(path.name for path in tmp_path.glob("*.xdf")) == ["session-2.xdf", "session.xdf"]
    assert operator.request() == (None, "")
