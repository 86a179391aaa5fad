"""How the trials of a run went, those that the expert helped with apart from the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from motorctl.evaluation.statistics import wilson_interval
from motorctl.runtime.loop import Step


class TrialResult(NamedTuple):
    """A trial that came to its end.

    Args:
        outcome: why it ended.
        success: whether as it should.
        seconds: how long it took (s).
        assist: mean share of the expert in its commands (0 to 1); 0 means that all of it was the user's own.
    """

    outcome: str
    success: bool
    seconds: float
    assist: float


class TrialLog:
    """A sink of the loop's steps that keeps how each trial ended, as ``trials``."""

    def __init__(self) -> None:
        self.trials: list[TrialResult] = []
        self._assist, self._steps = 0.0, 0

    def __call__(self, step: Step) -> None:
        """A step has gone by."""
        self._assist += step.assist
        self._steps += 1
        if step.outcome:
            share = self._assist / self._steps
            self.trials.append(TrialResult(step.outcome, step.success, step.trial_time, share))
            self._assist, self._steps = 0.0, 0


def success_of(trials: Sequence[TrialResult]) -> dict[str, Any]:
    """How many of some trials succeeded, with the share and its 95 % interval (None for no trial), and the mean share
    of the expert in them."""
    succeeded = sum(trial.success for trial in trials)
    low, high = wilson_interval(succeeded, len(trials)) if trials else (None, None)
    return {
        "trials": len(trials),
        "succeeded": succeeded,
        "success_rate": succeeded / len(trials) if trials else None,
        "low": low,
        "high": high,
        "assist": float(np.mean([trial.assist for trial in trials])) if trials else None,
    }


def success_by_help(trials: Sequence[TrialResult]) -> dict[str, Any]:
    """Of a run's trials ``own``, those in which the expert had no share at all, and ``helped``, the others; and all of
    them, one by one, as ``trials``."""
    return {
        "own": success_of([trial for trial in trials if not trial.assist]),
        "helped": success_of([trial for trial in trials if trial.assist]),
        "trials": [trial._asdict() for trial in trials],
    }
