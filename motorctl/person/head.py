"""The head: how a source in the brain shows at the electrodes.

Sources are current dipoles in a sphere of brain, cerebrospinal fluid, skull and scalp; MNE computes their potentials
(Berg & Scherg 1994, Electroencephalogr. Clin. Neurophysiol. 90(1):58-64). Electrodes sit where the 10-05 system has
them, pushed onto the sphere. Potentials are against infinity: re-reference them as any EEG.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import mne  # type: ignore[import-untyped]
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motorctl.errors import ConfigurationError
from motorctl.signals.electrodes import electrode_positions

Array = NDArray[np.float64]

RADIUS = 0.095
"""Radius of the head (m)."""
DEPTH = 0.72
"""How far from the centre the dipoles lie, a share of the radius. The cortex of MNE's sphere reaches to 0.90; a dipole
that stands for a patch of several square centimetres lies deeper (Nunez & Srinivasan 2006, Electric Fields of the
Brain)."""

SITES = {
    "hand left": ("C3", "out"),
    "hand right": ("C4", "out"),
    "arm left": ("C1", "out"),
    "arm right": ("C2", "out"),
    "leg left": ("C1h", "out"),
    "leg right": ("C2h", "out"),
    "face left": ("C5", "out"),
    "face right": ("C6", "out"),
    "sulcus left": ("C3", "forward"),
    "sulcus right": ("C4", "forward"),
    "midline": ("Cz", "out"),
    "visual left": ("O1", "out"),
    "visual right": ("O2", "out"),
}
"""Sources: the electrode above each, and where its current points, out of the head or forward along its surface.

