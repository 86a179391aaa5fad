"""Environments seen through a brain: what is observed is the EEG of a simulated user who looks at the task."""

from dataclasses import replace
from typing import Any, Literal

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Box, Dict
from gymnasium.utils import EzPickle
from numpy.typing import NDArray

from motorctl.person.brain import MONTAGE, make_brain
from motorctl.person.cued import CuedUser
from motorctl.person.movements import MOVEMENTS
from motorctl.person.person import samples_per_step
from motorctl.person.user import User
from motorctl.signals.pipeline import Pipeline, PipelineConfig
from motorctl.signals.scaling import SCALED_LIMIT
from motorctl.signals.stream import Chunk

from .environment import Environment
from .episodes import choose
from .registry import DEFINITIONS

Array = NDArray[np.float32]
Observation = Array | dict[str, Array]

SLOW_AND_RHYTHMS = PipelineConfig(amplitude_band=(0.0, 8.0), power_bands=((8.0, 13.0), (13.0, 30.0)))
"""Features by default: slow potentials, which carry velocity, and mu and beta power, which carry movement."""
SETTLING = 2.0
"""Rest before the first episode of a session, s, so that filters and power windows have filled."""
RANGE = 3276.8
"""Of the amplifier, µV: 16 bits of 0.1 µV. EEG beyond is clipped, as it is there."""
RESTING = 60.0
"""Length of the resting EEG that features are scaled by, s."""


