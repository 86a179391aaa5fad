from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motorctl.errors import RecordingError
from motorctl.signals.formats.assemble import assemble, declared_table, find_padding, spread
from motorctl.signals.recording import Annotation
from motorctl.signals.stream import Channel

RATE = 160
PATH = Path("a.csv")


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 40)), max_size=8))
def test_padding_is_exactly_the_long_stretches_of_zeros(runs):
    zero = [zero for zero, length in runs for _ in range(length)]
    stretches = [list(stretch) for _, stretch in groupby(zero)]
    expected = [stretch[0] and len(stretch) >= 16 for stretch in stretches for _ in stretch]
    samples = np.where(np.array(zero, bool)[:, None], 0, [3, -3]).astype(np.float32)
    np.testing.assert_array_equal(find_padding(samples, RATE), np.array(expected, bool))


def test_what_is_no_number_was_not_measured():
    samples = np.array([[1.0, 2.0], [np.nan, 3.0], [np.inf, 4.0], [1e60, 5.0]])
    recording = assemble(PATH, [Channel("C3"), Channel("C4")], samples, 100.0)
    assert recording.mask[:, 0].tolist() == [True, False, False, False] and recording.mask[:, 1].all()
    assert np.isnan(recording.samples[1:, 0]).all()
    assert recording.gaps == []


def test_a_stretch_that_mne_marks_as_skipped_was_not_measured():
    notes = [Annotation(0.5, 0.25, "go"), Annotation(0.2, 0.1, "BAD_ACQ_SKIP")]
    recording = assemble(PATH, [Channel("C3")], np.ones((100, 1)), 100.0, annotations=notes)
    assert np.flatnonzero(~recording.mask[:, 0]).tolist() == list(range(20, 30))
    assert recording.annotations == (Annotation(0.5, 0.25, "go"),)
    assert recording.gaps == [pytest.approx((0.2, 0.1))]


def test_a_voltage_of_no_known_unit_is_kept_as_it_is():
    recording = assemble(PATH, [Channel("C3", "furlong"), Channel("C4", "mV")], np.ones((4, 2)), 100.0)
    assert [c.unit for c in recording.info.channels] == ["furlong", "µV"]
    assert recording.samples[0].tolist() == [1, 1000]


def test_columns_are_eeg_where_no_label_tells_otherwise():
    assert [c.kind for c in declared_table(["a", "b"], ["", "uV"])] == ["EEG", "EEG"]
    assert [c.kind for c in declared_table(["a", "b"], ["", "g"])] == ["EEG", "MISC"]
    assert [c.kind for c in declared_table(["a", "C3"], ["", "uV"])] == ["MISC", "EEG"]


@given(st.sets(st.integers(0, 60), min_size=1))
def test_rows_between_samples_are_empty(rows):
    places = np.array(sorted(rows))
    spaced = spread(PATH, places[:, None] + 1.0, places, 100.0)
    assert np.flatnonzero(~np.isnan(spaced[:, 0])).tolist() == places.tolist()
    assert spaced[places, 0].tolist() == (places + 1).tolist()


def test_a_gap_of_hours_is_refused():
    with pytest.raises(RecordingError, match="gap of 2.0 h"):
        spread(PATH, np.ones((2, 1)), np.array([0, 7200 * 10]), 10.0)
