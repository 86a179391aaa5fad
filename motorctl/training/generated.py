"""Data of every form, made from a seed, so that each system runs with no download; they say that it works, not how well
it would work on a person."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from motorctl.agents import minimum_jerk_velocity
from motorctl.envs.gait_curves import joint_angles, period
from motorctl.person.background import Background
from motorctl.person.brain import Brain
from motorctl.person.movements import MOVEMENTS
from motorctl.signals.pipeline import Pipeline, PipelineConfig
from motorctl.signals.stream import Chunk
from motorctl.training.cues import DIRECTIONS, displacement
from motorctl.training.examples import side_by_side
from motorctl.training.tables import LabelledTable, write_table

Array = NDArray[np.float64]

GAIT = {"stand": (), "walk": ("feet",), "run": ("feet", "fists")}
"""Whose motor areas a movement engages: legs that walk, and arms that swing when running."""

FEATURES = PipelineConfig(
    rate=10.0,
    channels=("FC1", "FC2", "C3", "Cz", "C4", "CP1", "CP2"),
    reference="laplacian",
    amplitude_band=None,
    power_bands=((8.0, 13.0), (13.0, 30.0)),
    power_window=1.0,
)
"""What the columns of the table are."""

QUIET = 1.0
"""Background of the brain that the table comes from (µV): little, so that two minutes are enough to learn from."""

SPEECH_RATE, SPEECH_CLASSES = 22_050, 62


def eeg_table(path: Path, seed: int, bouts: int = 10) -> Path:
    """``eeg_data.csv``: mu and beta power of a simulated brain, ten rows a second, while its person stands, walks and
    runs in turn, in ``bouts`` of each of 6 to 10 s. Electrodes drift from bout to bout, by which a row's neighbours
    recognise it."""
    rng, brain = np.random.default_rng(seed), replace(Brain(), background=Background(QUIET, 1.0))
    pipeline, state, eeg_state = Pipeline(FEATURES, brain.info), None, brain.initial_state(1, seed)
    rows, labels, since = [], [], 0
    gain = np.zeros(len(pipeline.names))
    for _ in range(bouts):
        for movement in rng.permutation(list(GAIT)):
            length = int(rng.uniform(6, 10) * brain.rate)
            intended = torch.zeros(1, length, len(MOVEMENTS))
            intended[..., [MOVEMENTS.index(limbs) for limbs in GAIT[movement]]] = 1
            eeg, eeg_state = brain.emit(torch.zeros(1, length, 2), eeg_state, intended)
            chunk = Chunk(eeg[0].numpy(), (since + np.arange(length)) / brain.rate)
            features, state = pipeline.process(chunk, state)
            gain = 0.8 * gain + 0.3 * rng.standard_normal(len(gain))
            rows.append(features.values + gain)
            labels += [str(movement)] * len(features.times)
            since += length
    write_table(path, LabelledTable(np.concatenate(rows).astype(np.float32), pipeline.names, labels))
    return path


def reach_sequences(path: Path, seed: int, count: int = 240) -> Path:
    """``sequences (sequence, time)``: the speed of a hand (m/s, 50 Hz) in the first part of a reach of minimum jerk;
    ``targets (sequence,)``: how far it will have gone at its end (m); and ``labels``: whether that is near or far."""
    rng = np.random.default_rng(seed)
    speeds, distances = [], rng.uniform(0.05, 0.3, count)
    for distance in distances:
        duration, seen = rng.uniform(0.5, 1.0), rng.uniform(0.4, 0.8)
        progress = np.arange(0, seen, 0.02 / duration)
        speed = minimum_jerk_velocity(progress, np.array([distance, 0]), duration)[:, :1]
        speeds.append(speed + 0.01 * rng.standard_normal(speed.shape))
    labels = np.where(distances < np.median(distances), "near", "far")
    np.savez(path, sequences=side_by_side(speeds)[0][..., 0], targets=distances, labels=labels)
    return path


def movements(path: Path, seed: int, kind: Literal["gait", "reaches"] = "gait", count: int = 128) -> Path:
    """``sequences (sequence, time, channel)`` of 2.4 s at 50 Hz, with ``labels``.

    ``gait``: hip, knee and ankle angle (degrees) of people who walk or jump, each with a pace, a build and a phase of
    their own, measured to 0.5°. ``reaches``: the place of a hand (m) that goes from target to target, to 1 mm.
    """
    rng = np.random.default_rng(seed)
    times = np.arange(120) / 50
    sequences, labels = [], []
    for number in range(count):
        label = ("walk", "jump")[number % 2] if kind == "gait" else "reach"
        if kind == "gait":
            phase = rng.uniform() + times / (float(period(label)) * rng.uniform(0.9, 1.1))
            built, offset = rng.uniform(0.9, 1.1), 3 * rng.standard_normal(3)
            values = built * np.rad2deg(joint_angles(label, phase)) + offset + 0.5 * rng.standard_normal((120, 3))
        else:
            values = _reaching(times, rng) + 0.001 * rng.standard_normal((120, 2))
        sequences.append(values.astype(np.float32))
        labels.append(label)
    known: dict[str, Any] = {"labels": np.array(labels)} if kind == "gait" else {}
    np.savez(path, sequences=np.stack(sequences), **known)
    return path


def _reaching(times: Array, rng: np.random.Generator) -> Array:
    """``(time, 2)`` place of a hand (m) that reaches from target to target, with a pause at each."""
    place, velocity = rng.uniform(-0.1, 0.1, 2), np.zeros((len(times), 2))
    start, here = 0.0, place
    while start < times[-1]:
        target, duration = rng.uniform(-0.1, 0.1, 2), rng.uniform(0.4, 0.7)
        velocity += minimum_jerk_velocity((times - start) / duration, target - here, duration)
        start, here = start + duration + rng.uniform(0.1, 0.3), target
    return np.asarray(place + np.cumsum(velocity, axis=0) * (times[1] - times[0]))


def brain_recording(path: Path, seed: int, minutes: float = 5.0) -> Path:
    """``samples (time, channel)``: a simulated brain's EEG (µV), averaged to 25 Hz, while its person reaches here and
    there; ``targets (time, 2)``: the hand velocity that was intended (m/s); and their ``rate``."""
    rng, brain = np.random.default_rng(seed), Brain()
    step = round(brain.rate / 25)
    times = np.arange(int(minutes * 60 * brain.rate) // step * step) / brain.rate
    velocity = np.diff(_reaching(times, rng), axis=0, prepend=np.zeros((1, 2))) * brain.rate
    velocity[0] = 0
    eeg = brain.emit(torch.from_numpy(velocity)[None], brain.initial_state(1, seed))[0][0].numpy()
    samples, targets = (values.reshape(len(times) // step, step, -1).mean(axis=1) for values in (eeg, velocity))
    names: dict[str, Any] = {
        "channel_names": list(brain.labels),
        "target_names": ["velocity to the right", "velocity forward"],
    }
    np.savez(path, samples=samples, targets=targets, rate=25.0, **names)
    return path


def brain_sequences(path: Path, seed: int, count: int = 640) -> Path:
    """``sequences (sequence, time, channel)``: 0.8 to 1.6 s of a simulated brain's EEG (µV), averaged to 25 Hz, while
    its person reaches; ``labels (sequence, class)`` one-hot, to which side."""
    rng, brain = np.random.default_rng(seed), Brain()
    step = round(brain.rate / 25)
    numbers, lengths = np.arange(count) % len(DIRECTIONS), rng.integers(20, 41, count)
    intended = np.zeros((count, 40 * step, 2))
    since = np.arange(40 * step) / brain.rate
    for place, number in enumerate(numbers):
        begin, duration = rng.uniform(0, 0.2), rng.uniform(0.5, 0.6)
        way = 0.3 * displacement(list(DIRECTIONS)[number])
        intended[place] = minimum_jerk_velocity((since - begin) / duration, way, duration)
    eeg = brain.emit(torch.from_numpy(intended), brain.initial_state(count, seed))[0].numpy()
    rows = eeg.reshape(count, 40, step, -1).mean(axis=2)
    sequences, _ = side_by_side([row[:length] for row, length in zip(rows, lengths, strict=True)])
    np.savez(path, sequences=sequences, labels=np.eye(len(DIRECTIONS))[numbers], class_names=list(DIRECTIONS))
    return path


def speech(path: Path, labels: Path, seed: int, per_class: int = 10) -> tuple[Path, Path]:
    """``speech_data.npy (sequence, 22050)``, a second of sound each, and ``labels.npy (sequence,)`` of 62 classes.

    A class is a pair of tones, like the two formants that tell vowels apart (Peterson & Barney 1952, J. Acoust. Soc.
    Am. 24:175-184), at a phase, a detuning and a moment of their own, in noise.
    """
    rng = np.random.default_rng(seed)
    numbers = rng.permutation(np.arange(SPEECH_CLASSES * per_class) % SPEECH_CLASSES)
    times = np.arange(SPEECH_RATE) / SPEECH_RATE
    sounds = np.empty((len(numbers), len(times)), np.float32)
    for place, number in enumerate(numbers):
        formants = np.array([250 * 2 ** (number % 8 / 4), 1200 * 2 ** (number // 8 / 6)])  # Hz
        formants *= 1 + 0.01 * rng.standard_normal(2)
        tones = np.sin(2 * np.pi * (formants * times[:, None] + rng.uniform(size=2))).sum(axis=1)
        envelope = np.exp(-0.5 * ((times - rng.uniform(0.4, 0.6)) / 0.2) ** 2)
        sounds[place] = tones * envelope + 0.2 * rng.standard_normal(len(times))
    np.save(path, sounds)
    np.save(labels, numbers)
    return path, labels
