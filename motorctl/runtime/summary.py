"""What came of a run: targets, times, latency, deadlines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from motorctl.runtime.loop import Step


@dataclass(frozen=True)
class Summary:
    """Figures of a run; None where nothing happened to measure.

    Args:
        seconds: from the first command to the last.
        targets: trials that ended, one target each.
        reached: trials that ended on the target.
        success_rate: the share of them.
        median_time_to_target_s: of the reached ones, dwell included.
        latency_ms: percentiles ``p50``, ``p99`` of the time from the newest sample to the command that rests on it.
        deadlines: control steps that were due.
        deadlines_missed: those that went by without a command.
        neutral_steps: steps in which the stream was silent or the decoder failed, and the command neutral.
    """

    seconds: float
    targets: int
    reached: int
    success_rate: float | None
    median_time_to_target_s: float | None
    latency_ms: dict[str, float | None]
    deadlines: int
    deadlines_missed: int
    neutral_steps: int


def summarize(steps: Sequence[Step]) -> Summary:
    """The summary of a run's steps."""
    ended = [s for s in steps if s.outcome]
    reached = [s.trial_time for s in ended if s.outcome == "reached"]
    latency = np.array([s.latency for s in steps if np.isfinite(s.latency)])
    missed = sum(s.missed for s in steps)
    return Summary(
        seconds=steps[-1].time - steps[0].time if steps else 0.0,
        targets=len(ended),
        reached=len(reached),
        success_rate=len(reached) / len(ended) if ended else None,
        median_time_to_target_s=float(np.median(reached)) if reached else None,
        latency_ms={f"p{p}": 1e3 * float(np.percentile(latency, p)) if len(latency) else None for p in (50, 99)},
        deadlines=len(steps) + missed,
        deadlines_missed=missed,
        neutral_steps=sum(not np.isfinite(s.latency) for s in steps),
    )
