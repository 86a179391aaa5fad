"""Cues: what an annotation asks for, and what the expert does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from motorctl.errors import ConfigurationError, RecordingError
from motorctl.signals.pipeline import Pipeline, PipelineConfig
from motorctl.signals.recording import read_recording
from motorctl.training.cues import DIRECTIONS, REACH, before_held_back, cued_sequence, displacement, parse_cues
from motorctl.training.sequence import hold_back

CONFIG = PipelineConfig(rate=20.0, amplitude_band=None)


def test_cues_are_parsed() -> None:
    assert parse_cues(["T1=left", "T2=right"]) == {"T1": "left", "T2": "right"}


@pytest.mark.parametrize("texts", [["T1"], ["=left"], ["T1=up"], ["T1=left", "T1=right"], ["T1=left=right"], []])
def test_what_is_no_cue_is_refused_with_the_form(texts: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="T1=left"):
        parse_cues(texts)


def test_directions_are_as_far_as_a_reach_and_opposite_in_pairs() -> None:
    assert all(np.linalg.norm(displacement(d)) == pytest.approx(REACH) for d in DIRECTIONS)
    np.testing.assert_allclose(displacement("left"), -displacement("right"))
    np.testing.assert_allclose(displacement("forward"), -displacement("back"))


def test_the_expert_reaches_while_a_cue_lasts_and_rests_in_between(cued_edf: Callable[..., Path]) -> None:
    recording = read_recording(cued_edf())
    sequence = cued_sequence(recording, {"T1": "left", "T2": "right"}, Pipeline(CONFIG, recording.info))
    times, velocity = sequence.features.times, sequence.targets
    assert len(sequence) == 96 * 20
    assert set(sequence.trial) == {-1, *range(11)}
    assert not velocity[sequence.trial < 0].any() and not velocity[:, 1].any()
    for k in range(11):
        during = sequence.trial == k
        assert (times[during].min() >= 4 + 8 * k) and (times[during].max() < 8 + 8 * k)
        way = velocity[during, 0].sum() / 20
        assert way == pytest.approx(-0.1 if k % 2 == 0 else 0.1, rel=1e-3)  # the whole reach, to the cued side


def test_calibration_ends_where_what_is_held_back_begins(cued_edf: Callable[..., Path]) -> None:
    recording, cues = read_recording(cued_edf()), {"T1": "left", "T2": "right"}
    seen = before_held_back(recording, cues, 0.2)  # two of eleven trials, the first of them at 4 + 8 * 9 s
    assert seen.times[-1] < 76 <= seen.times[-1] + 1 / recording.info.rate + 1e-9
    sequence = cued_sequence(recording, cues, Pipeline(CONFIG, recording.info))
    kept, held = hold_back(sequence, 0.2, 0.0)
    assert kept.features.times[-1] <= seen.times[-1] + 1 / recording.info.rate < held.features.times[0] + 0.05
    assert len(before_held_back(recording, cues, 0.0)) == len(recording.times)


def test_an_absent_cue_is_refused_and_the_present_ones_named(cued_edf: Callable[..., Path]) -> None:
    recording = read_recording(cued_edf())
    with pytest.raises(RecordingError, match="no annotation T3; it has T1, T2"):
        cued_sequence(recording, {"T1": "left", "T3": "right"}, Pipeline(CONFIG, recording.info))


def test_cues_without_duration_are_refused(tmp_path: Path, write_edf: Callable[..., Path]) -> None:
    rng = np.random.default_rng(0)
    path = write_edf(tmp_path / "a.edf", rng.integers(-99, 99, (320, 2)), ["C3", "C4"], annotations=[(0.5, 0.0, "T1")])
    recording = read_recording(path)
    with pytest.raises(RecordingError, match="without a duration"):
        cued_sequence(recording, {"T1": "left"}, Pipeline(CONFIG, recording.info))
