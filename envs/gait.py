"""The gait task: do the movement that is asked for, as people do it. Standing, walking, running or jumping."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motorctl.errors import ConfigurationError

from .gait_control import GaitController, accompany
from .gait_curves import MOVEMENTS, PERIODS, SPREAD
from .gait_pattern import START, Pattern
from .limb import Limb, Senses
from .reach import steps
from .registry import Policy
from .rewards import tolerance
from .task import State, Task, limits

Array = NDArray[np.float64]

ASKED = 16
"""Movements that are drawn for an episode; a longer one goes through them again."""
ONE = np.eye(len(MOVEMENTS))
"""Rows that are 1 for one movement and 0 for the others."""
FALLEN = 0.60
"""Height of the hip below which the person has fallen, m; the bottom of the jump is 0.70 m."""


@dataclass(frozen=True)
class Gait(Task):
    """One movement after the other is asked for, each for a while; the joint angles are to follow its normative curves.

    An episode is a success if it lasts till the time limit with a mean absolute error of each joint within the standard
    deviation between people (`gait_curves.SPREAD`). It begins in standing, at phase 0 of all movements; with
    `keep_limb` they go on as they are.

    `reset` takes the option `movement`, a name, which is then asked for throughout, instead of drawn ones.
    """

    limb: Limb
    period: float
    """Of the control, s."""
    movements: tuple[int, ...]
    """What may be asked for, as indices into `MOVEMENTS`."""
    hold_steps: int
    """Control steps that each movement is asked for."""
    pattern: Pattern
    effort_cost: float = 0.1
    """Cost of a step at which every muscle is fully excited."""

    reasons = ("fell",)
    options = ("movement",)

    def start(
        self, random: np.random.Generator, senses: Senses, previous: State | None, options: Mapping[str, Any]
    ) -> State:
        """Draw the movements. One that is asked for twice in a row does not occur if there are others."""
        if "movement" in options:
            asked = np.full(ASKED, _index(options["movement"]))
        else:
            asked = np.empty(ASKED, np.int64)
            last = -1
            for i in range(ASKED):
                others = [movement for movement in self.movements if movement != last] or self.movements
                asked[i] = last = others[random.integers(len(others))]
        rested = previous is None or np.array_equal(senses["joint_angles"], self.limb.at_rest["joint_angles"])
        course = START if rested or previous is None else previous["course"]
        figures = {"missed": np.zeros(3), "count": 0.0, "fell": False}
        return {"asked": asked, "movement": ONE[asked[0]], "course": course, **self._wanted(course, senses), **figures}

    def advance(self, state: State, senses: Senses) -> State:
        """Let the reference go on, and see how far the leg is from it."""
        course = self.pattern.follow(state["course"], state["movement"], self.period)
        wanted = self._wanted(course, senses)
        turn = (state["time"] / (self.hold_steps * self.period) + 1e-6) % ASKED
        asked = np.vecdot(state["asked"], np.arange(ASKED) == np.floor(turn)[..., None])
        return {
            **state,
            **wanted,
            "course": course,
            "movement": ONE[asked],
            "missed": state["missed"] + np.abs(senses["joint_angles"] - wanted["angles"]),
            "count": state["count"] + 1,
            "fell": senses["hip_height"][..., 0] < FALLEN,
        }

    def force(self, state: State) -> Array | None:
        """Forces (..., 2), N, of the belt's motor and the other leg; the command `class` sees to these itself."""
        return state["force"] if self.limb.push else None

    def observe(self, state: State, senses: Senses) -> list[Array]:
        """What is asked for, its phase as cosine and sine, and the joint angles and velocities that it asks for."""
        turn = 2 * np.pi * state["course"][..., 0] / (state["movement"] * PERIODS).sum(-1)
        phase = np.stack([np.cos(turn), np.sin(turn)], axis=-1)
        return [state["movement"], phase, state["angles"], state["velocities"]]

    def observed(self) -> dict[str, tuple[Array, Array]]:
        """Bounds."""
        joints = {"reference_angles": limits(3, np.pi), "reference_velocities": limits(3, 50.0)}
        return {"movement": limits(len(MOVEMENTS), 1.0, 0.0), "phase": limits(2, 1.0)} | joints

    def reward(self, state: State, senses: Senses, effort: Array) -> dict[str, Array]:
        """The terms (...) whose sum is the reward of a step.

        tracking  1 if all joints are within a standard deviation of the reference, 0 far away: mean `tolerance`
        effort    -`effort_cost` · mean squared control
        """
        off = np.abs(senses["joint_angles"] - state["angles"]) / SPREAD
        return {"tracking": tolerance(off, 0.0, 1.0, 2.0).mean(-1), "effort": -self.effort_cost * effort}

    def end(self, state: State) -> Any:
        """Fallen when the hip is too low."""
        return state["fell"] * 1

    def success(self, state: State) -> Any:
        """Upright, and close enough to the reference in the mean."""
        close = (self._error(state) <= SPREAD).all(-1)
        return close & np.logical_not(state["fell"])

    def info(self, state: State, senses: Senses) -> dict[str, Array]:
        """`movement`, the index of what is asked for, its reference, and the `Pattern`'s course."""
        reference = {"reference_angles": state["angles"], "reference_velocities": state["velocities"]}
        return {"movement": state["movement"].argmax(-1), "course": state["course"]} | reference

    def metrics(self, state: State) -> dict[str, Array]:
        """`error`, the largest of the joints' mean absolute errors in standard deviations; each joint's, rad."""
        error = self._error(state)
        joints = {"hip_error": error[..., 0], "knee_error": error[..., 1], "ankle_error": error[..., 2]}
        return {"error": (error / SPREAD).max(-1), **joints}

    def _error(self, state: State) -> Array:
        """Mean absolute error of each joint so far, (..., 3), rad."""
        error: Array = state["missed"] / np.maximum(state["count"], 1)[..., None]
        return error

    def _wanted(self, course: Array, senses: Senses) -> dict[str, Array]:
        """What the leg should do now, and the forces of belt and support till the next control step."""
        wanted = self.pattern.at(course)
        height, rise, speed = (senses[name][..., 0] for name in ("hip_height", "hip_velocity", "belt_velocity"))
        force = accompany(wanted, height, rise, speed)
        return {"angles": wanted.angles, "velocities": wanted.velocities, "force": force}


