"""Episodes of an environment under a policy, many at once, and what came of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from motorctl.envs import Policy, VectorEnvironment

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
        traces: ``(step, width)`` or ``(step,)`` by name, the start included; empty if they were not asked for.
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
    observation, info = env.reset(seed=seed)
    traces = {name: info[name][:traced] for name in TRACED if name in info}
    recorder = Recorder(env, env.num_envs if count is None else count, 1, traces)
    while not recorder.complete:
        action = policy(info | {"observation": observation})
        observation, reward, terminated, truncated, info = env.step(action)
        traces = {name: info[name][:traced] for name in traces}
        recorder.add(reward, terminated | truncated, info, traces)
        progress(recorder.ended)
    return recorder.episodes


class Recorder:
    """Puts the steps of a vector of environments together to episodes, and keeps the first ones of each.

    Args:
        env: of the steps.
        count: environments that count, the first ones.
        each: episodes of each of them.
        traces: ``(environment, ...)`` of the start, of the first environments or of all.
    """

    def __init__(
        self, env: VectorEnvironment, count: int, each: int, traces: Mapping[str, NDArray[np.floating]]
    ) -> None:
        self._rate, self._each = env.control_rate, each
        self._rows = [traces]
        self._began = [0] * count  # row that the episode of each environment starts with
        self._rewards = np.zeros(env.num_envs)
        self._episodes: list[list[Episode]] = [[] for _ in range(count)]

    @property
    def episodes(self) -> list[Episode]:
        """Those that have ended, environment by environment."""
        return [episode for own in self._episodes for episode in own]

    def newest(self, environment: int) -> Episode:
        """The one that ended last."""
        return self._episodes[environment][-1]

    @property
    def ended(self) -> int:
        """How many have ended."""
        return sum(map(len, self._episodes))

    @property
    def complete(self) -> bool:
        """Whether all have ended."""
        return self.ended == self._each * len(self._episodes)

    def add(
        self,
        reward: NDArray[np.float64],
        done: NDArray[np.bool_],
        info: dict[str, Any],
        traces: Mapping[str, NDArray[np.floating]],
    ) -> None:
        """What a step gave, ``reward`` and ``done (environment,)``, and what is traced of it."""
        self._rows.append(traces)
        self._rewards += reward
        for i in np.flatnonzero(done[: len(self._began)]).tolist():
            if len(self._episodes[i]) < self._each:
                self._episodes[i].append(self._episode(i, info))
            self._began[i] = len(self._rows)  # the next step gives the first row of the next episode
            self._rewards[i] = 0.0

    def _episode(self, i: int, info: dict[str, Any]) -> Episode:
        rows = self._rows[self._began[i] :]
        names = [name for name, values in rows[0].items() if i < len(values)]
        return Episode(
            reason=str(info["reason"][i]),
            success=bool(info["success"][i]),
            seconds=(len(rows) - 1) / self._rate,
            reward=float(self._rewards[i]),
            metrics={name: float(info["metrics"][name][i]) for name in info["metrics"] if name[0] != "_"},
            traces={name: np.array([row[name][i] for row in rows]) for name in names},
        )


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
