"""The grasping task: grasp an object and lift it, hold it until the go cue, put it down and let go."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .hand import CLOSE, GRIP, LIFTED, OPEN
from .limb import REST, Limb, Senses
from .reach import steps
from .registry import Policy
from .rewards import tolerance
from .task import State, Task, limits

Array = NDArray[np.float64]

GRASP, HOLD, RELEASE = range(3)
"""The phases: lift the object; hold it; the go cue has come, put it down and let go."""
RADII = 0.025, 0.035
"""Least and greatest radius of the object, m."""
PLACE = np.array([0.0075, 0.01])
"""Farthest that the object may stand from its place at rest along x and y, m."""
STANDING, TOPPLED = 0.98, 0.7
"""Cosines of the tilt up to which the object stands, and from which on it has toppled: 11 and 45 degrees."""
FIRM = 0.95
"""Part of a firm grip from which on the expert lifts."""
GENTLY, RISE = 0.1, 0.02
"""How far the expert aims above or below the present: parts of a firm grip, and height, m."""


@dataclass(frozen=True)
class Grasp(Task):
    """A cylinder of random size stands at a random place in the open hand. The hold is of random length, so that the go
    cue cannot be foreseen.

    Phases, in `info["phase"]`: 0 until the object is `lift` above the table; 1 while it is to be held there; 2 after
    the go cue, until it stands on the table, touched by no finger, for `dwell_steps`. The object is dropped when it
    sinks to less than `down` in phase 1, or topples in any.
    """

    limb: Limb
    period: float
    """Of the control, s."""
    hold_steps: int
    """Mean length of the hold in control steps; it is drawn between a half and one and a half of it."""
    dwell_steps: int
    """Control steps for which the object must stand untouched at the end."""
    drop_cost: float
    """Cost of dropping the object."""
    lift: float = 0.04
    """Height of the object above the table from which on it is held, m."""
    down: float = 0.015
    """Height of the object below which it stands on the table, m."""
    effort_cost: float = 0.1
    """Cost of a step at which every actuator does its utmost."""

    reasons = ("held and released", "dropped")

    def start(
        self, random: np.random.Generator, senses: Senses, previous: State | None, options: Mapping[str, Any]
    ) -> State:
        """Draw the object and the length of the hold."""
        at_rest = self.limb.at_rest["object_position"]
        offset = PLACE * random.uniform(-1, 1, 2)
        radius = random.uniform(*RADII)
        hold = round(self.hold_steps * random.uniform(0.5, 1.5))
        return {
            "object": np.append(at_rest[:2] + offset, at_rest[2]),
            "radius": radius,
            "hold": max(1, hold),
            "phase": GRASP,
            "held": 0,
            "released": 0,
            "dropped": 0,
            "lifted_at": np.nan,
            "cued_at": np.nan,
        }

    def place(self, state: State) -> dict[str, Array]:
        """The object, in place and of its size."""
        model = self.limb.model
        position = model.key(REST).qpos.copy()
        address = model.joint("object").qposadr[0]
        position[address : address + 2] = state["object"][:2]
        size = model.geom_size.copy()
        size[model.geom("object").id, 0] = state["radius"]
        return {"qpos": position, "geom_size": size}

    def advance(self, state: State, senses: Senses) -> State:
        """Go from phase to phase."""
        height = senses["object_position"][..., 2]
        touched = (senses["touch"] > 0).any(-1)
        phase = state["phase"]
        lifted = (phase == GRASP) & (height >= self.lift) & touched
        held = state["held"] + ((phase == HOLD) & (height >= self.lift))
        cued = (phase == HOLD) & (held >= state["hold"])
        upright = senses["object_axis"][..., 2]
        alone = (phase == RELEASE) & (height < self.down) & (upright > STANDING) & ~touched
        dropped = ((phase == HOLD) & (height < self.down)) | (upright < TOPPLED)
        return {
            **state,
            "object": senses["object_position"].copy(),
            "phase": phase + lifted + cued,
            "held": held,
            "released": (state["released"] + 1) * alone,
            "dropped": dropped * 1,
            "lifted_at": np.where(lifted, state["time"], state["lifted_at"]),
            "cued_at": np.where(cued, state["time"], state["cued_at"]),
        }

    def observe(self, state: State, senses: Senses) -> list[Array]:
        """Position, velocity and axis of the object, and the phase, one number of 0 or 1 for each."""
        phase = np.equal.outer(state["phase"], np.arange(3)).astype(float)
        return [senses["object_position"], senses["object_velocity"], senses["object_axis"], phase]

    def observed(self) -> dict[str, tuple[Array, Array]]:
        """Bounds: those of the limb's senses, and 0 to 1."""
        senses = self.limb.senses
        names = "object_position", "object_velocity", "object_axis"
        return {name: limits(3, float(np.max(senses[name].high))) for name in names} | {"phase": limits(3, 1.0, 0.0)}

    def reward(self, state: State, senses: Senses, effort: Array) -> dict[str, Array]:
        """The terms (...) whose sum is the reward of a step. Every term is a cost.

        lift     before the go cue: -0.9 with the object on the table ... 0 from `lift` on: `tolerance` less 1
        release  after it: -1 with all digits on the object ... 0 when none is
        dropped  -`drop_cost` when it is dropped
        effort   -`effort_cost` · mean squared control
        """
        after = state["phase"] == RELEASE
        near = tolerance(senses["object_position"][..., 2], self.lift, 1.0, self.lift)  # 1 m is out of reach
        return {
            "lift": ~after * (near - 1.0),
            "release": after * -(senses["touch"] > 0).mean(-1),
            "dropped": -self.drop_cost * state["dropped"],
            "effort": -self.effort_cost * effort,
        }

    def end(self, state: State) -> Any:
        """Released when the object has stood untouched for the whole dwell; dropped."""
        dropped = state["dropped"]
        return (state["released"] >= self.dwell_steps) * (1 - dropped) + 2 * dropped

    def scene(self, state: State) -> dict[str, Array]:
        """A disc where the foot of the object should be: lifted, and on the table after the go cue."""
        foot = self.limb.model.geom("table").pos[2] + LIFTED * (state["phase"] != RELEASE)
        return {"target": np.append(state["object"][:2], foot)}

    def info(self, state: State, senses: Senses) -> dict[str, Array]:
        """`phase`, and `cue`: the class that is asked for, 0 open, 1 close."""
        phase = np.asarray(state["phase"])
        return {"phase": phase, "cue": np.where(phase == RELEASE, OPEN, CLOSE)}

    def metrics(self, state: State) -> dict[str, Array]:
        """`time_to_lift`, `time_held`, and `time_to_release` after the go cue, dwell included, s."""
        after = np.where(self.end(state) == 1, state["time"] - state["cued_at"], np.nan)
        return {"time_to_lift": state["lifted_at"], "time_held": self.period * state["held"], "time_to_release": after}


