"""What holds for every format: the same recording is read from each, and a damaged one is said to be."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motorctl.errors import RecordingError
from motorctl.signals.recording import read_recording, read_streams

SUFFIXES = [".edf", ".bdf", ".fif", ".vhdr", ".gdf", ".xdf", ".txt", ".csv", ".tsv", ".npz", ".npy"]
TEXT = (".vhdr", ".csv", ".tsv", ".txt")
NAMELESS = (".txt", ".npy")
GIVEN = {".npy": {"rate": 50.0, "unit": "uV"}}
CUES = {
    ".gdf": [(0.5, 1.0, "769"), (2.0, 0.5, "770")],
    ".vhdr": [(0.5, 1.0, "Comment/left"), (2.0, 0.5, "Comment/right")],
    ".xdf": [(0.5, 0.0, "left"), (2.0, 0.0, "right")],
    ".txt": [(0.5, 0.0, "3")],
    ".npz": [],
    ".npy": [],
}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_samples_channels_rate_and_cues_are_those_that_were_written(write, microvolts, suffix, capfd):
    recording = read_recording(write(suffix), **GIVEN.get(suffix, {}))
    np.testing.assert_allclose(recording.samples, microvolts, rtol=1e-6)
    assert recording.samples.dtype == np.float32
    assert recording.mask.all() and recording.mask.shape == microvolts.shape
    assert recording.info.rate == 50 and recording.info.kind == "EEG"
    np.testing.assert_allclose(recording.times, np.arange(200) / 50, atol=1e-9)
    assert recording.measured_rate == pytest.approx(50) and recording.duration == pytest.approx(4)
    assert all((c.unit, c.kind) == ("µV", "EEG") for c in recording.info.channels)
    if suffix not in NAMELESS:
        assert recording.info.labels == ("C3", "Cz", "C4")
    cues = CUES.get(suffix, [(0.5, 1.0, "left"), (2.0, 0.5, "right")])
    assert [a.text for a in recording.annotations] == [text for _, _, text in cues]
    np.testing.assert_allclose(
        [[a.onset, a.duration] for a in recording.annotations] or np.empty((0, 2)),
        [cue[:2] for cue in cues] or np.empty((0, 2)),
        atol=1e-6,
    )
    assert capfd.readouterr() == ("", "")


def read_files(files, suffix):
    """Every stream of a recording of the given files, name to content."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        return read_streams(Path(folder) / f"a{suffix}", rate=GIVEN.get(suffix, {}).get("rate"))


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_file_cut_short_is_an_error_or_a_shorter_recording_that_says_so(pristine, microvolts, suffix, data):
    files = dict(pristine(suffix))
    name = data.draw(st.sampled_from(sorted(files)))
    cut = data.draw(st.integers(0, len(files[name]) - 1))
    files[name] = files[name][:cut]
    try:
        streams = read_files(files, suffix)
    except RecordingError as error:
        assert "\n" not in str(error) and "/a." in str(error)
        return
    if (name == "a.eeg" and cut % 12 == 0) or (suffix in TEXT and files[name].endswith(b"\n")):
        return  # these formats do not say how many samples, lines or markers there are
    for stream in streams:
        assert stream.notes, f"nothing is said of {name} cut at {cut}"
        if stream.info.kind == "EEG":
            rows = np.flatnonzero(stream.mask.any(axis=1))[:-1]  # a last line of text may end within a number
            scale = 1 if stream.info.channels[0].unit else 1e6
            np.testing.assert_allclose(stream.samples[rows], microvolts[rows] / scale, rtol=1e-6)


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_bytes_that_changed_never_end_in_a_traceback(pristine, suffix, data):
    files = dict(pristine(suffix))
    name = data.draw(st.sampled_from(sorted(files)))
    content = bytearray(files[name])
    places = st.integers(0, min(len(content), 2000) - 1)  # where the structure is
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=4)):
        content[place] = value
    try:
        read_files(files | {name: bytes(content)}, suffix)
    except RecordingError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_another_file_under_the_suffix_is_refused(tmp_path, suffix):
    for content in (b"", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40, b"no recording\n" * 300):
        path = tmp_path / f"a{suffix}"
        path.write_bytes(content)
        with pytest.raises(RecordingError, match="a\\" + suffix) as caught:
            read_streams(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".edf", ".bdf", ".fif", ".vhdr", ".gdf", ".xdf", ".csv", ".npz"])
def test_two_channels_of_one_name_are_refused(write, microvolts, suffix, monkeypatch):
    monkeypatch.setitem(write.__globals__, "LABELS", ["C3", "c3 " if suffix in (".fif", ".vhdr") else "C3", "C4"])
    with pytest.raises(RecordingError, match="more than one channel.*C3"):
        read_streams(write(suffix))
