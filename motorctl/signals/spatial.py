"""Spatial filters: which electrodes each signal is made of."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from motorctl.signals.electrodes import laplacian_neighbours
from motorctl.signals.splines import spline_weights

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

Reference = Literal["average", "laplacian", "none"]


@dataclass(frozen=True, eq=False)
class SpatialFilter:
    """Signals out of electrodes: each electrode of interest, interpolated if it is bad, less its reference.

    Args:
        own: ``(electrode, signal)`` weights of the electrode itself, or of those that it is interpolated from.
        reference: ``(electrode, signal)`` weights of what is subtracted; columns sum to 1, or to 0 for no reference.
        average: ``(electrode,)`` weights of the average of all electrodes that count; 0 for no reference.
    """

    own: Array
    reference: Array
    average: Array

    @cached_property
    def weights(self) -> Array:
        """``(electrode, signal)``: both in one product."""
        return self.own - self.reference

    def valid(self, measured: Mask) -> Mask:
        """``(time, signal)``: the electrode itself was measured, and at least half of what its reference is made of."""
        if measured.all():
            return np.ones((len(measured), self.own.shape[1]), bool)
        lost = (~measured).astype(float)
        valid: Mask = (lost @ (self.own != 0) == 0) & (lost @ self.reference <= 0.5)
        return valid


def spatial_filter(
    reference: Reference,
    electrodes: tuple[str, ...],
    used: tuple[str, ...],
    others: tuple[str, ...],
    bads: Collection[str] = (),
) -> tuple[SpatialFilter, tuple[str, ...]]:
    """The filter that gives a signal for each of ``used``, and the electrodes that it takes, in their order.

    Args:
        reference: common average, small Laplacian of the four nearest (Hjorth 1975), or none.
        electrodes: of the stream.
        used: which of them signals are wanted of.
        others: which of them a reference or an interpolation may be made of.
        bads: these are interpolated where they are used (spherical splines), and nothing is made of them.

    Raises:
        ConfigurationError: there are too few electrodes, or one that has no place on the head is to be interpolated.
    """
    good = [label for label in others if label not in bads]
    repaired = [label for label in used if label in bads]
    splines = dict(zip(repaired, spline_weights(good, repaired), strict=True)) if repaired else {}
    own, subtracted = (np.zeros((len(electrodes), len(used))) for _ in range(2))
    for signal, label in enumerate(used):
        sources = good if label in splines else [label]
        own[[electrodes.index(e) for e in sources], signal] = splines.get(label, 1.0)
        if reference != "none":
            around = good if reference == "average" else laplacian_neighbours(good, label)
            subtracted[[electrodes.index(e) for e in around], signal] = 1 / len(around)
    needed = np.flatnonzero((own != 0).any(axis=1) | (subtracted != 0).any(axis=1))
    taken = tuple(electrodes[i] for i in needed)
    among = np.array([reference != "none" and label in good for label in taken], float)
    return SpatialFilter(own[needed], subtracted[needed], among / max(1.0, among.sum())), taken
