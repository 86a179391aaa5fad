import numpy as np
import pylsl
import pytest
import pyxdf
from hypothesis import given, settings
from hypothesis import strategies as st

from motorctl.signals.recording import read_streams
from motorctl.signals.stream import Channel, StreamInfo
from motorctl.signals.xdf_writer import XdfWriter, stream_header

EEG = StreamInfo("amplifier ä", "EEG", 100.0, (Channel("C3"), Channel("C4", "g", "MISC")), "id-7")
CUES = StreamInfo("cues", "Markers", 0.0, (Channel("cue", "", "Markers"),))


def load(path):
    return pyxdf.load_xdf(path, synchronize_clocks=False, dejitter_timestamps=False, verbose=False)


def test_what_is_written_is_what_pyxdf_reads(tmp_path):
    with XdfWriter(tmp_path / "a.xdf") as file:
        eeg, cues = file.add_stream(stream_header(EEG)), file.add_stream(stream_header(CUES, "string"))
        file.append(eeg, np.array([[1.5, -2], [3, np.nan]]), np.array([10.0, 10.01]))
        file.clock_offset(eeg, 10.5, -0.25)
        file.boundary()
        file.append(cues, [["start"], ["ü" * 300]], np.array([10.0, 11.0]))
        file.append(eeg, np.empty((0, 2)), np.empty(0))
        file.append(eeg, np.array([[5, 6]]), np.array([10.02]))
    (signal, markers), header = load(tmp_path / "a.xdf")
    assert header["info"]["version"] == ["1.0"] and header["info"]["datetime"][0].startswith("20")
    info = signal["info"]
    assert [info[key][0] for key in ("name", "type", "channel_count", "channel_format", "source_id")] == [
        "amplifier ä",
        "EEG",
        "2",
        "float32",
        "id-7",
    ]
    described = info["desc"][0]["channels"][0]["channel"]
    assert [(c["label"][0], c["unit"][0], c["type"][0]) for c in described] == [
        ("C3", "microvolts", "EEG"),
        ("C4", "g", "MISC"),
    ]
    np.testing.assert_array_equal(signal["time_series"], np.array([[1.5, -2], [3, np.nan], [5, 6]], np.float32))
    assert signal["time_stamps"].tolist() == [10.0, 10.01, 10.02]
    assert (signal["clock_times"], signal["clock_values"]) == ([10.5], [-0.25])
    footer = signal["footer"]["info"]
    assert [footer[key][0] for key in ("first_timestamp", "last_timestamp", "sample_count")] == ["10.0", "10.02", "3"]
    assert footer["clock_offsets"][0]["offset"][0]["value"] == ["-0.25"]
    assert markers["time_series"] == [["start"], ["ü" * 300]]
    assert markers["time_stamps"].tolist() == [10.0, 11.0]


@given(
    parts=st.lists(st.integers(0, 300), max_size=8),
    channels=st.integers(1, 4),
    kind=st.sampled_from(["float32", "double64", "int8", "int16", "int32", "int64"]),
    seed=st.integers(0, 1000),
)
def test_any_chunks_of_any_numbers_come_back(tmp_path_factory, parts, channels, kind, seed):
    path = tmp_path_factory.mktemp("xdf") / "a.xdf"
    rng = np.random.default_rng(seed)
    samples, stamps = rng.integers(-100, 100, (sum(parts), channels)), np.sort(rng.uniform(0, 1e6, sum(parts)))
    info = StreamInfo("s", "EEG", 100.0, tuple(Channel(f"c{i}") for i in range(channels)))
    with XdfWriter(path) as file:
        number = file.add_stream(stream_header(info, kind))
        for part in np.split(np.arange(sum(parts)), np.cumsum(parts)):
            file.append(number, samples[part], stamps[part])
    ((stream,), _) = load(path)
    np.testing.assert_array_equal(stream["time_series"], samples)
    np.testing.assert_array_equal(stream["time_stamps"], stamps)


def test_a_header_of_lsl_is_kept_word_for_word(tmp_path):
    described = pylsl.StreamInfo("headset", "EEG", 3, 250.0, pylsl.cf_int16, "serial-1")
    described.desc().append_child_value("manufacturer", "somebody")
    with XdfWriter(tmp_path / "a.xdf") as file:
        file.append(file.add_stream(described.as_xml()), np.ones((2, 3), np.int16), np.arange(2.0))
    ((stream,), _) = load(tmp_path / "a.xdf")
    assert stream["info"]["desc"][0]["manufacturer"] == ["somebody"]
    assert stream["info"]["channel_format"] == ["int16"] and stream["time_series"].dtype == np.int16


