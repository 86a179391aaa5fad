"""What a task is to an environment: pure functions over arrays with any leading axes, and the draw of an episode.

A task knows nothing of physics: it reads the senses of a limb and its own state. A state is a dictionary of arrays
(..., width) or (...), one row an environment. Functions change none of them, and keep no view of the senses: these are
live, a state holds copies. `state["time"]` is always there, s since the start of the episode.
"""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .limb import Senses

Array = NDArray[np.float64]
State = dict[str, Any]
"""Arrays by name; of one environment, floats too."""


class Task:
    """A task with nothing to do; the tasks are its subclasses."""

    reasons: ClassVar[tuple[str, ...]] = ()
    """Words for the ways in which an episode can end, besides "time limit" and "unstable"."""
    options: ClassVar[tuple[str, ...]] = ()
    """The options of `reset` that `start` knows, besides `keep_limb`."""

    def start(
        self, random: np.random.Generator, senses: Senses, previous: State | None, options: Mapping[str, Any]
    ) -> State:
        """The state at the start of an episode of one environment.

        Args:
            random: the environment's generator.
            senses: (width,) of this environment, the limb in place.
            previous: the state that the last episode ended with; None after a reset with a seed.
            options: those of `reset` that were given, all named in `options`.

        Raises:
            ConfigurationError: an option has a value that cannot be used.
        """
        return {}

    def place(self, state: State) -> dict[str, Array]:
        """Fields of `mujoco.MjData`'s state or of `mujoco.MjModel` to write for this episode of one environment, whole;
        not asked for when `reset` keeps the limb."""
        return {}

    def scene(self, state: State) -> dict[str, Array]:
        """Positions (3,) of mocap bodies by name, for pictures: the target, say."""
        return {}

    def advance(self, state: State, senses: Senses) -> State:
        """The state after a control step, from that before it and the senses after it."""
        return state

    def observe(self, state: State, senses: Senses) -> list[Array]:
        """What is observed of the task, in the order of `observed`, each (..., width)."""
        return []

    def observed(self) -> dict[str, tuple[Array, Array]]:
        """Lower and upper bounds (width,) of what `observe` gives, by name; values beyond are clipped."""
        return {}

    def reward(self, state: State, senses: Senses, effort: Array) -> dict[str, Array]:
        """The terms (...) whose sum is the reward of a step; `effort` (...) is the mean squared control, 0 to 1."""
        return {}

    def end(self, state: State) -> Any:
        """How the episode has ended (...): 0 or False not at all, 1 or True in the first of `reasons`, and so on."""
        return state["time"] < 0

    def success(self, state: State) -> Any:
        """Whether an episode that ends now counts as a success, (...) bool."""
        return self.end(state) == 1

    def force(self, state: State) -> Array | None:
        """The force (..., 2 or 3), N, for the limb's `push`, asked for before every control step; None without."""
        return None

    def info(self, state: State, senses: Senses) -> dict[str, Array]:
        """What `info` tells of the task, by name, (..., width) or (...)."""
        return {}

    def metrics(self, state: State) -> dict[str, Array]:
        """Figures (...) that tell how well it went so far, by name; NaN where there is none."""
        return {}


def limits(width: int, high: float, low: float | None = None) -> tuple[Array, Array]:
    """Lower and upper bounds (width,) for `Task.observed`; the lower is -`high` unless given."""
    return np.full(width, -high if low is None else low), np.full(width, high)


def length(vector: Array) -> Any:
    """Euclidean lengths (...) of vectors (..., 2) or (..., 3); a float of a single one."""
    if vector.ndim == 1:  # plain Python is far quicker than NumPy on single numbers
        return math.hypot(*vector.tolist())
    flat = np.hypot(vector[..., 0], vector[..., 1])
    return flat if vector.shape[-1] == 2 else np.hypot(flat, vector[..., 2])
