"""Sets of sequences: many short recordings side by side, each with a class, with values to give, or with neither."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motorctl.errors import ConfigurationError


@dataclass(frozen=True, eq=False)
class Examples:
    """Sequences side by side, shorter ones filled up with NaN.

    Args:
        inputs: ``(sequence, time, channel)`` float32; NaN where a value is missing, and behind the end of a sequence.
        lengths: ``(sequence,)`` rows of each.
        labels: ``(sequence,)`` number of its class, where there are classes.
        classes: their names; a class's number is its place here.
        targets: ``(sequence, time, output)`` float32, NaN where nothing is to be given, where there are targets.
        bouts: ``(sequence,)`` number of the stretch of a recording that it was cut from; by default one each.
    """

    inputs: NDArray[np.float32]
    lengths: NDArray[np.int64]
    labels: NDArray[np.int64] | None = None
    classes: tuple[str, ...] = ()
    targets: NDArray[np.float32] | None = None
    bouts: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: NDArray[np.int64]) -> Examples:
        parts = {name: getattr(self, name) for name in ("inputs", "lengths", "labels", "targets", "bouts")}
        picked: dict[str, Any] = {name: None if part is None else part[index] for name, part in parts.items()}
        return replace(self, **picked)

    @property
    def there(self) -> Tensor:
        """``(sequence, time, 1)``: 1 for rows of a sequence, 0 behind its end."""
        rows = np.arange(self.inputs.shape[1]) < self.lengths[:, None]
        return torch.from_numpy(rows.astype(np.float32))[..., None]

    @property
    def last(self) -> Tensor:
        """``(sequence, time, 1)``: 1 for the last row of each sequence, 0 else."""
        rows = np.arange(self.inputs.shape[1]) == self.lengths[:, None] - 1
        return torch.from_numpy(rows.astype(np.float32))[..., None]


def side_by_side(sequences: Sequence[NDArray[np.floating]]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Sequences ``(time, channel)`` of any lengths as inputs ``(sequence, time, channel)``, NaN behind their ends, and
    their lengths."""
    lengths = np.array([len(s) for s in sequences])
    inputs = np.full((len(sequences), lengths.max(), sequences[0].shape[1]), np.nan, np.float32)
    for place, values in enumerate(sequences):
        inputs[place, : len(values)] = values
    return inputs, lengths


def shuffled(examples: Examples, share: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which sequences to train and which to test on: ``share`` of each class, drawn at random.

    What lay side by side in a recording may end up on both sides, and is recognised by its neighbour: honest only for
    sequences that have nothing to do with each other.
    """
    rng = np.random.default_rng(seed)
    return _split(examples, share, [rng.permutation(members) for members in _members(examples)])


def by_block(examples: Examples, share: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which sequences to train and which to test on: the last ``share`` of each class in time, in whole bouts where a
    class has several."""
    if examples.bouts is None:
        return _split(examples, share, _members(examples))
    kept, held = [], []
    for members in _members(examples):
        bouts = np.unique(examples.bouts[members])
        if len(bouts) == 1:
            cut = _cut(len(members), share)
            kept.append(members[:cut])
            held.append(members[cut:])
        else:
            later = examples.bouts[members] >= bouts[_cut(len(bouts), share)]
            kept.append(members[~later])
            held.append(members[later])
    return np.sort(np.concatenate(kept)), np.sort(np.concatenate(held))


def _members(examples: Examples) -> list[NDArray[np.int64]]:
    """The sequences of each class, in order; all of them where there are no classes."""
    if examples.labels is None:
        return [np.arange(len(examples))]
    return [np.flatnonzero(examples.labels == label) for label in np.unique(examples.labels)]


def _split(
    examples: Examples, share: float, members: list[NDArray[np.int64]]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    cuts = [_cut(len(of_class), share) for of_class in members]
    kept = np.concatenate([of_class[:cut] for of_class, cut in zip(members, cuts, strict=True)])
    held = np.concatenate([of_class[cut:] for of_class, cut in zip(members, cuts, strict=True)])
    return np.sort(kept), np.sort(held)


def _cut(count: int, share: float) -> int:
    """How many of ``count`` come before the ``share`` that is held back.

    Raises:
        ConfigurationError: that leaves none on one side.
    """
    if count < 2:
        raise ConfigurationError(
            "There is a single sequence of a class, or in all, to be both learned and tested or calibrated on.",
            "Give four or more of each class, or leave that class out; of a table, read fewer --rows together.",
        )
    return min(count - 1, max(1, count - round(share * count)))
