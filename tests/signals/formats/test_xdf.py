from pathlib import Path

import numpy as np
import pytest
import pyxdf

from motorctl.errors import RecordingError
from motorctl.signals.recording import read_recording, read_streams
from motorctl.signals.stream import Channel, StreamInfo
from motorctl.signals.xdf_writer import XdfWriter, stream_header

EEG = StreamInfo("amplifier", "EEG", 100.0, (Channel("Fc5.", "mV"), Channel("veog", "µV", "eog")), "id-7")


@pytest.fixture
def examples(eegmmi):
    """The example files of the format's authors."""
    folder = eegmmi.parent / "xdf"
    if not folder.is_dir():
        pytest.skip(f"the example files are not in {folder}")
    return folder


def load(path):
    """As pyxdf reads it by default, which straightens stamps too."""
    streams, _ = pyxdf.load_xdf(path, verbose=False)
    return {stream["info"]["name"][0]: stream for stream in streams}


def test_the_smallest_example(examples):
    """Header, samples and clock offsets of ``minimal.xdf`` are documented beside the format."""
    (recording,) = read_streams(examples / "minimal.xdf")
    assert (recording.info.name, recording.info.kind, recording.info.rate) == ("SendDataC", "EEG", 10)
    assert recording.samples[:3].tolist() == [[192, 255, 238], [12, 22, 32], [13, 23, 33]]
    assert recording.start == pytest.approx(5.0) and len(recording) == 9
    assert [a.text for a in recording.annotations][1:] == ["Hello", "World", "from", "LSL"] * 2
    assert recording.annotations[1].onset == pytest.approx(0.2)
    reference = load(examples / "minimal.xdf")["SendDataC"]
    np.testing.assert_allclose(recording.start + recording.times, reference["time_stamps"], atol=1e-9)
    np.testing.assert_array_equal(recording.samples, reference["time_series"])
    with pytest.raises(RecordingError, match="channel 1 .* no unit.*--unit"):
        read_recording(examples / "minimal.xdf")
    assert read_recording(examples / "minimal.xdf", unit="mV").samples[0, 0] == 192_000


def test_empty_streams_are_said(examples):
    (recording,) = read_streams(examples / "empty_streams.xdf")
    assert recording.info.name == "Data stream: test stream 0 counter"
    assert recording.samples[:, 0].tolist() == list(range(10))
    assert [a.text for a in recording.annotations] == ['{"state": 2}']
    empty = [note for note in recording.notes if note.endswith("is empty.")]
    assert len(empty) == 2 and "Empty data stream" in empty[0] and "Empty marker stream" in empty[1]


def test_a_clock_that_was_reset_is_followed_as_pyxdf_does(examples, capfd):
    (recording,) = read_streams(examples / "clock_resets.xdf")
    reference = load(examples / "clock_resets.xdf")
    measured = recording.mask.any(axis=1)
    stamps = reference["BioSemi"]["time_stamps"]
    np.testing.assert_allclose(recording.start + recording.times[measured], stamps, atol=1e-9)
    np.testing.assert_array_equal(recording.samples[measured], reference["BioSemi"]["time_series"])
    ((begin, lasts),) = recording.gaps  # the device was off while its clock was reset
    assert begin == pytest.approx(138.1, abs=0.1) and lasts == pytest.approx(273.9, abs=0.1)
    markers = reference["MyMarkerStream"]
    onsets = [recording.start + a.onset for a in recording.annotations]
    np.testing.assert_allclose(onsets, markers["time_stamps"], atol=1e-9)
    assert [a.text for a in recording.annotations] == [text for (text,) in markers["time_series"]]
    capfd.readouterr()  # of pyxdf above
    read_streams(examples / "clock_resets.xdf")
    assert capfd.readouterr() == ("", "")


def test_labels_units_and_kinds_are_those_of_the_description(tmp_path):
    with XdfWriter(tmp_path / "a.xdf") as file:
        file.append(file.add_stream(stream_header(EEG)), np.ones((200, 2)), np.arange(200) / 100)
    recording = read_recording(tmp_path / "a.xdf")
    assert recording.info == StreamInfo(
        "amplifier", "EEG", 100.0, (Channel("FC5"), Channel("veog", "µV", "EOG")), "id-7"
    )
    assert recording.samples[0].tolist() == [1000, 1]


