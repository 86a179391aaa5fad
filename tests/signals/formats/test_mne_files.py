import mne
import numpy as np
import pybv
import pytest

from motorctl.errors import RecordingError
from motorctl.signals.recording import read_recording

DATA = np.arange(1.0, 601).reshape(200, 3)


def brainvision(folder, markers, **options):
    """Two seconds at 100 Hz; the markers are lines of the ``.vmrk`` file."""
    pybv.write_brainvision(
        data=DATA.T * 1e-6, sfreq=100, ch_names=["C3", "EOG", "C4"], fname_base="a", folder_out=folder, **options
    )
    marker_file = folder / "a.vmrk"
    marker_file.write_text(marker_file.read_text() + "".join(f"{line}\n" for line in markers))
    return folder / "a.vhdr"


def test_a_pause_between_segments_is_a_gap_by_their_dates(tmp_path):
    path = brainvision(
        tmp_path,
        [
            "Mk1=New Segment,,1,1,0,20240101120000000000",
            "Mk2=Comment,before,51,1,0",
            "Mk3=New Segment,,101,1,0,20240101120003500000",
            "Mk4=Comment,after,111,20,0",
        ],
    )
    recording = read_recording(path)
    assert recording.gaps == [pytest.approx((1.0, 2.5))] and len(recording) == 450
    np.testing.assert_allclose(recording.samples[:100], DATA[:100], rtol=1e-6)
    np.testing.assert_allclose(recording.samples[350:], DATA[100:], rtol=1e-6)
    assert [(a.text, a.onset) for a in recording.annotations if "Comment" in a.text] == [
        ("Comment/before", pytest.approx(0.5)),
        ("Comment/after", pytest.approx(3.6)),
    ]


def test_a_pause_without_a_date_is_said(tmp_path):
    markers = ["Mk1=New Segment,,1,1,0,20240101120000000000", "Mk2=New Segment,,101,1,0"]
    recording = read_recording(brainvision(tmp_path, markers))
    assert recording.gaps == [] and "paused at 1 s, for how long is not said" in recording.notes[0]


def test_kinds_and_units_of_brainvision(tmp_path):
    with pytest.warns(UserWarning, match="unsupported"):
        path = brainvision(tmp_path, [], unit=["mV", "µV", "g"])
    path.write_text(path.read_text().replace("Ch3=C4", "Ch3=force"))
    recording = read_recording(path)
    assert [(c.label, c.unit, c.kind) for c in recording.info.channels] == [
        ("C3", "µV", "EEG"),
        ("EOG", "µV", "EOG"),
        ("force", "g", "MISC"),
    ]
    np.testing.assert_allclose(recording.samples[:, 0], DATA[:, 0], rtol=1e-3)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda folder: (folder / "a.eeg").unlink(), "samples 'a.eeg' are missing"),
        (lambda folder: (folder / "a.vmrk").unlink(), "markers .*a.vmrk' are missing"),
        (lambda folder: (folder / "a.eeg").write_bytes(bytes(100)), "has 100 bytes, expected a multiple of 12"),
        (lambda folder: promise(folder, 300), "has 2400 bytes, expected 3600"),
    ],
)
def test_parts_that_are_missing_or_cut_short(tmp_path, harm, said):
    path = brainvision(tmp_path, [])
    harm(tmp_path)
    with pytest.raises(RecordingError, match=said):
        read_recording(path)


def promise(folder, points):
    header = folder / "a.vhdr"
    header.write_text(header.read_text().replace("NumberOfChannels=3", f"NumberOfChannels=3\nDataPoints={points}"))


def fif(path, types=("eeg", "emg", "misc"), first_samp=0, notes=()):
    info = mne.create_info(["C3", "arm", "force"], 100, list(types))
    raw = mne.io.RawArray(DATA.T, info, first_samp=first_samp, verbose="error")
    raw.set_meas_date(0)
    if notes:
        onsets, durations, texts = zip(*notes, strict=True)
        raw.set_annotations(mne.Annotations(np.add(onsets, first_samp / 100), durations, texts, orig_time=0))
    raw.save(path, fmt="double", verbose="error")
    return path


def test_kinds_units_and_onsets_of_fif(tmp_path):
    """A FIF file that does not begin with sample 0 counts onsets from there."""
    path = fif(tmp_path / "a_raw.fif", first_samp=500, notes=[(0.5, 0.25, "go"), (1.0, 0.5, "BAD_ACQ_SKIP")])
    recording = read_recording(path)
    assert [(c.label, c.unit, c.kind) for c in recording.info.channels] == [
        ("C3", "µV", "EEG"),
        ("arm", "µV", "EMG"),
        ("force", "", "MISC"),
    ]
    np.testing.assert_allclose(recording.samples[0], [1e6, 2e6, 3])
    assert [(a.text, a.onset) for a in recording.annotations] == [("go", pytest.approx(0.5))]
    assert recording.gaps == [pytest.approx((1.0, 0.5))]


def test_any_name_will_do_for_a_fif(tmp_path, capfd):
    path = fif(tmp_path / "a_raw.fif").rename(tmp_path / "my recording.fif")
    assert len(read_recording(path)) == 200
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("code", "factor"), [(4275, 1), (4274, 1000)])
def test_units_of_gdf(write, microvolts, code, factor):
    np.testing.assert_allclose(read_recording(write(".gdf", unit=code)).samples, factor * microvolts, rtol=1e-6)


@pytest.mark.parametrize("code", [0, 512, 4256])
def test_a_unit_of_gdf_that_mne_does_not_know_has_to_be_named(write, microvolts, code):
    path = write(".gdf", unit=code)
    with pytest.raises(RecordingError, match="no unit.*--unit"):
        read_recording(path)
    np.testing.assert_allclose(read_recording(path, "V").samples, 1e6 * microvolts, rtol=1e-6)


def test_a_gdf_of_several_rates_is_refused(write):
    with pytest.raises(RecordingError, match="mixes sampling rates"):
        read_recording(write(".gdf", record_samples=[50, 50, 25]))


def test_a_gdf_without_its_table_of_events_says_so(write):
    path = write(".gdf")
    path.write_bytes(path.read_bytes()[: 1024 + 200 * 3 * 2])
    assert read_recording(path).notes == ("The file has no table of events.",)
