"""The figures of a run, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from motorctl.runtime.histogram import RESOLUTION
from motorctl.runtime.loop import Step
from motorctl.runtime.safety import Phase
from motorctl.runtime.summary import summarize

POINT = np.zeros(2)
STEP = Step(
    time=0.0,
    wanted=POINT,
    intended=POINT,
    command=POINT,
    assist=0.0,
    phase=Phase.RUNNING,
    cause="",
    info={"success": False},
    outcome="",
    trial=1,
    trial_time=0.0,
    newest_age=0.01,
    oldest_age=0.03,
    compute=0.001,
    slack=0.019,
    missed=0,
)


def test_figures() -> None:
    outcomes = {10: ("reached", 1.0), 20: ("time limit", 4.0), 30: ("reached", 3.0)}
    steps = [replace(STEP, time=k / 50, newest_age=k / 1000, missed=int(k == 5) * 3) for k in range(40)]
    for k, (outcome, seconds) in outcomes.items():
        steps[k] = replace(steps[k], outcome=outcome, trial_time=seconds, info={"success": outcome == "reached"})
    steps[0] = replace(steps[0], newest_age=float("nan"), phase=Phase.ARMED)
    summary = summarize(steps)
    assert (summary.targets, summary.reached, summary.success_rate) == (3, 2, 2 / 3)
    assert summary.median_time_to_target_s == 1.0  # of two, the first that half do not exceed
    assert summary.latency_ms["p50"] == pytest.approx(20, rel=RESOLUTION) and summary.latency_ms[
        "p99"
    ] == pytest.approx(39)
    assert (summary.deadlines, summary.deadlines_missed, summary.neutral_steps) == (43, 3, 1)
    assert summary.seconds == pytest.approx(39 / 50)
    assert summary.latency_ms["max"] == pytest.approx(39) and summary.slack_ms["min"] == pytest.approx(19)
    assert summary.compute_ms["p999"] == pytest.approx(1) and summary.oldest_ms["max"] == pytest.approx(30)
    assert summary.phases == pytest.approx({"idle": 0, "armed": 0, "running": 39 / 50, "holding": 0, "stopped": 0})


def test_a_run_without_anything_has_no_figures_and_no_error() -> None:
    summary = summarize([])
    assert (summary.targets, summary.success_rate, summary.median_time_to_target_s) == (0, None, None)
    assert summary.latency_ms == dict.fromkeys(("p50", "p99", "p999", "max"))