The motor areas of leg, arm, hand and face follow each other down the central sulcus (Penfield & Boldrey 1937, Brain
60(4):389-443), and the hand's lies under C3 and C4 (Steinmetz, Fürst & Meyer 1989, Electroencephalogr. Clin.
Neurophysiol. 72(6):499-506). Current in the wall of the sulcus points forward or backward, that of the crown outward;
``midline`` is the supplementary motor area."""

BACKGROUND_SOURCES = 500
"""Dipole sites, spread over the sphere, whose independent activity is the background."""


@dataclass(frozen=True, eq=False)
class Head:
    """Topographies at some electrodes.

    Args:
        labels: the electrodes.
        topographies: ``(site, channel)`` potential of each of ``SITES``, 1 at the electrode of the whole 10-05 system
            where it is strongest.
        turns: ``(3, site, channel)`` how they change with the cap turned by 1 rad about the axes to the right, to the
            front and up.
        background: ``(channel, channel)`` makes independent noise into the sum of independent dipoles all over the
            cortex, of unit variance in the mean over the channels.
    """

    labels: tuple[str, ...]
    topographies: Tensor
    turns: Tensor
    background: Tensor


@lru_cache
def head(labels: tuple[str, ...]) -> Head:
    """The head with electrodes ``labels`` of the 10-05 system.

    Raises:
        ConfigurationError: a label is none of the 10-05 system, or comes twice.
    """
    known = electrode_positions()
    for label in labels:
        if label not in known or labels.count(label) > 1:
            raise ConfigurationError(
                f"'{label}' is no electrode of the 10-05 system." if label not in known else f"'{label}' comes twice.",
                "Name different ones, such as C3 Cz C4.",
            )
    with torch.inference_mode(False):  # heads are kept, and may be needed for gradients later
        topographies = site_potentials(labels) / strongest()
        turned = [(site_potentials(labels, 0.01 * axis) / strongest() - topographies) / 0.01 for axis in np.eye(3)]
        tensors = (topographies, np.stack(turned), background_mixing(labels))
        return Head(labels, *(torch.tensor(values, dtype=torch.float32) for values in tensors))


@lru_cache
def near(labels: tuple[str, ...], electrode: str, width: float) -> Tensor:
    """``(channel,)``: what a generator in face or neck under ``electrode`` leaves at ``labels``. There a sphere has no
    room for dipoles; the potential falls by 63 % over every ``width`` (m)."""
    distance = np.linalg.norm(RADIUS * (directions(labels) - directions([electrode])), axis=1)
    with torch.inference_mode(False):
        return torch.tensor(np.exp(-distance / width), dtype=torch.float32)


def directions(labels: Sequence[str]) -> Array:
    """``(electrode, 3)`` unit vectors from the centre of the head, fitted as a sphere to all 10-05 electrodes."""
    known = electrode_positions()
    everything = np.stack(list(known.values()))
    design = np.column_stack([2 * everything, np.ones(len(everything))])
    centre = np.linalg.lstsq(design, (everything**2).sum(axis=1), rcond=None)[0][:3]
    away = np.stack([known[label] for label in labels]) - centre
    unit: Array = away / np.linalg.norm(away, axis=1, keepdims=True)
    return unit


def site_potentials(labels: Sequence[str], turn: Array | None = None) -> Array:
    """``(site, channel)`` potential of each of ``SITES``, with the cap turned by ``turn (3,)`` (rad)."""
    at = directions([electrode for electrode, _ in SITES.values()])
    forward = np.array([0.0, 1.0, 0.0]) - at[:, [1]] * at
    outward = np.array([points == "out" for _, points in SITES.values()])[:, None]
    currents = np.where(outward, at, forward / np.linalg.norm(forward, axis=1, keepdims=True))
    electrodes = directions(labels)
    if turn is not None:
        electrodes = electrodes + np.cross(turn, electrodes)
    potentials: Array = np.einsum("csx,sx->sc", leadfield(electrodes, at), currents)
    return potentials


@lru_cache
def strongest() -> Array:
    """``(site, 1)`` largest potential of each site at any electrode of the 10-05 system."""
    largest: Array = np.abs(site_potentials(list(electrode_positions()))).max(axis=1, keepdims=True)
    return largest


def background_mixing(labels: Sequence[str]) -> Array:
    """Square root of the covariance that independent dipoles of any direction, spread evenly, leave."""
    index = np.arange(BACKGROUND_SOURCES) + 0.5
    up, around = 1 - 2 * index / BACKGROUND_SOURCES, np.pi * (1 + 5**0.5) * index  # a Fibonacci lattice
    level = np.sqrt(1 - up**2)
    spread = np.column_stack([level * np.cos(around), level * np.sin(around), up])
    potentials = leadfield(directions(labels), spread).reshape(len(labels), -1)
    covariance = potentials @ potentials.T
    values, vectors = np.linalg.eigh(covariance / np.diag(covariance).mean())
    root: Array = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return root


def leadfield(electrodes: Array, sources: Array) -> Array:
    """Potentials ``(channel, source, 3)`` at ``electrodes (channel, 3)`` of unit dipoles along x, y and z at the depth
    of the cortex under ``sources (source, 3)``; both are unit vectors."""
    names = [str(number) for number in range(len(electrodes))]
    # MNE takes coincident electrodes and vectors that are a little longer than 1 for a mistake
    on_head = RADIUS * electrodes / np.linalg.norm(electrodes, axis=1, keepdims=True)
    montage = mne.channels.make_dig_montage(dict(zip(names, on_head, strict=True)), coord_frame="head")
    info = mne.create_info(names, 1.0, "eeg").set_montage(montage)
    sphere = mne.make_sphere_model((0.0, 0.0, 0.0), RADIUS, verbose=False)
    places = {"rr": DEPTH * RADIUS * sources, "nn": sources}
    space = mne.setup_volume_source_space(pos=places, sphere=sphere, verbose=False)
    solution = mne.make_forward_solution(info, None, space, sphere, meg=False, eeg=True, verbose=False)
    potentials: Array = solution["sol"]["data"].reshape(len(electrodes), len(sources), 3)
    return potentials
