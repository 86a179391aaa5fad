"""What controllers learn from: continuous stretches of features with the command that an expert would give."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motorctl.errors import ConfigurationError
from motorctl.signals.gate import Gated
from motorctl.signals.pipeline import Features


@dataclass(frozen=True)
class Sequence:
    """One uninterrupted stretch.

    Args:
        features: rows at the control rate.
        targets: ``(time, command)`` float32, the expert's command at each row.
        trial: ``(time,)`` number of the trial each row belongs to, -1 between trials.
        gated: what was missing or taken for an artefact in the whole recording that it is of (:meth:`Pipeline.gated`).
    """

    features: Features
    targets: NDArray[np.float32]
    trial: NDArray[np.int64]
    gated: Gated = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, rows: slice) -> Sequence:
        return Sequence(self.features.select(rows), self.targets[rows], self.trial[rows], self.gated)

    def with_features(self, features: Features) -> Sequence:
        """The same stretch seen through another pipeline."""
        return Sequence(features, self.targets, self.trial, self.gated)


def hold_back(sequence: Sequence, share: float, gap: float) -> tuple[Sequence, Sequence]:
    """The earlier part to train on and the later part to test on.

    The cut is at the start of the trial that leaves at least ``share`` of the trials to the later part; ``gap`` (s)
    before it is dropped, so that no filter carries training samples into the test.

    Raises:
        ConfigurationError: that leaves no trial to train on.
    """
    trials = np.unique(sequence.trial[sequence.trial >= 0])
    count = held_back_trials(len(trials), share)
    if count >= len(trials):
        raise ConfigurationError(
            f"Holding back {share:g} of {len(trials)} trials leaves none to train on.",
            "Choose a smaller --hold-back, or record more trials.",
        )
    first = trials[-count]
    cut = int(np.flatnonzero(sequence.trial == first)[0])
    times = sequence.features.times
    end = int(np.searchsorted(times, times[cut] - gap))
    return sequence[:end], sequence[cut:]


def held_back_trials(trials: int, share: float) -> int:
    """How many of so many trials are held back."""
    return max(1, round(share * trials))


@dataclass(frozen=True)
class Lanes:
    """Sequences cut into lanes of one length and stacked, so that a batch steps through all of them side by side.

    Args:
        features: ``(lane, time, feature)``, padded with zeros.
        targets: ``(lane, time, command)``.
        weight: ``(lane, time, 1)``: 1 where there is something to learn, 0 where rows are padding or masked.
    """

    features: Tensor
    targets: Tensor
    weight: Tensor


def stack_lanes(sequences: list[Sequence], length: int) -> Lanes:
    """All of ``sequences`` in lanes of ``length`` rows; a sequence goes on in the next lane where one ends."""
    pieces = [s[start : start + length] for s in sequences for start in range(0, len(s), length)]
    features = torch.zeros(len(pieces), length, sequences[0].features.values.shape[1])
    targets = torch.zeros(len(pieces), length, sequences[0].targets.shape[1])
    weight = torch.zeros(len(pieces), length, 1)
    for lane, piece in enumerate(pieces):
        features[lane, : len(piece)] = torch.from_numpy(piece.features.values)
        targets[lane, : len(piece)] = torch.from_numpy(piece.targets)
        weight[lane, : len(piece), 0] = torch.from_numpy(piece.features.mask.all(axis=1).astype(np.float32))
    return Lanes(features, targets, weight)
