"""Continuous targets of a recording: how the hand or a cursor moved, as another stream or other channels say."""

from __future__ import annotations

from collections.abc import Sequence as Many
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from motorctl.errors import ConfigurationError, RecordingError, check_positive
from motorctl.signals.pipeline import Pipeline
from motorctl.signals.recording import Recording, choose_stream, read_streams
from motorctl.signals.stream import Chunk
from motorctl.signals.units import check_voltages
from motorctl.training.refit import intended_velocity
from motorctl.training.sequence import Sequence, held_back_trials

Array = NDArray[np.float64]

METRES = {"m": 1.0, "cm": 1e-2, "mm": 1e-3}
"""Known units of length in m; those of a speed have ``/s`` behind them."""

LONGEST_STEP = 0.1
"""Between two samples of an irregular stream that are further apart (s), nothing is known."""

BLOCK = 5.0
"""Without trials, time is cut into blocks of at least this length (s), longer than most movements: the last blocks are
held back, and their targets dealt out anew to see what chance gives."""


@dataclass(frozen=True)
class KinematicTargets:
    """Which channels say how the hand or the cursor moved."""

    channels: tuple[str, ...] = ()
    """Their labels, x then y, in another stream of an XDF file or beside the EEG, such as hand_x hand_y."""
    kind: Literal["position", "velocity"] = "position"
    """What they measure; of a position the velocity is learned."""
    metres: float | None = None
    """How long one of their units is (m), where the recording does not say m, cm or mm: 0.0003 for pixels of 0.3 mm."""
    towards: tuple[str, ...] = ()
    """Channels of the target's position in a session in which a decoder moved the hand, such as target_x target_y: what
    is learned is the hand's velocity turned towards the target, and none inside it (ReFIT; Gilja et al. 2012)."""
    radius: float = 0.02
    """Of that target (m)."""
    delay: float = 0.15
    """How long ago people saw the hand and that target when they intended what moves it now (s)."""


class Kinematics(NamedTuple):
    """What the channels say, those of the target behind those of the hand.

    Args:
        times: of each channel, ``(sample,)`` s from the first sample of the EEG.
        values: of each channel, ``(sample,)`` in m or m/s; NaN where nothing was measured.
        regular: of each channel, whether its samples are evenly spaced, missing ones included.
    """

    times: tuple[Array, ...]
    values: tuple[Array, ...]
    regular: tuple[bool, ...]

    def of(self, channels: slice) -> Kinematics:
        """What some of the channels say."""
        return Kinematics(self.times[channels], self.values[channels], self.regular[channels])

    def at(self, wanted: Array) -> Array:
        """``(row, channel)`` at the ``wanted`` times ``(row,)``."""
        return np.stack([at(t, v, wanted, even) for t, v, even in zip(*self, strict=True)], axis=1)


def check_targets(config: KinematicTargets, commands: int) -> None:
    """Say what no recording could satisfy.

    Raises:
        ConfigurationError: there are not as many channels as the environment takes commands, or one is there twice.
    """
    if len(config.channels) != commands or len(set(config.channels)) != commands:
        raise ConfigurationError(
            f"The environment's hand moves along {commands} axes, but the targets are {', '.join(config.channels)}.",
            f"Name {commands} different channels with --targets.channels.",
        )
    if config.metres is not None:
        check_positive("targets.metres", config.metres)
    if config.towards:
        check_towards(config)


def check_towards(config: KinematicTargets) -> None:
    """Say why velocities cannot be turned towards a target.

    Raises:
        ConfigurationError: it has other axes than the hand, the hand's position is not known, or a number is wrong.
    """
    if len({*config.channels, *config.towards}) != 2 * len(config.channels) or config.kind != "position":
        raise ConfigurationError(
            f"From {' '.join(config.channels)} ({config.kind}) to {' '.join(config.towards)} there is no direction.",
            "Give positions of hand and target along the same axes, such as target_x target_y to hand_x hand_y.",
        )
    check_positive("targets.radius", config.radius)
    if not 0 <= config.delay < float("inf"):
        raise ConfigurationError(f"targets.delay is {config.delay:g}.", "Give 0 s or more.")


