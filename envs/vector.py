"""Many environments at once: a limb and a task as a `gymnasium.vector.VectorEnv` on a `mujoco.batch.Batch`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.utils import EzPickle, seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from motorctl.errors import ConfigurationError

from .episodes import GOES_ON, TIME_LIMIT, Episodes
from .perception import Observation
from .simulation import Many, Row

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


class VectorEnvironment(VectorEnv[Observation, NDArray[np.float32], Any], EzPickle):
    """`num_envs` environments that do what as many `Environment` would, physics on several threads.

    Each has its own generator and its own model parameters. With `reset(seed=s)`, environment i does what
    a single one does after `reset(seed=s + i)`, but for rounding.

    Autoreset is Gymnasium's "next step" mode: the step after the end of an episode ignores the action of that
    environment and gives the first observation of its next episode, with reward 0.

    `info` holds what the single one's does, with a leading axis, and next to each `name` a mask `_name` of the
    environments that it is told for: all, but for `metrics`, which is there when episodes have just ended.
    """

    metadata: dict[str, Any] = {"autoreset_mode": AutoresetMode.NEXT_STEP, "render_modes": []}

    def __init__(
        self,
        name: str,
        num_envs: int = 1,
        num_threads: int | None = None,
        command: str | None = None,
        control_rate: float = 50.0,
        time_limit: float | None = None,
        delay: float = 0.0,
        noise: float = 0.0,
        randomize: Mapping[str, tuple[float, float]] | None = None,
        **options: Any,
    ) -> None:
        """Build the environments.

        Args:
            name: as `Environment`, and so are all but the next two.
            num_envs: how many.
            num_threads: for the physics; all CPUs by default.

        Raises:
            ConfigurationError: an option has a value that cannot be used.
        """
        given = (command, control_rate, time_limit, delay, noise, randomize)
        EzPickle.__init__(self, name, num_envs, num_threads, *given, **options)
        for what, count in (("num_envs", num_envs), ("num_threads", 1 if num_threads is None else num_threads)):
            if not (isinstance(count, int) and count > 0):
                raise ConfigurationError(f"{what} is {count!r}.", "Give a whole number above 0.")
        self._episodes = Episodes(
            lambda limb: Many(limb.model, num_envs, num_threads or 0, limb.fields), name, *given, **options
        )
        self.name = name
        self.num_envs = num_envs
        self.command = self._episodes.command
        self.control_rate = control_rate
        self.task = self._episodes.task
        self.limb = self._episodes.limb
        self.observed = self._episodes.observed
        self.physics = self._episodes.simulation.data
        self.single_action_space = self._episodes.action_space
        self.single_observation_space = self._episodes.observation_space
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._reasons = np.array(self._episodes.reasons)
        self._generators: list[np.random.Generator] = []
        self._over = np.zeros(num_envs, bool)
        self._everywhere = np.ones(num_envs, bool)

    def to_action(self, command: ArrayLike) -> NDArray[np.float32]:
        """The actions (num_envs, size) of commands in physical units, clipped.

        Raises:
            ActionError: as `step`.
        """
        return self._episodes.to_action(command)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode of every environment.

        Args:
            seed: s seeds environment i with s + i; a sequence gives one each.
            options: the same for all, as `Environment.reset`.

        Raises:
            ConfigurationError: an unknown option, or one with a value that cannot be used.
        """
        seeds = [seed + i for i in range(self.num_envs)] if isinstance(seed, int) else seed
        if seeds is not None or not self._generators:
            seeds = [None] * self.num_envs if seeds is None else list(seeds)
            if len(seeds) != self.num_envs:
                raise ConfigurationError(f"{len(seeds)} seeds for {self.num_envs} environments.", "Give one each.")
            self._generators = [seeding.np_random(one)[0] for one in seeds]
        every = list(range(self.num_envs))
        observation, info = self._episodes.reset(every, self._random, options, seed is not None)
        return observation, self._told(info, np.zeros(self.num_envs, np.int64))

    def step(self, actions: ArrayLike) -> tuple[Observation, Array, Mask, Mask, dict[str, Any]]:
        """Hold commands (num_envs, size) for one control period.

        Raises:
            ActionError: the actions have the wrong shape, or hold NaN or infinity.
        """
        over: list[int] = np.flatnonzero(self._over).tolist()
        observation, reward, end, info = self._episodes.step(actions, over, self._random)
        return observation, reward, end > TIME_LIMIT, end == TIME_LIMIT, self._told(info, end)

    def _told(self, info: dict[str, Any], end: NDArray[np.int64]) -> dict[str, Any]:
        """Info as Gymnasium wants it, with a mask for each; remembers whose episode is over."""
        self._over = end != GOES_ON
        state = self._episodes.state
        info["reason"] = self._reasons[end]
        info["success"] = self._over & (end < len(self._reasons) - 1) & self.task.success(state)
        info["reward_terms"] = self._masked(info.get("reward_terms", {}), self._everywhere)
        told = self._masked(info, self._everywhere)
        if self._over.any():
            told |= {"metrics": self._masked(self.task.metrics(state), self._over), "_metrics": self._over}
        return told

    def _masked(self, values: Mapping[str, Any], mask: Mask) -> dict[str, Any]:
        return {**values, **{f"_{name}": mask for name in values}}

    def _random(self, row: Row) -> np.random.Generator:
        assert isinstance(row, int)
        return self._generators[row]
