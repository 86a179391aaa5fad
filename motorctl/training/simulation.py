"""Simulated sessions to learn from: an expert moves the hand, a simulated person watches and intends along."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from motorctl.agents import reach_velocity
from motorctl.envs import Env
from motorctl.person.brain import Brain
from motorctl.person.person import samples_per_step
from motorctl.person.user import User
from motorctl.signals.pipeline import Pipeline
from motorctl.signals.stream import Chunk
from motorctl.training.sequence import Sequence

Array = NDArray[np.float64]

PERTURBATION = 0.12
"""Standard deviation of the velocity that pushes the expert off its path (m/s), so that the data show corrections: a
learner that sees perfect reaches only is lost after its first error (Laskey et al. 2017, DART, CoRL)."""
PERTURBATION_TIME = 0.4
"""How long a push lasts (s)."""


@dataclass(frozen=True)
class Session:
    """A simulated session. Row k of what people did holds while the EEG samples of step k were given off.

    Args:
        eeg: what the headset recorded.
        commands: ``(step, 2)`` what the expert commanded (m/s).
        intentions: ``(step, 2)`` what the person intended (m/s).
    """

    eeg: Chunk
    commands: Array
    intentions: Array


def simulate_sessions(
    env: Env,
    user: User,
    brain: Brain,
    count: int,
    seconds: float,
    seed: int,
    progress: Callable[[int], None] = lambda done: None,
) -> list[Session]:
    """``count`` sessions of ``seconds`` s of one person who watches the expert's reaches on ``env``, which takes
    velocity commands."""
    rng = np.random.default_rng(seed)
    steps = round(seconds * user.rate)
    watched = []
    for session in range(count):
        watched.append(watch_expert(env, user, steps, rng))
        progress(session + 1)
    held = np.repeat([intentions for _, intentions in watched], samples_per_step(user.rate, brain), axis=1)
    eeg, _ = brain.emit(torch.from_numpy(held), brain.initial_state(count, seed))
    times = np.arange(1, held.shape[1] + 1) / brain.rate
    return [Session(Chunk(samples.numpy(), times), *w) for samples, w in zip(eeg, watched, strict=True)]


def watch_expert(env: Env, user: User, steps: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """One session: the expert's commands and the user's intentions, ``(step, 2)`` (m/s)."""
    to_action = env.get_wrapper_attr("to_action")
    decay = np.exp(-1 / (PERTURBATION_TIME * user.rate))
    push, seen = np.zeros(2), user.initial_state(int(rng.integers(2**31)))
    commands, intentions = np.empty((steps, 2)), np.empty((steps, 2))
    _, info = env.reset(seed=int(rng.integers(2**31)))
    for step in range(steps):
        hand, target = info["hand_position"], info["target_position"]
        commands[step] = reach_velocity(hand, target)
        intention, seen = user.intend(torch.as_tensor(hand)[None], torch.as_tensor(target)[None], seen)
        intentions[step] = intention[0]
        push = decay * push + np.sqrt(1 - decay**2) * PERTURBATION * rng.standard_normal(2)
        _, _, terminated, truncated, info = env.step(to_action(commands[step] + push))
        if terminated or truncated:
            _, info = env.reset(options={"keep_limb": True})
    return commands, intentions


def to_sequence(session: Session, pipeline: Pipeline, delay_steps: int) -> Sequence:
    """What a controller learns from a session: to give the command that the expert gave to what the person saw.

    People answer what they saw ``delay_steps`` ago, so the expert's command of that time is the target. The command of
    the moment itself cannot be in the EEG: a network made to give it has to guess where the next target will be.
    """
    features, _ = pipeline.process(session.eeg)
    seen = np.roll(session.commands, delay_steps, axis=0).astype(np.float32)
    return Sequence(features, seen, np.full(len(seen), -1))[delay_steps:]
