"""What came of a run: targets, times, latency, deadlines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from motorctl.runtime.loop import Step
from motorctl.runtime.safety import Phase

HIGH = {"p50": 50.0, "p99": 99.0, "p999": 99.9, "max": 100.0}
LOW = {"p50": 50.0, "p1": 1.0, "min": 0.0}


@dataclass(frozen=True)
class Summary:
    """Figures of a run; None where nothing happened to measure.

    Args:
        seconds: from the first command to the last.
        targets: trials that ended, one target each.
        reached: trials that ended as they should, on the target.
        success_rate: the share of them.
        median_time_to_target_s: of the reached ones, dwell included.
        latency_ms: ``p50``, ``p99``, ``p999``, ``max`` of the time from the newest sample to its command.
        compute_ms: the same of the time that a command takes when its features are there.
        slack_ms: ``p50``, ``p1``, ``min`` of the time from a command to the next deadline.
        deadlines: control steps that were due.
        deadlines_missed: those that went by without a command.
        phases: seconds that safety spent in each phase.
        neutral_steps: steps in which nothing but safety decided: the stream was silent, just back, or stopped.
    """

    seconds: float
    targets: int
    reached: int
    success_rate: float | None
    median_time_to_target_s: float | None
    latency_ms: dict[str, float | None]
    compute_ms: dict[str, float | None]
    slack_ms: dict[str, float | None]
    deadlines: int
    deadlines_missed: int
    phases: dict[str, float]
    neutral_steps: int


def summarize(steps: Sequence[Step]) -> Summary:
    """The summary of a run's steps."""
    ended = [s for s in steps if s.outcome]
    reached = [s.trial_time for s in ended if s.success]
    missed = sum(s.missed for s in steps)
    lasted = np.diff([s.time for s in (*steps[:1], *steps)])
    return Summary(
        seconds=steps[-1].time - steps[0].time if steps else 0.0,
        targets=len(ended),
        reached=len(reached),
        success_rate=len(reached) / len(ended) if ended else None,
        median_time_to_target_s=float(np.median(reached)) if reached else None,
        latency_ms=milliseconds([s.newest_age for s in steps if s.phase is Phase.RUNNING], HIGH),
        compute_ms=milliseconds([s.compute for s in steps], HIGH),
        slack_ms=milliseconds([s.slack for s in steps], LOW),
        deadlines=len(steps) + missed,
        deadlines_missed=missed,
        phases={
            phase.value: float(sum(time for step, time in zip(steps, lasted, strict=True) if step.phase is phase))
            for phase in Phase
        },
        neutral_steps=sum(s.phase is not Phase.RUNNING for s in steps),
    )


def milliseconds(times: Sequence[float], percentiles: Mapping[str, float]) -> dict[str, float | None]:
    """Percentiles of times in s that are not NaN, in ms, by name; None if there is none."""
    known = np.array([time for time in times if np.isfinite(time)])
    return {name: 1e3 * float(np.percentile(known, p)) if len(known) else None for name, p in percentiles.items()}
