"""Spherical splines: the potential between electrodes (Perrin, Pernier, Bertrand & Echallier 1989, Electroencephalogr.
Clin. Neurophysiol. 72:184-187; corrigendum 76:565)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.polynomial.legendre import legval
from numpy.typing import NDArray

from motorctl.errors import ConfigurationError
from motorctl.signals.electrodes import electrode_positions

Array = NDArray[np.float64]

STIFFNESS, TERMS, SMOOTHING = 4, 50, 1e-5
"""Order of the splines (Perrin's m), terms of their Legendre series, and regularisation, as in MNE."""


def spline_weights(known: Sequence[str], wanted: Sequence[str]) -> Array:
    """``(wanted, known)`` weights that estimate the potential at some electrodes from that at others; rows sum to 1.

    Raises:
        ConfigurationError: a label is no 10-05 electrode, or fewer than four are known.
    """
    if strange := [label for label in (*known, *wanted) if label not in electrode_positions()]:
        raise ConfigurationError(
            f"{', '.join(strange)} cannot be interpolated: no electrode of the 10-05 system.",
            "Name the electrodes, or turn repair off.",
        )
    if len(known) < 4:
        raise ConfigurationError(
            f"Only {len(known)} good electrodes are left to interpolate {', '.join(wanted)} from.",
            "Mend the electrodes, or turn repair off.",
        )
    here, there = _on_unit_sphere(known), _on_unit_sphere(wanted)
    size = len(known)
    system = np.zeros((size + 1, size + 1))
    system[:size, :size] = _spline(here @ here.T) + SMOOTHING * np.eye(size)
    system[size, :size] = system[:size, size] = 1
    values = np.hstack([_spline(there @ here.T), np.ones((len(wanted), 1))])
    weights: Array = np.linalg.solve(system, values.T)[:size].T.astype(float)
    return weights


def _spline(cosine: Array) -> Array:
    n = np.arange(1, TERMS + 1)
    series = (2 * n + 1) / (n * (n + 1.0)) ** STIFFNESS / (4 * np.pi)
    return np.asarray(legval(cosine, np.array([0.0, *series])), float)


def _on_unit_sphere(labels: Sequence[str]) -> Array:
    place = np.stack([electrode_positions()[label] for label in labels]) - head_centre()
    unit: Array = place / np.linalg.norm(place, axis=1, keepdims=True)
    return unit


@cache
def head_centre() -> Array:
    """``(3,)`` centre of the sphere that fits all electrodes of the system best (m)."""
    place = np.stack(list(electrode_positions().values()))
    # |p - c|^2 = r^2 is linear in c and r^2 - |c|^2.
    solution, *_ = np.linalg.lstsq(np.hstack([2 * place, np.ones((len(place), 1))]), (place**2).sum(axis=1))
    centre: Array = solution[:3]
    return centre
