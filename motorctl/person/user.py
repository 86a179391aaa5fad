"""The user: sees the hand and the target, late, and intends a hand velocity.

The intention follows the difference-vector law of Bullock & Grossberg (1988, Psychol. Rev. 95(1):49-90, the VITE
model): velocity is proportional to the difference between where the target is and where the hand is believed to be,
up to the speed of a comfortable reach. A user corrects what it sees go wrong, so a bad decoder is fought, as a person
fights it.

The hand is believed to be where it was seen, one delay ago; or, with an internal model of the decoder, moved on from
there by what the user has intended since. Users of a brain-computer interface do so, and err where their model is
wrong (Golub, Yu & Chase 2015, eLife 4:e10015); in control theory it is a Smith predictor (Miall et al. 1993, J. Mot.
Behav. 25(3):203-216).
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from motorctl.person.attention import Attention


class UserState(NamedTuple):
    """What a user remembers; places and intentions ``(batch, 2)``, the oldest first."""

    hands: tuple[Tensor, ...]  # on their way from the eye (m)
    targets: tuple[Tensor, ...]
    intentions: tuple[Tensor, ...]  # whose effect has not been seen yet (m/s)
    trust: Tensor  # (batch or 1, 1) share of an intended velocity that the decoder is believed to give
    attentive: Tensor  # (batch or 1, 1) bool
    rng: np.random.Generator


@dataclass(frozen=True)
class User:
    """A simulated user. By default it sees well, always attends, and has no internal model.

    Args:
        rate: control steps per second (Hz).
        delay: time from an event to the intention that answers it (s). 150 ms is what visual feedback takes to change
            a reach (Saunders & Knill 2003, Exp. Brain Res. 152(3):341-352).
        gain: intended speed per distance (1/s).
        max_speed: speed of a comfortable reach (m/s).
        noise: standard deviation of where hand and target are seen (m), drawn anew each step.
        reaction: how much longer than the delay a new target takes to be answered (s). Little for a target
            that jumps during a reach, 0.1 and more where one must notice and choose.
        trust: share of an intended velocity that the decoder is believed to give: 0 for no internal model, 1 for a
            hand that is believed to do what is intended.
        learning: how fast trust follows what is seen (1/s), by least mean squares (Widrow & Hoff 1960, IRE
            WESCON Conv. Rec. 4:96-104); 0 keeps it.
        attention: how it lapses.
    """

    rate: float
    delay: float = 0.15
    gain: float = 2.5
    max_speed: float = 0.3
    noise: float = 0.0
    reaction: float = 0.0
    trust: float = 0.0
    learning: float = 0.0
    attention: Attention = Attention()

    def initial_state(self, seed: int = 0) -> UserState:
        """Nothing seen yet, by any number of users; two of one seed see and attend alike."""
        alert = torch.ones(1, 1, dtype=torch.bool)
        return UserState((), (), (), torch.full((1, 1), self.trust), alert, np.random.default_rng(seed))

    def intend(self, hand: Tensor, target: Tensor, state: UserState) -> tuple[Tensor, UserState]:
        """The hand velocity intended now.

        Args:
            hand: ``(batch, 2)`` position of the hand now (m).
            target: ``(batch, 2)`` position of the target now (m).
            state: returned by the previous call; it stays as it is.

        Returns:
            ``(batch, 2)`` intended velocity (m/s), differentiable in ``hand`` and ``target``, and the new state.
        """
        rng = deepcopy(state.rng) if self.noise or self.attention.lapses_per_minute else state.rng
        attentive = self.attention.step(state.attentive, len(hand), self.rate, rng)
        hands = (*state.hands, self._look(hand, rng))[-self.delay_steps - 2 :]
        targets = (*state.targets, self._look(target, rng))[-self.delay_steps - self.reaction_steps - 1 :]
        trust = self._learn(hands, state)
        intention = torch.zeros_like(hand)
        if len(targets) > self.delay_steps + self.reaction_steps:
            unseen = state.intentions[len(state.intentions) - self.delay_steps :]
            believed = hands[-self.delay_steps - 1] + trust * sum(unseen, intention) / self.rate
            intention = attentive * limit(self.gain * (targets[0] - believed), self.max_speed)
        intentions = (*state.intentions, intention)[-self.delay_steps - 1 :]
        return intention, UserState(hands[-self.delay_steps - 1 :], targets, intentions, trust, attentive, rng)

    def _look(self, place: Tensor, rng: np.random.Generator) -> Tensor:
        if not self.noise:
            return place
        return place + self.noise * torch.from_numpy(rng.standard_normal(place.shape)).to(place)

    def _learn(self, hands: tuple[Tensor, ...], state: UserState) -> Tensor:
        """Trust, after the newest movement that has been seen is compared with the intention that led to it."""
        if not self.learning or len(hands) < self.delay_steps + 2:
            return state.trust
        moved = limit((hands[1] - hands[0]) * self.rate, 3 * self.max_speed)  # not the jump to where a new trial begins
        intended = state.intentions[0]
        surprise = ((moved - state.trust * intended) * intended).sum(dim=-1, keepdim=True)
        return state.trust + self.learning / self.rate * surprise / self.max_speed**2

    @property
    def delay_steps(self) -> int:
        """The delay in whole control steps."""
        return round(self.delay * self.rate)

    @property
    def reaction_steps(self) -> int:
        """What a new target takes longer, in whole control steps."""
        return round(self.reaction * self.rate)


def limit(velocity: Tensor, max_speed: float) -> Tensor:
    """``velocity (..., 2)`` shortened to at most ``max_speed`` (m/s), its direction kept."""
    speed = torch.linalg.vector_norm(velocity, dim=-1, keepdim=True)
    limited: Tensor = velocity * (max_speed / speed.clamp_min(max_speed))
    return limited
