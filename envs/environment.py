"""The environment `motorctl/ArmReach-v0`: the planar arm and the reaching task, as a `gymnasium.Env`."""

import math
from collections import deque
from typing import Any, ClassVar, Literal, get_args

import gymnasium
import mujoco
import numpy as np
from gymnasium.spaces import Box
from gymnasium.utils import EzPickle
from numpy.typing import ArrayLike, NDArray

from motorctl.errors import ConfigurationError, MotorctlError

from . import arm
from .reach import Reach
from .rendering import Camera, Window
from .velocity import VelocityController

Command = Literal["muscles", "velocity"]
RenderMode = Literal["rgb_array", "human"]
Observation = NDArray[np.float32]

MAX_SPEED = 0.6
"""Hand speed along x and along y that an action of 1 stands for, m/s: brisk reaching."""
TRAIL_SECONDS = 1.0
"""How much of the hand's path is drawn."""
BAD_STATE = slice(mujoco.mjtWarning.mjWARN_BADQPOS.value, mujoco.mjtWarning.mjWARN_BADQACC.value + 1)
"""The warnings at which MuJoCo gives up and resets the state: bad positions, velocities or accelerations."""


class ActionError(MotorctlError, ValueError):
    """An action has the wrong shape, or holds NaN or infinity."""


