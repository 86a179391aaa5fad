"""Continuous targets: found where they are, in m, at the rows' own times, and nothing made up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motorctl.errors import ConfigurationError, RecordingError
from motorctl.signals.pipeline import Pipeline, PipelineConfig
from motorctl.signals.recording import Recording
from motorctl.signals.stream import Channel, StreamInfo
from motorctl.signals.xdf_writer import XdfWriter, stream_header
from motorctl.training.kinematics import (
    KinematicTargets,
    at,
    before_held_back_blocks,
    blocks,
    check_targets,
    kinematic_sequence,
    read_with_kinematics,
)

HAND = KinematicTargets(("hand_x", "hand_y"))
PIPELINE = PipelineConfig(rate=25.0, reference="none", power_bands=(), amplitude_band=(0.0, 8.0))
SPEED = 2 * np.pi * 0.2 * 0.1


def hand(times: np.ndarray) -> np.ndarray:
    """A circle of 0.1 m in 5 s: position in m."""
    return 0.1 * np.stack([np.cos(2 * np.pi * 0.2 * times), np.sin(2 * np.pi * 0.2 * times)], axis=1)


def velocity(times: np.ndarray) -> np.ndarray:
    return SPEED * np.stack([-np.sin(2 * np.pi * 0.2 * times), np.cos(2 * np.pi * 0.2 * times)], axis=1)


def write_csv(path: Path, seconds: float = 40.0, unit: str = "mm", columns: str = "hand_x ({0}),hand_y ({0})") -> Path:
    times = np.arange(round(seconds * 100)) / 100
    eeg = np.random.default_rng(0).standard_normal((len(times), 2)) * 10
    table = np.column_stack([times, eeg, 1e3 * hand(times)])
    np.savetxt(path, table, "%.9g", ",", header="time (s),C3 (uV),C4 (uV)," + columns.format(unit), comments="")
    return path


def write_xdf(path: Path, regular: bool = True, lost: tuple[float, float] = (20.0, 22.0), late: float = 0.0) -> Path:
    """EEG at 100 Hz from 50 s on, and a hand at some 60 Hz that begins ``late`` and was lost for a while."""
    times = np.arange(4000) / 100
    moved = np.arange(2400) / 60 + 1e-3 + late
    moved = moved[(moved < lost[0]) | (moved > lost[1])]
    eeg = np.random.default_rng(0).standard_normal((len(times), 2)).astype(np.float32)
    channels = tuple(Channel(f"hand_{axis}", "m", "MISC") for axis in "xy")
    with XdfWriter(path) as writer:
        number = writer.add_stream(stream_header(StreamInfo("cap", "EEG", 100.0, (Channel("C3"), Channel("C4")))))
        writer.append(number, eeg, times + 50)
        other = writer.add_stream(stream_header(StreamInfo("tracker", "MoCap", 60.0 if regular else 0.0, channels)))
        writer.append(other, hand(moved).astype(np.float32), moved + 50)
    return path


def sequence_of(path: Path, config: KinematicTargets = HAND) -> Any:
    eeg, kinematics = read_with_kinematics(path, config)
    return kinematic_sequence(eeg, kinematics, Pipeline(PIPELINE, eeg.info), config)


def test_columns_of_a_table_are_targets_and_no_eeg(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "hand.csv")
    eeg, _ = read_with_kinematics(path, HAND)
    assert eeg.info.labels == ("C3", "C4")
    sequence = sequence_of(path)
    inside = slice(1, -1)
    np.testing.assert_allclose(sequence.targets[inside], velocity(sequence.features.times[inside]), atol=2e-3 * SPEED)
    assert np.isfinite(sequence.targets[inside]).all()


def test_a_velocity_is_taken_as_it_is(tmp_path: Path) -> None:
    sequence = sequence_of(write_csv(tmp_path / "v.csv", unit="mm/s"), replace(HAND, kind="velocity"))
    np.testing.assert_allclose(sequence.targets, hand(sequence.features.times), atol=1e-4)


def test_a_decoders_velocity_is_turned_towards_the_target_that_was_seen(tmp_path: Path) -> None:
    """A hand that circles at 0.1 m about the origin, where a target of 0.02 m stands until it jumps onto the hand."""
    times = np.arange(4000) / 100
    target = np.where(times[:, None] < 20, 0.0, hand(times - 0.3))
    table = np.column_stack([times, np.random.default_rng(0).standard_normal(len(times)), hand(times), target])
    header = "time (s),C3 (uV),hand_x (m),hand_y (m),target_x (m),target_y (m)"
    np.savetxt(tmp_path / "loop.csv", table, "%.9g", ",", header=header, comments="")
    config = replace(HAND, towards=("target_x", "target_y"), delay=0.3, radius=0.05)
    sequence = sequence_of(tmp_path / "loop.csv", config)
    at_row, targets = sequence.features.times, sequence.targets
    assert np.isnan(targets[at_row < 0.28]).all()
    before = (at_row > 0.32) & (at_row < 20.2)
    np.testing.assert_allclose(targets[before], -SPEED / 0.1 * hand(at_row[before] - 0.3), atol=2e-3 * SPEED)
    after = (at_row > 20.4) & (at_row < 39.9)
    assert (targets[after] == 0).all()


def test_the_length_of_a_unit_may_be_said(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "px.csv", unit="px")
    with pytest.raises(RecordingError, match="hand_x .* is in px, expected m, cm or mm.*--targets.metres"):
        sequence_of(path)
    sequence = sequence_of(path, replace(HAND, metres=0.002))
    np.testing.assert_allclose(sequence.targets[1:-1], 2 * velocity(sequence.features.times[1:-1]), atol=4e-3 * SPEED)


@pytest.mark.parametrize("regular", [True, False])
def test_another_stream_of_an_xdf_file_gives_targets_on_the_clock_of_both(regular: bool, tmp_path: Path) -> None:
    sequence = sequence_of(write_xdf(tmp_path / "hand.xdf", regular, late=2.0))
    times = sequence.features.times
    known = np.isfinite(sequence.targets).all(axis=1)
    np.testing.assert_allclose(sequence.targets[known], velocity(times[known]), atol=5e-3 * SPEED)
    there = ((times > 2.03) & (times < 19.95)) | (times > 22.05)
    assert known[there].all()
    assert not known[(times < 1.97) | ((times > 20.03) & (times < 21.97))].any()


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ("hand_x ({0}),foot_y ({0})", "has no channels hand_y: 'hand' has C3, C4, hand_x, foot_y"),
        ("hand_x,hand_y", "is in no unit"),
    ],
)
def test_what_is_not_there_is_said(columns: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=words):
        sequence_of(write_csv(tmp_path / "hand.csv", columns=columns))


def test_streams_that_share_no_time_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="not measured at any time"):
        sequence_of(write_xdf(tmp_path / "late.xdf", late=60.0, lost=(0.0, 0.0)))


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        (KinematicTargets(("x",)), "moves along 2 axes, but the targets are x"),
        (KinematicTargets(("x", "x")), "2 different channels"),
        (replace(HAND, metres=-1.0), "targets.metres is -1"),
        (replace(HAND, towards=("target_x",)), "no direction"),
        (replace(HAND, towards=("hand_x", "hand_y")), "no direction"),
        (replace(HAND, towards=("target_x", "target_y"), kind="velocity"), "no direction"),
        (replace(HAND, towards=("target_x", "target_y"), radius=0.0), "targets.radius"),
        (replace(HAND, towards=("target_x", "target_y"), delay=-1.0), "targets.delay is -1"),
    ],
)
def test_targets_that_no_environment_takes_are_said(targets: KinematicTargets, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        check_targets(targets, 2)


@given(seed=st.integers(0, 100))
def test_between_samples_is_a_line_and_outside_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.001, 0.3, 30))
    slope, wanted = rng.standard_normal(), rng.uniform(-1, times[-1] + 1, 50)
    found = at(times, slope * times, wanted, regular=False)
    after = np.searchsorted(times, wanted)
    far = np.array([k in (0, 30) or times[k] - times[k - 1] > 0.1 for k in after])
    assert (np.isnan(found) == far).all()
    np.testing.assert_allclose(found[~far], slope * wanted[~far], atol=1e-9)


def test_blocks_are_of_one_length_and_the_last_are_not_calibrated_on() -> None:
    numbers = blocks(np.arange(0, 52, 0.04))
    assert set(np.diff(numbers)) == {0, 1} and numbers[0] == 0 and numbers[-1] == 9
    assert np.ptp(np.bincount(numbers)) <= 1
    samples = np.zeros((5200, 1), np.float32)
    info = StreamInfo("s", "EEG", 100.0, (Channel("C3"),))
    recording = Recording(info, samples, np.arange(5200) / 100, np.ones(samples.shape, bool), (), Path("x"))
    assert len(before_held_back_blocks(recording, 0.2)) == pytest.approx(4160, abs=2)
