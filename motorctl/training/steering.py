"""How simulated people steer, and what a controller of theirs is made of.

What an EEG shows decides what can be steered by. The potentials of the ``ideal`` brain follow an intended reach down to
a constant velocity; those of a person fade within half a second, and an amplifier's drift hides what is slower. The
rhythms of the motor areas stay down for as long as a movement is imagined (:mod:`motorctl.person.imagery`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from motorctl.agents import ControllerConfig, reach_velocity
from motorctl.evaluation.closed_loop import Imagery
from motorctl.person.brain import MONTAGE
from motorctl.person.imagery import ELECTRODES, imagine
from motorctl.signals.pipeline import PipelineConfig
from motorctl.signals.stream import StreamInfo
from motorctl.training.imitation import ImitationConfig

Array = NDArray[np.float64]

SLOW_HAND = 0.15
"""Share of the expert's speed at which the hand of somebody who steers by imagery moves: imagery shows within half a
second or so, and an intention that lasts no longer than that teaches nothing."""

STEEP, SPEED = 8.0, 0.3
"""Gain (1/s) and highest speed (m/s) of the expert of those who steer by imagery, which goes all the way from some 3 cm
on: a command that went on growing with distance would ask for what their EEG does not show."""

SLOW_POTENTIALS = PipelineConfig(amplitude_band=(0.0, 8.0), power_bands=())
"""Features of the ``ideal`` brain, whose potentials follow the intended velocity down to a constant one."""
IMAGERY = PipelineConfig(
    rate=25.0,
    channels=("FC3", "FC4", "C5", "C3", "C1", "Cz", "C2", "C4", "C6", "CP3", "CP4"),
    reference="laplacian",
    amplitude_band=None,
    power_bands=((8.0, 13.0), (16.0, 25.0)),
    power_window=0.24,
    adapt=60.0,
)
"""Features of imagery: mu and beta power under small Laplacians, less their running mean, since the strength of sources
wanders in minutes. The window is short; how long power is averaged for is left to the network's memory."""


@dataclass(frozen=True)
class Way:
    """How people steer, and what that takes.

    Args:
        name: of it.
        pipeline: features that show it.
        electrodes: that these need.
        imagine: what is imagined for an intended velocity; None for a reach of the right hand.
        expert: gives the velocity that is intended at a hand and a target ``(..., axis)`` (m), ``(..., axis)`` (m/s).
        hand_speed: share of the expert's speed at which the hand that people watch moves.
        gain: of the commands of a controller that has learned to give the expert's; below 1 for a loop that is slow to
            notice what it does, and would swing about the target.
        controller: the network that reads them.
        training: how it is trained.
    """

    name: str
    pipeline: PipelineConfig
    electrodes: tuple[str, ...]
    imagine: Imagery | None
    expert: Callable[[Array, Array], Array]
    hand_speed: float
    gain: float
    controller: ControllerConfig
    training: ImitationConfig


REACHING = Way(
    "reach",
    SLOW_POTENTIALS,
    MONTAGE,
    imagine=None,
    expert=reach_velocity,
    hand_speed=1.0,
    gain=1.0,
    controller=ControllerConfig(dropout=0.2),
    training=ImitationConfig(epochs=30, horizon=1.0),
)
IMAGINING = Way(
    "imagery",
    IMAGERY,
    ELECTRODES,
    imagine,
    partial(reach_velocity, gain=STEEP, max_speed=SPEED),
    SLOW_HAND,
    gain=0.5,
    controller=ControllerConfig(widths=(16,), dropout=0.5),
    training=ImitationConfig(epochs=16, horizon=2.0),
)
"""A small network and a short horizon: more units learn the sessions by heart, and a longer memory learns from the
expert's path what is wanted next, which is of no use when the controller moves the hand itself (``docs/imitation.md``).
"""

WAYS = {way.name: way for way in (REACHING, IMAGINING)}
"""By name, as a calibration and a checkpoint tell it."""

FEWEST = 4
"""Electrodes that an average over all of them can be made of; fewer are taken as they are."""


def fitting(pipeline: PipelineConfig, info: StreamInfo) -> PipelineConfig:
    """The pipeline, or where the stream lacks some of its electrodes, the same of all that it has, less their average:
    Laplacians need electrodes all around."""
    if set(pipeline.channels) <= set(info.labels):
        return pipeline
    electrodes = sum(channel.kind == "EEG" for channel in info.channels)
    return replace(pipeline, channels=(), reference="average" if electrodes >= FEWEST else "none")


def way_to_steer(brain: str) -> Way:
    """The one that a preset of the brain allows: the ``ideal`` one shows an intended reach for as long as it lasts, the
    others the imagery of movements alone."""
    return REACHING if brain == "ideal" else IMAGINING
