"""Decoders to reach with: a stored one, or one that is learned here from simulated people who watch an expert."""

from __future__ import annotations

from collections.abc import Sequence as SequenceOf
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motorctl.agents import LinearController, RecurrentController, reach_velocity
from motorctl.envs import make_vec
from motorctl.errors import ConfigurationError
from motorctl.evaluation.closed_loop import ClosedLoop, Decide, one_row
from motorctl.evaluation.reaching_people import USERS, Person, person_of
from motorctl.person.brain import Brain, make_brain
from motorctl.signals.pipeline import Features, Pipeline, PipelineConfig
from motorctl.training.checkpoint import load_checkpoint
from motorctl.training.imitation import train
from motorctl.training.kalman import fit_kalman
from motorctl.training.sequence import Sequence
from motorctl.training.simulation import PERTURBATION, PERTURBATION_TIME
from motorctl.training.steering import REACHING
from motorctl.training.wiener import Part, fit_wiener

LEARNED = ("gru", "lstm", "ridge", "kalman")
"""Decoders that are learned here."""
PEOPLE, STEPS = 32, 1500
"""Who is learned from, and for how many control steps each watches: half a minute at 50 Hz."""
DRIFTING = PipelineConfig(
    reference="laplacian", amplitude_band=(0.3, 6.0), power_bands=((8.0, 13.0), (16.0, 25.0)), adapt=30.0
)
"""Features of somebody who reaches with a brain that drifts, as all but ``ideal`` do: power too, close to each
electrode, and less their mean of the last half minute."""
RATE = 50.0
"""Control rate of the expert (Hz)."""


class Decoder(NamedTuple):
    """What stands between EEG and limb.

    Args:
        decide: commands from features, its gain included.
        pipeline: gives the features.
        controller: that decides.
        losses: of every epoch, of what learned in epochs and tells.
    """

    decide: Decide
    pipeline: Pipeline
    controller: Any
    losses: SequenceOf[float] = ()


def decoder(name: str, env: str, brain: str, user: str, delay: float, seed: int) -> Decoder:
    """The stored controller in the folder ``name``, or the decoder of a name among :data:`LEARNED`, learned from people
    with that brain who watch as the user does, in that environment.

    Raises:
        CheckpointError: there is no such folder, or no controller in it.
        ConfigurationError: it gives no velocities.
    """
    if name in LEARNED:
        return learned(name, env, brain, user, delay, seed)
    checkpoint = load_checkpoint(Path(name))
    if checkpoint.command != "velocity" or checkpoint.patterns:
        raise ConfigurationError(
            f"The controller in {name} gives no hand velocity from features of the EEG alone.",
            "Train one with 'motorctl train imitation'.",
        )
    return Decoder(one_row(checkpoint.controller), checkpoint.pipeline, checkpoint.controller)


@lru_cache(maxsize=8)
def learned(name: str, env: str, brain: str, user: str, delay: float, seed: int) -> Decoder:
    """A decoder of the velocity that people intend."""
    pipeline, parts = watch(env, brain, user, delay, seed)
    rate, way = pipeline.config.rate, USERS[user].way
    if name in ("ridge", "kalman"):
        linear = fit_wiener(parts) if name == "ridge" else fit_kalman(parts)
        return Decoder(with_gain(one_step(linear), way.gain), pipeline, linear)
    torch.manual_seed(seed)
    config = replace(way.controller, cell=cast(Literal["gru", "lstm"], name))
    controller = RecurrentController(config, len(pipeline.names), 2, USERS[user].user.max_speed)
    sequences = [Sequence(rows_of(x, rate), y.astype(np.float32), np.full(len(x), -1)) for x, y in parts]
    losses = train(controller, sequences, way.training, rate)
    return Decoder(with_gain(one_row(controller), way.gain), pipeline, controller, losses)


def with_gain(decide: Decide, gain: float) -> Decide:
    """The same with faster or slower commands."""

    def scaled(features: Tensor, state: Any) -> tuple[Tensor, Any]:
        commands, state = decide(features, state)
        return gain * commands, state

    return scaled


def one_step(controller: LinearController) -> Decide:
    """A linear controller as a function of one row at a time."""

    def decide(features: Tensor, state: Any) -> tuple[Tensor, Any]:
        before = controller.initial_state(len(features)) if state is None else state
        commands, after = controller(features[:, None], before)
        return commands[:, 0], after

    return decide


class Watched(NamedTuple):
    """What there is to learn from.

    Args:
        pipeline: fitted to it.
        parts: a person each: features ``(time, feature)`` and intended velocities ``(time, 2)`` (m/s).
    """

    pipeline: Pipeline
    parts: list[Part]


@lru_cache(maxsize=4)
def watch(env: str, brain: str, user: str, delay: float, seed: int) -> Watched:
    """What people of these names give, see :func:`watch_people`."""
    way = USERS[user].way
    config = DRIFTING if way is REACHING and brain != "ideal" else way.pipeline
    return watch_people(env, person_of(user, config.rate, delay), make_brain(brain, way.electrodes), config, seed)


def watch_people(env: str, person: Person, brain: Brain, config: PipelineConfig, seed: int) -> Watched:
    """People watch an expert who moves the hand and is pushed off its path, and intend along. Where their way to
    steer is slow to show, the hand is slow too."""
    rate = config.rate
    seats = make_vec(env, PEOPLE, 1, command="velocity", control_rate=rate)
    loop = ClosedLoop(seats, person.user, brain, Pipeline(config, brain.info), person.way.imagine)
    moment, rng = loop.reset(seed), np.random.default_rng(seed)
    decay, push = np.exp(-1 / (PERTURBATION_TIME * rate)), np.zeros((PEOPLE, 2))
    rows, wanted = [], []
    for _ in range(STEPS):
        rows.append(moment.features.numpy())
        wanted.append(moment.intention.numpy())
        push = decay * push + np.sqrt(1 - decay**2) * PERTURBATION * rng.standard_normal(push.shape)
        shown, target = (moment.info[f"{what}_position"] for what in ("shown", "target"))
        moment = loop.step(person.way.hand_speed * (reach_velocity(shown, target) + push))
    given = [rows_of(own, rate) for own in np.stack(rows, axis=1)]
    pipeline = loop.pipeline.pipeline.fit(given)
    return Watched(pipeline, [(pipeline.scale(g).values, w) for g, w in zip(given, np.stack(wanted, 1), strict=True)])


def rows_of(values: NDArray[np.float32], rate: float) -> Features:
    """Features ``(time, feature)`` at a rate (Hz), all of them measured."""
    return Features(values, np.arange(len(values)) / rate, np.ones(values.shape, bool))
