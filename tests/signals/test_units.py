import numpy as np
import pytest

from motorctl.errors import RecordingError, StreamError
from motorctl.signals.stream import Channel
from motorctl.signals.units import in_microvolts, microvolts_per


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("microvolts", 1),
        ("Microvolt", 1),
        ("uV", 1),
        ("\u00b5V", 1),
        ("\u03bcV", 1),
        ("V", 1e6),
        ("volts", 1e6),
        ("mV", 1e3),
        ("millivolts", 1e3),
        ("nV", 1e-3),
        (" uV ", 1),
    ],
)
def test_units_seen_in_the_wild(unit, factor):
    assert microvolts_per(unit) == factor


@pytest.mark.parametrize("unit", ["", "none", "MV", "v", "n/a", "%", "m"])
def test_what_is_no_known_voltage(unit):
    assert microvolts_per(unit) is None


def test_every_voltage_becomes_microvolts_and_the_rest_stays():
    declared = [
        Channel("C3", "V"),
        Channel("EMG1", "mV", "EMG"),
        Channel("counter", "", "MISC"),
        Channel("x", "m", "MISC"),
    ]
    channels, factors = in_microvolts(declared, None, "stream 'X'", StreamError)
    assert [channel.unit for channel in channels] == ["µV", "µV", "", "m"]
    np.testing.assert_array_equal(factors, [1e6, 1e3, 1, 1])


@pytest.mark.parametrize("error", [StreamError, RecordingError])
def test_eeg_without_a_unit_is_refused_unless_one_is_named(error):
    declared = [Channel("C3", ""), Channel("counter", "", "MISC")]
    with pytest.raises(error, match="C3 of stream 'X' is in no unit.*--unit"):
        in_microvolts(declared, None, "stream 'X'", error)
    channels, factors = in_microvolts(declared, "nV", "stream 'X'", error)
    assert [channel.unit for channel in channels] == ["µV", ""]
    np.testing.assert_array_equal(factors, [1e-3, 1])


def test_an_override_wins_over_what_is_declared_and_must_be_a_voltage():
    _, factors = in_microvolts([Channel("C3", "uV")], "V", "stream 'X'", StreamError)
    assert factors == [1e6]
    with pytest.raises(StreamError, match="'furlong'"):
        in_microvolts([Channel("C3", "uV")], "furlong", "stream 'X'", StreamError)