class EEGEnvironment(gymnasium.Env[Any, Array], EzPickle):
    """A limb that does a task, with the EEG of somebody who watches in the place of its state.

    The user sees the hand, as it is shown, and the target, and intends a velocity (`motorctl.person.user.User`; of one
    in space the brain codes x and y). In a task that asks for classes, the user imagines a movement that stands for the
    class (`Definition.imagery`). The brain (`motorctl.person.brain.Brain`) turns that into EEG.

    Observation: what the last control period gave,

    | observe    | `Box(float32)`                                                                                |
    |------------|-----------------------------------------------------------------------------------------------|
    | `eeg`      | (samples, channel) µV, oldest first, within ±3276.8                                           |
    | `features` | (feature,) of a `motorctl.signals.pipeline.Pipeline`, in standard deviations of resting EEG   |

    With `proprioception`, a `Dict` of that as `eeg`, and of the limb's own senses, late and noisy if asked, as `body`.

    Action, reward, end and pictures are those of `Environment`. `info` also holds `intention`: (2,) m/s, or (6,) of
    `motorctl.person.movements.MOVEMENTS`. A reset with a seed begins a new session, another day with another cap; one
    without goes on in it.

    A pickled or copied environment is a new one with the same options, to be reset.
    """

    metadata = Environment.metadata

    def __init__(
        self,
        name: str,
        observe: Literal["eeg", "features"] = "eeg",
        brain: str = "realistic",
        proprioception: bool = False,
        electrodes: tuple[str, ...] = MONTAGE,
        eeg_rate: float = 250.0,
        pipeline: PipelineConfig = SLOW_AND_RHYTHMS,
        **options: Any,
    ) -> None:
        """Build the environment and seat the user.

        Args:
            name: of limb and task, such as "ArmReach"; see `env_ids`.
            observe: the EEG itself, or features of it.
            brain: `ideal`, `realistic` or `hard`.
            proprioception: whether the limb's own senses are observed too.
            electrodes: of the 10-05 system.
            eeg_rate: of the EEG, Hz, a multiple of the control rate.
            pipeline: of the features; its rate is replaced by the control rate.
            options: as `Environment`.

        Raises:
            ConfigurationError: an option has a value that cannot be used.
        """
        EzPickle.__init__(self, name, observe, brain, proprioception, electrodes, eeg_rate, pipeline, **options)
        choose("observe", observe, ("eeg", "features"))
        self.environment = Environment(name, **options)
        self.action_space = self.environment.action_space
        self.metadata = self.environment.metadata
        self.render_mode = self.environment.render_mode
        self.control_rate = rate = self.environment.control_rate
        self.to_action = self.environment.to_action
        imagery = DEFINITIONS[name].imagery
        self._imagery = imagery or ("", ())
        self.brain = make_brain(brain, tuple(electrodes), eeg_rate)
        self.user = CuedUser(rate) if imagery else User(rate)
        self._samples = samples_per_step(rate, self.brain)
        self._started = False

        channels = len(self.brain.labels)
        space: gymnasium.Space[Any] = Box(-RANGE, RANGE, (self._samples, channels), np.float32)
        self.pipeline: Pipeline | None = None
        if observe == "features":
            self.pipeline = self._scaled(Pipeline(replace(pipeline, rate=rate), self.brain.info))
            space = Box(-SCALED_LIMIT, SCALED_LIMIT, (len(self.pipeline.names),), np.float32)
        self._body = self._proprioception() if proprioception else None
        if self._body is not None:
            limb_space = self.environment.observation_space
            assert isinstance(limb_space, Box)
            body = Box(limb_space.low[self._body], limb_space.high[self._body], dtype=np.float32)
            space = Dict({"eeg": space, "body": body})
        self.observation_space = space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """As `Environment.reset`."""
        super().reset(seed=seed)
        state, info = self.environment.reset(seed=seed, options=options)
        if seed is not None or not self._started:
            self._begin_session(int(self.np_random.integers(2**31)))
        return self._watch(state, info)

    def step(self, action: Any) -> tuple[Observation, Any, bool, bool, dict[str, Any]]:
        """As `Environment.step`."""
        state, reward, terminated, truncated, info = self.environment.step(action)
        observation, info = self._watch(state, info)
        return observation, reward, terminated, truncated, info

    def render(self) -> Any:
        """As `Environment.render`."""
        return self.environment.render()

    def close(self) -> None:
        """Close window and camera."""
        self.environment.close()

    def _begin_session(self, seed: int) -> None:
        self._seen: Any = self.user.initial_state(seed)
        self._alive = self.brain.initial_state(1, seed)
        self._filled: Any = None
        self._time = 0.0
        self._started = True
        self._read(torch.zeros(1, round(SETTLING * self.brain.rate), 2))

    @torch.inference_mode()
    def _watch(self, state: Array, info: dict[str, Any]) -> tuple[Observation, dict[str, Any]]:
        """The user sees what `info` tells, and gives off EEG for a control period."""
        still = torch.zeros(1, self._samples, 2)
        if isinstance(self.user, CuedUser):
            name, movements = self._imagery
            cue = torch.zeros(1, len(MOVEMENTS))
            cue[0, MOVEMENTS.index(movements[int(info[name])])] = 1
            intention, self._seen = self.user.intend(cue, self._seen)
            eeg = self._read(still, intention[:, None].expand(-1, self._samples, -1))
        else:
            hand, target = (torch.as_tensor(info[f"{what}_position"][:2])[None] for what in ("shown", "target"))
            intention, self._seen = self.user.intend(hand, target, self._seen)
            eeg = self._read(intention[:, None] + still)
        info["intention"] = intention[0].numpy()
        return eeg if self._body is None else {"eeg": eeg, "body": state[self._body]}, info

    def _read(self, velocity: torch.Tensor, movement: torch.Tensor | None = None) -> Array:
        """What is observed of the brain while something is intended."""
        emitted, self._alive = self.brain.emit(velocity, self._alive, movement)
        eeg: Array = np.clip(emitted[0].numpy(), -RANGE, RANGE)
        if self.pipeline is None:
            return eeg
        times = self._time + np.arange(1, len(eeg) + 1) / self.brain.rate
        self._time = float(times[-1])
        features, self._filled = self.pipeline.process(Chunk(eeg, times), self._filled)
        row: Array = features.values[-1]
        return row

    def _scaled(self, pipeline: Pipeline) -> Pipeline:
        """The pipeline, fitted to the EEG of a session at rest, always the same one."""
        count = round(RESTING * self.brain.rate)
        eeg, _ = self.brain.emit(torch.zeros(1, count, 2), self.brain.initial_state(1, 0))
        chunk = Chunk(eeg[0].numpy(), np.arange(1, count + 1) / self.brain.rate)
        calibrated = pipeline.calibrate([chunk])
        features, _ = calibrated.process(chunk)
        return calibrated.fit([features])

    def _proprioception(self) -> NDArray[np.int64]:
        """Where the limb's own senses are in the environment's observation."""
        own = [*self.environment.limb.observed, *(["activation"] if self.environment.limb.model.na else [])]
        return np.concatenate([np.arange(*self.environment.observed[what].indices(2**31)) for what in own])