def grasp(limb: Limb, period: float, hold: float = 1.0, dwell: float = 0.2, drop_cost: float = 6.0) -> Grasp:
    """The task for a hand.

    Args:
        limb: `hand`.
        period: of the control, s.
        hold: mean time that the object is to be held, s; it is drawn between a half and one and a half of it.
        dwell: time for which the object must stand untouched at the end, s.
        drop_cost: reward lost by dropping the object, in seconds of doing nothing.

    Raises:
        ConfigurationError: an option has a value that cannot be used.
    """
    lost = steps("drop_cost", drop_cost, period)
    return Grasp(limb, period, steps("hold", hold, period), steps("dwell", dwell, period), lost)


def grasp_expert(env: Any) -> Policy:
    """Does what the cue says; with the command `tendons` step by step, from what the hand feels."""

    def excitations(info: dict[str, Any], close: NDArray[np.bool_]) -> Array:
        """Grip, then lift; put down, then let go: all gently, going on from what there is."""
        firmness = (info["activation"] / GRIP).min(-1, keepdims=True)
        grip = close | (info["object_position"][..., 2:] > env.task.down / 2)
        height = info["height"] + np.where(close & (firmness > FIRM), RISE, -RISE)
        tension = GRIP * np.minimum(np.maximum(firmness + np.where(grip, GENTLY, -GENTLY), 0.0), 1.0)
        return np.concatenate([tension, np.minimum(np.maximum(height, 0.0), LIFTED)], axis=-1)

    def policy(info: dict[str, Any]) -> NDArray[np.float32]:
        close = np.asarray(info["cue"] == CLOSE)[..., None]
        scores = np.concatenate([~close, close], axis=-1)
        action: NDArray[np.float32] = env.to_action(scores if env.command == "class" else excitations(info, close))
        return action

    return policy
