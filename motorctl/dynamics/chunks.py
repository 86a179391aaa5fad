"""Episodes whose activations are not kept: dropped after every chunk of control steps, computed again for gradients
(Chen et al. 2016, arXiv:1604.06174).

torch's own ``checkpoint`` keeps a graph of every chunk, without its tensors, and the chunks beside the whole of them:
of a small network's many operations that is as much as the tensors. Here nothing is left of a chunk but its rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .world import Rollout, Run


def in_chunks(run: Run, state: Tensor, inputs: Tensor, hidden: Tensor, length: int, weights: list[Tensor]) -> Rollout:
    """A rollout by chunks of ``length`` control steps, of which one at a time has activations; 0: the whole at once.

    Args:
        run: gives the rollout of a chunk, by ``weights``.
        state, inputs, hidden: as of :func:`~motorctl.dynamics.rollout.roll_out`.
        length: of a chunk.
        weights: what else gradients are asked for.
    """
    if not 0 < length < inputs.shape[1]:
        return run(state, inputs, hidden)
    trained = [weight for weight in weights if weight.requires_grad]
    return Rollout(*_Chunks.apply(run, length, state, inputs, hidden, *trained))  # type: ignore[no-untyped-call]


class _Chunks(torch.autograd.Function):
    """``(state, inputs, hidden, weights...)`` to a rollout's four."""

    @staticmethod
    def forward(
        ctx: Any, run: Run, length: int, state: Tensor, inputs: Tensor, hidden: Tensor, *weights: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.run, ctx.starts, ctx.chances = run, range(0, inputs.shape[1], length), []
        rows: list[Tensor] = []
        before = state, hidden
        for start in ctx.starts:
            ctx.chances.append(_chance(state))
            chunk = run(before[0], inputs[:, start : start + length], before[1])
            rows = rows or [part.new_empty(len(part), inputs.shape[1], part.shape[2]) for part in chunk]
            for whole, part in zip(rows, chunk, strict=True):
                whole[:, start : start + length] = part
            before = chunk.states[:, -1], chunk.hidden[:, -1]
        episode = Rollout(*rows)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(state, inputs, hidden, episode.states, episode.hidden, *weights)
        return tuple(episode)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
        state, inputs, hidden, states, units, *weights = ctx.saved_tensors
        length = ctx.starts.step
        of_inputs = torch.zeros_like(inputs) if ctx.needs_input_grad[3] else None
        of_weights = [torch.zeros_like(weight) for weight in weights]
        later: tuple[Tensor | None, Tensor | None] = None, None  # of the state and the units that the next began with
        for start, chance in zip(reversed(ctx.starts), reversed(ctx.chances), strict=True):
            rows = slice(start, start + length)
            first, units_before = (states[:, start - 1], units[:, start - 1]) if start else (state, hidden)
            begin = [tensor.detach().requires_grad_() for tensor in (first, inputs[:, rows], units_before)]
            with torch.enable_grad(), _by_chance(chance, state):
                chunk = ctx.run(*begin)
            given = [
                torch.zeros_like(p) if g is None else g[:, rows].clone() for g, p in zip(gradients, chunk, strict=True)
            ]
            for place, gradient in zip((0, 3), later, strict=True):
                if gradient is not None:
                    given[place][:, -1] += gradient
            asked = [(part, own) for part, own in zip(chunk, given, strict=True) if part.requires_grad]
            parts, given = [part for part, _ in asked], [own for _, own in asked]
            found = torch.autograd.grad(parts, [*begin, *weights], given, allow_unused=True)
            later = found[0], found[2]
            if of_inputs is not None and found[1] is not None:
                of_inputs[:, rows] = found[1]
            for total, gradient in zip(of_weights, found[3:], strict=True):
                if gradient is not None:
                    total += gradient
        return None, None, later[0], of_inputs, later[1], *of_weights


def _chance(like: Tensor) -> list[Tensor]:
    """What is drawn next, by drop-out."""
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state(like.device)] if like.is_cuda else [])]


@contextmanager
def _by_chance(chance: list[Tensor], like: Tensor) -> Iterator[None]:
    """Draws the same again."""
    with torch.random.fork_rng([like.device] if like.is_cuda else []):
        torch.set_rng_state(chance[0])
        if like.is_cuda:
            torch.cuda.set_rng_state(chance[1], like.device)
        yield