def test_a_writer_that_is_killed_leaves_whole_chunks(tmp_path, spawn):
    path = tmp_path / "a.xdf"
    writer = spawn(
        """
import sys
from pathlib import Path
import numpy as np
from motorctl.signals.stream import Channel, StreamInfo
from motorctl.signals.xdf_writer import XdfWriter, stream_header
file = XdfWriter(Path(sys.argv[1]))
number = file.add_stream(stream_header(StreamInfo("s", "EEG", 100.0, (Channel("C3"),))))
for begin in range(0, 10**9, 10):
    file.append(number, np.arange(begin, begin + 10)[:, None], np.arange(begin, begin + 10) / 100)
    if begin == 5000:
        print("on the way", flush=True)
""",
        str(path),
    )
    assert writer.hear() == "on the way"
    writer.end()  # as kill -9 does
    ((stream,), _) = load(path)
    count = len(stream["time_stamps"])
    assert count >= 5010 and count % 10 == 0
    np.testing.assert_array_equal(stream["time_series"][:, 0], np.arange(count, dtype=np.float32))
    (recording,) = read_streams(path)
    assert len(recording) == count and any("not closed" in note for note in recording.notes)


def test_a_reader_finds_the_next_boundary_after_damage(tmp_path):
    path = tmp_path / "a.xdf"
    with XdfWriter(path) as file:
        number = file.add_stream(stream_header(CUES, "string"))
        file.append(number, [["first"]], np.array([1.0]))
        file.boundary()
        file.append(number, [["broken"]], np.array([2.0]))
        file.boundary()
        file.append(number, [["last"]], np.array([3.0]))
    content = path.read_bytes()
    assert content.count(b"\1\6broken") == 1
    path.write_bytes(content.replace(b"\1\6broken", b"\7\6broken"))  # no width of a length
    ((stream,), _) = load(path)
    assert stream["time_series"] == [["first"], ["last"]]


def test_boundaries_are_written_by_themselves(tmp_path):
    with XdfWriter(tmp_path / "a.xdf") as file:
        number = file.add_stream(stream_header(EEG))
        for _ in range(40):
            file.append(number, np.ones((5000, 2)), np.arange(5000.0))
    boundary = bytes.fromhex("43A546DCCBF5410FB30ED5467383CBE4")
    assert 2 <= (tmp_path / "a.xdf").read_bytes().count(boundary) <= 4  # in 3.2 MiB


def test_a_chunk_that_the_disk_has_no_room_for_is_taken_back_and_can_be_written_later(tmp_path):
    """A limit of the process's own stands for a disk that is full, and is made so again."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    path, rows = tmp_path / "a.xdf", np.arange(2000.0).reshape(1000, 2)
    file = XdfWriter(path)
    number = file.add_stream(stream_header(EEG))
    file.append(number, rows[:500], np.arange(500.0))
    whole = path.stat().st_size
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (whole + 1000, before[1]))
        for _ in range(3):
            with pytest.raises(OSError, match=r"a\.xdf"):
                file.append(number, rows[500:], np.arange(500.0, 1000.0))
            assert path.stat().st_size == whole
        assert len(load(path)[0][0]["time_stamps"]) == 500
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    file.append(number, rows[500:], np.arange(500.0, 1000.0))
    file.close()
    ((stream,), _) = load(path)
    np.testing.assert_array_equal(stream["time_series"], rows)
    assert stream["footer"]["info"]["sample_count"] == ["1000"]


@settings(deadline=None)
@given(cut=st.floats(0.05, 1))
def test_a_file_that_is_cut_anywhere_gives_all_whole_chunks(tmp_path_factory, cut):
    path = tmp_path_factory.mktemp("xdf") / "a.xdf"
    sizes = []
    with XdfWriter(path) as file:
        number = file.add_stream(stream_header(EEG))
        for k in range(20):
            sizes.append(path.stat().st_size)
            file.append(number, np.full((10, 2), k + 1), 0.1 * k + np.arange(10) / 100)
        sizes.append(path.stat().st_size)
    content = path.read_bytes()
    end = sizes[1] + round(cut * (len(content) - sizes[1]))
    path.write_bytes(content[:end])
    count = 10 * sum(size <= end for size in sizes[1:])
    (recording,) = read_streams(path)
    np.testing.assert_array_equal(recording.samples[:, 0], np.arange(10, count + 10) // 10)
    assert len(recording) == count and (end < len(content)) == bool(recording.notes)


def test_mistakes_of_a_caller_are_said(tmp_path):
    with XdfWriter(tmp_path / "a.xdf") as file:
        number = file.add_stream(stream_header(EEG))
        with pytest.raises(ValueError, match="2 samples for 1 stamps"):
            file.append(number, np.ones((2, 2)), np.ones(1))
        with pytest.raises(ValueError, match="not of 2 channels"):
            file.append(number, np.ones((1, 3)), np.ones(1))
        with pytest.raises(ValueError, match="'float16'"):
            file.add_stream(stream_header(EEG, "float16"))
    file.close()
    with pytest.raises(FileExistsError):
        XdfWriter(tmp_path / "a.xdf")
