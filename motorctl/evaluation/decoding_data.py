"""What decoders are compared on: trials or windows of recordings with cues, or continuous targets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from motorctl.errors import ConfigurationError, RecordingError, check_positive
from motorctl.evaluation.metrics import permuted_target
from motorctl.evaluation.protocols import Units
from motorctl.signals.pipeline import MOTOR_RHYTHMS, Features, Pipeline, PipelineConfig
from motorctl.signals.recording import Recording
from motorctl.signals.stream import Channel, Chunk, StreamInfo
from motorctl.training.arrays import read_arrays
from motorctl.training.classifier import check_different
from motorctl.training.cues import cued, cued_sequence, parse_cues
from motorctl.training.recordings import read_alike
from motorctl.training.sequence import Sequence
from motorctl.training.trials import class_names, parse_classes
from motorctl.training.wiener import LAGS

IDLE = "idle"
"""The class of whoever does nothing that was asked for."""

_NAMES = (re.compile(r"sub-(?P<subject>[^_]+)(_ses-(?P<session>[^_]+))?"), re.compile(r"(?P<subject>S\d+)R\d+"))
"""Who and when, in names after BIDS (Pernet et al. 2019, Sci. Data 6:103) and of PhysioNet's eegmmidb."""


@dataclass(frozen=True)
class DecodingData:
    """Which recordings, and what is to be decoded from them."""

    recordings: tuple[Path, ...] = ()
    """Recordings with cues (EDF, BDF, FIF, BrainVision, XDF and others), or .npz with samples, targets and rate."""
    cues: tuple[str, ...] = ()
    """Which annotation is which class, such as T1=left T2=right; none for .npz with continuous targets."""
    target: Literal["class", "velocity"] = "class"
    """What cues stand for: a class, or the velocity of a reach (left, right, forward, back) while they last."""
    window: tuple[float, float] = (0.5, 4.0)
    """Which stretch of a trial a class is decoded from, from and to how long after its cue (s)."""
    band: tuple[float, float] = (4.0, 40.0)
    """Causal band-pass before trials are cut (Hz); decoders narrow it further."""
    online: bool = False
    """Decode a class from windows that slide over whole runs, as if live, idle where no trial is."""
    online_window: float = 2.0
    """Length of such a window (s); it is of the class of its last sample."""
    online_step: float = 0.5
    """From one such window to the next (s)."""
    subjects: tuple[str, ...] = ()
    """Who each recording is of; by default what their names say (sub-01..., S001R03), else all one person."""
    sessions: tuple[str, ...] = ()
    """Which session each recording is of; by default what their names say (..._ses-2_...), else one a person."""
    pipeline: PipelineConfig = MOTOR_RHYTHMS
    """From EEG to the features that a velocity is decoded from."""


@dataclass(frozen=True, eq=False)
class ClassData:
    """Trials or windows, and the class of each.

    Args:
        info: the stream that they are of.
        epochs: ``(unit, channel, time)`` float32 µV, in the axis order of MNE, MOABB and pyRiemann.
        labels: ``(unit,)`` number of the class.
        names: of the classes.
        units: where they are.
        gap: s between training and test that no filter reaches across.
        seconds: how long one decision takes (s).
        left_out: how many trials of a recording were not whole.
    """

    info: StreamInfo
    epochs: NDArray[np.float32]
    labels: NDArray[np.int64]
    names: tuple[str, ...]
    units: Units
    gap: float
    seconds: float
    left_out: Mapping[str, int]

    def permuted(self, rng: np.random.Generator) -> ClassData:
        """The same trials with their labels dealt out anew within each recording, windows of one trial together."""
        labels = self.labels.copy()
        for recording in np.unique(self.units.recording):
            members = self.units.recording == recording
            blocks, first, place = np.unique(self.units.block[members], return_index=True, return_inverse=True)
            labels[members] = self.labels[members][first][rng.permutation(len(blocks))][place]
        return replace(self, labels=labels)


@dataclass(frozen=True, eq=False)
class ValueData:
    """Continuous stretches of features, and the values to be decoded from them.

    Args:
        sequences: one a recording; a feature that is masked, and a target that is NaN, is missing.
        rate: rows per second (Hz).
        names: of the outputs.
        units: the trials.
        gap: s between training and test that no filter reaches across.
    """

    sequences: tuple[Sequence, ...]
    rate: float
    names: tuple[str, ...]
    units: Units
    gap: float
    left_out: Mapping[str, int] = field(default_factory=dict)

    def permuted(self, rng: np.random.Generator) -> ValueData:
        """The same trials with their targets dealt out anew within each recording; nothing is known between trials."""
        dealt = []
        for s in self.sequences:
            rows = [np.flatnonzero(s.trial == n) for n in np.unique(s.trial[s.trial >= 0])]
            targets = permuted_target(s.targets, rows, rng.permutation(len(rows)))
            between = (s.trial < 0)[:, None] & (s.targets != 0)
            dealt.append(replace(s, targets=np.where(between, np.nan, targets).astype(np.float32)))
        return replace(self, sequences=tuple(dealt))


