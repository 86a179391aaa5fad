from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motorctl.errors import RecordingError
from motorctl.signals.recording import Annotation, Recording, choose_stream, read_recording, read_streams
from motorctl.signals.stream import Channel, StreamInfo

RATE = 160


@pytest.fixture
def ramp():
    """Two seconds of three channels, no sample 0: ``(time, channel)``."""
    rows = np.arange(1, 2 * RATE + 1)
    return np.stack([rows, -rows, 7 * rows], axis=1)


def made(name="a", kind="EEG", rate=100.0, times=None, annotations=()):
    """A second of one channel."""
    times = np.arange(100) / 100 if times is None else times
    samples = np.arange(1, len(times) + 1, dtype=np.float32)[:, None]
    info = StreamInfo(name, kind, rate, (Channel("C3"),))
    return Recording(info, samples, times, np.ones(samples.shape, bool), annotations, Path("a.xdf"), start=7.0)


def test_between_takes_samples_and_the_annotations_that_begin_there(tmp_path, write_edf, ramp):
    notes = [(0.0, 0.5, "a"), (0.5, 0.5, "b"), (1.25, 0.5, "c")]
    recording = read_recording(write_edf(tmp_path / "a.edf", ramp, ["C3", "C4", "Cz"], annotations=notes))
    part = recording.between(0.5, 1.25)
    np.testing.assert_array_equal(part.samples, ramp[80:200])
    assert part.times[0] == 0 and part.times.shape == (120,) and part.mask.shape == part.samples.shape
    assert part.annotations == (Annotation(0.0, 0.5, "b"),)
    assert part.duration == pytest.approx(0.75) and part.start == 0.5
    assert len(recording.between(5, 9)) == 0


@given(begin=st.floats(-1, 4), end=st.floats(-1, 4))
def test_between_never_leaves_the_recording(begin, end, tmp_path_factory, write_edf):
    path = tmp_path_factory.getbasetemp() / "between.edf"
    if not path.exists():
        write_edf(path, np.arange(1, 3 * 16 + 1)[:, None], ["C3"], rate=16)
    part = read_recording(path).between(begin, end)
    assert len(part) == len(part.times) == len(part.mask)
    assert part.duration <= max(end - begin, 0) + 1 / 16


def test_a_clock_that_drifts_is_followed():
    recording = made(times=np.arange(100) / 80, annotations=(Annotation(0.99, 0.0, "late"),))
    assert recording.measured_rate == pytest.approx(80)
    assert recording.duration == pytest.approx(99 / 80 + 1 / 100)
    part = recording.between(0.5, 1.0)
    assert part.samples[:, 0].tolist() == list(range(41, 81))
    assert part.annotations == (Annotation(pytest.approx(0.49), 0.0, "late"),)
    assert part.start == 7.5


def test_nothing_lasts_no_time():
    assert made(times=np.empty(0)).duration == 0
    assert len(made().between(0.5, 0.2)) == 0


def test_gaps_are_where_no_channel_was_measured():
    recording = made()
    recording.mask[[0, 1, 50, 99]] = False
    assert recording.gaps == [pytest.approx(gap) for gap in [(0.0, 0.02), (0.5, 0.01), (0.99, 0.01)]]


def test_the_only_eeg_is_chosen_or_the_only_stream_or_the_one_that_is_named():
    eeg, other, twin = made("a"), made("b", "EMG"), made("c")
    assert choose_stream((other, eeg)) is eeg
    assert choose_stream((other,)) is other
    assert choose_stream((eeg, other, twin), "c") is twin
    with pytest.raises(
        RecordingError, match=r"2 streams.*'a' \(EEG, 1 channels at 100 Hz\).*'c'.*Name one with --stream"
    ):
        choose_stream((eeg, other, twin))
    with pytest.raises(RecordingError, match="no stream.*'d'.*'a'"):
        choose_stream((eeg, other), "d")
    with pytest.raises(RecordingError, match="2 streams"):
        choose_stream((other, made("d", "EMG")))
    with pytest.raises(RecordingError, match="no stream.*regular"):
        choose_stream((made("e", "Gaze", rate=0.0),))


def test_a_folder_and_an_unknown_format_are_refused(tmp_path):
    with pytest.raises(RecordingError, match="no recording"):
        read_recording(tmp_path)
    for name, said in (("a.mat", r"no format.*\.edf.*\.xdf"), ("a.vmrk", "Name its .vhdr"), ("a", "no format")):
        (tmp_path / name).write_text("x")
        with pytest.raises(RecordingError, match=said):
            read_recording(tmp_path / name)


def test_a_rate_is_not_given_to_a_format_that_says_it(tmp_path, write_edf, ramp):
    path = write_edf(tmp_path / "a.edf", ramp, ["C3", "C4", "Cz"])
    with pytest.raises(RecordingError, match="says its own sampling rate"):
        read_streams(path, rate=160.0)


def test_selecting_channels_keeps_everything_else(eegmmi):
    recording = read_recording(eegmmi / "S001R05.edf")
    selected = recording.select([10, 2])
    assert selected.info.labels == (recording.info.labels[10], recording.info.labels[2])
    np.testing.assert_array_equal(selected.samples, recording.samples[:, [10, 2]])
    assert selected.mask.shape == selected.samples.shape
    assert selected.annotations == recording.annotations
