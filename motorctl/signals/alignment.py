"""Streams of different rates and clocks' phases, aligned by time stamp: one row per control step from all of them.

EEG at 250 Hz, muscles at 1000 Hz and kinematics at 100 Hz each become feature rows at their own pace (a pipeline each,
or samples as they are). A control step takes the newest row of each that is not later than the step, and knows its age.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from motorctl.errors import ConfigurationError
from motorctl.signals.features import Features, join_features

Array = NDArray[np.float64]


class AlignedFeatures(NamedTuple):
    """One row per control step: the parts' features side by side, and ``ages (time, part)`` of each part (s), infinite
    before its first row."""

    features: Features
    ages: Array


class AlignmentState(NamedTuple):
    """What is remembered between calls."""

    parts: tuple[Features, ...]  # rows that a later step may take: of each part the newest, and those after the step
    step: int  # number of the next control step


@dataclass(frozen=True)
class Alignment:
    """Puts parts together.

    Args:
        rate: control steps per second (Hz); step k is at ``start + k / rate``.
        start: time of the first step (s), on the clock of all the parts' time stamps.
        widths: how many features each part has.
        max_age: a part older than this (s) is masked; its last values stay.

    Raises:
        ConfigurationError: rate or max_age is not above 0.
    """

    rate: float
    start: float
    widths: tuple[int, ...]
    max_age: float = 0.1

    def __post_init__(self) -> None:
        if not (self.rate > 0 and self.max_age > 0):
            raise ConfigurationError(f"rate is {self.rate:g}, max_age {self.max_age:g}.", "Give numbers above 0.")

    def process(
        self, parts: Sequence[Features], until: float, state: AlignmentState | None = None
    ) -> tuple[AlignedFeatures, AlignmentState]:
        """All control steps up to ``until``, in order and none twice.

        Args:
            parts: what has come since the last call, of each part; times never decrease within a part. A row counts
                from its time stamp on; one that comes after its step has been given out counts for the next.
            until: the time (s) up to which the parts are complete, or as complete as they are waited for.
            state: returned by the previous call.
        """
        before = state or AlignmentState(tuple(join_features([], width) for width in self.widths), 0)
        known = [
            join_features([*p], w) for p, w in zip(zip(before.parts, parts, strict=True), self.widths, strict=True)
        ]
        # A whole number of periods must count as reached though it is rounded: 1e-9 s is far below any clock's grain.
        last = int(np.floor((until - self.start) * self.rate + 1e-9))
        steps = np.arange(before.step, max(last + 1, before.step))
        times = self.start + steps / self.rate
        taken = [self._newest(part, times) for part in known]
        values, masks, ages = zip(*taken, strict=True)
        features = Features(np.concatenate(values, axis=1), times, np.concatenate(masks, axis=1))
        reached = times[-1:] if len(times) else np.array([-np.inf])
        kept = tuple(part.select(slice(max(0, int(_up_to(part, reached)[0])), None)) for part in known)
        return AlignedFeatures(features, np.stack(ages, axis=1)), AlignmentState(kept, before.step + len(steps))

    def _newest(self, part: Features, times: Array) -> tuple[NDArray[np.float32], NDArray[np.bool_], Array]:
        """Values, mask and age of the row that each step takes; zeros, masked, before the first."""
        index = _up_to(part, times)
        there = index >= 0
        values = np.zeros((len(times), part.values.shape[1]), np.float32)
        mask = np.zeros(values.shape, bool)
        ages = np.full(len(times), np.inf)
        values[there], mask[there] = part.values[index[there]], part.mask[index[there]]
        ages[there] = times[there] - part.times[index[there]]
        return values, mask & (ages <= self.max_age)[:, None], ages


def _up_to(part: Features, times: Array) -> NDArray[np.intp]:
    """Index of the newest row not later than each time; -1 for none."""
    return np.searchsorted(part.times, times, side="right") - 1
