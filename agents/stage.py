"""What all parts of a controller share: rows in, rows out, the state outside; and how parts make a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Union, cast

from torch import Tensor, nn

from motorctl.errors import ConfigurationError

LayerState = Tensor | tuple[Tensor, Tensor]
"""Hidden state ``(1, batch, width)`` of a recurrent layer; for the LSTM the pair of hidden and cell state."""

State = tuple[Union[Tensor, "State"], ...]
"""What a part of a controller remembers: tensors in tuples, of one size however long it runs."""


def detach(state: State) -> State:
    """The same state, cut from the graph that made it."""
    return tuple(s.detach() if isinstance(s, Tensor) else detach(s) for s in state)


class Stage(nn.Module):
    """A causal part of a controller: ``forward(x (batch, time, features), state)`` gives rows ``(batch, time, width)``
    and the state to go on with; in pieces of any length it gives what it gives in one.

    Attributes:
        features: how many numbers a row has that comes in.
        width: how many a row has that goes out.
    """

    features: int
    width: int

    def initial_state(self, batch: int) -> State:
        """The state before anything was seen; a part that remembers nothing has an empty one."""
        return ()


class Network(Stage):
    """Front ends, recurrent core and head in a row.

    Args:
        stages: at least one; each takes the rows that the one before gives.
        head: what is said of the last stage's rows.

    Raises:
        ConfigurationError: there is no stage, or two do not fit.
    """

    def __init__(self, stages: Sequence[Stage], head: nn.Module) -> None:
        super().__init__()
        if not stages:
            raise ConfigurationError("A network of no stages decodes nothing.", "Give it a recurrent core at least.")
        for before, after in zip(stages, stages[1:], strict=False):
            if before.width != after.features:
                raise ConfigurationError(
                    f"A {type(before).__name__} gives rows of {before.width}, "
                    f"the {type(after).__name__} after it takes {after.features}.",
                    "Make both the same.",
                )
        self.features, self.width = stages[0].features, stages[-1].width
        self.stages = nn.ModuleList(stages)
        self.head = head

    def initial_state(self, batch: int) -> State:
        """The state of each stage before anything was seen."""
        return tuple(stage.initial_state(batch) for stage in cast(Sequence[Stage], self.stages))

    def forward(self, features: Tensor, state: State, *head_inputs: Any) -> tuple[Any, State]:
        """What the head says of ``features (batch, time, feature)``, and the state to go on with.

        ``head_inputs`` go to the head after the hidden rows, for one that takes more: :class:`LabelHead`'s weight,
        :class:`DecoderHead`'s weight and targets.
        """
        rows, states = features, []
        for stage, before in zip(self.stages, state, strict=True):
            rows, after = stage(rows, before)
            states.append(after)
        return self.head(rows, *head_inputs), tuple(states)
