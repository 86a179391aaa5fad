"""The center-out task: from the center to one of eight targets and back (Georgopoulos et al., J Neurosci 2, 1982)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from motorctl.errors import check_positive

from .limb import Limb, Senses
from .reach import Reach, steps
from .rewards import tolerance
from .task import State, length

Array = NDArray[np.float64]

TARGETS = 8
HOLD, OUT, BACK = 0, 1, 2
"""The phases of a trial: hold the center until the target is shown; reach and hold it; return and hold the center."""


@dataclass(frozen=True)
class CenterOut(Reach):
    """An episode is a trial. Targets come in blocks of eight, each once, in random order; a seed starts a new block.

    `reset` takes the option `target`, a position that the hand can reach, instead of the block's.
    """

    target_distance: float = 0.10
    """From the center to the targets, m."""

    def start(
        self, random: np.random.Generator, senses: Senses, previous: State | None, options: Mapping[str, Any]
    ) -> State:
        """The next trial of the block."""
        trial = 0 if previous is None else int(previous["trial"]) + 1
        order = random.permutation(TARGETS) if previous is None or trial % TARGETS == 0 else previous["order"]
        angle = 2 * math.pi * order[trial % TARGETS] / TARGETS
        goal = self.center + self.target_distance * np.array([math.cos(angle), math.sin(angle)])
        state = {
            "trial": trial,
            "order": order,
            "goal": self._given(options["target"]) if "target" in options else goal,
            "phase": HOLD,
            "moving": 0.0,
            "progress": 0.0,
            "deviation": 0.0,
            **self.condition(trial),
        }
        hand, _ = self.shown(state, senses)
        return state | self.first(hand, self.center)

    def condition(self, trial: int) -> State:
        """What else is part of the state in the trial of this number, counted since the seed."""
        return {}

    def advance(self, state: State, senses: Senses) -> State:
        """See whether the phase is over, and how straight the hand goes out."""
        hand, _ = self.shown(state, senses)
        gap = length(hand - state["target"])
        stayed = (state["stayed"] + 1) * (gap <= self.target_radius)
        done = stayed >= self.dwell_steps
        out = state["phase"] == OUT
        phase = np.minimum(state["phase"] + done, BACK)
        target = np.where((phase == OUT)[..., None], state["goal"], self.center)
        distance = length(hand - target)
        cued = (phase == OUT) & ~out
        line, off = state["goal"] - self.center, hand - self.center
        across = out * (line[..., 1] * off[..., 0] - line[..., 0] * off[..., 1]) / length(line)
        return {
            **state,
            "hand": hand.copy(),
            "target": target,
            "distance": distance,
            "phase": phase,
            # the last phase is over when its dwell is
            "stayed": np.where(done & (state["phase"] < BACK), 0, stayed),
            "straight": np.where(cued, distance, state["straight"]),
            "progress": np.where(out, state["straight"] - gap, state["progress"]),
            "path": state["path"] * (phase > HOLD) + out * length(hand - state["hand"]),
            "moving": state["moving"] + out * self.period,
            "deviation": np.where(np.abs(across) > np.abs(state["deviation"]), across, state["deviation"]),
        }

    def reward(self, state: State, senses: Senses, effort: Array) -> dict[str, Array]:
        """The terms (...) whose sum is the reward of a step.

        Every term is a cost; that of a phase to come is at least that of the present one, so that there is nothing to
        gain from lingering in a phase.

            closeness  a third of: `tolerance` of the distance to the phase's target, less 1, less the phases to come
            effort     -`effort_cost` · mean squared control
        """
        near = tolerance(state["distance"], 0.0, self.target_radius, self.margin)
        return {"closeness": (near - 1.0 - (BACK - state["phase"])) / 3, "effort": -self.effort_cost * effort}

    def end(self, state: State) -> Any:
        """Reached when the hand is back and has stayed."""
        return (state["phase"] == BACK) & (state["stayed"] >= self.dwell_steps)

    def metrics(self, state: State) -> dict[str, Array]:
        """Figures of the way out.

        `time_to_target`, s, dwell included; `path_efficiency`, how much nearer the hand has come, as a share of its
        path; `deviation`, the largest from the straight line, m, positive to the right. And at last `error`, m.
        """
        return {
            "time_to_target": np.where(state["phase"] == BACK, state["moving"], np.nan),
            "path_efficiency": state["progress"] / np.where(state["path"] > 0, state["path"], np.nan),
            "deviation": state["deviation"],
            "error": state["distance"],
        }

    @classmethod
    def of(
        cls, limb: Limb, period: float, target_radius: float, dwell: float, target_distance: float, **more: float
    ) -> Self:
        """Check the options, with durations in s."""
        check_positive("target_radius", target_radius)
        check_positive("target_distance", target_distance)
        task = cls(limb, period, target_radius, steps("dwell", dwell, period), target_distance=target_distance, **more)
        task._given(task.center + (0.0, target_distance))  # the farthest from the shoulder
        return task


def center_out(
    limb: Limb, period: float, target_radius: float = 0.02, dwell: float = 0.2, target_distance: float = 0.10
) -> CenterOut:
    """The task for a planar limb; the center is the rest position of the hand.

    Args:
        limb: with a `hand_position` (..., 2).
        period: of the control, s.
        target_radius: of target and center, m.
        dwell: time that the hand must stay in each, s, rounded to whole control steps, at least one.
        target_distance: from the center to the targets, m.

    Raises:
        ConfigurationError: an option has a value that cannot be used.
    """
    return CenterOut.of(limb, period, target_radius, dwell, target_distance)
