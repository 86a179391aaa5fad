"""A simulated person: a user and a brain that live from sample to sample, behind a headset or in a simulation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motorctl.errors import ConfigurationError
from motorctl.person.brain import Brain
from motorctl.person.cued import CuedUser
from motorctl.person.movements import MOVEMENTS
from motorctl.person.user import User


class Person:
    """Sees hand and target, or a cue, forms an intention, gives off EEG.

    Args:
        user: forms an intention once in every control step: a velocity of the hand, or movements that a cue asks for.
        brain: gives off EEG at its own rate, a whole multiple of the user's.
        seed: of everything random in user and brain.
        imagine: gives the movements ``(..., class)`` that are imagined to steer with a velocity ``(..., 2)`` (m/s), as
            :func:`motorctl.person.imagery.imagine`; by default the person intends to move the right hand itself.
    """

    def __init__(
        self, user: User | CuedUser, brain: Brain, seed: int, imagine: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        self.brain = brain
        self._imagine = (lambda cued: cued) if isinstance(user, CuedUser) else imagine
        self.user = user
        self._intend: Callable[..., tuple[Tensor, Any]] = user.intend
        self._samples = samples_per_step(user.rate, brain)
        self._phase = 0
        self._view: tuple[Tensor, ...]
        self._view = (torch.zeros(1, len(MOVEMENTS)),) if isinstance(user, CuedUser) else (torch.zeros(1, 2),) * 2
        self._intention = self._view[0]
        self._seen: Any = user.initial_state(seed)
        self._state = brain.initial_state(1, seed)

    def see(self, *view: NDArray[np.float64]) -> None:
        """Light falls into the eye: hand and target ``(2,)`` (m) as they are now, or how far each of ``MOVEMENTS`` is
        asked for by a cue, ``(class,)``."""
        self._view = tuple(torch.as_tensor(thing)[None] for thing in view)

    @torch.inference_mode()
    def next_samples(self, count: int) -> NDArray[np.float32]:
        """The next ``count`` samples of EEG, ``(count, channel)`` µV."""
        if not count:
            return np.empty((0, len(self.brain.labels)), np.float32)
        intention = torch.cat([self._next_intention() for _ in range(count)])
        velocity, movement = intention[None], None
        if self._imagine:
            velocity, movement = velocity.new_zeros(1, count, 2), self._imagine(velocity)
        eeg, self._state = self.brain.emit(velocity, self._state, movement)
        return np.asarray(eeg[0].numpy())

    def _next_intention(self) -> Tensor:
        if self._phase == 0:
            self._intention, self._seen = self._intend(*self._view, self._seen)
        self._phase = (self._phase + 1) % self._samples
        return self._intention


def samples_per_step(rate: float, brain: Brain) -> int:
    """EEG samples in a control step, of which there are ``rate`` a second.

    Raises:
        ConfigurationError: they are no whole number.
    """
    if brain.rate % rate:
        raise ConfigurationError(
            f"A control rate of {rate:g} Hz does not divide the EEG's {brain.rate:g} Hz.",
            f"Choose a control rate such as {brain.rate / 5:g} Hz.",
        )
    return int(brain.rate // rate)
