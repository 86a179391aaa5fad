"""What is practised: the targets that an environment's task shows, and what it would call a success."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium.utils import seeding
from numpy.typing import NDArray
from torch import Tensor

from motorctl.agents import reach_velocity
from motorctl.envs import Reach

State = dict[str, Any]
Array = NDArray[np.float64]


def first_states(task: Reach, batch: int, seed: int) -> State:
    """The task's state at the start of ``batch`` episodes, ``(batch, ...)`` each, the limb at rest.

    Episode i has the target of an environment seeded with seed + i.
    """
    states = [task.start(seeding.np_random(seed + lane)[0], task.limb.at_rest, None, {}) for lane in range(batch)]
    stacked = {name: np.stack([np.asarray(state[name]) for state in states]) for name in states[0]}
    return stacked | {"steps": np.zeros(batch, np.int64), "time": np.zeros(batch)}


def next_states(task: Reach, state: State, hand: Array, velocity: Array, period: float) -> State:
    """The task's state after a control step, with the hand ``(batch, 2 or 3)`` m, m/s where it is then."""
    steps = state["steps"] + 1
    timed = state | {"steps": steps, "time": steps * period}
    return task.advance(timed, {"hand_position": hand, "hand_velocity": velocity})


def rehearse(task: Reach, steps: int, batch: int, seed: int, period: float) -> tuple[Tensor, Tensor]:
    """What the task shows to hands that move as the arm's expert moves them, and these hands.

    In a task that goes on when a target is reached, the times at which it does are those of the expert, wherever a
    learner's hand is then: nothing is won in practice by being late.

    Args:
        task: of the environment.
        steps: control steps.
        batch: episodes.
        seed: as `first_states`.
        period: of the control (s).

    Returns:
        targets and hands ``(batch, time, 2 or 3)`` m.
    """
    state = first_states(task, batch, seed)
    hand = np.broadcast_to(task.center, state["target"].shape)
    targets, hands = [], []
    for _ in range(steps):
        targets.append(state["target"])
        hands.append(hand)
        velocity = reach_velocity(hand, state["target"])
        hand = hand + period * velocity
        state = next_states(task, state, hand, velocity, period)
    shown, moved = (torch.from_numpy(np.stack(rows, axis=1)).float() for rows in (targets, hands))
    return shown, moved


class Judge:
    """Follows episodes as the environment's task does, and tells which of them are successes.

    Args:
        task: of the environment.
        batch: episodes.
        seed: as `first_states`.
        period: of the control (s).
        steps_allowed: control steps until the time limit.
    """

    def __init__(self, task: Reach, batch: int, seed: int, period: float, steps_allowed: int) -> None:
        self._task, self._period, self._allowed = task, period, steps_allowed
        self._state = first_states(task, batch, seed)
        self._over = np.zeros(batch, bool)
        self.success = np.zeros(batch, bool)
        """``(batch,)`` which episodes have been successes so far."""

    @property
    def target(self) -> Tensor:
        """Shown now, ``(batch, 2 or 3)`` m."""
        return torch.from_numpy(np.asarray(self._state["target"])).float()

    @property
    def over(self) -> bool:
        """Whether all have ended."""
        return bool(self._over.all())

    def see(self, hand: Tensor, velocity: Tensor) -> None:
        """A control step later, hands are there ``(batch, 2 or 3)`` m, m/s."""
        place, speed = (value.detach().double().numpy() for value in (hand, velocity))
        self._state = state = next_states(self._task, self._state, place, speed, self._period)
        ended = (np.asarray(self._task.end(state)) != 0) | (state["steps"] >= self._allowed)
        self.success |= ended & ~self._over & np.asarray(self._task.success(state), bool)
        self._over |= ended
