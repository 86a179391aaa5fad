"""Episodes with gradients: a recurrent controller and its world, control step after control step."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint as checkpointed

from motorctl.agents import RecurrentController, State


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


def roll_out(
    controller: RecurrentController,
    world: World,
    state: Tensor,
    inputs: Tensor,
    hidden: Tensor | None = None,
    checkpoint: int = 0,
) -> Rollout:
    """Run an episode, operation by operation; :func:`~motorctl.dynamics.compiled.compile_rollout` makes it fast.

    Args:
        controller: features of the world's observation in, the world's command out.
        world: on the device of the controller.
        state: of the world before, ``(batch, n)``.
        inputs: of every control step, ``(batch, time, k)``.
        hidden: units before, as one row of :attr:`Rollout.hidden`; the controller's initial state if not given.
        checkpoint: control steps after which activations are dropped, to be computed again for the gradients; 0 keeps
            all (Chen et al. 2016, arXiv:1604.06174).
    """

    def run(state: Tensor, inputs: Tensor, hidden: Tensor) -> Rollout:
        memory, rows = unflatten(controller, hidden), []
        for row in inputs.unbind(1):
            command, memory = controller(world.observe(state, row)[:, None], memory)
            state, outputs = world.advance(state, command[:, 0], row)
            rows.append((state, outputs, command[:, 0], flatten(memory)))
        return Rollout(*(torch.stack(parts, dim=1) for parts in zip(*rows, strict=True)))

    hidden = flatten(controller.initial_state(len(state))) if hidden is None else hidden
    return in_chunks(run, state, inputs, hidden, checkpoint)


def in_chunks(run: Run, state: Tensor, inputs: Tensor, hidden: Tensor, length: int) -> Rollout:
    """A rollout of which only the ends of chunks of ``length`` control steps are kept for the gradients; 0: of all."""
    if not length:
        return run(state, inputs, hidden)
    chunks = []
    for part in torch.split(inputs, length, dim=1):
        chunks.append(checkpointed(run, state, part, hidden, use_reentrant=False))
        state, hidden = chunks[-1].states[:, -1], chunks[-1].hidden[:, -1]
    return Rollout(*(torch.cat(parts, dim=1) for parts in zip(*chunks, strict=True)))


def flatten(memory: State) -> Tensor:
    """A recurrent controller's state as ``(batch, units)``: layer by layer, an LSTM's hidden units before its cells."""
    parts = [part for layer in memory for part in (layer if isinstance(layer, tuple) else (layer,))]
    rows = [part[0] for part in parts if isinstance(part, Tensor)]
    return rows[0] if len(rows) == 1 else torch.cat(rows, dim=1)


def unflatten(controller: RecurrentController, hidden: Tensor) -> State:
    """The state that :func:`flatten` made flat."""
    memory: list[State | Tensor] = []
    for width in controller.config.widths:
        count = 2 if controller.config.cell == "lstm" else 1
        own, hidden = hidden[:, : count * width], hidden[:, count * width :]
        parts = [part.contiguous()[None] for part in torch.split(own, width, dim=1)]
        memory.append((parts[0], parts[1]) if count == 2 else parts[0])
    return tuple(memory)
