"""Assistance: how much of the expert, when it becomes less, and what is counted as whose success."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from motorctl.errors import ConfigurationError
from motorctl.runtime.assist import Assistance, Fade, check_share, expert_of
from motorctl.runtime.operator import Operator
from motorctl.runtime.report import help_rows
from motorctl.runtime.safety import Phase
from motorctl.runtime.trials import TrialLog, success_by_help

WANTED, EXPERT = np.array([0.2, 0.0]), np.array([0.0, 0.1])
PERIOD = 0.02


def guide(share: float, fade: Fade = Fade("nothing"), operator: Operator | None = None) -> Assistance:  # noqa: B008
    return Assistance(share, fade, operator or Operator(), lambda intended, info: intended, PERIOD)


def step(phase: Phase = Phase.RUNNING, outcome: str = "", success: bool = False, **more: Any) -> Any:
    return SimpleNamespace(phase=phase, outcome=outcome, success=success, **more)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_commands_are_blended(share: float) -> None:
    np.testing.assert_allclose(guide(share)(WANTED, EXPERT, {}), (1 - share) * WANTED + share * EXPERT)


def test_a_controller_that_fails_is_not_hidden_by_its_helper() -> None:
    assert np.isnan(guide(0.5)(np.full(2, np.nan), EXPERT, {})).all()


def test_it_fades_with_the_time_that_the_limb_moves() -> None:
    helper = guide(0.5, Fade("time", seconds=2.0))
    for _ in range(50):
        helper.told(step())
        helper.told(step(Phase.HOLDING))
    assert helper.assist == pytest.approx(0.25)
    for _ in range(50):
        helper.told(step())
    assert helper.assist == 0.0  # exactly, so that what follows is the user's own


def test_it_fades_with_success_and_comes_back_with_failure() -> None:
    helper = guide(0.5, Fade("success", successes=5))
    for _ in range(2):
        helper.told(step(outcome="reached", success=True))
    assert helper.assist == pytest.approx(0.3)
    helper.told(step(outcome="time limit"))
    assert helper.assist == pytest.approx(0.4)
    for _ in range(9):
        helper.told(step(outcome="time limit"))
    assert helper.assist == pytest.approx(0.5)  # no more than at first
    for _ in range(5):
        helper.told(step(outcome="reached", success=True))
    assert helper.assist == 0.0


def test_the_operators_share_stays() -> None:
    operator = Operator()
    helper = guide(0.5, Fade("time", seconds=1.0), operator)
    operator.assist = 0.2
    np.testing.assert_allclose(helper(WANTED, EXPERT, {}), 0.8 * WANTED + 0.2 * EXPERT)
    for _ in range(100):
        helper.told(step())
    assert helper.assist == 0.2
    operator.assist = 0.0
    assert helper(WANTED, EXPERT, {}) is WANTED


def test_the_expert_of_imagery_is_no_faster_than_its_user() -> None:
    places = {"shown_position": np.zeros(2), "target_position": np.array([1.0, 0.0])}
    np.testing.assert_allclose(expert_of("imagery")(EXPERT, places), [0.15, 0.0])
    assert expert_of("")(EXPERT, {}) is EXPERT


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_impossible_shares_are_refused(share: float) -> None:
    with pytest.raises(ConfigurationError, match="assist"):
        check_share(share)


def test_what_was_reached_with_help_is_nobodys_own() -> None:
    log = TrialLog()
    for trial, (assist, outcome) in enumerate([(0.5, "reached"), (0.0, "reached"), (0.0, "time limit"), (0.2, "")], 1):
        for k in range(4):
            last = outcome if k == 3 else ""
            # in the first trial the help ends before the trial does
            share = assist * (k < 2) if trial == 1 else assist
            log(step(outcome=last, success=last == "reached", trial_time=1.0, assist=share))
    found = success_by_help(log.trials)
    assert [t["assist"] for t in found["trials"]] == [0.25, 0.0, 0.0]
    assert (found["own"]["succeeded"], found["own"]["trials"]) == (1, 2)
    assert (found["helped"]["succeeded"], found["helped"]["trials"]) == (1, 1)
    words = dict(help_rows(found))
    assert words["reached alone"].startswith("1 of 2: 50 %")
    assert words["reached with help"].endswith("the expert's share 25 %")
