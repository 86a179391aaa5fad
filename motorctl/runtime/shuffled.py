"""What the same commands reach when they come at the wrong time: the chance level of closed-loop control."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from motorctl.envs import Env
from motorctl.runtime.loop import Step

REPEATS = 10


def shuffled_success_rate(steps: Sequence[Step], env: Env, seed: int) -> float | None:
    """Success rate of a run's commands in random order, over :data:`REPEATS` orders; None if no trial ended.

    Targets come from ``seed``, as in the run. The commands are as many and as large as they were; what is lost is that
    they answer what happens.
    """
    rng = np.random.default_rng(seed)
    to_action = env.get_wrapper_attr("to_action")
    ended = reached = 0
    for _ in range(REPEATS):
        env.reset(seed=seed)
        for index in rng.permutation(len(steps)):
            _, _, terminated, truncated, info = env.step(to_action(steps[index].command))
            if terminated or truncated:
                ended += 1
                reached += info["success"]
                env.reset(options={"keep_limb": True})
    return reached / ended if ended else None
