from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motorctl.errors import RecordingError
from motorctl.signals.recording import Annotation, find_padding, read_recording

RATE = 160


@pytest.fixture
def ramp():
    """Two seconds of three channels, no sample 0: ``(time, channel)``."""
    rows = np.arange(1, 2 * RATE + 1)
    return np.stack([rows, -rows, 7 * rows], axis=1)


def test_reads_values_names_units_and_annotations(tmp_path, write_edf, ramp):
    notes = [(0.0, 0.5, "T0"), (1.25, 0.5, "T1")]
    path = write_edf(tmp_path / "a.edf", ramp, ["Fc5.", "EEG C4-REF", "EMG"], annotations=notes)
    recording = read_recording(path)
    assert recording.info.name == "a"
    assert recording.info.kind == "EEG"
    assert recording.info.rate == RATE
    assert [(c.label, c.unit, c.kind) for c in recording.info.channels] == [
        ("FC5", "µV", "EEG"),
        ("C4", "µV", "EEG"),
        ("EMG", "µV", "EMG"),
    ]
    assert recording.samples.dtype == np.float32
    np.testing.assert_array_equal(recording.samples, ramp)
    np.testing.assert_allclose(recording.times, np.arange(2 * RATE) / RATE)
    assert recording.mask.all()
    assert recording.annotations == tuple(Annotation(*note) for note in notes)
    assert recording.path == path


def test_every_unit_becomes_microvolts(tmp_path, write_edf, ramp):
    labels, units = ["C3", "C4", "Cz"], ["mV", "nV", "V"]
    recording = read_recording(write_edf(tmp_path / "a.edf", ramp, labels, units=units))
    np.testing.assert_allclose(recording.samples, ramp * [1e3, 1e-3, 1e6], rtol=1e-6)


def test_a_status_channel_is_kept_as_it_is(tmp_path, write_edf, ramp):
    recording = read_recording(write_edf(tmp_path / "a.edf", ramp, ["C3", "Status", "Temp"], units=["uV", "", "degC"]))
    assert [(c.unit, c.kind) for c in recording.info.channels] == [("µV", "EEG"), ("", "MISC"), ("degC", "MISC")]
    np.testing.assert_array_equal(recording.samples, ramp)


def test_a_missing_unit_must_be_named(tmp_path, write_edf, ramp):
    path = write_edf(tmp_path / "a.edf", ramp, ["C3", "C4", "Cz"], units="")
    with pytest.raises(RecordingError, match="no unit.*--unit"):
        read_recording(path)
    np.testing.assert_allclose(read_recording(path, unit="mV").samples, ramp * 1e3, rtol=1e-6)


@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_padding_is_masked_and_a_lone_zero_is_not(tmp_path, write_edf, ramp, scale):
    ramp[10] = 0
    ramp[20:50, 0] = 0
    ramp[300:] = 0
    recording = read_recording(write_edf(tmp_path / "a.edf", ramp, ["C3", "C4", "Cz"], scale=scale))
    assert recording.mask[:300].all()
    assert not recording.mask[300:].any()


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 40)), max_size=8))
def test_padding_is_exactly_the_long_stretches_of_zeros(runs):
    zero = [zero for zero, length in runs for _ in range(length)]
    stretches = [list(stretch) for _, stretch in groupby(zero)]
    expected = [stretch[0] and len(stretch) >= 16 for stretch in stretches for _ in stretch]
    samples = np.where(np.array(zero, bool)[:, None], 0, [3, -3]).astype(np.float32)
    np.testing.assert_array_equal(find_padding(samples, RATE), np.array(expected, bool))


def test_between_takes_samples_and_the_annotations_that_begin_there(tmp_path, write_edf, ramp):
    notes = [(0.0, 0.5, "a"), (0.5, 0.5, "b"), (1.25, 0.5, "c")]
    recording = read_recording(write_edf(tmp_path / "a.edf", ramp, ["C3", "C4", "Cz"], annotations=notes))
    part = recording.between(0.5, 1.25)
    np.testing.assert_array_equal(part.samples, ramp[80:200])
    assert part.times[0] == 0 and part.times.shape == (120,) and part.mask.shape == part.samples.shape
    assert part.annotations == (Annotation(0.0, 0.5, "b"),)
    assert part.duration == 0.75
    assert len(recording.between(5, 9)) == 0


@given(begin=st.floats(-1, 4), end=st.floats(-1, 4))
def test_between_never_leaves_the_recording(begin, end, tmp_path_factory, write_edf):
    path = tmp_path_factory.getbasetemp() / "between.edf"
    if not path.exists():
        write_edf(path, np.arange(1, 3 * 16 + 1)[:, None], ["C3"], rate=16)
    part = read_recording(path).between(begin, end)
    assert len(part) == len(part.times) == len(part.mask)
    assert part.duration <= max(end - begin, 0) + 1 / 16


