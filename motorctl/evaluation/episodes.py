"""Episodes of an environment under a policy, many at once, and what came of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from motorctl.envs import VectorEnvironment

Policy = Callable[[dict[str, Any]], NDArray[np.float32]]
"""Takes `info` of all environments, gives their actions ``(episode, size)``."""

TRACED = ("shown_position", "target_position", "joint_angles", "reference_angles", "object_position", "phase")
"""What a picture of an episode may show, of what `info` tells."""


@dataclass(frozen=True)
class Episode:
    """One episode from its start to its end.

    Args:
        reason: why it ended.
        success: whether that counts as one.
        seconds: how long it lasted.
        reward: the sum over all steps.
        metrics: the task's own figures, NaN where there is none.
        traces: ``(step, width)`` or ``(step,)`` by name, those of `TRACED` that the environment tells, the start
            included; empty if they were not asked for.
    """

    reason: str
    success: bool
    seconds: float
    reward: float
    metrics: dict[str, float]
    traces: dict[str, NDArray[np.float64]]


def run_episodes(
    env: VectorEnvironment,
    policy: Policy,
    seed: int,
    count: int | None = None,
    traced: int | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> list[Episode]:
    """The first episode of each of the environments, so that short ones do not count more often than long ones.

    Args:
        env: episode i is seeded with ``seed + i``.
        policy: acts for all of them.
        seed: of the first.
        count: how many count, the first ones; all by default.
        traced: how many keep their traces, the first ones; all by default.
        progress: told how many have ended.
    """
    count = env.num_envs if count is None else count
    _, info = env.reset(seed=seed)
    traces = {name: [np.array(info[name][:traced])] for name in TRACED if name in info}
    rewards = np.zeros(env.num_envs)
    going = np.arange(env.num_envs) < count
    ended: dict[int, Episode] = {}
    steps = 0
    while len(ended) < count:
        _, reward, terminated, truncated, info = env.step(policy(info))
        steps += 1
        for name, trace in traces.items():
            trace.append(np.array(info[name][:traced]))
        rewards += reward
        for i in np.flatnonzero((terminated | truncated) & going).tolist():
            kept = traced is None or i < traced
            ended[i] = Episode(
                reason=str(info["reason"][i]),
                success=bool(info["success"][i]),
                seconds=steps / env.control_rate,
                reward=float(rewards[i]),
                metrics={name: float(info["metrics"][name][i]) for name in info["metrics"] if name[0] != "_"},
                traces={name: np.array([row[i] for row in trace]) for name, trace in traces.items()} if kept else {},
            )
            going[i] = False
        progress(len(ended))
    return [ended[i] for i in range(count)]


def summarize_episodes(episodes: list[Episode]) -> dict[str, Any]:
    """Success with its 95 % interval (Wilson 1927, J. Am. Stat. Assoc. 22:209-212), how often each reason, and means:
    of a metric over the episodes that have it."""
    successes = sum(episode.success for episode in episodes)
    interval = binomtest(successes, len(episodes)).proportion_ci(method="wilson")
    metrics = {}
    for name in episodes[0].metrics:
        values = [e.metrics[name] for e in episodes if np.isfinite(e.metrics[name])]
        metrics[name] = float(np.mean(values)) if values else None
    return {
        "episodes": len(episodes),
        "success_rate": successes / len(episodes),
        "low": float(interval.low),
        "high": float(interval.high),
        "reasons": dict(Counter(episode.reason for episode in episodes).most_common()),
        "mean_seconds": float(np.mean([episode.seconds for episode in episodes])),
        "mean_reward": float(np.mean([episode.reward for episode in episodes])),
        "metrics": metrics,
    }