def read_with_kinematics(path: Path, config: KinematicTargets) -> tuple[Recording, Kinematics]:
    """The EEG of a file without the channels of the targets, and what these say.

    Raises:
        RecordingError: the file is missing or damaged, or a channel is not there, there twice, or of an unknown unit.
    """
    streams = read_streams(path)
    names = (*config.channels, *config.towards)
    wanted = {name.casefold() for name in names}
    signals = []
    for stream in streams:
        rest = [i for i, label in enumerate(stream.info.labels) if label.casefold() not in wanted]
        if rest:
            signals.append(stream.select(rest))
    eeg = choose_stream(tuple(signals)) if signals else streams[0]
    check_voltages(eeg.info.channels, f"'{path}'", RecordingError)
    if not signals or not eeg.mask.any():
        raise RecordingError(f"'{path}' holds no EEG beside the targets.", "Choose a recording with EEG in it.")
    found = [_find(path, streams, name) for name in names]
    return eeg, Kinematics(
        tuple(stream.times + (stream.start - eeg.start) for stream, _ in found),
        tuple(
            stream.samples[:, column].astype(float) * _metres(path, stream, column, config) for stream, column in found
        ),
        tuple(bool(stream.info.rate) for stream, _ in found),
    )


def kinematic_sequence(
    recording: Recording, kinematics: Kinematics, pipeline: Pipeline, config: KinematicTargets
) -> Sequence:
    """The recording's features, with the velocity (m/s) at each row, NaN where it is not known.

    A value between two samples is on the line between them; the velocity of a position is its mean over the row's
    period, half of it before and half after the row. With ``config.towards`` it is the one that was intended.

    Raises:
        RecordingError: the targets and the EEG have no time in common.
    """
    features, state = pipeline.process(Chunk(recording.samples, recording.times, recording.mask))
    half, axes = 0.5 / pipeline.config.rate, len(kinematics.values) // (2 if config.towards else 1)
    hand, target = kinematics.of(slice(axes)), kinematics.of(slice(axes, None))
    if config.kind == "position":
        velocity = (hand.at(features.times + half) - hand.at(features.times - half)) / (2 * half)
    else:
        velocity = hand.at(features.times)
    if config.towards:
        seen = features.times - config.delay
        velocity = intended_velocity(velocity, hand.at(seen), target.at(seen), config.radius)
    targets = velocity.astype(np.float32)
    if not np.isfinite(targets).all(axis=1).any():
        raise RecordingError(
            f"The targets in '{recording.path}' were not measured at any time at which the EEG was.",
            "Record both at once, on one clock.",
        )
    return Sequence(features, targets, blocks(features.times), pipeline.gated(state))


def before_held_back_blocks(recording: Recording, share: float) -> Chunk:
    """What may be calibrated on: the samples before the first of the blocks that are held back."""
    numbers = blocks(recording.times)
    end = np.searchsorted(numbers, numbers[-1] + 1 - held_back_trials(int(numbers[-1]) + 1, share))
    return Chunk(recording.samples, recording.times, recording.mask)[: int(end)]


def blocks(times: Array) -> NDArray[np.int64]:
    """Number of the block that each time is in; all blocks are of one length."""
    begin, duration = (float(times[0]), float(times[-1] - times[0])) if len(times) else (0.0, 0.0)
    count = max(1, int(duration / BLOCK))
    return np.minimum(((times - begin) / max(duration, 1e-9) * count).astype(np.int64), count - 1)


def at(times: Array, values: Array, wanted: Array, regular: bool) -> Array:
    """``values`` at the ``wanted`` times, on lines between samples; NaN before, after and in gaps."""
    found = np.interp(wanted, times, values, left=np.nan, right=np.nan)
    if not regular and len(times):
        after = np.searchsorted(times, wanted).clip(1, max(1, len(times) - 1))
        step = times[after.clip(max=len(times) - 1)] - times[after - 1]
        found[step > LONGEST_STEP] = np.nan
    return found


def _find(path: Path, streams: Many[Recording], name: str) -> tuple[Recording, int]:
    """The stream and the column of a channel."""
    found = [
        (stream, column)
        for stream in streams
        for column, label in enumerate(stream.info.labels)
        if label.casefold() == name.casefold()
    ]
    if len(found) == 1:
        return found[0]
    there = "; ".join(f"'{s.info.name}' has {', '.join(s.info.labels)}" for s in streams)
    raise RecordingError(
        f"'{path}' has {len(found) or 'no'} channel{'s' * (len(found) != 1)} {name}: {there}.",
        "Name channels it has, each once, with --targets.channels.",
    )


def _metres(path: Path, stream: Recording, column: int, config: KinematicTargets) -> float:
    """How many m (of a velocity, m/s) one of the channel's units is."""
    channel = stream.info.channels[column]
    unit = channel.unit.strip().removesuffix("/s") if config.kind == "velocity" else channel.unit.strip()
    factor = METRES.get(unit) if config.metres is None else config.metres
    if factor is None:
        asked = "m/s, cm/s or mm/s" if config.kind == "velocity" else "m, cm or mm"
        raise RecordingError(
            f"Channel {channel.label} of '{path}' is in {channel.unit or 'no unit'}, expected {asked}.",
            "Say how long one unit is with --targets.metres.",
        )
    return factor
