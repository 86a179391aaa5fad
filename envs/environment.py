"""One environment: a limb and a task as a `gymnasium.Env`."""

from collections import deque
from collections.abc import Mapping
from typing import Any, Literal, get_args

import gymnasium
import mujoco
import numpy as np
from gymnasium.utils import EzPickle
from numpy.typing import ArrayLike, NDArray

from .episodes import GOES_ON, TIME_LIMIT, Episodes, choose
from .perception import Observation
from .rendering import Camera, Window
from .simulation import Row, Single

RenderMode = Literal["rgb_array", "human"]

TRAIL_SECONDS = 1.0
"""How much of the hand's path is drawn."""
ALL: list[Row] = [()]


class Environment(gymnasium.Env[Observation, NDArray[np.float32]], EzPickle):
    """A limb that does a task.

    Action, `Box(-1, 1, float32)`; values beyond are clipped. `to_action` makes it from a command in physical units; the
    limb tells what its commands are (`arm`, ...).

    Observation, `Box(float32)`: first the limb's own senses, then what the task shows, last the activation of the
    muscles; `observed` tells where each is. Values beyond the bounds are clipped.

    Reward: the sum of `info["reward_terms"]`, which the task tells. An unstable simulation costs 1 for every step that
    was left.

    `reset` puts the limb at rest, unless its option `keep_limb` is True; the tasks tell theirs.

    End: `terminated` as the task says, or when MuJoCo finds the state bad ("unstable"); `truncated` at the time limit
    ("time limit"). `info["reason"]` is that word, "" till then, `info["success"]` whether it is a success, and
    `info["metrics"]` the task's figures of the episode, empty till then. `info` also holds the limb's senses
    (`hand_position`, `hand_velocity`, `joint_angles`, `activation`, ...) and what the task adds (`target_position`,
    ...): as they are, neither late nor noisy.

    A pickled or copied environment is a new one with the same options, to be reset.
    """

    metadata: dict[str, Any] = {"render_modes": list(get_args(RenderMode)), "render_fps": 50}

    def __init__(
        self,
        name: str,
        command: str | None = None,
        control_rate: float = 50.0,
        render_mode: RenderMode | None = None,
        time_limit: float | None = None,
        delay: float = 0.0,
        noise: float = 0.0,
        randomize: Mapping[str, tuple[float, float]] | None = None,
        **options: Any,
    ) -> None:
        """Build the environment.

        Args:
            name: of limb and task, such as "ArmReach"; see `env_ids`.
            command: what an action means; the limb's first command by default.
            control_rate: steps a second; must divide the physics rate.
            render_mode: "rgb_array" for pictures (640, 640, 3) uint8, "human" for a window.
            time_limit: length of an episode at most, s; the task's by default.
            delay: by which observations are late, s, rounded to whole control steps.
            noise: standard deviation of the noise of observations, in parts of half their range.
            randomize: ranges of the scales of `body_mass` and `strength`, drawn anew for every episode: a
                `(lowest, highest)` each; see `Randomization`.
            options: of the task.

        Raises:
            ConfigurationError: an option has a value that cannot be used.
        """
        given = (command, control_rate, render_mode, time_limit, delay, noise, randomize)
        EzPickle.__init__(self, name, *given, **options)
        choose("render_mode", render_mode, (None, *get_args(RenderMode)))
        self.render_mode = render_mode
        self._episodes = Episodes(
            lambda limb: Single(limb.model), name, command, control_rate, time_limit, delay, noise, randomize, **options
        )
        self.name = name
        self.command = self._episodes.command
        self.control_rate = control_rate
        self.metadata = {**self.metadata, "render_fps": round(control_rate)}
        self.task = self._episodes.task
        self.limb = self._episodes.limb
        self.workspace = self.limb.workspace
        self.observed = self._episodes.observed
        self.action_space = self._episodes.action_space
        self.observation_space = self._episodes.observation_space
        self.physics = self._episodes.simulation.data
        self._trail: deque[NDArray[np.float64]] = deque(maxlen=1 + round(TRAIL_SECONDS * control_rate))
        self._camera: Camera | None = None
        self._window: Window | None = None

    @property
    def rest_position(self) -> NDArray[np.float64]:
        """Of the hand, (2,) or (3,), m; only of limbs that sense a `hand_position`."""
        return self.limb.at_rest["hand_position"]

    def to_action(self, command: ArrayLike) -> NDArray[np.float32]:
        """The action of a command in physical units (excitations, N·m, m/s, ...), clipped.

        Raises:
            ActionError: as `step`.
        """
        return self._episodes.to_action(command)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode; see the class for the options. With a seed, a new session: blocks of trials start again.

        Raises:
            ConfigurationError: an unknown option, or one with a value that cannot be used.
        """
        super().reset(seed=seed)
        observation, info = self._episodes.reset(ALL, self._random, options, seed is not None)
        self._trail.clear()
        if self.render_mode == "human":
            self.render()
        return observation, {**info, "success": False, "reason": "", "reward_terms": {}, "metrics": {}}

    def step(self, action: ArrayLike) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Hold a command for one control period.

        Raises:
            ActionError: the action has the wrong shape, or holds NaN or infinity.
        """
        observation, reward, end, info = self._episodes.step(action)
        end = int(end)
        info["reason"] = self._episodes.reasons[end]
        info["success"] = False
        info["metrics"] = {}
        if end != GOES_ON:
            state = self._episodes.state
            info["success"] = info["reason"] != "unstable" and bool(self.task.success(state))
            info["metrics"] = {name: float(value) for name, value in self.task.metrics(state).items()}
        info["reward_terms"] = {name: float(term) for name, term in info["reward_terms"].items()}
        if self.render_mode is not None:
            self._draw_on()
        return observation, float(reward), end > TIME_LIMIT, end == TIME_LIMIT, info

    def set_state(self, joint_angles: ArrayLike, activation: ArrayLike, target: ArrayLike) -> None:
        """Take up a recorded state at rest, to draw it: joint angles, rad, activations, and the target, m."""
        senses = self._episodes.senses
        senses["joint_angles"][:] = joint_angles
        self.physics.qvel, self.physics.act = 0.0, activation
        self._episodes.state["target"] = np.asarray(target, dtype=float)
        self._episodes.refresh(ALL)
        self._draw_on()

    def render(self) -> NDArray[np.uint8] | None:
        """A picture (640, 640, 3) in mode "rgb_array"; in mode "human" the window is brought up to date.

        Raises:
            RenderingError: there is no OpenGL, or no screen.
        """
        if self.render_mode is None:
            return None
        for name, position in self._episodes.task.scene(self._episodes.state).items():
            body = self.limb.model.body(name).mocapid[0]
            self.physics.mocap_pos[body, : len(position)] = position
        mujoco.mj_kinematics(self.limb.model, self.physics)
        if self.render_mode == "rgb_array":
            self._camera = self._camera or Camera(self.limb.model, self.limb.camera)
            return self._camera.picture(self.physics, self._trail)
        self._window = self._window or Window(self.limb.model, self.physics, self.limb.camera)
        self._window.show(self._trail)
        return None

    def close(self) -> None:
        """Close window and camera."""
        for picture in (self._camera, self._window):
            if picture is not None:
                picture.close()
        self._camera = self._window = None

    def _random(self, row: Row) -> np.random.Generator:
        return self.np_random

    def _draw_on(self) -> None:
        if "hand_position" in self._episodes.senses:
            self._trail.append(self._episodes.senses["hand_position"].copy())
        if self.render_mode == "human":
            self.render()
