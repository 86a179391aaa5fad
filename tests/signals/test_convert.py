from dataclasses import replace
from pathlib import Path

import mne
import numpy as np
import pytest
import pyxdf
from hypothesis import given
from hypothesis import strategies as st

from motorctl.cli import main
from motorctl.errors import ConfigurationError, RecordingError
from motorctl.signals.convert import ConvertRecording, convert
from motorctl.signals.export import WRITERS, write_csv
from motorctl.signals.recording import Annotation, Recording, read_recording, read_streams
from motorctl.signals.stream import Channel, StreamInfo

CHANNELS = (Channel("C3"), Channel("EOG left", "µV", "EOG"), Channel("force", "N", "MISC"))
CUES = (Annotation(0.5, 0.25, "left"), Annotation(1.0, 0.5, "right, slowly"))


def made(rows=300, rate=100.0, annotations=CUES, channels=CHANNELS, seed=0):
    samples = np.random.default_rng(seed).normal(0, 50, (rows, len(channels))).astype(np.float32)
    times = np.arange(rows) / rate
    mask = np.ones(samples.shape, bool)
    return Recording(StreamInfo("s", "EEG", rate, channels), samples, times, mask, annotations, Path("a.xdf"))


def with_gap(recording, first=120, last=150):
    samples, mask = recording.samples.copy(), recording.mask.copy()
    samples[first:last], mask[first:last] = np.nan, False
    samples[10, 0], mask[10, 0] = np.nan, False
    return replace(recording, samples=samples, mask=mask)


@pytest.mark.parametrize("suffix", [".fif", ".csv", ".xdf"])
@pytest.mark.parametrize("recording", [made(), with_gap(made())], ids=["whole", "gap"])
def test_every_number_comes_back(tmp_path, suffix, recording):
    WRITERS[suffix]((recording,), tmp_path / f"s{suffix}")
    found = read_recording(tmp_path / f"s{suffix}")
    np.testing.assert_array_equal(found.samples, recording.samples)
    np.testing.assert_array_equal(found.mask, recording.mask)
    assert found.info.labels == recording.info.labels and found.info.rate == 100
    assert [a.text for a in found.annotations] == ["left", "right, slowly"]
    np.testing.assert_allclose([a.onset for a in found.annotations], [0.5, 1.0], atol=1e-6)
    if suffix != ".xdf":
        np.testing.assert_allclose([a.duration for a in found.annotations], [0.25, 0.5], rtol=1e-6)
    if suffix != ".fif":
        assert [c.unit for c in found.info.channels] == ["µV", "µV", "N"]
    if suffix != ".csv":
        assert [c.kind for c in found.info.channels] == ["EEG", "EOG", "MISC"]


@given(rows=st.integers(2, 700), rate=st.sampled_from([50.0, 128.0, 160.0, 250.0, 512.0]), seed=st.integers(0, 99))
def test_edf_keeps_a_16_bit_step(tmp_path_factory, rows, rate, seed):
    path = tmp_path_factory.mktemp("edf") / "s.edf"
    recording = made(rows, rate, (), seed=seed)
    said = WRITERS[".edf"]((recording,), path)
    found = read_recording(path)
    assert found.info.rate == rate and found.mask[:rows].all()
    step = np.ptp(recording.samples, axis=0) / 65535
    assert (np.abs(found.samples[:rows] - recording.samples) <= 0.51 * step + 1e-3).all()
    assert not found.mask[rows:].any()
    assert any("fill up a record" in note for note in said) == (len(found) > rows)
    raw = mne.io.read_raw_edf(path, preload=True, verbose="error")
    np.testing.assert_allclose(1e6 * raw.get_data()[0], np.nan_to_num(found.samples[:, 0]), atol=0.01)


def test_edf_keeps_cues_and_units(tmp_path):
    WRITERS[".edf"]((made(),), tmp_path / "s.edf")
    found = read_recording(tmp_path / "s.edf")
    assert found.annotations == CUES
    assert [(c.label, c.unit, c.kind) for c in found.info.channels] == [(c.label, c.unit, c.kind) for c in CHANNELS]