def test_streams_share_a_clock_that_their_offsets_put_right(tmp_path):
    """A device whose clock is 50 s behind the recorder's."""
    slow = StreamInfo("hand", "MoCap", 0.0, (Channel("x", "m", "MISC"),))
    with XdfWriter(tmp_path / "a.xdf") as file:
        eeg, hand = file.add_stream(stream_header(EEG)), file.add_stream(stream_header(slow, "double64"))
        for when in range(0, 10, 5):
            file.clock_offset(eeg, 100.0 + when, 50.0)
            file.clock_offset(hand, 150.0 + when, 0.0)
        file.append(eeg, np.ones((1000, 2)), 100 + np.arange(1000) / 100)
        file.append(hand, np.array([[1.0], [2.0], [3.0]]), np.array([151.0, 151.7, 153.0]))
    eeg, hand = read_streams(tmp_path / "a.xdf")
    assert eeg.start == pytest.approx(150.0) and hand.start == pytest.approx(151.0)
    assert hand.info.rate == 0 and hand.times.tolist() == pytest.approx([0, 0.7, 2.0])
    assert hand.duration == pytest.approx(2.0) and len(hand.between(0.5, 2.0)) == 1
    assert read_recording(tmp_path / "a.xdf").info.name == "amplifier"


def test_a_loss_is_a_gap(tmp_path):
    samples, stamps = np.arange(1, 2001)[:, None] * np.ones((1, 2)), np.arange(2000) / 100
    kept = np.r_[0:700, 760:2000]
    with XdfWriter(tmp_path / "a.xdf") as file:
        file.append(file.add_stream(stream_header(EEG)), samples[kept], stamps[kept])
    recording = read_recording(tmp_path / "a.xdf")
    assert recording.gaps == [pytest.approx((7.0, 0.6))]
    np.testing.assert_array_equal(recording.samples[kept, 1], samples[kept, 1])
    assert len(recording) == 2000


def test_numbers_as_markers_and_several_texts_are_annotations(tmp_path):
    codes = StreamInfo("trigger", "Markers", 0.0, (Channel("code", "", "MISC"),))
    texts = StreamInfo("task", "Events", 0.0, (Channel("what"), Channel("where")))
    with XdfWriter(tmp_path / "a.xdf") as file:
        eeg, code = file.add_stream(stream_header(EEG)), file.add_stream(stream_header(codes, "int32"))
        text = file.add_stream(stream_header(texts, "string"))
        file.append(eeg, np.ones((200, 2)), np.arange(200) / 100)
        file.append(code, np.array([[3], [12]]), np.array([0.5, -0.25]))
        file.append(text, [["go", "left"]], np.array([1.0]))
    (recording,) = read_streams(tmp_path / "a.xdf")
    assert [a.text for a in recording.annotations] == ["12", "3", "go left"]
    assert [a.onset for a in recording.annotations] == pytest.approx([-0.25, 0.5, 1.0])


def test_a_description_of_other_channels_is_refused(tmp_path):
    header = stream_header(EEG).replace("<channel_count>2", "<channel_count>3")
    with XdfWriter(tmp_path / "a.xdf") as file:
        file.append(file.add_stream(header), np.ones((2, 3)), np.arange(2.0))
    with pytest.raises(RecordingError, match="has 3 channels, but describes 2"):
        read_streams(tmp_path / "a.xdf")


def test_only_markers_are_no_signal(tmp_path):
    with XdfWriter(tmp_path / "a.xdf") as file:
        cues = file.add_stream(stream_header(StreamInfo("cues", "Markers", 0.0, (Channel("c"),)), "string"))
        file.append(cues, [["go"]], np.array([1.0]))
    with pytest.raises(RecordingError, match="no signal"):
        read_streams(tmp_path / "a.xdf")


def test_a_chunk_that_promises_more_samples_than_it_has_is_damage(tmp_path):
    path = Path(tmp_path / "a.xdf")
    with XdfWriter(path) as file:
        cues = file.add_stream(stream_header(StreamInfo("cues", "Markers", 0.0, (Channel("c"),)), "string"))
        file.append(cues, [["go"]] * 300, np.arange(300.0))
    content = path.read_bytes()
    assert content.count(b"\x04\x2c\x01\x00\x00") == 1  # 300 samples
    path.write_bytes(content.replace(b"\x04\x2c\x01\x00\x00", b"\x04\xff\xff\xff\xff"))
    with pytest.raises(RecordingError, match="too many samples"):
        read_streams(path)
