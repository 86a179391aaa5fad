"""Spherical splines and bad channels, against MNE."""

import mne
import numpy as np
import pytest
from numpy.testing import assert_allclose

from motorctl.errors import ConfigurationError
from motorctl.signals.bad_channels import find_bad_channels
from motorctl.signals.electrodes import electrode_positions
from motorctl.signals.splines import head_centre, spline_weights
from motorctl.signals.stream import Chunk

LABELS = ("Fp1", "Fp2", "F3", "F4", "C3", "Cz", "C4", "P3", "Pz", "P4", "O1", "O2", "T7", "T8", "FC1", "CP2")


def test_weights_are_mnes():
    bads = ("Cz", "P4")
    good = [label for label in LABELS if label not in bads]
    samples = np.random.default_rng(0).standard_normal((len(LABELS), 50)) * 1e-5
    raw = mne.io.RawArray(samples, mne.create_info(list(LABELS), 100.0, "eeg"), verbose="error")
    raw.set_montage(
        mne.channels.make_dig_montage({label: electrode_positions()[label] for label in LABELS}, coord_frame="head")
    )
    raw.info["bads"] = list(bads)
    raw.interpolate_bads(origin=head_centre(), verbose="error")
    ours = spline_weights(good, bads) @ samples[[LABELS.index(label) for label in good]]
    assert_allclose(ours, raw.get_data(picks=list(bads)), rtol=1e-6, atol=1e-14)


def test_weights_sum_to_one_and_favour_what_is_near():
    good = [label for label in LABELS if label != "Cz"]
    (weights,) = spline_weights(good, ["Cz"])
    assert weights.sum() == pytest.approx(1)
    assert good[int(weights.argmax())] in ("FC1", "CP2")


@pytest.mark.parametrize(
    ("known", "words"), [(("C3", "Cz"), "Only 2 good"), (("C3", "Cz", "Pz", "X1"), "X1 cannot be interpolated")]
)
def test_what_cannot_be_interpolated_is_said(known, words):
    with pytest.raises(ConfigurationError, match=words):
        spline_weights(known, ["C4"])


def test_bad_channels_are_found_for_what_they_are():
    rng = np.random.default_rng(0)
    samples = rng.standard_normal((4000, 10)) * rng.uniform(15, 25, 10) + rng.standard_normal(10) * 1000
    samples[:, 2] = 317.0
    samples[:, 4] *= 12
    samples[500:1500, 6] = np.nan
    samples[:, 7] += np.linspace(0, 4000, 4000)  # a drift alone is not noise
    mask = np.ones(samples.shape, bool)
    mask[:50, 8] = False
    chunk = Chunk(samples.astype(np.float32), np.arange(4000) / 160, mask)
    found = find_bad_channels([chunk[:2000], chunk[2000:]], 160.0)
    assert found == ["", "", "flat", "", "noisy", "", "missing", "", "", ""]
    nothing = Chunk(samples.astype(np.float32), chunk.times, np.zeros_like(mask))
    assert set(find_bad_channels([nothing], 160.0)) == {"missing"}
