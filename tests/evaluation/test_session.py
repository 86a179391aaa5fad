"""A session that was recorded is scored as the movements that were made."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from motorctl.envs import expert, make_env
from motorctl.errors import RecordingError
from motorctl.evaluation.movement import Movement, movement_figures
from motorctl.evaluation.session import evaluate_session, session_reaches
from motorctl.signals.stream import Channel, StreamInfo
from motorctl.signals.xdf_writer import XdfWriter, stream_header

RATE = 50.0
LABELS = [f"{what}_{axis}" for what in ("hand", "hand_velocity", "target", "command", "wanted") for axis in "xy"]
START = 1000.0


class Row(NamedTuple):
    """A control step, as the loop says it."""

    values: list[float]
    outcome: str


def steps(env_id: str, count: int, idle: int = 0) -> list[Row]:
    """The expert from target to target, the limb left where it is; for the first ``idle`` steps it drifts."""
    env: Any = make_env(env_id, command="velocity", time_limit=2.0)
    _, info = env.reset(seed=3)
    policy, rows = expert(env), []
    for step in range(count):
        action = np.full(2, 0.05, np.float32) if step < idle else policy(info)
        _, _, terminated, truncated, info = env.step(action)
        command = np.asarray(action, float)
        values = [info["hand_position"], info["hand_velocity"], info["target_position"], command, command]
        rows.append(Row(np.concatenate(values).tolist(), info["reason"]))
        if terminated or truncated:
            _, info = env.reset(options={"keep_limb": True})
    return rows


def write(path: Path, rows: list[Row], labels: list[str] = LABELS, kind: str = "MoCap", markers: bool = True) -> Path:
    """As ``motorctl live --record`` writes a run: EEG, the limb and its events."""
    stamps = START + np.arange(len(rows)) / RATE
    eeg = StreamInfo("cap", "EEG", 250.0, (Channel("C3"), Channel("C4")))
    limb = StreamInfo("arm", kind, RATE, tuple(Channel(label, "m", "MoCap") for label in labels))
    events = StreamInfo("arm events", "Markers", 0.0, (Channel("events", "", "Markers"),))
    with XdfWriter(path) as writer:
        numbers = [
            writer.add_stream(stream_header(info, kind)) for info, kind in ((eeg, "float32"), (limb, "double64"))
        ]
        samples = np.random.default_rng(0).standard_normal((5 * len(rows), 2))
        writer.append(numbers[0], samples, START + np.arange(len(samples)) / 250)
        writer.append(numbers[1], np.array([row.values for row in rows])[:, : len(labels)], stamps)
        if markers:
            own = writer.add_stream(stream_header(events, "string"))
            told = [(t, row.outcome) for t, row in zip(stamps, rows, strict=True) if row.outcome]
            told = [(START, "running"), *told]
            writer.append(own, [[text] for _, text in told], np.array([t for t, _ in told]))
    return path


def test_reaches_are_those_that_were_made(tmp_path: Path) -> None:
    rows = steps("motorctl/ArmReach-v0", 500, idle=110)
    trials = session_reaches(write(tmp_path / "session.xdf", rows), radius=0.02)
    ends = [k for k, row in enumerate(rows) if row.outcome]
    assert [t.outcome for t in trials] == [rows[k].outcome for k in ends]
    assert trials[0].outcome == "time limit" and {t.outcome for t in trials[1:]} == {"reached"} and len(trials) > 8
    for trial, first, last in zip(trials, [0, *(k + 1 for k in ends)], ends, strict=False):
        values = np.array([row.values for row in rows[first : last + 1]])
        own = Movement(
            times=np.arange(len(values)) / RATE,
            hand=values[:, :2],
            velocity=values[:, 2:4],
            target=values[0, 4:6],
            radius=0.02,
            reached=trial.outcome == "reached",
            command=values[:, 6:8],
            activation=np.empty((len(values), 0)),
            power=np.full(len(values), np.nan),
        )
        (movement,) = trial.movements
        assert trial.seconds == pytest.approx((last - first) / RATE, abs=1e-6)
        assert movement_figures(movement) == pytest.approx(movement_figures(own), rel=1e-4, abs=1e-5, nan_ok=True)


def test_targets_that_move_on_within_a_trial_were_reached(tmp_path: Path) -> None:
    """Center-out: to the target and back to the center; holding the center is no movement."""
    trials = session_reaches(write(tmp_path / "session.xdf", steps("motorctl/ArmCenterOut-v0", 300)), radius=0.02)
    assert trials and all([m.reached for m in t.movements] == [True, True] for t in trials if t.outcome == "reached")
    out, back = trials[0].movements
    assert np.linalg.norm(out.target - back.target) == pytest.approx(0.10)


def test_a_session_is_scored_as_a_cell_is(tmp_path: Path) -> None:
    told = evaluate_session(write(tmp_path / "session.xdf", steps("motorctl/ArmReach-v0", 300)), radius=0.02)
    assert told["people"] == len(told["episodes"]) == len(told["movements"]) == len(told["paths"])
    assert all(m["path_efficiency"] > 0.9 and m["sparc"] > -2 for m in told["movements"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "Position"}, "no streams of a limb among 'cap' .EEG.; 'arm' .Position."),
        ({"labels": LABELS[:6]}, "no streams of a limb"),
        ({"markers": False}, "no marker of a trial's end"),
    ],
)
def test_what_a_session_lacks_is_said(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "session.xdf", steps("motorctl/ArmReach-v0", 60), **options)
    with pytest.raises(RecordingError, match=message):
        session_reaches(path, radius=0.02)
