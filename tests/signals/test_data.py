import shutil

import pytest

from motorctl.errors import ConfigurationError, RecordingError
from motorctl.signals.data import Eegmmi, eegmmi

LAYOUT = "MNE-eegbci-data/files/eegmmidb/1.0.0/S001"


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """Whatever network there is, nothing answers."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


@pytest.fixture
def kept(tmp_path, request):
    """A folder as MNE keeps it, with two runs of subject 1."""
    recordings = request.getfixturevalue("eegmmi")
    (tmp_path / LAYOUT).mkdir(parents=True)
    for run in (4, 8):
        shutil.copy(recordings / f"S001R{run:02d}.edf", tmp_path / LAYOUT)
    return tmp_path


def test_recordings_that_are_there_are_used(kept, capsys):
    eegmmi(Eegmmi(subjects=(1,), runs=(4, 8), folder=kept))
    said = capsys.readouterr().out.splitlines()
    assert said == [str(kept / LAYOUT / f"S001R{run:02d}.edf") for run in (4, 8)]


def test_a_recording_that_was_cut_short_is_told_by_its_checksum(kept):
    path = kept / LAYOUT / "S001R08.edf"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:10_000])
    with pytest.raises(RecordingError, match="S001R08.edf' is not what was published.*Delete it"):
        eegmmi(Eegmmi(subjects=(1,), runs=(4, 8), folder=kept))


@pytest.mark.slow  # pooch waits between its attempts
def test_without_a_network_it_is_one_line(tmp_path, capfd):
    with pytest.raises(RecordingError, match="cannot be downloaded from physionet.org.*Check the network") as caught:
        eegmmi(Eegmmi(subjects=(2,), runs=(1,), folder=tmp_path))
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (Eegmmi(subjects=(0,)), "no subject 0"),
        (Eegmmi(subjects=(1, 110)), "no subject 1, 110"),
        (Eegmmi(subjects=(1,), runs=(15,)), "no run 15"),
        (Eegmmi(subjects=()), "no subject given"),
    ],
)
def test_a_subject_or_run_that_there_is_not(config, said):
    with pytest.raises(ConfigurationError, match=said):
        eegmmi(config)
