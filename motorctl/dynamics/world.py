"""What a controller moves, as functions, and what it did: the words that all ways to run an episode share."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from torch import Tensor


class World(Protocol):
    """A limb and its task, as two functions of a batch of lanes that do not know of each other.

    ``state (batch, n)`` is all that the world remembers: the limb's state, lines of delay, the last command.
    ``inputs (batch, k)`` come from outside: the target, noise that was drawn, loads.
    """

    def observe(self, state: Tensor, inputs: Tensor) -> Tensor:
        """What the controller sees, ``(batch, features)``."""
        ...

    def advance(self, state: Tensor, command: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """The state after a control step with a command ``(batch, m)``; what is asked of it, ``(batch, outputs)``."""
        ...


class Rollout(NamedTuple):
    """What many lanes did. Row k is after k + 1 control steps."""

    states: Tensor
    """Of the world, ``(batch, time, n)``."""
    outputs: Tensor
    """Of the world, ``(batch, time, outputs)``."""
    commands: Tensor
    """Of the controller, ``(batch, time, m)``."""
    hidden: Tensor
    """Hidden units of every layer, an LSTM's followed by its cells, ``(batch, time, units)``."""


Run = Callable[[Tensor, Tensor, Tensor], Rollout]
"""``(state, inputs, hidden)`` to a rollout."""
