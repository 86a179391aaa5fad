"""Episodes with gradients: a recurrent controller and its world, control step after control step."""

from __future__ import annotations

import torch
from torch import Tensor

from motorctl.agents import RecurrentController, State

from .chunks import in_chunks
from .world import Rollout, World


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
        checkpoint: control steps after which activations are dropped, to be computed again for the gradients, which
            are then those of the state, the inputs, the units and the controller's weights alone; 0 keeps all.
    """

    def run(state: Tensor, inputs: Tensor, hidden: Tensor) -> Rollout:
        memory, rows = unflatten(controller, hidden), []
        for row in inputs.unbind(1):
            command, memory = controller(world.observe(state, row)[:, None], memory)
            state, outputs = world.advance(state, command[:, 0], row)
            rows.append((state, outputs, command[:, 0], flatten(memory)))
        return Rollout(*(torch.stack(parts, dim=1) for parts in zip(*rows, strict=True)))

    hidden = flatten(controller.initial_state(len(state))) if hidden is None else hidden
    return in_chunks(run, state, inputs, hidden, checkpoint, list(controller.parameters()))


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
