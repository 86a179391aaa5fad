import datetime

import edfio
import mne
import numpy as np
import pytest

from motorctl.errors import RecordingError
from motorctl.signals.recording import Annotation, read_recording, read_streams

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


def _cut(path, size):
    path.write_bytes(path.read_bytes()[:size])


@pytest.mark.parametrize(
    ("harm", "problem"),
    [
        (lambda path: path.unlink(), "There is no recording"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_bytes(b"\x89PNG\r\n" + bytes(range(256)) * 8), "empty, damaged or no EDF"),
        (lambda path: path.write_text("time,C3\n0,1\n" * 100), "empty, damaged or no EDF"),
        (lambda path: _cut(path, 300), "empty, damaged or no EDF"),
        (lambda path: _cut(path, path.stat().st_size - 1), "cut short"),
        (lambda path: _cut(path, 1280 + 1160), "cut short"),
        (lambda path: _cut(path, 1280), "cut short"),
        (lambda path: _patch(path, 236, b"-1      "), "never closed"),
        (lambda path: _patch(path, 252, b"9999"), "empty, damaged or no EDF"),
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
        (16 + 80 + 8, b"nan     "),
    ],
)
def test_a_range_that_is_none_is_damage(tmp_path, write_edf, ramp, field, content):
    path = write_edf(tmp_path / "a.edf", ramp, ["C3", "C4", "Cz"])
    _patch(path, 256 + 4 * field, content)
    with pytest.raises(RecordingError, match="damaged") as caught:
        read_recording(path)
    assert "\n" not in str(caught.value)


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


def test_a_real_recording_is_what_mne_reads(eegmmi):
    recording = read_recording(eegmmi / "S001R03.edf")
    raw = mne.io.read_raw_edf(eegmmi / "S001R03.edf", preload=True, verbose="error")
    np.testing.assert_allclose(
        np.where(recording.mask, recording.samples, 0), 1e6 * raw.get_data().T * recording.mask, atol=1e-4
    )
    assert [a.onset for a in recording.annotations] == raw.annotations.onset.tolist()
    assert [a.duration for a in recording.annotations] == raw.annotations.duration.tolist()


def _begin_later(path, seconds):
    """Have the second record of a file begin later than it ought to, as in EDF+D."""
    content = path.read_bytes()
    assert content.count(b"+1\x14\x14") == 1
    path.write_bytes(content.replace(b"+1\x14\x14", f"+{seconds}\x14\x14".encode().ljust(4)[:4]))


def test_an_interruption_is_a_gap_of_rows_that_were_not_measured(tmp_path, write_edf, ramp):
    notes = [(0.5, 0.25, "before"), (1.25, 0.5, "T1")]
    path = write_edf(tmp_path / "a.edf", ramp, ["C3", "C4", "Cz"], annotations=notes, reserved="EDF+D")
    _begin_later(path, 4)
    recording = read_recording(path)
    assert recording.gaps == [(1.0, 3.0)] and recording.duration == 5.0
    np.testing.assert_array_equal(recording.samples[:RATE], ramp[:RATE])
    np.testing.assert_array_equal(recording.samples[4 * RATE :], ramp[RATE:])
    assert np.isnan(recording.samples[RATE : 4 * RATE]).all()
    np.testing.assert_allclose(recording.times, np.arange(5 * RATE) / RATE)
    assert [a.onset for a in recording.annotations] == [0.5, 1.25]


def test_records_that_overlap_are_damage(tmp_path, write_edf, ramp):
    path = write_edf(tmp_path / "a.edf", ramp, ["C3", "C4", "Cz"], reserved="EDF+D")
    _begin_later(path, 0)
    with pytest.raises(RecordingError, match="overlap at 0 s"):
        read_recording(path)


def test_an_interruption_of_years_is_refused(tmp_path, write_edf, ramp):
    notes = [(0.0, 0.5, "T0")]
    path = write_edf(tmp_path / "a.edf", ramp, ["C3", "C4", "Cz"], annotations=notes)
    content = path.read_bytes().replace(b"+1\x14\x14\0" + bytes(9), b"+99999999\x14\x14\0" + bytes(2))
    path.write_bytes(content)
    with pytest.raises(RecordingError, match="gap of 27777.8 h"):
        read_recording(path)


def test_each_rate_is_a_stream_and_none_is_resampled(tmp_path):
    fast, slow = np.arange(1.0, 513), np.arange(1.0, 5)
    signals = [
        edfio.EdfSignal(fast, 128, label="C3", physical_dimension="uV", physical_range=(-32768, 32767)),
        edfio.EdfSignal(slow, 1, label="Temp", physical_dimension="degC", physical_range=(-32768, 32767)),
        edfio.EdfSignal(-fast, 128, label="C4", physical_dimension="mV", physical_range=(-32768, 32767)),
    ]
    note, begin = edfio.EdfAnnotation(0.5, None, "go"), datetime.time(12, 0, 0, 250_000)
    edfio.Edf(signals, starttime=begin, annotations=[note]).write(tmp_path / "a.edf")
    eeg, temperature = read_streams(tmp_path / "a.edf")
    assert (eeg.info.name, eeg.info.kind, eeg.info.rate, eeg.info.labels) == ("a 128 Hz", "EEG", 128, ("C3", "C4"))
    np.testing.assert_array_equal(eeg.samples, np.stack([fast, -1000 * fast], axis=1))
    assert (temperature.info.name, temperature.info.kind, temperature.info.rate) == ("a 1 Hz", "MISC", 1)
    np.testing.assert_array_equal(temperature.samples[:, 0], slow)
    assert eeg.annotations == temperature.annotations == (Annotation(0.5, 0.0, "go"),)
    assert read_recording(tmp_path / "a.edf").info == eeg.info
    assert read_recording(tmp_path / "a.edf", stream="a 1 Hz").info == temperature.info


def test_the_triggers_of_a_biosemi_are_annotations(tmp_path):
    """Bit 16 and above say how the amplifier is (BioSemi, "Which trigger input/output signals are available")."""
    status = np.full(200, 1 << 20)
    status[20:25] |= 5
    status[25:30] |= 6
    status[100:] |= 300
    signals = [
        edfio.BdfSignal.from_digital(
            column.astype(np.int32),
            100,
            label=label,
            physical_dimension=unit,
            physical_range=(-8388608, 8388607),
            digital_range=(-8388608, 8388607),
        )
        for label, unit, column in [("C3", "uV", np.arange(1, 201)), ("Status", "Boolean", status)]
    ]
    edfio.Bdf(signals).write(tmp_path / "a.bdf")
    recording = read_recording(tmp_path / "a.bdf")
    assert recording.annotations == (Annotation(0.2, 0, "5"), Annotation(0.25, 0, "6"), Annotation(1.0, 0, "300"))
    raw = mne.io.read_raw_bdf(tmp_path / "a.bdf", verbose="error")
    events = mne.find_events(raw, mask=0xFFFF, mask_type="and", consecutive=True, verbose="error")
    assert [(a.onset, int(a.text)) for a in recording.annotations] == [(row / 100, code) for row, _, code in events]
