"""What controllers learn from: continuous stretches of features with the command that an expert would give."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as Many
from dataclasses import dataclass, field
from typing import Protocol

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


class Stretch(Protocol):
    """One uninterrupted stretch that gives its rows when they are asked for: a :class:`Sequence`, or one on disk."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice) -> Sequence: ...


Stretches = Many[Stretch]


@dataclass(frozen=True)
class Seen:
    """A stretch as a function of its rows: scaled, or augmented.

    Args:
        stretch: what gives the rows.
        through: called with rows and the number of the first of them.
    """

    stretch: Stretch
    through: Callable[[Sequence, int], Sequence]

    def __len__(self) -> int:
        return len(self.stretch)

    def __getitem__(self, rows: slice) -> Sequence:
        return self.through(self.stretch[rows], rows.start or 0)


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
    """Sequences cut into lanes and stacked, so that a batch steps through all of them side by side.

    Args:
        features: ``(lane, time, feature)``, padded with zeros.
        targets: ``(lane, time, command)``.
        weight: ``(lane, time, 1)``: 1 where there is something to learn, 0 where rows are padding or masked.
    """

    features: Tensor
    targets: Tensor
    weight: Tensor

    def going(self, row: int) -> int:
        """How many lanes, from the first on, hold all that counts from ``row`` on; the longest lanes come first."""
        counts = (self.weight[:, row:] > 0).any(dim=1)[:, 0].nonzero()
        return int(counts.max()) + 1 if len(counts) else 0

    def to(self, device: str) -> Lanes:
        """The same on another device."""
        return Lanes(self.features.to(device), self.targets.to(device), self.weight.to(device))


def lane_places(stretches: Stretches, length: int) -> list[tuple[int, int]]:
    """Where each lane of at most ``length`` rows begins: number of the stretch and row, in order."""
    return [(number, start) for number, s in enumerate(stretches) for start in range(0, len(s), length)]


def stack_lanes(stretches: Stretches, length: int) -> Lanes:
    """All of ``stretches`` in lanes of at most ``length`` rows, the longest first; a stretch that is longer goes on in
    a lane of its own."""
    return stack([stretches[number][start : start + length] for number, start in lane_places(stretches, length)])


def stack(pieces: list[Sequence]) -> Lanes:
    """Each piece in a lane, filled up with zeros, the longest first."""
    pieces = sorted(pieces, key=len, reverse=True)
    features = torch.zeros(len(pieces), len(pieces[0]), pieces[0].features.values.shape[1])
    targets = torch.zeros(*features.shape[:2], pieces[0].targets.shape[1])
    weight = torch.zeros(*features.shape[:2], 1)
    for lane, piece in enumerate(pieces):
        known = piece.features.mask.all(axis=1) & np.isfinite(piece.targets.sum(axis=1))
        features[lane, : len(piece)] = torch.from_numpy(piece.features.values)
        targets[lane, : len(piece)] = torch.from_numpy(np.where(known[:, None], piece.targets, 0))
        weight[lane, : len(piece), 0] = torch.from_numpy(known.astype(np.float32))
    return Lanes(features, targets, weight)
