"""What a limb is to an environment: a model, what is sensed of it, and what moves it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Any, Protocol

import mujoco
import numpy as np
from mujoco.batch import Batch
from numpy.typing import ArrayLike, NDArray

from .simulation import Simulation, Single

Array = NDArray[np.float64]
Senses = Mapping[str, Array]
"""What is sensed of one limb or many, by name: live views (..., width) of the simulation, to be read only."""

REST = "rest"
"""The keyframe, in every limb's MJCF, that episodes start from."""
MUSCLES, MOTORS = 0, 1
"""Groups of the actuators in every limb's MJCF: muscles (or tendons), and the motors that replace them."""


def load(name: str, actuators: int = MUSCLES) -> mujoco.MjModel:
    """Compile `assets/<name>.xml` with the actuators of one group."""
    spec = mujoco.MjSpec.from_string(files(__package__).joinpath(f"assets/{name}.xml").read_text("utf-8"))
    for actuator in list(spec.actuators):
        if actuator.group != actuators:
            spec.delete(actuator)
    return spec.compile()


class Command(Protocol):
    """What an action means: from actions (..., size) in [-1, 1] to the controls of the model's actuators.

    It may have a memory (..., width), one row an environment, which is taken and returned.
    """

    @property
    def size(self) -> int:
        """Numbers in an action."""
        ...

    @property
    def components(self) -> tuple[tuple[str, str], ...]:
        """Name and unit ("" without one) of each number of a command in physical units."""
        ...

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields of `mujoco.MjData` that it reads."""
        ...

    def to_action(self, command: Array) -> Array:
        """The action (..., size) of a command in physical units (..., size)."""
        ...

    def start(self, senses: Senses) -> Array:
        """The memory (..., width) at the start of a movement."""
        ...

    def __call__(self, action: Array, memory: Array, data: mujoco.MjData | Batch) -> tuple[Array, Array]:
        """The controls (..., actuator) for one control step, and the next memory."""
        ...


class Direct:
    """The action sets the actuators, from the lower to the upper end of their control ranges."""

    fields = ()

    def __init__(self, model: mujoco.MjModel) -> None:
        """Commands are excitations in [0, 1] for muscles, torques in N·m for motors, ... as the control range says."""
        self.size = model.nu
        self.components = tuple((model.actuator(i).name, _unit(model, i)) for i in range(model.nu))
        low, high = model.actuator_ctrlrange.T
        self._middle, self._half = (high + low) / 2, (high - low) / 2

    def to_action(self, command: Array) -> Array:
        """As `Command.to_action`."""
        action: Array = (command - self._middle) / self._half
        return action

    def start(self, senses: Senses) -> Array:
        """There is no memory: (..., 0)."""
        empty: Array = next(iter(senses.values()))[..., :0]
        return empty

    def __call__(self, action: Array, memory: Array, data: mujoco.MjData | Batch) -> tuple[Array, Array]:
        """As `Command`."""
        return self._middle + action * self._half, memory


def _unit(model: mujoco.MjModel, actuator: int) -> str:
    """Of an actuator's control: a torque at a hinge, a place along a slide; an excitation has none."""
    if model.actuator_trntype[actuator] != mujoco.mjtTrn.mjTRN_JOINT:
        return ""
    return "N·m" if model.jnt_type[model.actuator_trnid[actuator, 0]] == mujoco.mjtJoint.mjJNT_HINGE else "m"


@dataclass(frozen=True)
class Sense:
    """Something of a limb that can be sensed: part of a field of `mujoco.MjData`."""

    field: str
    index: Any
    """Selects from the last axes of the field what is sensed, as a view: a slice, or a tuple of them."""
    high: ArrayLike
    """Bound of its size in an observation, one for all values or one each; observations beyond are clipped."""

    def of(self, simulation: Simulation) -> Array:
        """The live view (..., width)."""
        index = self.index if isinstance(self.index, tuple) else (self.index,)
        view: Array = simulation.field(self.field)[(..., *index)]
        return view


def sensor(model: mujoco.MjModel, name: str, high: ArrayLike, width: int | None = None) -> Sense:
    """What one of the model's sensors gives, all of it or its first `width` values."""
    start, size = int(model.sensor(name).adr[0]), int(model.sensor(name).dim[0])
    return Sense("sensordata", slice(start, start + (width or size)), high)


@dataclass(frozen=True)
class Limb:
    """A limb under one command. Its model has a keyframe `rest` and a camera `camera`."""

    model: mujoco.MjModel
    command: Command
    senses: Mapping[str, Sense]
    """By name. `hand_position` and `hand_velocity`, m and m/s from the origin, are what reaching is about;
    `joint_angles` and `joint_velocities`, rad and rad/s, are the limb's own."""
    observed: tuple[str, ...]
    """The senses that every observation begins with: proprioception."""
    camera: str
    workspace: Any = None
    """Where the hand can go, with `contains(position)` and `clip(position)` for positions (..., 2 or 3)."""
    push: Callable[[mujoco.MjData | Batch, Array], None] | None = None
    """`push(data, force)` lets a force (..., 2 or 3), N, act until set anew, at the hand or where the limb says."""

    @property
    def fields(self) -> set[str]:
        """The fields of `mujoco.MjData` that are read."""
        return {sense.field for sense in self.senses.values()} | set(self.command.fields)

    def views(self, simulation: Simulation) -> dict[str, Array]:
        """The senses of one simulation or many; `activation` of the muscles (..., muscle) is among them."""
        views = {name: sense.of(simulation) for name, sense in self.senses.items()}
        return views | {"activation": simulation.field("act")}

    @cached_property
    def at_rest(self) -> Senses:
        """The senses at rest."""
        simulation = Single(self.model)
        simulation.reset((), self.model.key(REST).id)
        return {name: view.copy() for name, view in self.views(simulation).items()}

    @cached_property
    def effort_weights(self) -> Array:
        """(actuator,): of the squared controls in their mean, each control being a part of its largest."""
        largest: Array = np.abs(self.model.actuator_ctrlrange).max(-1)
        return 1 / (largest * largest * len(largest))
