"""Recorded runs, replayed: the same commands, whatever happened to them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from motorctl.errors import ConfigurationError
from motorctl.runtime.replay import ReplayConfig, replay
from motorctl.runtime.session_file import read_session
from motorctl.signals.lsl import marker_outlet


def test_a_run_with_faults_is_replayed_command_by_command(
    start_run, new_headset, stream_name, small_controller, tmp_path
):
    headset, limb = new_headset(stream_name), f"{stream_name}-limb"
    operator = marker_outlet(f"{limb} operator")
    path = tmp_path / "session.xdf"
    words = ["--controller", small_controller, "--stream", stream_name, "--timeout", 30, "--seconds", 600]
    run = start_run([*words, "--record", path, "--out", tmp_path / "run", "--seed", 5, "--assist", 0.4], limb)
    run.wait_for("running")
    headset.do(nan=4)
    run.stay(0.2)
    headset.do(nan=0, mode="hold")
    since = run.wait_for("holding")
    headset.do(mode="on")
    since = run.wait_for("running", since=since)
    run.obey(operator, "hold", "holding", "operator")
    since = run.obey(operator, "start", "running")
    headset.do(shift=5.0)
    run.stay(0.3)
    headset.do(close=True)
    since = run.wait_for("stopped", "the stream is gone", since)
    headset.do(open={})
    since = run.wait_for("running", since=since)
    run.obey(operator, "stop", "stopped", "operator")
    run.obey(operator, "start", "running")
    run.stay(0.5)
    operator.push_sample(["end"])
    said, complaints = run.process.communicate(timeout=60)
    assert run.process.returncode == 0, said + complaints
    run.check()

    session = read_session(path)
    lived = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert len(session.moments) == len(session.commands) > 100
    assert sorted({m.asked.request for m in session.moments if m.asked.request}) == ["hold", "start", "stop"]
    assert np.abs(session.commands).max() > 0.01
    replay(ReplayConfig(path, out=tmp_path / "again", json=tmp_path / "r.json"))
    again = json.loads((tmp_path / "r.json").read_text())
    assert again["commands_differ_by"] < 1e-6
    for same in ("targets", "reached", "neutral_steps"):
        assert again[same] == lived[same]
    for phase, seconds in lived["phases"].items():
        assert again["phases"][phase] == pytest.approx(seconds, abs=0.1)
    rows = np.loadtxt(tmp_path / "again" / "commands.csv", delimiter=",", skiprows=1)
    np.testing.assert_allclose(rows[:, 1:3], session.commands, atol=1e-6)

    at_other_rate = session.at_rate(25.0)
    assert sum(len(c) for m in at_other_rate.moments for c in m.chunks) == sum(
        len(c) for m in session.moments for c in m.chunks
    )


def test_any_recording_is_replayed_as_it_was_measured(cued_edf, tmp_path):
    from motorctl.agents import ControllerConfig
    from motorctl.training.imitation import ImitationConfig
    from motorctl.training.recordings import ImitationFromRecordings, train_on_recordings

    edf, trained = cued_edf("a.edf"), tmp_path / "trained"
    training = ImitationConfig(epochs=1)
    train_on_recordings(
        ImitationFromRecordings(
            (edf,), ("T1=left", "T2=right"), out=trained, controller=ControllerConfig(widths=(4,)), training=training
        )
    )
    with pytest.raises(ConfigurationError, match="Name --controller"):
        replay(ReplayConfig(edf, out=tmp_path / "again"))
    replay(ReplayConfig(edf, controller=trained, out=tmp_path / "again", json=tmp_path / "r.json"))
    found = json.loads((tmp_path / "r.json").read_text())
    assert found["seconds"] == pytest.approx(96, abs=0.2) and found["commands_differ_by"] is None
    assert found["phases"]["running"] == pytest.approx(95.5, abs=0.3)
