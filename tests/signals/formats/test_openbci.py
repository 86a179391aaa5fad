import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motorctl.errors import RecordingError
from motorctl.signals.recording import Annotation, read_recording, read_streams

GANGLION = [
    0,
    *np.repeat(range(1, 101), 2),
]  # with accelerometer; these cycles are those of the GUI's PacketLossTracker
CYCLES = {
    "BoardCytonSerial": list(range(256)),
    "BoardCytonSerialDaisy": list(range(0, 256, 2)),
    "BoardCytonWifiDaisy": list(range(1, 256, 2)),
    "BoardGanglionBLE": GANGLION,
    "BoardGanglionNative": [0, *np.repeat(range(101, 201), 2)],
    "BoardGanglionBLE3": list(np.repeat(range(101), 2)),
    "BoardGanglionOld": list(range(201)),
}


def write(path, counter, board="BoardCytonSerial", seconds=None, rate=250, end="\n"):
    """A file of version 5 with two electrodes; the samples are 1, 2, 3 ... where nothing was lost."""
    lines = ["%OpenBCI Raw EXG Data", "%Number of channels = 2", f"%Sample Rate = {rate} Hz"]
    lines += [f"%Board = OpenBCI_GUI${board}", "Sample Index, EXG Channel 0, EXG Channel 1, Timestamp"]
    seconds = np.arange(len(counter)) / rate if seconds is None else seconds
    rows = zip(counter, range(1, len(counter) + 1), seconds, strict=True)
    lines += [f"{float(index)}, {value}, {-value}, {1.7e9 + second:.6f}" for index, value, second in rows]
    path.write_text("\n".join(lines) + end)
    return path


@given(
    board=st.sampled_from(sorted(CYCLES)),
    start=st.integers(0, 300),
    lost=st.lists(st.tuples(st.integers(5, 200), st.integers(1, 60)), max_size=5),
)
def test_lost_samples_are_gaps_whatever_the_board_counts(tmp_path_factory, board, start, lost):
    """Each loss is ``(packets before it, packets lost)``; a packet of a Ganglion has two samples."""
    pairs = "Ganglion" in board and board != "BoardGanglionOld"
    cycle = CYCLES[board]
    packets = np.flatnonzero(np.diff(cycle, prepend=-1) != 0) if pairs else np.arange(len(cycle))
    first = packets[start % len(packets)]
    counter = np.array([cycle[(first + row) % len(cycle)] for row in range(1500)])
    begins = np.flatnonzero(np.diff(counter, prepend=-1) != 0)
    there, packet = np.ones(1500, bool), 0
    for before, count in lost:
        packet += before
        end = min(packet + count, len(begins) - 1)
        there[begins[min(packet, end)] : begins[end]] = False
        packet += count
    rows = np.flatnonzero(there)
    folder = tmp_path_factory.mktemp("openbci")
    recording = read_recording(write(folder / "a.txt", counter[rows], board, seconds=rows / 250))
    assert np.flatnonzero(recording.mask.any(axis=1)).tolist() == rows.tolist()
    assert recording.samples[rows, 0].tolist() == list(range(1, len(rows) + 1))
    missing = rows[-1] + 1 - len(rows)
    assert [note for note in recording.notes if "lost" in note] == (
        [f"The radio lost {missing} of {rows[-1] + 1} samples by the sample counter."] if missing else []
    )


def test_a_loss_of_whole_turns_shows_in_the_clock(tmp_path):
    rows = np.r_[0:500, 500 + 3 * 256 + 7 : 2000]
    recording = read_recording(write(tmp_path / "a.txt", rows % 256, seconds=rows / 250))
    assert recording.gaps == [pytest.approx((2.0, (3 * 256 + 7) / 250))]