class ArmReach(gymnasium.Env[Observation, NDArray[np.float32]], EzPickle):
    """Bring the hand of a planar six-muscle arm into a target, and keep it there.

    Action, `Box(-1, 1, float32)`; values beyond are clipped. `to_action` makes it from a physical command.

    | command    | shape | meaning of an action a                                                               |
    |------------|-------|--------------------------------------------------------------------------------------|
    | `muscles`  | (6,)  | excitation (1 + a) / 2 of shoulder, elbow, biarticular muscles; flexor, then extensor |
    | `velocity` | (2,)  | wanted hand velocity 0.6·a m/s along x (right) and y (forward)                        |

    Observation, `Box(16, float32)`; positions are from the shoulder.

    | index | what                                             | unit  | range      |
    |-------|--------------------------------------------------|-------|------------|
    | 0-1   | shoulder and elbow angle                         | rad   | -π ... π   |
    | 2-3   | shoulder and elbow velocity, clipped             | rad/s | ±50        |
    | 4-5   | hand position, x and y                           | m     | ±arm length|
    | 6-7   | hand velocity, x and y, clipped                  | m/s   | ±20        |
    | 8-9   | target position, x and y                         | m     | ±arm length|
    | 10-15 | activation of the muscles, in the order of action | –    | 0 ... 1    |

    Reward: the sum of `info["reward_terms"]`, see `Reach.reward`; each is at most 0. An unstable simulation costs -1
    for every step that was left.

    Start: the arm at rest, shoulder 45°, elbow 90°, muscles inactive; a target drawn within 15 cm of the rest position
    of the hand and at least 5 cm from the hand. `reset` takes the options

    - `keep_limb`: True leaves the limb as it is, so that the hand does not jump from one target to the next;
    - `target`: a position (x, y), m, that the hand can reach, instead of a drawn one.

    End: `terminated` when the hand has stayed in the target for `dwell` seconds ("reached") or when MuJoCo finds the
    state bad ("unstable"), `truncated` at the time limit ("time limit"); the words are `info["reason"]`, "" till then.
    `info` also holds `hand_position`, `hand_velocity`, `target_position` (2,), `joint_angles` (2,), `activation` (6,),
    `success` and `reward_terms`.

    A pickled or copied environment is a new one with the same options, to be reset.
    """

    metadata: dict[str, Any] = {"render_modes": list(get_args(RenderMode)), "render_fps": 50}
    max_speed: ClassVar[float] = MAX_SPEED

    def __init__(
        self,
        command: Command = "muscles",
        control_rate: float = 50.0,
        render_mode: RenderMode | None = None,
        time_limit: float = 4.0,
        target_radius: float = 0.02,
        dwell: float = 0.2,
    ) -> None:
        """Build the environment.

        Args:
            command: what an action means.
            control_rate: steps a second; must divide the physics rate, 250 Hz.
            render_mode: "rgb_array" for pictures (640, 640, 3) uint8, "human" for a window.
            time_limit: length of an episode at most, s.
            target_radius: of the target, m.
            dwell: time that the hand must stay in the target, s, rounded to whole control steps, at least one.

        Raises:
            ConfigurationError: an option has a value that cannot be used.
        """
        EzPickle.__init__(self, command, control_rate, render_mode, time_limit, target_radius, dwell)
        self._model = arm.load()
        self._substeps = _substeps(control_rate, 1 / self._model.opt.timestep)
        _choose("command", command, get_args(Command))
        _choose("render_mode", render_mode, (None, *get_args(RenderMode)))
        for name, value in (("time_limit", time_limit), ("target_radius", target_radius), ("dwell", dwell)):
            if not 0 < value < np.inf:
                raise ConfigurationError(f"{name} must be a positive number, not {value!r}.", "Give seconds or metres.")
        self.command = command
        self.control_rate = control_rate
        self.render_mode = render_mode
        self.metadata = {**self.metadata, "render_fps": round(control_rate)}

        self._model.geom("target").size[0] = target_radius
        self._data = mujoco.MjData(self._model)
        self._reference: NDArray[np.float64]
        self._reset_limb()
        self.workspace = arm.Workspace.of(self._model)
        self.rest_position = self._hand.copy()
        self.task = Reach(
            center=(float(self.rest_position[0]), float(self.rest_position[1])),
            target_radius=target_radius,
            dwell_steps=max(1, round(dwell * control_rate)),
        )
        self._controller = VelocityController(self._model, self.workspace, 1 / control_rate)
        self._steps_allowed = max(1, round(time_limit * control_rate))
        self._trail: deque[NDArray[np.float64]] = deque(maxlen=1 + round(TRAIL_SECONDS * control_rate))
        self._camera: Camera | None = None
        self._window: Window | None = None
        self._limb_usable = False
        self._steps = self._stayed = 0

        size = self._model.nu if command == "muscles" else 2
        self.action_space = Box(-1.0, 1.0, (size,), np.float32)
        reach = sum(self.workspace.lengths)
        high = [np.pi] * 2 + [50.0] * 2 + [reach] * 2 + [20.0] * 2 + [reach] * 2 + [1.0] * self._model.nu
        self._high = np.array(high, np.float32)
        self._low = np.where(self._high == 1, 0, -self._high).astype(np.float32)  # activations are not negative
        self.observation_space = Box(self._low, self._high, dtype=np.float32)

    def to_action(self, command: ArrayLike) -> NDArray[np.float32]:
        """The action of a physical command: excitations (6,) in [0, 1], or a hand velocity (2,) in m/s, clipped.

        Raises:
            ActionError: as `step`.
        """
        wanted = np.asarray(command, dtype=float)
        action = 2 * wanted - 1 if self.command == "muscles" else wanted / self.max_speed
        return self._checked(action).astype(np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode; see the class for the options.

        Raises:
            ConfigurationError: an unknown option, or a target out of reach.
        """
        super().reset(seed=seed)
        options = dict(options or {})
        keep, target = options.pop("keep_limb", False), options.pop("target", None)
        if options:
            raise ConfigurationError(f"Unknown reset options {sorted(options)}.", "Use 'keep_limb' and 'target'.")
        if target is not None:
            self._check_target(np.asarray(target, dtype=float))
        if not (keep and self._limb_usable):
            self._reset_limb()
        self._target[:] = self.task.draw(self.np_random, self._hand) if target is None else target
        mujoco.mj_step1(self._model, self._data)  # brings the picture of the target along
        self._steps = self._stayed = 0
        self._limb_usable = True
        self._trail.clear()
        if self.render_mode == "human":
            self.render()
        return self._observe(), self._info("", {})

    def step(self, action: ArrayLike) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Hold a command for one control period.

        Raises:
            ActionError: the action has the wrong shape, or holds NaN or infinity.
        """
        command = self._checked(action)
        data = self._data
        if self.command == "muscles":
            data.ctrl = (command + 1) / 2
        else:
            data.ctrl, self._reference = self._controller(command * self.max_speed, self._reference, data)
        excitation = data.ctrl.copy()
        mujoco.mj_step(self._model, data, nstep=self._substeps)
        mujoco.mj_step1(self._model, data)  # positions, velocities and sensors of the new state
        self._steps += 1

        distance = self.task.distance(self._hand, self._target)
        self._stayed = int(self.task.stay(self._stayed, distance))
        terms = {name: float(term) for name, term in self.task.reward(distance, excitation).items()}
        reason = self._reason()
        if reason == "unstable":
            terms["unstable"] = float(self._steps - self._steps_allowed - 1)
            self._limb_usable = False
        terminated, truncated = reason in ("reached", "unstable"), reason == "time limit"
        if self.render_mode is not None:
            self._trail.append(self._hand.copy())
            if self.render_mode == "human":
                self.render()
        return self._observe(), sum(terms.values()), terminated, truncated, self._info(reason, terms)

    def set_state(self, joint_angles: ArrayLike, activation: ArrayLike, target: ArrayLike) -> None:
        """Take up a recorded state at rest, to draw it: angles (2,) rad, activations (6,) and target (2,) m."""
        self._data.qpos, self._data.qvel, self._data.act = joint_angles, 0.0, activation
        self._target[:] = target
        mujoco.mj_step1(self._model, self._data)
        self._reference = self._hand.copy()
        self._trail.append(self._hand.copy())

    def render(self) -> NDArray[np.uint8] | None:
        """A picture (640, 640, 3) in mode "rgb_array"; in mode "human" the window is brought up to date.

        Raises:
            RenderingError: there is no OpenGL, or no screen.
        """
        if self.render_mode == "rgb_array":
            self._camera = self._camera or Camera(self._model)
            return self._camera.picture(self._data, self._trail)
        if self.render_mode == "human":
            self._window = self._window or Window(self._model, self._data)
            self._window.show(self._trail)
        return None

    def close(self) -> None:
        """Close window and camera."""
        for picture in (self._camera, self._window):
            if picture is not None:
                picture.close()
        self._camera = self._window = None

    @property
    def _hand(self) -> NDArray[np.float64]:
        hand: NDArray[np.float64] = self._data.sensordata[0:2]
        return hand

    @property
    def _target(self) -> NDArray[np.float64]:
        target: NDArray[np.float64] = self._data.mocap_pos[0, :2]
        return target

    def _reset_limb(self) -> None:
        mujoco.mj_resetDataKeyframe(self._model, self._data, self._model.key(arm.REST).id)
        mujoco.mj_step1(self._model, self._data)
        self._reference = self._hand.copy()

    def _checked(self, action: ArrayLike) -> NDArray[np.float64]:
        values = np.asarray(action, dtype=float)
        if values.shape != self.action_space.shape:
            raise ActionError(
                f"A command '{self.command}' has shape {self.action_space.shape}, not {values.shape}.",
                "Give one value for each muscle, or a velocity along x and y.",
            )
        if not np.isfinite(values).all():
            raise ActionError(f"The command {values} is not finite.", "Check the controller that made it.")
        clipped: NDArray[np.float64] = np.minimum(np.maximum(values, -1.0), 1.0)
        return clipped

    def _check_target(self, target: NDArray[np.float64]) -> None:
        if target.shape != (2,) or not np.isfinite(target).all() or not self.workspace.contains(target):
            nearest = f", nearest is {np.round(self.workspace.clip(target), 3)}" if target.shape == (2,) else ""
            raise ConfigurationError(
                f"A target is a position (x, y), m from the shoulder, within reach, not {target}{nearest}.",
                "See env.unwrapped.workspace.",
            )

    def _reason(self) -> str:
        if self._data.warning.number[BAD_STATE].any():
            return "unstable"
        if self._stayed >= self.task.dwell_steps:
            return "reached"
        return "time limit" if self._steps >= self._steps_allowed else ""

    def _observe(self) -> Observation:
        data = self._data
        sensors = data.sensordata
        parts = [data.qpos, data.qvel, sensors[0:2], sensors[3:5], self._target, data.act]
        observation = np.concatenate(parts, dtype=np.float32)
        np.maximum(observation, self._low, out=observation)
        return np.minimum(observation, self._high, out=observation)

    def _info(self, reason: str, terms: dict[str, float]) -> dict[str, Any]:
        sensors = self._data.sensordata
        return {
            "hand_position": sensors[0:2].copy(),
            "hand_velocity": sensors[3:5].copy(),
            "target_position": self._target.copy(),
            "joint_angles": self._data.qpos.copy(),
            "activation": self._data.act.copy(),
            "success": reason == "reached",
            "reason": reason,
            "reward_terms": terms,
        }


def _choose(name: str, value: object, allowed: tuple[object, ...]) -> None:
    if value not in allowed:
        raise ConfigurationError(f"{name} is {value!r}.", f"Use one of {', '.join(map(repr, allowed))}.")


def _substeps(control_rate: float, physics_rate: float) -> int:
    """Physics steps in a control step."""
    steps = round(physics_rate / control_rate) if 0 < control_rate <= physics_rate else 0
    if steps == 0 or not math.isclose(steps * control_rate, physics_rate):
        whole = [rate for rate in range(1, round(physics_rate) + 1) if physics_rate % rate == 0]
        raise ConfigurationError(
            f"control_rate must divide the physics rate, {physics_rate:g} Hz; {control_rate!r} does not.",
            f"Use one of {', '.join(map(str, whole))} Hz.",
        )
    return steps
