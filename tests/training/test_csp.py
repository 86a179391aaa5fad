"""Common spatial patterns: they find the source whose power differs, from the past alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from motorctl.cli import main
from motorctl.errors import ConfigurationError
from motorctl.signals.pipeline import Features
from motorctl.signals.stream import Channel, StreamInfo
from motorctl.training.checkpoint import load_checkpoint
from motorctl.training.csp import CHANNELS, band_pipeline, fit_patterns
from motorctl.training.sequence import Sequence

RATE, LENGTH = 160.0, 480


def mixed(seed: int = 0, trials: int = 20) -> tuple[Sequence, Any]:
    """Six sources in as many channels; the first is strong in class 0, the second in class 1. And the mixing."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(9).standard_normal((6, 6))
    classes = np.arange(trials) % 2
    sources = rng.standard_normal((trials, LENGTH, 6))
    sources[..., 0] *= np.where(classes == 0, 4, 1)[:, None]
    sources[..., 1] *= np.where(classes == 1, 4, 1)[:, None]
    values = (sources @ mixing).reshape(-1, 6).astype(np.float32)
    features = Features(values, np.arange(len(values)) / RATE, np.ones(values.shape, bool))
    targets = np.eye(2, dtype=np.float32)[np.repeat(classes, LENGTH)]
    return Sequence(features, targets, np.repeat(np.arange(trials), LENGTH)), mixing


def test_the_filters_find_the_sources_that_differ_and_nothing_else() -> None:
    sequence, mixing = mixed()
    patterns = fit_patterns([sequence], RATE, 8.0, 1.0)
    passed = np.abs(mixing @ patterns.filters[:, :2])  # (source, component)
    passed /= passed.max(axis=0)
    assert sorted(passed.argmax(axis=0)) == [0, 1]
    assert (np.sort(passed, axis=0)[:-1] < 0.15).all()
    unseen = patterns.apply(mixed(seed=1)[0])
    ends = unseen.features.values[7::24]  # far enough into each trial of 24 rows
    assert len(unseen) == 20 * 24 and len(ends) == 20
    difference = np.abs(unseen.features.values[23::24][::2] - unseen.features.values[23::24][1::2]).mean(axis=0)
    assert (difference[:2] > 1).all()


def test_features_rest_on_the_past_alone_and_missing_samples_are_masked() -> None:
    sequence, _ = mixed()
    patterns = fit_patterns([sequence], RATE, 8.0, 1.0)
    whole, part = patterns.apply(sequence).features, patterns.apply(sequence[:1001]).features
    assert len(part.times) == 50
    np.testing.assert_allclose(part.values, whole.values[:50], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(part.times, sequence.features.times[19:1001:20])
    assert whole.mask[:7].sum() == 0 and whole.mask[7:].all()  # until the window of 1 s is full
    broken = sequence.features.mask.copy()
    broken[2000, 3] = False
    masked = patterns.apply(Sequence(sequence.features._replace(mask=broken), sequence.targets, sequence.trial))
    lost = ~masked.features.mask.all(axis=1)
    assert np.flatnonzero(lost[7:]).tolist() == list(range(93, 101))


def test_row_by_row_they_are_as_over_a_whole_recording() -> None:
    sequence, _ = mixed(trials=6)
    patterns = fit_patterns([sequence], RATE, 7.0, 0.7)
    whole = patterns.apply(sequence).features
    state, rows, due = patterns.initial_state(), [], 0.0
    for number, channels in enumerate(sequence.features.values):
        row, state = patterns.step(channels, state)
        rows += [row] if row is not None else []
        assert row is None or number / RATE == pytest.approx(due)  # when it comes was known before
        due = number / RATE + patterns.next_in(state)
    np.testing.assert_allclose(rows, whole.values[whole.mask.all(axis=1)], atol=1e-5)


def test_log_power_is_its_formula() -> None:
    sequence, _ = mixed()
    patterns = fit_patterns([sequence], RATE, 8.0, 1.0)
    given = patterns.apply(sequence).features.values
    power = np.square(sequence.features.values[1000 - 160 : 1000] @ patterns.filters).mean(axis=0)
    np.testing.assert_allclose(given[49], (np.log(power) - patterns.mean) / patterns.std, rtol=1e-4)


def test_a_recording_without_the_channels_is_refused() -> None:
    info = StreamInfo("x", "EEG", 160.0, (Channel("C3"), Channel("O1")))
    with pytest.raises(ConfigurationError, match="1 of the channels"):
        band_pipeline(info)
    assert band_pipeline(StreamInfo("x", "EEG", 160.0, tuple(map(Channel, CHANNELS)))).channels == CHANNELS


def test_the_command_learns_with_them_and_stores_them(eegmmi: Path, tmp_path: Path) -> None:
    files = ["--recordings", str(eegmmi / "S001R05.edf"), "--test", str(eegmmi / "S001R09.edf")]
    options = ["--cues", "T1=fists", "T2=feet", "--front-end", "csp", "--permutations", "0", "--training.epochs", "15"]
    assert main(["train", "classify", *files, *options, "--out", str(tmp_path / "run")]) == 0
    checkpoint = load_checkpoint(tmp_path / "run")
    assert checkpoint.patterns is not None and checkpoint.patterns.filters.shape == (21, 4)
    assert checkpoint.history["test"]["accuracy"] >= 0.8
    assert checkpoint.controller.features == 4 and checkpoint.pipeline.mean is None
    assert float(checkpoint.controller.scale) == pytest.approx(1 / checkpoint.history["temperature"], rel=1e-5)
    assert checkpoint.history["calibrated_on"] == 15
