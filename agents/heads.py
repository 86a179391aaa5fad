"""Heads: what a network says of every row, and what it costs to be wrong.

A head maps hidden units ``(batch, time, width)`` to its output and knows its ``loss(output, targets, weight)``: the
mean over what counts, where ``weight`` ``(batch, time, 1)`` is 0 for padding and for missing targets, whose values
never matter, not even as NaN. Class heads are in ``classes``, the head that writes a sequence in ``decoder``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from motorctl.errors import ConfigurationError


def counted(weight: Tensor | None, *values: Tensor) -> tuple[Tensor, ...]:
    """What counts of ``values``, all of one shape, as vectors, and at the end the weight of each.

    Picked out, not multiplied by 0: what is missing may be NaN, and so would be its product and its gradient.
    """
    weight = torch.ones_like(values[0]) if weight is None else weight.to(values[0]).expand_as(values[0])
    keep = weight > 0
    return *(value[keep] for value in values), weight[keep]


def weighted_mean(errors: Tensor, weight: Tensor) -> Tensor:
    """Mean of ``errors``; 0 where nothing counts."""
    return (errors * weight).sum() / weight.sum().clamp(min=torch.finfo(weight.dtype).tiny)


class CommandHead(nn.Module):
    """A continuous command of every row, ``y_t = scale (W_hy h_t + b_y)``.

    Args:
        width: of the hidden units.
        outputs: how many numbers a command has.
        scale: unit of the output in the command's own unit, so that the network works near 1.
    """

    scale: Tensor

    def __init__(self, width: int, outputs: int, scale: float = 1.0) -> None:
        super().__init__()
        self.readout = nn.Linear(width, outputs)
        self.register_buffer("scale", torch.tensor(_positive(scale)))

    def forward(self, hidden: Tensor) -> Tensor:
        """``(batch, time, width)`` to ``(batch, time, output)``."""
        command: Tensor = self.readout(hidden) * self.scale
        return command

    def loss(self, output: Tensor, targets: Tensor, weight: Tensor | None = None) -> Tensor:
        """Mean squared error in units of the scale; ``weight`` may also be ``(batch, time, output)``."""
        output, targets, weight = counted(weight, output, targets)
        return weighted_mean(((output - targets) / self.scale).square(), weight)


class Gaussian(NamedTuple):
    """A command and how sure it is: ``mean`` and ``variance`` ``(batch, time, output)``, in the unit and its square."""

    mean: Tensor
    variance: Tensor


class GaussianHead(nn.Module):
    """A continuous command of every row with its variance (Nix & Weigend 1994, IEEE ICNN 1:55-60).

    Args:
        width, outputs, scale: as for :class:`CommandHead`.
    """

    scale: Tensor
    FLOOR = 1e-6
    """Smallest variance, in squared units of the scale: the likelihood of a perfect fit has no upper bound."""

    def __init__(self, width: int, outputs: int, scale: float = 1.0) -> None:
        super().__init__()
        self.readout = nn.Linear(width, 2 * outputs)
        self.register_buffer("scale", torch.tensor(_positive(scale)))

    def forward(self, hidden: Tensor) -> Gaussian:
        """``(batch, time, width)`` to mean and variance, each ``(batch, time, output)``."""
        mean, raw = self.readout(hidden).chunk(2, dim=-1)
        return Gaussian(mean * self.scale, (nn.functional.softplus(raw) + self.FLOOR) * self.scale**2)

    def loss(self, output: Gaussian, targets: Tensor, weight: Tensor | None = None) -> Tensor:
        """Mean Gaussian negative log likelihood, ``½ (log σ² + (y - μ)² / σ²)``, in units of the scale, no constant."""
        mean, variance, targets, weight = counted(weight, output.mean, output.variance, targets)
        squared = (targets - mean).square() / variance
        return weighted_mean((squared + (variance / self.scale**2).log()) / 2, weight)


class ForecastHead(nn.Module):
    """The next ``steps`` rows of a signal, all at once from every row (direct multi-step forecast).

    Args:
        width, outputs, scale: as for :class:`CommandHead`.
        steps: how many rows ahead, at least 1.
    """

    scale: Tensor

    def __init__(self, width: int, outputs: int, steps: int, scale: float = 1.0) -> None:
        super().__init__()
        if steps < 1:
            raise ConfigurationError(f"A forecast of {steps} steps says nothing.", "Ask for 1 or more.")
        self.steps = steps
        self.readout = nn.Linear(width, steps * outputs)
        self.register_buffer("scale", torch.tensor(_positive(scale)))

    def forward(self, hidden: Tensor) -> Tensor:
        """``(batch, time, width)`` to ``(batch, time, step, output)``; step 0 is the row after."""
        forecast: Tensor = self.readout(hidden).unflatten(-1, (self.steps, -1)) * self.scale
        return forecast

    def loss(self, output: Tensor, targets: Tensor, weight: Tensor | None = None) -> Tensor:
        """Mean squared error in units of the scale.

        Args:
            output: of :meth:`forward`.
            targets: ``(batch, rows, output)`` the signal itself from the first row of ``output`` on; rows after the
                last one of ``output`` are used if given, so a sequence trained in pieces loses none.
            weight: ``(batch, rows, 1)`` or ``(batch, rows, output)`` of the targets.
        """
        weight = torch.ones_like(targets) if weight is None else weight.to(targets).expand_as(targets)
        rows = output.shape[1]
        ahead, counts = (self._ahead(values, rows) for values in (targets, weight))
        output, ahead, counts = counted(counts, output, ahead)
        return weighted_mean(((output - ahead) / self.scale).square(), counts)

    def _ahead(self, values: Tensor, rows: int) -> Tensor:
        """The next steps of ``values`` after each of ``rows``, zeros after the end: ``(batch, row, step, output)``."""
        padded = nn.functional.pad(values, (0, 0, 0, max(0, rows + self.steps - values.shape[1])))
        return padded[:, 1 : rows + self.steps].unfold(1, self.steps, 1).transpose(2, 3)


class MultiTaskHead(nn.Module):
    """Several heads on the same hidden units, such as a command and a movement class.

    Multi-task learning (Caruana 1997, Mach. Learn. 28:41-75): what one task teaches the hidden units serves the others.

    Args:
        heads: by the name of the task.
        shares: of each task in the loss, 1 where not given.

    Raises:
        ConfigurationError: there is no head, or a share belongs to no task or is below 0.
    """

    def __init__(self, heads: Mapping[str, nn.Module], shares: Mapping[str, float] | None = None) -> None:
        super().__init__()
        self.shares = dict.fromkeys(heads, 1.0) | dict(shares or {})
        if not heads or set(self.shares) != set(heads) or min(self.shares.values()) < 0:
            raise ConfigurationError(
                f"Shares {dict(shares or {})} do not fit the tasks {list(heads)}.",
                "Give one or more tasks, and shares of at least 0 to tasks that exist.",
            )
        self.heads = nn.ModuleDict(heads)

    def forward(self, hidden: Tensor) -> dict[str, Any]:
        """What each head says."""
        return {name: head(hidden) for name, head in self.heads.items()}

    def loss(
        self,
        output: Mapping[str, Any],
        targets: Mapping[str, Tensor],
        weight: Mapping[str, Tensor | None] | None = None,
    ) -> Tensor:
        """Sum of the tasks' losses by their shares; a task without targets costs nothing."""
        losses = [
            self.shares[name] * self.heads[name].loss(output[name], values, (weight or {}).get(name))  # type: ignore[operator]
            for name, values in targets.items()
        ]
        return torch.stack(losses).sum()


def _positive(scale: float) -> float:
    if not scale > 0:
        raise ConfigurationError(f"The scale of a command is {scale:g}.", "Give a typical size, above 0.")
    return scale
