"""The environments by name: which limb, which task."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from .limb import Limb
from .task import Task

NAMESPACE = "motorctl/"


Policy = Callable[[dict[str, Any]], NDArray[np.float32]]
"""Takes `info`, gives the action (..., size)."""


@dataclass(frozen=True)
class Definition:
    """A limb and a task that make an environment."""

    summary: str
    """What is to be done, in a sentence of at most 60 characters."""
    limb: Callable[[str, float], Limb]
    """`limb(command, period)`: the limb under a command, for a control period in s."""
    commands: tuple[str, ...]
    """The commands it takes, the default first."""
    task: Callable[..., Task]
    """`task(limb, period, **options)`; its keyword arguments are options of the environment."""
    time_limit: float
    """Length of an episode at most, s, unless the user gives another."""
    expert: Callable[[Any], Policy]
    """`expert(env)`: a full-state controller for an `Environment` or a `VectorEnvironment` of this definition."""
    imagery: tuple[str, tuple[str, ...]] | None = None
    """Of a task that asks for classes: where `info` tells which, and the movement that a user imagines for each, of
    `motorctl.person.movements.MOVEMENTS`. Users of the others intend to bring the hand to the target."""

    @property
    def task_options(self) -> tuple[str, ...]:
        """Names of the task's options."""
        return tuple(inspect.signature(self.task).parameters)[2:]


DEFINITIONS: dict[str, Definition] = {}
"""By name, the id without namespace and version."""


def expert(env: Any) -> Policy:
    """A full-state controller that does an environment's task: `action = policy(info)`, also for a vector of them.

    It may look at everything, `env.physics` too; delay and noise of observations do not touch it.
    """
    return DEFINITIONS[env.unwrapped.name].expert(env.unwrapped)


def register(name: str, definition: Definition) -> None:
    """Make an environment known here and, as `motorctl/<name>-v0` and `motorctl/<name>EEG-v0`, to Gymnasium."""
    DEFINITIONS[name] = definition
    gymnasium.register(
        f"{NAMESPACE}{name}-v0",
        entry_point="motorctl.envs:Environment",
        vector_entry_point="motorctl.envs:VectorEnvironment",
        kwargs={"name": name},
    )
    gymnasium.register(
        f"{NAMESPACE}{name}EEG-v0", entry_point="motorctl.envs.eeg:EEGEnvironment", kwargs={"name": name}
    )