def _cut(path, size):
    path.write_bytes(path.read_bytes()[:size])


@pytest.mark.parametrize(
    ("harm", "problem"),
    [
        (lambda path: path.unlink(), "There is no recording"),
        (lambda path: path.write_bytes(b""), "empty, damaged or no EDF"),
        (lambda path: path.write_bytes(b"\x89PNG\r\n" + bytes(range(256)) * 8), "empty, damaged or no EDF"),
        (lambda path: path.write_text("time,C3\n0,1\n" * 100), "empty, damaged or no EDF"),
        (lambda path: _cut(path, 300), "empty, damaged or no EDF"),
        (lambda path: _cut(path, path.stat().st_size - 1), "cut short"),
        (lambda path: _cut(path, 1280 + 1160), "cut short"),
        (lambda path: _cut(path, 1280), "cut short"),
        (lambda path: _patch(path, 236, b"-1      "), "never closed"),
        (lambda path: _patch(path, 252, b"9999"), "empty, damaged or no EDF"),
        (lambda path: _patch(path, 192, b"EDF+D"), "interrupted"),
    ],
)
def test_a_damaged_file_is_one_clear_line(tmp_path, write_edf, ramp, harm, problem, capfd):
    path = write_edf(tmp_path / "a.edf", ramp, ["C3", "C4", "Cz"])
    harm(path)
    with pytest.raises(RecordingError, match=problem) as caught:
        read_recording(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    assert capfd.readouterr() == ("", "")


def _patch(path, offset, content):
    whole = bytearray(path.read_bytes())
    whole[offset : offset + len(content)] = content
    path.write_bytes(whole)


@pytest.mark.parametrize(
    ("field", "content"),
    [
        (16 + 80 + 8, b"32767   "),  # physical minimum = maximum
        (16 + 80 + 8 + 8 + 8, b"32767   "),  # digital minimum = maximum
        (16 + 80 + 8, b"garbage!"),
    ],
)
def test_what_only_mne_sees_is_damage_too(tmp_path, write_edf, ramp, field, content):
    path = write_edf(tmp_path / "a.edf", ramp, ["C3", "C4", "Cz"])
    _patch(path, 256 + 4 * field, content)
    with pytest.raises(RecordingError, match="is damaged: ") as caught:
        read_recording(path)
    assert "\n" not in str(caught.value)


def test_a_folder_and_an_unknown_format_are_refused(tmp_path):
    with pytest.raises(RecordingError, match="no recording"):
        read_recording(tmp_path)
    other = tmp_path / "a.txt"
    other.write_text("x")
    with pytest.raises(RecordingError, match=r"no format.*\.edf"):
        read_recording(other)


def test_twins_zeros_and_no_signal_are_refused(tmp_path, write_edf, ramp):
    with pytest.raises(RecordingError, match="more than one channel C3"):
        read_recording(write_edf(tmp_path / "twins.edf", ramp, ["C3..", "EEG C3-REF", "Cz"]))
    with pytest.raises(RecordingError, match="nothing but zeros"):
        read_recording(write_edf(tmp_path / "zeros.edf", 0 * ramp, ["C3", "C4", "Cz"]))
    with pytest.raises(RecordingError, match="holds no signal"):
        read_recording(write_edf(tmp_path / "none.edf", ramp[:, :0], []))


def test_a_real_recording(eegmmi, capfd):
    recording = read_recording(eegmmi / "S001R06.edf")
    assert recording.samples.shape == (20000, 64)
    assert {"C3", "Cz", "C4", "FC5", "Fp1", "POz", "T10"} <= set(recording.info.labels)
    assert all((c.unit, c.kind) == ("µV", "EEG") for c in recording.info.channels)
    assert np.flatnonzero(~recording.mask.all(axis=1)).tolist() == list(range(19920, 20000))
    assert len(recording.annotations) == 30
    assert recording.annotations[1] == Annotation(4.2, 4.1, "T2")
    assert capfd.readouterr() == ("", "")


def test_a_real_recording_cut_short(eegmmi, tmp_path):
    whole = (eegmmi / "S001R06.edf").read_bytes()
    (tmp_path / "cut.edf").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RecordingError, match="damaged or cut short: its header promises 2596896 bytes"):
        read_recording(tmp_path / "cut.edf")


def test_selecting_channels_keeps_everything_else(eegmmi):
    recording = read_recording(eegmmi / "S001R05.edf")
    selected = recording.select([10, 2])
    assert selected.info.labels == (recording.info.labels[10], recording.info.labels[2])
    np.testing.assert_array_equal(selected.samples, recording.samples[:, [10, 2]])
    assert selected.mask.shape == selected.samples.shape
    assert selected.annotations == recording.annotations
