"""The user: sees the hand and the target, late, and intends a hand velocity.

The intention follows the difference-vector law of Bullock & Grossberg (1988, Psychol. Rev. 95(1):49-90, the VITE
model): velocity is proportional to the difference between where the target is and where the hand is seen to be, up to
the speed of a comfortable reach. A user corrects what it sees go wrong, so a bad decoder is fought, as a person
fights it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class User:
    """A simulated user.

    Args:
        rate: control steps per second (Hz).
        delay: time from an event to the intention that answers it (s). 150 ms is what visual feedback takes to change
            a reach (Saunders & Knill 2003, Exp. Brain Res. 152(3):341-352).
        gain: intended speed per distance (1/s).
        max_speed: speed of a comfortable reach (m/s).
    """

    rate: float
    delay: float = 0.15
    gain: float = 2.5
    max_speed: float = 0.3

    def initial_state(self) -> tuple[Tensor, ...]:
        """Nothing seen yet."""
        return ()

    def intend(self, hand: Tensor, target: Tensor, seen: Sequence[Tensor]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The hand velocity intended now.

        Args:
            hand: ``(batch, 2)`` position of the hand now (m).
            target: ``(batch, 2)`` position of the target now (m).
            seen: state, the differences on their way from the eye, the oldest first.

        Returns:
            ``(batch, 2)`` intended velocity (m/s), and the new state.
        """
        pending = (*seen, target - hand)
        if len(pending) <= self.delay_steps:
            return torch.zeros_like(hand), pending
        return limit(self.gain * pending[0], self.max_speed), pending[1:]

    @property
    def delay_steps(self) -> int:
        """The delay in whole control steps."""
        return round(self.delay * self.rate)


def limit(velocity: Tensor, max_speed: float) -> Tensor:
    """``velocity (..., 2)`` shortened to at most ``max_speed`` (m/s), its direction kept."""
    speed = torch.linalg.vector_norm(velocity, dim=-1, keepdim=True)
    limited: Tensor = velocity * (max_speed / speed.clamp_min(max_speed))
    return limited