@pytest.mark.parametrize(
    ("recording", "said"),
    [
        (with_gap(made()), "EDF cannot hold the 91 values that are missing.*Write .fif, .csv or .xdf"),
        (made(channels=(Channel("a label that is far too long"),)), "EDF cannot hold"),
        (made(channels=(Channel("Größe"),)), "EDF cannot hold"),
        (made(channels=(Channel("C3", "furlong"),)), "'furlong'"),
    ],
)
def test_what_edf_cannot_hold_is_refused(tmp_path, recording, said):
    with pytest.raises(RecordingError, match=said) as caught:
        WRITERS[".edf"]((recording,), tmp_path / "s.edf")
    assert "\n" not in str(caught.value)


def test_padding_at_the_end_does_not_keep_a_recording_from_edf(tmp_path):
    recording = made()
    recording.samples[280:], recording.mask[280:] = np.nan, False
    WRITERS[".edf"]((recording,), tmp_path / "s.edf")
    found = read_recording(tmp_path / "s.edf")
    np.testing.assert_allclose(found.samples[:280], recording.samples[:280], atol=0.01)


def test_mne_skips_the_gaps_of_a_fif(tmp_path):
    WRITERS[".fif"]((with_gap(made()),), tmp_path / "s_raw.fif")
    raw = mne.io.read_raw_fif(tmp_path / "s_raw.fif", preload=True, verbose="error")
    assert raw.get_channel_types() == ["eeg", "eog", "misc"]
    assert raw.get_data(reject_by_annotation="omit", verbose="error").shape == (3, 270)


def test_pyxdf_reads_what_is_written(tmp_path):
    WRITERS[".xdf"]((with_gap(made()),), tmp_path / "s.xdf")
    (signal, markers), _ = pyxdf.load_xdf(tmp_path / "s.xdf", dejitter_timestamps=False, verbose=False)
    assert len(signal["time_stamps"]) == 270  # a stretch without any sample is a jump of the stamps
    assert markers["time_series"] == [["left"], ["right, slowly"]] and markers["info"]["type"] == ["Markers"]


@pytest.mark.parametrize("suffix", [".fif", ".edf"])
def test_a_device_that_ran_slow_keeps_cues_beside_their_samples(tmp_path, suffix):
    recording = replace(made(), times=np.arange(300) / 80, annotations=(Annotation(240 / 80, 0.0, "cue"),))
    said = WRITERS[suffix]((recording,), tmp_path / f"s{suffix}")
    assert any("knows 100 Hz only, but the device ran at 80 Hz: times are off by up to 0.74" in n for n in said)
    (cue,) = read_recording(tmp_path / f"s{suffix}").annotations
    assert cue.onset == pytest.approx(2.4, abs=1e-3)


@pytest.mark.parametrize(
    ("annotations", "said"),
    [
        ((Annotation(0.5, 1.0, "a"), Annotation(1.0, 0.1, "b")), "overlap"),
        ((Annotation(0.5, 0.5, "a"), Annotation(1.0, 0.5, "a")), "'a' at 1 s"),
    ],
)
def test_annotations_that_a_table_cannot_tell_apart_are_refused(tmp_path, annotations, said):
    with pytest.raises(RecordingError, match=said):
        WRITERS[".csv"]((made(annotations=annotations),), tmp_path / "s.csv")


def test_a_channel_named_like_a_column_is_refused(tmp_path):
    with pytest.raises(RecordingError, match="columns named Event"):
        WRITERS[".csv"]((made(channels=(Channel("Event", "", "MISC"), Channel("C3"))),), tmp_path / "s.csv")


@pytest.mark.parametrize("suffix", WRITERS)
def test_what_is_left_out_is_said(tmp_path, suffix):
    notes = (Annotation(-1.0, 0.0, "early"), Annotation(0.501, 0.25, "left"), Annotation(99.0, 0.0, "late"))
    said = " ".join(WRITERS[suffix]((made(annotations=notes),), tmp_path / f"s{suffix}"))
    assert ("2 annotations before the first or after the last sample are left out" in said) == (suffix != ".xdf")
    assert ("no unit of force (N)" in said) == (suffix == ".fif")
    assert ("16 bits" in said) == (suffix == ".edf")
    assert ("1 of 1 annotations are rounded" in said) == (suffix == ".csv")
    assert ("those of 1 annotations" in said) == (suffix == ".xdf")