def gait(limb: Limb, period: float, movements: Sequence[str] = MOVEMENTS, hold: float = 4.0) -> Gait:
    """The task for the leg.

    Args:
        limb: the leg.
        period: of the control, s.
        movements: what may be asked for.
        hold: time that each movement is asked for, s, rounded to whole control steps.

    Raises:
        ConfigurationError: an option has a value that cannot be used.
    """
    names = [movements] if isinstance(movements, str) else list(movements)
    if not names:
        raise ConfigurationError("movements is empty.", f"Name some of {', '.join(MOVEMENTS)}.")
    return Gait(limb, period, tuple(map(_index, names)), steps("hold", hold, period), Pattern.of(limb.model))


def gait_expert(env: Any) -> Policy:
    """Does what is asked for, whatever the command."""
    period, pattern = 1 / env.control_rate, env.task.pattern
    controller = GaitController(env.limb.model, period)

    def policy(info: dict[str, Any]) -> NDArray[np.float32]:
        movement = ONE[info["movement"]]
        if env.command == "class":
            action = env.to_action(movement)
        else:
            course = pattern.follow(info["course"], movement, period)
            torque = controller.torque(pattern.at(course, -period / 2), env.physics)
            action = env.to_action(torque if env.command == "torque" else controller.excitations(torque, env.physics))
        return np.asarray(action)

    return policy


def _index(name: Any) -> int:
    if name not in MOVEMENTS:
        raise ConfigurationError(f"There is no movement {name!r}.", f"Name one of {', '.join(MOVEMENTS)}.")
    return MOVEMENTS.index(name)
