"""Streams of another process, written to XDF as they come, and read by pyxdf."""

import time

import numpy as np
import pytest
import pyxdf

from motorctl.errors import StreamError
from motorctl.signals.lsl import RecordedStream, find_stream
from motorctl.signals.xdf_writer import XdfWriter

PATIENCE = 20.0  # s


@pytest.fixture
def recording(tmp_path):
    """``recording(name)`` begins to record a stream; ``written()`` is the file, closed, as pyxdf has it."""
    path = tmp_path / "session.xdf"
    writer = XdfWriter(path)

    class Recording:
        said = []

        def begin(self, query):
            self.stream = RecordedStream(find_stream(query), writer, PATIENCE)
            return self.stream

        def until(self, condition):
            deadline = time.monotonic() + PATIENCE
            while not condition() and time.monotonic() < deadline:
                self.stream.write(self.said.append)
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
    numbers, markers = recording.written()
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
    first, second = recording.written()
    assert first["time_series"].tolist() == [[1, 1], [2, 2]] and second["time_series"].tolist() == [[3, 3]]
    assert [float(s["info"]["nominal_srate"][0]) for s in (first, second)] == [100, 200]
    assert recording.said == [f"{stream_name} is lost.", f"{stream_name} is back."] * 2


def test_a_stream_that_cannot_be_found_again_is_an_error(device, stream_name, recording):
    device.open(stream_name, source_id="")
    stream = recording.begin(stream_name)
    device.close(stream_name)
    with pytest.raises(StreamError, match=f"'{stream_name}' is gone"):
        recording.until(lambda: stream.losses > 9)
