"""The closed loop for many simulated people at once, on simulated time: each moves a limb by the EEG that it gives off.

One control step, in the order of live use (`motorctl.runtime.loop`): a person sees the hand and the target as they are,
intends a velocity, and gives off EEG for a control period; the controller decides on its features; the limb moves.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium.utils import seeding
from numpy.typing import NDArray
from torch import Tensor

from motorctl.agents import RecurrentController
from motorctl.envs import VectorEnvironment
from motorctl.errors import ConfigurationError
from motorctl.evaluation.episodes import Episode, Recorder
from motorctl.person.brain import Brain
from motorctl.person.person import samples_per_step
from motorctl.person.user import User
from motorctl.signals.batch_pipeline import BatchPipeline
from motorctl.signals.pipeline import Pipeline
from motorctl.signals.stream import channel_indices
from motorctl.threads import one_thread

SETTLING = 2.0
"""Rest before the first step of a session (s), so that filters have settled; longer if a power window is."""
TOGETHER = 100
"""Control steps whose EEG is made in one go where no command waits for it."""

Imagery = Callable[[Tensor], Tensor]
"""Takes intended velocities ``(batch, step, 2)`` (m/s), gives how far each of `motorctl.person.movements.MOVEMENTS` is
imagined to bring them about, ``(batch, step, 6)``, 0 to 1."""

Decide = Callable[[Tensor, Any], tuple[Tensor, Any]]
"""Takes features ``(batch, feature)`` and a state, None at first; gives commands ``(batch, command)`` and the state."""


class Moment(NamedTuple):
    """Where the loop is after a step."""

    features: (
        Tensor  # (batch, feature) float32, of the EEG up to now; without gradient, to learn from; (batch, 0) unheard
    )
    intention: Tensor  # (batch, 2) m/s, what that EEG was given off with
    info: dict[str, Any]  # of the environments, which people saw as they intended it
    reward: NDArray[np.float64]  # (batch,) of the step that led here
    done: NDArray[np.bool_]  # (batch,) that step was the last of an episode
    step: int  # steps since the start of the session


class ClosedLoop:
    """Simulated people, one an environment of a vector, who see its hand and target and steer the hand by EEG.

    A new episode begins as the environment does it: the step after the end of one takes no command, and the limb is
    back where episodes start. The person goes on through it, sees the hand jump, late as everything, and goes on in the
    same session.

    Args:
        env: any whose `info` tells ``shown_position`` and ``target_position``; of a position in space, people see and
            steer x and y.
        user: of the environment's control rate.
        brain: of a rate that is a multiple of it.
        pipeline: of that control rate, fitted.
        imagine: what people imagine to steer; by default they intend to move their right hand itself.

    Raises:
        ConfigurationError: rates do not fit, or the pipeline cannot be batched.
        StreamError: the brain does not give the channels that the pipeline needs.
    """

    def __init__(
        self, env: VectorEnvironment, user: User, brain: Brain, pipeline: Pipeline, imagine: Imagery | None = None
    ) -> None:
        for what, rate in (("user", user.rate), ("pipeline", pipeline.config.rate)):
            if rate != env.control_rate:
                raise ConfigurationError(
                    f"The {what}'s rate is {rate:g} Hz, the environment's {env.control_rate:g} Hz.",
                    "Build all of them with one control rate.",
                )
        self.env, self.user, self.brain, self.imagine = env, user, brain, imagine
        self.pipeline = BatchPipeline(pipeline)
        self._columns = channel_indices(brain.info, pipeline.info)
        self._samples = samples_per_step(user.rate, brain)

    def reset(self, seed: int) -> Moment:
        """Begin a session of everybody: environment i is seeded with ``seed + i``; all else is drawn from ``seed``."""
        _, info = self.env.reset(seed=seed)
        person = int(seeding.np_random(seed)[0].integers(2**31))  # as in the EEG form of the environments
        self._seen = self.user.initial_state(person)
        self._alive = self.brain.initial_state(self.env.num_envs, person)
        self._filled: Any = None
        self._unheard: list[Tensor] = []
        self._step = 0
        steps = math.ceil(max(SETTLING, self.pipeline.window) * self.user.rate)
        with torch.no_grad():
            self._features_of(torch.zeros(self.env.num_envs, steps * self._samples, 2), None)
        nothing = np.zeros(self.env.num_envs)
        return self._watch(info, nothing, nothing.astype(bool), heard=True)

    def step(self, commands: Tensor | NDArray[np.floating], heard: bool = True) -> Moment:
        """Hold commands ``(batch, command)`` for a control period, in physical units (m/s for a velocity).

        Where commands do not depend on features, ``heard=False`` and :meth:`hear` at the end give the same features in
        a fraction of the time.

        Raises:
            ActionError: they have the wrong shape, or hold NaN or infinity.
        """
        _, reward, terminated, truncated, info = self.env.step(self.env.to_action(np.asarray(commands)))
        self._step += 1
        return self._watch(info, reward, terminated | truncated, heard)

    @torch.no_grad()
    def hear(self) -> Tensor:
        """Features ``(batch, step, feature)`` of the steps since the last one that was heard."""
        pieces = [torch.stack(self._unheard[k : k + TOGETHER], 1) for k in range(0, len(self._unheard), TOGETHER)]
        self._unheard = []
        nothing = torch.empty(self.env.num_envs, 0, len(self.pipeline.names))
        return torch.cat([nothing, *map(self._given_off, pieces)], dim=1)

    @torch.no_grad()
    def _watch(self, info: dict[str, Any], reward: NDArray[np.float64], done: NDArray[np.bool_], heard: bool) -> Moment:
        """People see what ``info`` tells, and give off EEG for a control period."""
        hand, target = (torch.from_numpy(info[f"{what}_position"][:, :2]) for what in ("shown", "target"))
        intention, self._seen = self.user.intend(hand, target, self._seen)
        self._unheard.append(intention)
        features = self.hear()[:, -1] if heard else intention.new_empty(len(intention), 0)
        return Moment(features, intention, info, reward, done, self._step)

    def _given_off(self, intentions: Tensor) -> Tensor:
        """Features ``(batch, step, feature)`` of the EEG while ``intentions (batch, step, 2)`` last, a period each."""
        velocity, movement = intentions, None
        if self.imagine:
            velocity = torch.zeros_like(intentions)
            movement = self.imagine(intentions).repeat_interleave(self._samples, dim=1)
        return self._features_of(velocity.repeat_interleave(self._samples, dim=1), movement)

    def _features_of(self, velocity: Tensor, movement: Tensor | None) -> Tensor:
        """Features ``(batch, row, feature)`` of the EEG that is given off meanwhile."""
        eeg, self._alive = self.brain.emit(velocity, self._alive, movement)
        features, self._filled = self.pipeline.process(eeg[..., self._columns], self._filled)
        return features


@torch.no_grad()
def run_closed_loop(
    loop: ClosedLoop,
    controller: RecurrentController | Decide,
    seed: int,
    episodes_each: int = 1,
    traced: Sequence[str] = (),
    progress: Callable[[int], None] = lambda ended: None,
) -> list[Episode]:
    """The first episodes of every person under a controller, whose state goes on from episode to episode as live.

    Args:
        loop: begins a new session.
        controller: a recurrent one, or a function of a row of everybody's features.
        seed: of the session, see :meth:`ClosedLoop.reset`.
        episodes_each: episodes of each person.
        traced: what the episodes keep as traces: names in the environments' `info`, such as ``shown_position``, and
            ``intention``, row k of which answers row k of the others; and ``command``, row k of which led to row k
            (NaN at the start).
        progress: told how many episodes have ended.

    Returns:
        The episodes, person by person.
    """
    decide = one_row(controller) if isinstance(controller, RecurrentController) else controller
    moment, state = loop.reset(seed), None
    commands = np.full((loop.env.num_envs, loop.env.limb.command.size), np.nan)
    recorder = Recorder(loop.env, loop.env.num_envs, episodes_each, traces_of(moment, commands, traced))
    with one_thread():
        while not recorder.complete:
            decided, state = decide(moment.features, state)
            commands = np.asarray(decided)
            moment = loop.step(commands)
            recorder.add(moment.reward, moment.done, moment.info, traces_of(moment, commands, traced))
            progress(recorder.ended)
    return recorder.episodes


def one_row(controller: RecurrentController) -> Decide:
    """A recurrent controller, put into evaluation mode, as a function of one row at a time."""
    controller.eval()

    def decide(features: Tensor, state: Any) -> tuple[Tensor, Any]:
        before = controller.initial_state(len(features)) if state is None else state
        commands, after = controller(features[:, None], before)
        return commands[:, 0], after

    return decide


def traces_of(moment: Moment, commands: NDArray[np.floating], names: Sequence[str]) -> dict[str, NDArray[np.floating]]:
    """What is traced of a step, by name.

    Raises:
        ConfigurationError: the environment does not tell something of that name.
    """
    known = {**moment.info, "intention": moment.intention.numpy(), "command": commands}
    for name in names:
        if name not in known:
            told = ", ".join(n for n in known if n[0] != "_")
            raise ConfigurationError(f"There is no '{name}' to trace.", f"Choose among {told}.")
    return {name: known[name] for name in names}