def test_the_command_says_what_it_wrote(tmp_path, cued_edf, capsys):
    convert(ConvertRecording(cued_edf(), tmp_path / "a.xdf"))
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"{tmp_path / 'a.xdf'} holds 'cued' (13 channels, 96 s)."
    assert said[1:] == ["- Markers of XDF have no duration: those of 11 annotations are left out."]
    assert {path.name for path in tmp_path.iterdir()} == {"cued.edf", "a.xdf"}
    (recording,) = read_streams(tmp_path / "a.xdf")
    np.testing.assert_array_equal(recording.samples, read_recording(tmp_path / "cued.edf").samples)


def test_all_streams_go_to_xdf_and_one_elsewhere(tmp_path):
    eeg = made()
    hand = replace(made(rate=50.0, rows=150), info=StreamInfo("hand", "EEG", 50.0, CHANNELS), start=0.2)
    WRITERS[".xdf"]((eeg, hand), tmp_path / "two.xdf")
    convert(ConvertRecording(tmp_path / "two.xdf", tmp_path / "again.xdf"))
    assert [(s.info.name, s.start) for s in read_streams(tmp_path / "again.xdf")] == [
        ("s", pytest.approx(0)),
        ("hand", pytest.approx(0.2)),
    ]
    with pytest.raises(RecordingError, match="2 streams.*'s'.*'hand'"):
        convert(ConvertRecording(tmp_path / "two.xdf", tmp_path / "one.fif"))
    convert(ConvertRecording(tmp_path / "two.xdf", tmp_path / "one.fif", stream="hand"))
    assert read_recording(tmp_path / "one.fif").info.rate == 50


def test_a_file_that_is_there_is_kept(tmp_path, cued_edf):
    source, target = cued_edf(), tmp_path / "a.csv"
    target.write_text("precious")
    with pytest.raises(ConfigurationError, match="there already.*--force"):
        convert(ConvertRecording(source, target))
    with pytest.raises(RecordingError, match="no recording"):
        convert(ConvertRecording(tmp_path / "absent.edf", target, force=True))
    assert target.read_text() == "precious"
    convert(ConvertRecording(source, target, force=True))
    assert len(read_recording(target)) == 96 * 160
    with pytest.raises(ConfigurationError, match="the recording itself"):
        convert(ConvertRecording(source, source, force=True))


@pytest.mark.parametrize(("name", "said"), [("a.gdf", "no format.*.fif, .edf, .csv, .xdf"), ("no/a.fif", "no folder")])
def test_a_target_that_cannot_be_is_refused(tmp_path, cued_edf, name, said):
    with pytest.raises(ConfigurationError, match=said):
        convert(ConvertRecording(cued_edf(), tmp_path / name))


def test_a_conversion_that_fails_leaves_nothing(tmp_path, cued_edf):
    path = cued_edf()
    content = path.read_bytes().replace(b"FC3 ".ljust(16), b"Event ".ljust(16))
    path.write_bytes(content)
    with pytest.raises(RecordingError, match="Event"):
        convert(ConvertRecording(path, tmp_path / "a.csv"))
    assert [p.name for p in tmp_path.iterdir()] == ["cued.edf"]


def test_a_disk_that_fills_up_is_one_line_and_leaves_nothing(tmp_path, capsys):
    resource = pytest.importorskip("resource")
    write_csv((made(),), tmp_path / "a.csv")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, limits[1]))
    try:
        codes = [main(["convert", str(tmp_path / "a.csv"), str(tmp_path / f"b{suffix}")]) for suffix in WRITERS]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    said = capsys.readouterr().err.splitlines()
    assert codes == [1] * 4 and len(said) == 4
    assert all(str(tmp_path / f"b{suffix}") in line for suffix, line in zip(WRITERS, said, strict=True))
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