@lru_cache(maxsize=2)
def load(data: DecodingData) -> ClassData | ValueData:
    """Read the recordings; what was read last is kept, as every fold asks for it.

    Raises:
        RecordingError: a recording is missing, damaged, or lacks a cue.
        StreamError: the recordings differ in channels or rate.
        ConfigurationError: an option has a value that cannot be used.
    """
    check_groups(data)
    if not data.cues:
        return load_arrays(data)
    recordings = read_alike(list(data.recordings))
    check_different(recordings)
    if data.target == "velocity":
        return load_velocities(data, recordings)
    return load_windows(data, recordings) if data.online else load_trials(data, recordings)


def check_groups(data: DecodingData) -> None:
    """Say that there is not one subject or session for each recording.

    Raises:
        ConfigurationError: there is not.
    """
    if not data.recordings:
        raise ConfigurationError("No recording is given.", "Name one or more with --recordings.")
    for name, given in (("subjects", data.subjects), ("sessions", data.sessions)):
        if given and len(given) != len(data.recordings):
            raise ConfigurationError(
                f"There are {len(given)} {name} for {len(data.recordings)} recordings.", f"Give --{name} one for each."
            )


def groups(data: DecodingData) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """``(recording,)`` number of the session and of the person that each is of."""
    found = [next((m for n in _NAMES if (m := n.search(path.name))), None) for path in data.recordings]
    subjects = data.subjects or [m.group("subject") if m else "" for m in found]
    said = data.sessions or [(m.groupdict().get("session") or "") if m else "" for m in found]
    sessions = list(zip(subjects, said, strict=True))
    return _numbered(sessions), _numbered(list(subjects))


def _numbered(names: list[tuple[str, str]] | list[str]) -> NDArray[np.int64]:
    order = list(dict.fromkeys(names))
    return np.array([order.index(name) for name in names])


def make_units(
    data: DecodingData, recording: list[int], begin: list[float], end: list[float], block: list[int]
) -> Units:
    """The units of recordings, whose sessions and persons the data tell."""
    sessions, subjects = groups(data)
    numbers = np.array(recording)
    return Units(numbers, sessions[numbers], subjects[numbers], np.array(begin), np.array(end), np.array(block))


def band_passed(data: DecodingData, recording: Recording) -> tuple[Features, Pipeline]:
    """All channels behind the causal band-pass, row for sample, and the pipeline that did it."""
    config = PipelineConfig(recording.info.rate, reference="none", amplitude_band=data.band, power_bands=())
    pipeline = Pipeline(config, recording.info)
    return pipeline.process(Chunk(recording.samples, recording.times, recording.mask))[0], pipeline


def load_trials(data: DecodingData, recordings: list[Recording]) -> ClassData:
    """One epoch a trial; one that misses samples is left out and counted.

    Raises:
        ConfigurationError: the window is empty or longer than a trial.
        RecordingError: a recording has no whole trial.
    """
    cues, (start, stop) = parse_classes(data.cues), data.window
    if not 0 <= start < stop:
        raise ConfigurationError(f"Window {data.window} is empty or begins before the cue.", "Choose such as 0.5 4.")
    names, info = class_names(cues), recordings[0].info
    length = round((stop - start) * info.rate)
    epochs, labels, of, begins = [], [], [], []
    left_out: dict[str, int] = {}
    for number, recording in enumerate(recordings):
        features, pipeline = band_passed(data, recording)
        trials = cued(recording, cues)
        for cue in trials:
            if 0 < cue.duration < stop - 0.5 / info.rate:
                raise ConfigurationError(
                    f"The cue {cue.text} at {cue.onset:g} s of {recording.path} lasts {cue.duration:g} s, the window "
                    f"goes to {stop:g} s.",
                    "Choose a shorter --window.",
                )
            first = int(np.searchsorted(features.times, cue.onset + start - 0.5 / info.rate))
            rows = slice(first, first + length)
            if len(features.times[rows]) < length or not features.mask[rows].all():
                left_out[str(recording.path)] = left_out.get(str(recording.path), 0) + 1
                continue
            epochs.append(features.values[rows].T)
            labels.append(names.index(cues[cue.text]))
            of.append(number)
            begins.append(cue.onset + start)
        if number not in of:
            raise RecordingError(
                f"None of the {len(trials)} trials of {recording.path} is there without missing samples.",
                "Leave the recording out, or repair its bad channels first.",
            )
    units = make_units(data, of, begins, [b + stop - start for b in begins], list(range(len(of))))
    return ClassData(info, np.stack(epochs), np.array(labels), names, units, pipeline.memory, stop, left_out)


