"""DAgger: the controller acts, the expert says what it would have done there, and the data set grows.

A clone has seen what follows from the expert's commands alone; as soon as it acts, it is where its own errors lead, and
so is the person, who fights them. Ross, Gordon & Bagnell (2011, AISTATS, PMLR 15:627-635) train on what the controller
itself meets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from motorctl.agents import RecurrentController
from motorctl.errors import ConfigurationError, check_positive
from motorctl.evaluation.closed_loop import ClosedLoop, Decide, Moment, one_row
from motorctl.signals.pipeline import Features
from motorctl.threads import one_thread
from motorctl.training.imitation import ImitationConfig, train
from motorctl.training.refit import intended_velocity
from motorctl.training.sequence import Sequence
from motorctl.training.simulation import PERTURBATION, PERTURBATION_TIME
from motorctl.training.steering import IMAGINING, REACHING

Array = NDArray[np.float64]
Label = Literal["expert", "refit"]


@dataclass(frozen=True)
class DaggerConfig:
    """How the data set grows."""

    seconds: float = 60.0
    """How long everybody acts in a round (s)."""
    expert_share: float = 0.0
    """Share of the expert in the commands of the first round; its power in those that follow (Ross et al. 2011)."""
    label: Label = "expert"
    """What should have been done: what the expert commands, or the controller's own velocity turned towards the target
    and none inside it (Gilja et al. 2012)."""
    training: ImitationConfig = field(
        default_factory=lambda: ImitationConfig(epochs=10, learning_rate=4e-3, horizon=2.0)
    )
    """How the controller is trained on in every round, on all that was seen so far."""


def dagger(
    controller: RecurrentController,
    loop: ClosedLoop,
    sequences: list[Sequence],
    rounds: int,
    config: DaggerConfig,
    seed: int,
    gain: float = 1.0,
    progress: Callable[[int, float], None] = lambda epoch, loss: None,
) -> Iterator[list[float]]:
    """Train a cloned ``controller`` on, in place; gives the losses of every round's epochs when it is done.

    Args:
        controller: trained on ``sequences``.
        loop: people on whom it acts, other ones in every round.
        sequences: what it was cloned from; what they see is added here.
        rounds: how often it acts and is trained on.
        config: how.
        seed: of the people.
        gain: what its commands are multiplied by as it acts.
        progress: told of every epoch, counted from 1 in every round.

    Raises:
        ConfigurationError: a number in ``config`` is out of its range.
    """
    check_dagger(rounds, config)
    for number in range(rounds):
        people, share = seed + number * loop.env.num_envs, config.expert_share ** (number + 1)
        sequences += act(loop, controller, config.seconds, people, gain, share, config.label)
        yield train(controller, list(sequences), config.training, loop.env.control_rate, progress)


def check_dagger(rounds: int, config: DaggerConfig) -> None:
    """Say what cannot be done.

    Raises:
        ConfigurationError: ``rounds``, or a number in ``config``, is out of its range.
    """
    check_positive("seconds", config.seconds)
    if rounds < 0:
        raise ConfigurationError(f"dagger is {rounds} rounds.", "Give 0 or more.")
    if not 0 <= config.expert_share <= 1:
        raise ConfigurationError(f"expert_share is {config.expert_share:g}.", "Give a share from 0 to 1.")


@torch.inference_mode()
def watch(loop: ClosedLoop, seconds: float, seed: int, hand_speed: float = 1.0) -> tuple[list[Sequence], list[Array]]:
    """Everybody watches the expert for ``seconds`` s, whose hand is pushed about: what cloning begins with.

    Args:
        loop: begins a new session.
        seconds: how long (s).
        seed: of the session and the pushes.
        hand_speed: share of the expert's commands with which the hand moves. Pushes last as much longer and are weaker
            by its root, so that a slow hand is farther off its path, as one that is steered by EEG is.

    Returns:
        A sequence a person, and what they intended, ``(row, 2)`` (m/s).
    """
    rng, rate = np.random.default_rng(seed), loop.env.control_rate
    decay, push = np.exp(-hand_speed / (PERTURBATION_TIME * rate)), np.zeros((loop.env.num_envs, 2))
    met = Met(loop, loop.reset(seed))
    for _ in range(round(seconds * rate)):
        push = decay * push + np.sqrt(1 - decay**2) * PERTURBATION * rng.standard_normal(push.shape)
        met.label(met.wanted())
        met.go_on(hand_speed * met.expert(*places(met.moment.info)) + np.sqrt(hand_speed) * push, heard=False)
    return met.sequences(), met.intentions()


@torch.inference_mode()
def act(
    loop: ClosedLoop,
    controller: RecurrentController | Decide,
    seconds: float,
    seed: int,
    gain: float = 1.0,
    expert_share: float = 0.0,
    label: Label = "expert",
) -> list[Sequence]:
    """Everybody uses ``controller`` for ``seconds`` s; what it met, and what should have been done.

    Args:
        loop: begins a new session.
        controller: acts.
        seconds: how long (s).
        seed: of the session.
        gain: what its commands are multiplied by.
        expert_share: of the expert in the commands, 0 to 1.
        label: see :class:`DaggerConfig`.
    """
    decide = one_row(controller) if isinstance(controller, RecurrentController) else controller
    state, met = None, Met(loop, loop.reset(seed))
    radius = getattr(loop.env.task, "target_radius", 0.0)
    for _ in range(round(seconds * loop.env.control_rate)):
        decided, state = decide(met.moment.features, state)
        own, expert = decided.numpy().astype(float), met.expert(*places(met.moment.info))
        met.label(met.wanted() if label == "expert" else intended_velocity(own, *met.seen, radius))
        met.go_on((1 - expert_share) * gain * own + expert_share * expert)
    return met.sequences()


class Met:
    """What people meet in a session, put together to sequences.

    Labels are about the hand and target that a person saw as they intended what the EEG shows, one visual delay before
    (:attr:`seen`), as :func:`~motorctl.training.simulation.to_sequence` explains.

    Args:
        loop: the session's.
        moment: where it begins.
    """

    def __init__(self, loop: ClosedLoop, moment: Moment) -> None:
        self.loop, self.moment = loop, moment
        self._late = loop.user.delay_steps
        self._places = [places(moment.info)]
        self._features = [moment.features.numpy()[:, None]]  # (batch, row, feature) each
        self._intentions: list[Array] = []
        self._labels: list[Array] = []

    @property
    def seen(self) -> tuple[Array, Array]:
        """Hand and target ``(batch, 2)`` (m) of one visual delay ago."""
        return self._places[0]

    def wanted(self) -> Array:
        """What the expert commanded then, ``(batch, 2)`` (m/s)."""
        return self.expert(*self.seen)

    def expert(self, hand: Array, target: Array) -> Array:
        """What the expert commands at ``hand`` and ``target (batch, 2)`` (m), ``(batch, 2)`` (m/s)."""
        return (IMAGINING if self.loop.imagine else REACHING).expert(hand, target)

    def label(self, wanted: Array) -> None:
        """What should be done of the features that there are now."""
        self._intentions.append(self.moment.intention.numpy())
        self._labels.append(wanted)

    def go_on(self, commands: Array, heard: bool = True) -> None:
        """The next control step; features of one that is not ``heard`` come with :meth:`sequences`."""
        with one_thread():
            self.moment = self.loop.step(commands, heard)
        if heard:
            self._features.append(self.moment.features.numpy()[:, None])
        self._places = [*self._places, places(self.moment.info)][-self._late - 1 :]

    def sequences(self) -> list[Sequence]:
        """One a person, from when what was seen is known."""
        self._features.append(self.loop.hear().numpy())
        labels = np.stack(self._labels, axis=1).astype(np.float32)
        rows = np.concatenate(self._features, axis=1)[:, : labels.shape[1]]
        times = np.arange(1, rows.shape[1] + 1) / self.loop.env.control_rate
        known, no_trial = np.ones(rows.shape[1:], bool), np.full(len(times), -1)
        people = zip(rows, labels, strict=True)
        return [Sequence(Features(own, times, known), wanted, no_trial)[self._late :] for own, wanted in people]

    def intentions(self) -> list[Array]:
        """What each person intended, ``(row, 2)`` (m/s), row by row of :meth:`sequences`."""
        return list(np.stack(self._intentions, axis=1)[:, self._late :])


def places(info: dict[str, Any]) -> tuple[Array, Array]:
    """Hand and target ``(batch, 2)`` (m), as they are shown."""
    return info["shown_position"][:, :2], info["target_position"][:, :2]
