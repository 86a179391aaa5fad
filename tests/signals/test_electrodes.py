import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motorctl.errors import ConfigurationError
from motorctl.signals.electrodes import (
    channel_kind,
    clean_label,
    electrode_positions,
    laplacian_neighbours,
    match_electrode,
)

ELECTRODES = st.sampled_from(sorted(electrode_positions()))


@pytest.mark.parametrize(
    ("label", "electrode"),
    [
        ("Fc5.", "FC5"),
        ("C3..", "C3"),
        ("Cz..", "Cz"),
        ("FP1", "Fp1"),
        ("EEG C3-REF", "C3"),
        ("EEG Fp2-LE", "Fp2"),
        ("EEG F8-A1", "F8"),
        ("AFP1H", "AFp1h"),
        ("t3", "T3"),
        ("T7", "T7"),
        ("A1", "A1"),
    ],
)
def test_labels_seen_in_the_wild_mean_an_electrode(label, electrode):
    assert match_electrode(label) == electrode
    assert clean_label(label) == electrode


@pytest.mark.parametrize("label", ["C3-C4", "EEG 001", "Status", "", "...", "C33", "EOG left"])
def test_other_labels_mean_none_and_are_kept(label):
    assert match_electrode(label) is None
    assert clean_label(label) == label.strip(".")


@given(
    ELECTRODES,
    st.sampled_from([str.upper, str.lower, str.swapcase, str]),
    st.sampled_from(["", "EEG ", "eeg_"]),
    st.sampled_from(["", ".", "..", "-REF", "-Le", " - AVG", "  "]),
)
def test_any_decoration_and_case_finds_the_electrode(electrode, case, before, after):
    assert match_electrode(before + case(electrode) + after) == electrode


@pytest.mark.parametrize(
    ("label", "kind"),
    [("c3..", "EEG"), ("EEG 001", "EEG"), ("EOG-left", "EOG"), ("HEOG", "EOG"), ("EMG1", "EMG"), ("Status", "MISC")],
)
def test_kind_of_a_channel(label, kind):
    assert channel_kind(label) == kind


def test_positions_are_metres_on_a_head():
    positions = electrode_positions()
    assert all(0.05 < np.linalg.norm(position) < 0.15 for position in positions.values())
    assert positions["C3"][0] < 0 < positions["C4"][0]
    assert positions["Cz"][2] > 0.09
    np.testing.assert_array_equal(positions["T3"], positions["T7"])


def test_neighbours_are_the_nearest_present():
    labels = ["O1", "CP3", "Cz", "FC3", "C1", "C3", "Status", "C5", "P3"]
    assert set(laplacian_neighbours(labels, "C3")) == {"FC3", "CP3", "C1", "C5"}
    assert laplacian_neighbours(["C3", "O1", "C5"], "C3", 2) == ["C5", "O1"]


def test_neighbours_need_an_electrode_and_enough_others():
    with pytest.raises(ConfigurationError, match="no electrode"):
        laplacian_neighbours(["C3", "C4"], "Status", 1)
    with pytest.raises(ConfigurationError, match="needs 4 other electrodes, but there are 1"):
        laplacian_neighbours(["C3", "C4"], "C3")


@given(st.sets(ELECTRODES, min_size=6), st.data())
def test_no_electrode_left_out_is_nearer_than_a_neighbour(labels, data):
    centre = data.draw(st.sampled_from(sorted(labels)))
    near = laplacian_neighbours(sorted(labels), centre)
    positions = electrode_positions()
    distance = {other: np.linalg.norm(positions[other] - positions[centre]) for other in labels - {centre}}
    assert len(near) == 4
    assert max(distance[other] for other in near) <= min(
        (distance[other] for other in distance if other not in near), default=np.inf
    )
