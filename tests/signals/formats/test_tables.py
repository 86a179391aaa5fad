import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motorctl.errors import RecordingError
from motorctl.signals.recording import Annotation, read_recording, read_streams


def write(path, text):
    path.write_text(text)
    return path


def rows(count, period="0.01"):
    return "".join(f"{i * float(period):.6f},{i},{-i}\n" for i in range(1, count + 1))


@pytest.mark.parametrize(
    ("header", "labels", "units"),
    [
        ("time,C3 (uV),EEG C4-REF [mV]", ("C3", "C4"), (1, 1000)),
        ("Timestamp (s), FC3.. (µV) , Cz(V)", ("FC3", "Cz"), (1, 1e6)),
        ("t,left (uV),right (uV)", ("left", "right"), (1, 1)),
    ],
)
def test_a_header_names_channels_and_units(tmp_path, header, labels, units):
    recording = read_recording(write(tmp_path / "a.csv", f"{header}\n{rows(100)}"))
    assert recording.info.labels == labels and recording.info.rate == 100
    assert all((c.unit, c.kind) == ("µV", "EEG") for c in recording.info.channels)
    assert recording.samples[4].tolist() == [5 * units[0], -5 * units[1]]
    assert recording.start == pytest.approx(0.01)


def test_blank_lines_above_the_header_are_passed_over_and_counted(tmp_path):
    recording = read_recording(write(tmp_path / "a.csv", f"\n  \ntime,C3 (uV),C4 (uV)\n{rows(100)}"))
    assert recording.info.labels == ("C3", "C4") and len(recording) == 100
    with pytest.raises(RecordingError, match="Line 5 of .* has 2 cells, expected 3"):
        read_recording(write(tmp_path / "b.csv", "\n\ntime,C3,C4\n0,1,2\n0.1,1\n0.2,1,2\n"))
    with pytest.raises(RecordingError, match="is empty"):
        read_recording(write(tmp_path / "c.csv", "\ufeff \n\n"))


def test_delimiters_of_spreadsheets_and_their_byte_order_mark(tmp_path):
    text = "time (ms);C3 (µV);Cz (µV)\r\n" + "".join(f"{4 * i};{i};{-i}\r\n" for i in range(50))
    for encoding in ("utf-8-sig", "latin-1"):
        (tmp_path / "a.csv").write_bytes(text.encode(encoding))
        recording = read_recording(tmp_path / "a.csv")
        assert recording.info.rate == 250 and recording.samples[7].tolist() == [7, -7]


def test_a_rate_may_be_given_and_has_to_be_without_times(tmp_path):
    path = write(tmp_path / "a.csv", "C3 (uV)\n1\n2\n3\n")
    assert read_recording(path, rate=128.0).info.rate == 128
    with pytest.raises(RecordingError, match="no column time; it has C3.*--rate"):
        read_recording(path)
    timed = write(tmp_path / "b.csv", f"time,C3,C4\n{rows(100)}")
    assert read_recording(timed, unit="uV", rate=99.5).info.rate == 99.5
    with pytest.raises(RecordingError, match="100 rows a second by its times, but 250 Hz was given"):
        read_recording(timed, unit="uV", rate=250.0)
    with pytest.raises(RecordingError, match="rate given .* is 0 Hz"):
        read_recording(timed, unit="uV", rate=0.0)


@given(rate=st.integers(20, 2000), digits=st.integers(4, 9))
def test_the_rate_that_rounded_times_tell(tmp_path_factory, rate, digits):
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    path.write_text("time,C3 (uV)\n" + "".join(f"{i / rate:.{digits}f},{i}\n" for i in range(3 * rate)))
    recording = read_recording(path)
    assert recording.info.rate == rate and len(recording) == 3 * rate


def test_rows_that_lack_and_cells_that_are_empty_are_gaps(tmp_path):
    lines = [f"{i / 100},{i},{'' if i == 30 else i}\n" for i in range(200) if not 50 <= i < 57]
    recording = read_recording(write(tmp_path / "a.csv", "time,C3 (uV),C4 (uV)\n" + "".join(lines)))
    assert np.flatnonzero(~recording.mask[:, 0]).tolist() == list(range(50, 57))
    assert np.flatnonzero(~recording.mask[:, 1]).tolist() == [30, *range(50, 57)]
    assert recording.gaps == [pytest.approx((0.5, 0.07))]


def test_a_column_of_labels_is_annotations(tmp_path):
    texts = ["", "T1", "T1", "T2", "T2", "", "", "T2", "rest, eyes open", ""]
    lines = "".join(f'{i / 10},{i + 1},"{text}"\n' for i, text in enumerate(texts))
    recording = read_recording(write(tmp_path / "a.csv", f"time,C3 (uV),marker\n{lines}"))
    assert recording.annotations == tuple(
        Annotation(pytest.approx(onset), pytest.approx(lasts), text)
        for onset, lasts, text in [(0.1, 0.2, "T1"), (0.3, 0.2, "T2"), (0.7, 0.1, "T2"), (0.8, 0.1, "rest, eyes open")]
    )


def test_a_column_that_counts_is_left_out_and_said(tmp_path):
    recording = read_recording(write(tmp_path / "a.csv", ",C3 (uV)\n0,5\n1,6\n"), rate=10.0)
    assert recording.samples[:, 0].tolist() == [5, 6] and "counts rows" in recording.notes[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("time,C3 (uV)\n", "header but no rows"),
        ("0.0,1.5\n0.1,2.5\n", "no header"),
        ("time,C3 (uV)\n0,1\n", "one row, which tells no rate"),
        ("time,C3 (uV)\n0,1\n0.1,2\n0.1,3\n", "do not increase at row 3"),
        ("time,C3 (uV)\n0,1\n,2\n0.2,3\n", "do not increase at row 2"),
        ("time,C3 (uV)\n0,1\n0.1\n0.2,3\n", "Line 3 .* has 1 cells, expected 2"),
        ('time;C3 (uV)\n0;1\n0.1;"2,5"\n', "'2,5' in row 2 of column C3"),
        ("time (h),C3 (uV)\n0,1\n1,2\n", "time in 'h'"),
        ("time,C3 (uV)\n1e18,1\n1.1e18,2\n", "30,000 years"),
        ("time,C3\n0,1\n0.1,2\n", "C3 of .* no unit"),
        ("time,C3 (furlong)\n0,1\n0.1,2\n", "C3 of .* 'furlong'"),
        ("time,C3 (uV),c3 (uV)\n0,1,1\n0.1,2,1\n", "more than one channel C3"),
        ("time\n0\n0.1\n", "no signal"),
        ("time,C3 (uV)\n0,1\n0.1,2\n90000,3\n", "gap of 1\\d.* h"),
    ],
)
def test_a_damaged_table_is_one_clear_line(tmp_path, text, said):
    with pytest.raises(RecordingError, match=said) as caught:
        read_recording(write(tmp_path / "a.csv", text))
    assert "\n" not in str(caught.value) and "a.csv" in str(caught.value)


def test_no_text_at_all_is_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"time,C3\0\1\2")
    with pytest.raises(RecordingError, match="no text file"):
        read_streams(tmp_path / "a.csv")
