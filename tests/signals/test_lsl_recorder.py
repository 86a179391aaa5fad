"""Streams of another process, written to XDF as they come, and read by pyxdf."""

import time

import numpy as np
import pylsl
import pytest
import pyxdf

from motorctl.signals.lsl import Journal, RecordedStream, find_stream, fits
from motorctl.signals.xdf_writer import XdfWriter

PATIENCE = 20.0  # s


@pytest.fixture
def recording(tmp_path):
    """``begin(name)`` records a stream; ``written()`` is the file, closed, as pyxdf has it: the journal comes first."""
    path = tmp_path / "session.xdf"
    writer = XdfWriter(path)
    journal = Journal(writer)

    class Recording:
        said = []

        def begin(self, query):
            self.stream = RecordedStream(query, fits(query), writer, journal)
            self.stream.connect(find_stream(query), PATIENCE)
            return self.stream

        def await_(self, query):
            self.stream = RecordedStream(query, fits(query), writer, journal)
            return self.stream

        def until(self, condition):
            deadline = time.monotonic() + PATIENCE
            while not condition() and time.monotonic() < deadline:
                self.stream.write(self.said.append)
                journal.write()
                time.sleep(0.01)
            assert condition()

        def written(self):
            writer.close()
            return pyxdf.load_xdf(str(path))[0]

    yield Recording()
    writer.close()


def test_numbers_and_texts_are_written_with_their_stamps_and_clock_offsets(device, stream_name, recording):
    device.open(stream_name)
    stream = recording.begin(stream_name)
    rows = [[float(k), -float(k)] for k in range(5000)]  # more than one pull
    device.push(stream_name, rows)
    recording.until(lambda: stream.samples == 5000)
    device.open(f"{stream_name}-texts", type="Markers", rate=0.0, channels=[("markers", "")], format="string")
    texts = recording.begin(f"{stream_name}-texts")
    device.push(f"{stream_name}-texts", [["T1"], ["µ & ö"]])
    recording.until(lambda: texts.samples == 2)
    _, numbers, markers = recording.written()
    np.testing.assert_array_equal(numbers["time_series"], np.array(rows, np.float32))
    np.testing.assert_allclose(np.diff(numbers["time_stamps"]), 0.01, rtol=1e-6)
    assert markers["time_series"] == [["T1"], ["µ & ö"]]
    assert numbers["info"]["desc"][0]["channels"][0]["channel"][1]["label"] == ["C4"]
    assert len(numbers["clock_times"]) == 1 and abs(numbers["clock_values"][0]) < 0.01


def test_a_stream_that_is_back_goes_on_and_one_of_another_form_is_a_stream_of_its_own(device, stream_name, recording):
    device.open(stream_name)
    stream = recording.begin(stream_name)
    device.push(stream_name, [[1, 1]])
    recording.until(lambda: stream.samples == 1)

    def comes_back(count, rate):
        device.close(stream_name)
        recording.until(lambda: stream.losses == count - 1)
        device.open(stream_name, rate=rate)
        recording.until(lambda: len(recording.said) == 2 * (count - 1))
        device.push(stream_name, [[count, count]])
        recording.until(lambda: stream.samples == count)

    comes_back(2, 100.0)
    comes_back(3, 200.0)
    journal, first, second = recording.written()
    assert first["time_series"].tolist() == [[1, 1], [2, 2]] and second["time_series"].tolist() == [[3, 3]]
    assert [float(s["info"]["nominal_srate"][0]) for s in (first, second)] == [100, 200]
    assert recording.said == [f"{stream_name} is lost.", f"{stream_name} is back."] * 2
    assert [kind for kind in told(journal) if kind != "gap"] == ["lost", "back"] * 2


def test_a_loss_is_told_from_when_all_that_was_sent_had_come(device, stream_name, recording):
    """A recorder that was held up finds what its socket has kept, and cannot know what was behind it."""
    device.open(stream_name)
    stream = recording.begin(stream_name)
    device.push(stream_name, [[1, 1]])
    recording.until(lambda: stream.samples == 1)
    looked = pylsl.local_clock()
    device.push(stream_name, [[2, 2]])
    device.close(stream_name)  # while nobody looks
    recording.until(lambda: stream.losses == 1)
    journal, _ = recording.written()
    when = journal["time_stamps"][0]
    (text,) = journal["time_series"][0]
    assert when - float(text.split(" for ")[1].removesuffix(" s")) <= looked


def told(journal):
    """What a journal says, in short."""
    return [text.split(": ", 2)[1] for (text,) in journal["time_series"]]


def test_what_is_missing_is_told(device, stream_name, recording):
    device.open(stream_name, rate=1000.0)
    stream = recording.begin(stream_name)
    recording.until(lambda: True)  # the clocks are compared
    begin = pylsl.local_clock() - 1
    times = begin + np.delete(np.arange(1000), slice(300, 500)) / 1000
    device.push(stream_name, np.ones((800, 2)).tolist(), times)
    recording.until(lambda: stream.samples == 800)
    journal, eeg = recording.written()
    assert journal["time_series"] == [[f"{stream_name}: gap: 200 samples are missing, 0.200 s"]]
    np.testing.assert_allclose(journal["time_stamps"], begin + 0.5, atol=0.05)
    assert len(eeg["time_stamps"]) == 800


def test_a_stream_without_a_source_id_goes_on_under_its_name(device, stream_name, recording):
    device.open(stream_name, source_id="")
    stream = recording.begin(stream_name)
    device.push(stream_name, [[1, 1]])
    recording.until(lambda: stream.samples == 1)
    device.close(stream_name)
    recording.until(lambda: stream.losses == 1)
    device.open(stream_name, source_id="")
    recording.until(lambda: len(recording.said) == 2)
    device.push(stream_name, [[2, 2]])
    recording.until(lambda: stream.samples == 2)
    journal, eeg = recording.written()
    assert eeg["time_series"].tolist() == [[1, 1], [2, 2]] and told(journal)[:2] == ["lost", "back"]


def test_a_stream_may_appear_later(device, stream_name, recording):
    stream = recording.await_(stream_name)
    stream.write(recording.said.append)
    device.open(stream_name)
    recording.until(lambda: recording.said)
    device.push(stream_name, [[3, 4]])
    recording.until(lambda: stream.samples == 1)
    _, eeg = recording.written()
    assert eeg["time_series"].tolist() == [[3, 4]] and recording.said == [f"{stream_name} is there."]