def test_arrival_in_bursts_is_no_loss(tmp_path):
    rows = np.arange(2000)
    recording = read_recording(write(tmp_path / "a.txt", rows % 256, seconds=(rows // 50) * 50 / 250))
    assert recording.gaps == [] and len(recording) == 2000


def test_a_line_that_comes_twice_is_left_out_and_said(tmp_path):
    rows = np.r_[0:50, 49:100]
    recording = read_recording(write(tmp_path / "a.txt", rows % 256, seconds=np.arange(101) / 250))
    assert len(recording) == 100 and "1 lines repeat" in recording.notes[0]


def test_electrodes_accelerometer_and_markers(tmp_path):
    lines = ["%OpenBCI Raw EXG Data", "%Number of channels = 2", "%Sample Rate = 250 Hz", "%Board = X"]
    lines.append(
        "Sample Index, EXG Channel 0, EXG Channel 1, Accel Channel 0, Accel Channel 1, Accel Channel 2, "
        "Not Used, Digital Channel 0 (D11), Not Used, Timestamp, Marker Channel, Timestamp (Formatted)"
    )
    for row in range(10):
        marker = {3: "1.0", 7: "2.5"}.get(row, "0.0")
        lines.append(f"{row}.0, {row}, -{row}, 0.1, 0.2, 0.9, 0, 0, 0, {1.7e9 + row / 250}, {marker}, 2023-11-14")
    (tmp_path / "a.txt").write_text("\n".join(lines) + "\n")
    eeg, accelerometer = read_streams(tmp_path / "a.txt")
    assert [(c.label, c.unit, c.kind) for c in eeg.info.channels] == [
        ("EXG Channel 0", "µV", "EEG"),
        ("EXG Channel 1", "µV", "EEG"),
    ]
    assert eeg.samples[:, 1].tolist() == [-row for row in range(10)]
    assert (accelerometer.info.name, accelerometer.info.kind) == ("a accelerometer", "Accelerometer")
    assert [c.unit for c in accelerometer.info.channels] == ["g"] * 3
    np.testing.assert_allclose(accelerometer.samples, [[0.1, 0.2, 0.9]] * 10, rtol=1e-6)
    assert eeg.annotations == (Annotation(3 / 250, 0, "1"), Annotation(7 / 250, 0, "2.5"))
    assert any("Digital Channel 0 (D11), Not Used, Timestamp (Formatted) are left out" in n for n in eeg.notes)
    assert read_recording(tmp_path / "a.txt").info == eeg.info


def test_version_4_has_no_line_of_names(tmp_path):
    """Its header says: "EEG data in microvolts followed by Accel Data (in G) interleaved with Aux Data"."""
    lines = [
        "%OpenBCI Raw EEG Data",
        "%Number of channels = 8",
        "%Sample Rate = 250.0 Hz",
        "%First Column = SampleIndex",
    ]
    lines += ["%Last Column = Timestamp ", "%Other Columns = EEG data in microvolts followed by Accel Data"]
    for row in (*range(250, 256), *range(0, 3), *range(5, 10)):
        electrodes = ", ".join(f"{100 * channel + row:.2f}" for channel in range(8))
        lines.append(f"{row}, {electrodes}, 0.00, 0.01, 0.98, 15:45:46.{row:03d}, {1512348346000 + 4 * row}")
    (tmp_path / "a.txt").write_text("\n".join(lines) + "\n")
    eeg, accelerometer = read_streams(tmp_path / "a.txt")
    assert len(eeg.info.channels) == 8 and eeg.samples[0].tolist() == [100 * c + 250 for c in range(8)]
    assert np.flatnonzero(~eeg.mask.any(axis=1)).tolist() == [9, 10]
    assert accelerometer.samples[0].tolist() == pytest.approx([0, 0.01, 0.98])


def test_a_csv_of_the_gui_is_known_by_its_first_line(tmp_path):
    assert len(read_recording(write(tmp_path / "a.csv", np.arange(20)))) == 20


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("%Sample Rate = 250 Hz\n", "", "does not say 'Sample Rate"),
        ("%Number of channels = 2\n", "", "does not say 'Number of channels"),
        ("channels = 2", "channels = 3", "2 electrode .* expected 3"),
        ("%OpenBCI", "%Somebody", "no text file of OpenBCI"),
        ("7.0, 8, -8", "7.5, 8, -8", "sample counter"),
        ("7.0, 8, -8", "7.0, 8, x", "'x' in row 8 of column EXG Channel 1"),
        ("7.0, 8, -8", "7.0, 8", "Line 13 .* has 3 cells, expected 4"),
    ],
)
def test_a_damaged_file_is_said_to_be(tmp_path, old, new, said):
    path = write(tmp_path / "a.txt", np.arange(20))
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    with pytest.raises(RecordingError, match=said):
        read_streams(path)
