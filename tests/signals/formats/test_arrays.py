import numpy as np
import pytest

from motorctl.errors import RecordingError
from motorctl.signals.recording import read_recording

SAMPLES = np.arange(1.0, 61).reshape(20, 3)


def save(path, **arrays):
    np.savez(path, **arrays)
    return path


def test_names_units_and_rate_may_be_stored(tmp_path):
    path = save(
        tmp_path / "a.npz",
        samples=SAMPLES,
        rate=100,
        channel_names=["C3", "x", "C4"],
        units=["mV", "m", "uV"],
        trials=[1],
    )
    recording = read_recording(path)
    assert [(c.label, c.unit, c.kind) for c in recording.info.channels] == [
        ("C3", "µV", "EEG"),
        ("x", "m", "MISC"),
        ("C4", "µV", "EEG"),
    ]
    assert recording.samples[0].tolist() == [1000, 2, 3] and recording.info.rate == 100
    assert recording.notes == ("The arrays trials are left out.",)


@pytest.mark.parametrize("kind", [np.int16, np.uint8, np.float32, ">f8", np.longdouble])
def test_any_real_numbers_will_do(tmp_path, kind):
    np.save(tmp_path / "a.npy", SAMPLES.astype(kind))
    recording = read_recording(tmp_path / "a.npy", "uV", rate=100.0)
    np.testing.assert_array_equal(recording.samples, SAMPLES)
    assert recording.info.labels == ("channel 1", "channel 2", "channel 3")


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"data": SAMPLES}, "lacks samples; it has data"),
        ({"samples": SAMPLES, "units": "uV"}, "does not say its sampling rate"),
        ({"samples": SAMPLES, "rate": 0, "units": "uV"}, "has the rate 0 Hz"),
        ({"samples": SAMPLES, "rate": [1, 2], "units": "uV"}, "has the rate 0 Hz"),
        ({"samples": SAMPLES, "rate": 100}, "no unit"),
        ({"samples": SAMPLES.T, "rate": 100}, r"\(3, 20\), expected .*\(time, channel\)"),
        ({"samples": SAMPLES[:, 0], "rate": 100}, r"\(20,\), expected"),
        ({"samples": SAMPLES + 1j, "rate": 100}, "complex128"),
        ({"samples": SAMPLES.astype(str), "rate": 100}, "<U"),
        ({"samples": SAMPLES, "rate": 100, "units": ["uV", "uV"]}, "2 units for 3 columns"),
        ({"samples": SAMPLES.astype(object), "rate": 100}, "pickled objects"),
    ],
)
def test_what_is_no_recording_is_one_clear_line(tmp_path, arrays, said):
    with pytest.raises(RecordingError, match=said) as caught:
        read_recording(save(tmp_path / "a.npz", **arrays))
    assert "\n" not in str(caught.value) and "a.npz" in str(caught.value)


def test_a_rate_that_is_given_has_to_agree(tmp_path):
    path = save(tmp_path / "a.npz", samples=SAMPLES, rate=100, units="uV")
    assert read_recording(path, rate=100.0).info.rate == 100
    with pytest.raises(RecordingError, match="100 Hz, but 250 Hz was given"):
        read_recording(path, rate=250.0)