def load_windows(data: DecodingData, recordings: list[Recording]) -> ClassData:
    """Windows that slide over whole runs; one that misses samples is left out and counted.

    A window is of the class whose cue came at least ``window[0]`` and less than ``window[1]`` before its last sample,
    unless the cue has ended; else idle.
    """
    for name in ("online_window", "online_step"):
        check_positive(name, getattr(data, name))
    cues = parse_classes(data.cues)
    if IDLE in cues.values():
        raise ConfigurationError(f"A cue is called {IDLE}.", "Leave it out: whatever is no trial is idle.")
    names, info = (*class_names(cues), IDLE), recordings[0].info
    length, step = round(data.online_window * info.rate), max(1, round(data.online_step * info.rate))
    epochs, labels, of, ends, blocks = [], [], [], [], [-1]
    left_out: dict[str, int] = {}
    for number, recording in enumerate(recordings):
        features, pipeline = band_passed(data, recording)
        asked = np.full(len(features.times), len(names) - 1)
        for cue in cued(recording, cues):
            since = features.times - cue.onset
            within = (since >= data.window[0]) & (since < min(data.window[1], cue.duration or data.window[1]))
            asked[within] = names.index(cues[cue.text])
        before = None
        for last in range(length - 1, len(asked), step):
            rows = slice(last + 1 - length, last + 1)
            if not features.mask[rows].all():
                left_out[str(recording.path)] = left_out.get(str(recording.path), 0) + 1
                continue
            blocks.append(blocks[-1] + (asked[last] != before))
            before = asked[last]
            epochs.append(features.values[rows].T)
            labels.append(int(asked[last]))
            of.append(number)
            ends.append(float(features.times[last]))
        if before is None:
            raise RecordingError(
                f"{recording.path} has no window of {data.online_window:g} s without missing samples.",
                "Choose a shorter --online-window, or leave the recording out.",
            )
    units = make_units(data, of, [e - data.online_window for e in ends], ends, blocks[1:])
    seconds = data.online_window  # windows that overlap do not decide anew
    return ClassData(info, np.stack(epochs), np.array(labels), names, units, pipeline.memory, seconds, left_out)


def load_velocities(data: DecodingData, recordings: list[Recording]) -> ValueData:
    """The pipeline's features, and the velocity of an expert who reaches while a cue lasts (m/s).

    Raises:
        ConfigurationError: the pipeline fits something to signals, which would have to be done in every fold.
    """
    if data.pipeline.repair or data.pipeline.covariance_band:
        raise ConfigurationError(
            "repair and covariance_band are fitted to whole recordings, the test among them.", "Leave them out."
        )
    cues = parse_cues(data.cues)
    pipeline = Pipeline(data.pipeline, recordings[0].info)
    sequences = [cued_sequence(recording, cues, pipeline) for recording in recordings]
    return value_data(data, sequences, data.pipeline.rate, ("x", "y"), pipeline.memory)


def load_arrays(data: DecodingData) -> ValueData:
    """Arrays with continuous targets.

    Raises:
        ConfigurationError: a recording that needs cues is named.
        RecordingError: the recordings differ in channels, outputs or rate.
    """
    if unlike := [path for path in data.recordings if path.suffix != ".npz"]:
        raise ConfigurationError(f"No cue is given for {unlike[0]}.", "Name them: --cues T1=left T2=right.")
    arrays = [read_arrays(path) for path in data.recordings]
    for path, other in zip(data.recordings, arrays, strict=True):
        for what in ("rate", "channel_names", "target_names"):
            if getattr(other, what) != getattr(arrays[0], what):
                raise RecordingError(
                    f"{path} and {data.recordings[0]} differ in {what.replace('_', ' ')}.", "Give recordings alike."
                )
    return value_data(data, [a.sequence for a in arrays], arrays[0].rate, arrays[0].target_names, 0.0)


def value_data(
    data: DecodingData, sequences: list[Sequence], rate: float, names: tuple[str, ...], memory: float
) -> ValueData:
    """The trials of sequences as units; the gap is the memory of filters (s) and of lagged rows."""
    of, begins, ends = [], [], []
    for number, sequence in enumerate(sequences):
        for trial in np.unique(sequence.trial[sequence.trial >= 0]):
            times = sequence.features.times[sequence.trial == trial]
            of.append(number)
            begins.append(float(times[0]))
            ends.append(float(times[-1]) + 1 / rate)
    units = make_units(data, of, begins, ends, list(range(len(of))))
    return ValueData(tuple(sequences), rate, names, units, memory + LAGS / rate)


def stream(labels: tuple[str, ...], rate: float) -> StreamInfo:
    """The stream of epochs that come from elsewhere, such as MOABB's: channel labels and rate (Hz)."""
    return StreamInfo("epochs", "EEG", rate, tuple(map(Channel, labels)))
