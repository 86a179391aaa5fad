"""Several modalities at once, such as EEG, EMG and kinematics, any of which may fall silent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from motorctl.errors import ConfigurationError

from .stage import Stage, State


class Modalities(Stage):
    """Each modality through an encoder of its own; what they give stands side by side in a row.

    A row holds the features of all modalities, one after the other. Where any feature of a modality is not finite, the
    modality is absent in that row: its encoder is fed zeros, and a learned vector stands for what it gives. So a mask
    is applied by writing NaN, and modalities that come at different rates are NaN in the rows between.

    Args:
        encoders: by the name of the modality, in the order in which their features stand in a row.
        dropout: chance that a modality is absent for a whole piece of a sequence in training, so that the network
            learns to do without (ModDrop: Neverova et al. 2016, IEEE TPAMI 38(8):1692-1706); at least one stays.

    Raises:
        ConfigurationError: there is no modality, or the chance is out of its range.
    """

    def __init__(self, encoders: Mapping[str, Stage], dropout: float = 0.0) -> None:
        super().__init__()
        if not encoders:
            raise ConfigurationError("There is no modality to decode.", "Give one encoder or more.")
        if not 0 <= dropout < 1:
            raise ConfigurationError(f"Modality dropout is {dropout:g}.", "Choose a chance from 0 to below 1.")
        self.encoders = nn.ModuleDict(encoders)
        self.sizes = [encoder.features for encoder in encoders.values()]
        self.features, self.width = sum(self.sizes), sum(encoder.width for encoder in encoders.values())
        self.absent = nn.ParameterList(torch.zeros(encoder.width) for encoder in encoders.values())
        self.dropout = dropout

    def initial_state(self, batch: int) -> State:
        """The state of each encoder."""
        return tuple(encoder.initial_state(batch) for encoder in cast(Sequence[Stage], self.encoders.values()))

    def forward(self, features: Tensor, state: State) -> tuple[Tensor, State]:
        """``(batch, time, feature)``, NaN where absent, to ``(batch, time, width)``, and the state to go on with."""
        parts = torch.split(features, self.sizes, dim=-1)
        kept = self._kept(features)
        encoded, states = [], []
        for index, encoder in enumerate(self.encoders.values()):
            present = parts[index].isfinite().all(dim=-1, keepdim=True) & kept[index]  # (batch, time, 1)
            rows, after = encoder(torch.where(present, parts[index], 0), state[index])
            encoded.append(torch.where(present, rows, self.absent[index]))
            states.append(after)
        return torch.cat(encoded, dim=-1), tuple(states)

    def _kept(self, features: Tensor) -> Tensor:
        """Which modalities modality dropout leaves, ``(modality, batch, 1, 1)``."""
        shape = (len(self.sizes), len(features), 1, 1)
        if not (self.training and self.dropout):
            return torch.ones(shape, dtype=torch.bool, device=features.device)
        draw = torch.rand(shape, device=features.device)
        return (draw >= self.dropout) | (draw == draw.max(dim=0).values)  # the luckiest stays in any case
