"""Simulated people who watch an expert, as many as are asked for, made a few at a time."""

from __future__ import annotations

from collections.abc import Iterator

from motorctl.signals.pipeline import Pipeline
from motorctl.training.dagger import watch
from motorctl.training.sequence import Sequence
from motorctl.training.simulated import PUBLISHED_LIMIT, make_loop
from motorctl.training.steering import way_to_steer

TOGETHER = 8
"""People who are simulated side by side; numbers depend on it, and no longer on how many follow."""


def watching(pipeline: Pipeline, env: str, brain: str, people: int, seconds: float, seed: int) -> Iterator[Sequence]:
    """A session of each of so many people, for :func:`.background.written_meanwhile`.

    Args:
        pipeline: without a scaling.
        env: id of the environment.
        brain: preset of the people's brains.
        people: how many, a multiple of :data:`TOGETHER` or not.
        seconds: that each of them watches (s).
        seed: of all of it.
    """
    for first in range(0, people, TOGETHER):
        loop = make_loop(pipeline, env, brain, TOGETHER, time_limit=PUBLISHED_LIMIT)
        sequences, _ = watch(loop, seconds, seed + first, way_to_steer(brain).hand_speed)
        yield from sequences[: people - first]
