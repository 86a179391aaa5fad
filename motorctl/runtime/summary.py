"""What came of a run: targets, times, latency, deadlines; kept as counts, in constant memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from motorctl.runtime.histogram import Histogram
from motorctl.runtime.loop import Step
from motorctl.runtime.safety import Phase

HIGH = {"p50": 50.0, "p99": 99.0, "p999": 99.9, "max": 100.0}
LOW = {"p50": 50.0, "p1": 1.0, "min": 0.0}
MILLISECOND = 1e-3


@dataclass(frozen=True)
class Summary:
    """Figures of a run; None where nothing happened to measure. Percentiles are good to 0.5 % of themselves
    (:class:`~motorctl.runtime.histogram.Histogram`), the extremes are exact.

    Args:
        seconds: from the first command to the last.
        targets: trials that ended and in which nobody helped, one target each.
        reached: trials that ended as they should, on the target.
        success_rate: the share of them.
        median_time_to_target_s: of the reached ones, dwell included.
        latency_ms: ``p50``, ``p99``, ``p999``, ``max`` of the time from the newest sample that a command rests on to
            the command, while the controller moves the limb.
        oldest_ms: the same from the oldest of the samples that came with it.
        compute_ms: the same of the time that a command takes when its samples are there.
        slack_ms: ``p50``, ``p1``, ``min`` of the time from the limb's step to the next deadline.
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
    oldest_ms: dict[str, float | None]
    compute_ms: dict[str, float | None]
    slack_ms: dict[str, float | None]
    deadlines: int
    deadlines_missed: int
    phases: dict[str, float]
    neutral_steps: int


class Tally:
    """A sink of the loop's steps that keeps what :meth:`summary` tells of them."""

    def __init__(self) -> None:
        self._newest, self._oldest, self._compute, self._slack, self._to_target = (Histogram() for _ in range(5))
        self._phases = dict.fromkeys(Phase, 0.0)
        self._begin = self._end = 0.0
        self.steps = self.targets = 0
        self._missed = self._neutral = 0
        self._helped = False  # in the trial that goes on

    def __call__(self, step: Step) -> None:
        """Count a step."""
        if not self.steps:
            self._begin = self._end = step.time
        self.steps += 1
        self._missed += step.missed
        self._phases[step.phase] += step.time - self._end
        self._end = step.time
        if step.phase is Phase.RUNNING:
            self._newest.add(step.newest_age)
            self._oldest.add(step.oldest_age)
        else:
            self._neutral += 1
        self._compute.add(step.compute)
        self._slack.add(step.slack)
        self._helped = self._helped or step.assist > 0
        if step.outcome and not self._helped:
            self.targets += 1
            if step.success:
                self._to_target.add(step.trial_time)
        self._helped = self._helped and not step.outcome

    def summary(self) -> Summary:
        """Of all steps so far."""
        reached = self._to_target.count
        return Summary(
            seconds=self._end - self._begin,
            targets=self.targets,
            reached=reached,
            success_rate=reached / self.targets if self.targets else None,
            median_time_to_target_s=self._to_target.percentile(50),
            latency_ms=self._newest.percentiles(HIGH, MILLISECOND),
            oldest_ms=self._oldest.percentiles(HIGH, MILLISECOND),
            compute_ms=self._compute.percentiles(HIGH, MILLISECOND),
            slack_ms=self._slack.percentiles(LOW, MILLISECOND),
            deadlines=self.steps + self._missed,
            deadlines_missed=self._missed,
            phases={phase.value: seconds for phase, seconds in self._phases.items()},
            neutral_steps=self._neutral,
        )


def summarize(steps: Iterable[Step]) -> Summary:
    """The summary of a run's steps."""
    tally = Tally()
    for step in steps:
        tally(step)
    return tally.summary()
