"""``motorctl train imitation``: learn from recordings with cues, or with a hand's movement, what an expert would do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from itertools import chain
from json import dumps
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from motorctl.agents import ControllerConfig, RecurrentController
from motorctl.envs import make_env
from motorctl.errors import ConfigurationError, RecordingError, check_seed
from motorctl.evaluation.metrics import DecodingScore, decoding_score
from motorctl.runs import check_json_path, open_run_folder, plain, write_json
from motorctl.signals.gate import Gated, gated_in_words
from motorctl.signals.pipeline import MOTOR_RHYTHMS, Pipeline, PipelineConfig
from motorctl.signals.recording import Recording, read_recording, say_notes
from motorctl.signals.stream import StreamInfo, channel_indices
from motorctl.training.augmentation import Augmentation, check_augmentation
from motorctl.training.calibrated import CLASSES, calibration_in
from motorctl.training.checkpoint import Checkpoint, save_checkpoint
from motorctl.training.cues import REACH, parse_cues
from motorctl.training.dataset import INDEX, hashes
from motorctl.training.imitation import ImitationConfig, check_imitation, decode, train
from motorctl.training.kinematics import KinematicTargets, check_targets
from motorctl.training.material import Aim, Session, Shelf, fit_scaling, learned_in, scaled_stretch, split
from motorctl.training.material import scaled as scaled
from motorctl.training.progress import progress_bar
from motorctl.training.resume import Epoch, Resume
from motorctl.training.sequence import Sequence, Stretch
from motorctl.training.steering import WAYS, fitting
from motorctl.training.tensorboard import check_tensorboard, tensorboard_log

STATE = "training.safetensors"
"""Where training is, in the run folder, until it is over."""


@dataclass(frozen=True)
class ImitationFromRecordings:
    """Train a recurrent controller on recordings: from the EEG alone, the velocity of an expert's reach to each cue, or
    that of a hand or cursor whose movement was recorded. What 'motorctl calibrate' recorded says itself what it is."""

    recordings: tuple[Path, ...]
    """Recordings to train on: of 'motorctl calibrate', or with cues or targets (EDF, BDF, FIF, BrainVision, XDF, CSV
    and others)."""
    cues: tuple[str, ...] = ()
    """Which annotation asks for a reach in which direction (left, right, forward, back), such as T1=left T2=right."""
    targets: KinematicTargets = field(default_factory=KinematicTargets)
    """What was recorded of the hand or the cursor, in place of cues."""
    test: tuple[Path, ...] = ()
    """Recordings to test on, never trained on."""
    out: Path | None = None
    """Run folder to write; by default a new one under runs/."""
    json: Path | None = None
    """File for the results as JSON."""
    seed: int = 0
    """Seed of everything random."""
    hold_back: float = 0.2
    """Share of the trials, the last of each recording, that is held back and scored (0 to 1)."""
    validate: float = 0.0
    """Share of the other trials, the last of them, that is not learned from but tells which epoch was best (0 to 1); 0:
    none, and the last epoch's controller is stored."""
    environment: str = "motorctl/ArmReach-v0"
    """Environment that the controller is for."""
    resume: bool = False
    """Go on with the training of the run folder named by --out where it was killed, to the same numbers."""
    on_disk: Path | None = None
    """New folder to keep features in, one recording in memory at a time; needs --training.batch."""
    tensorboard: bool = False
    """Write learning curves for TensorBoard into the run folder (extra tensorboard)."""
    pipeline: PipelineConfig = MOTOR_RHYTHMS
    """From EEG to features."""
    augment: Augmentation = field(default_factory=Augmentation)
    """How training data are changed in every epoch."""
    controller: ControllerConfig = field(default_factory=lambda: ControllerConfig(widths=(16,), dropout=0.3))
    """The recurrent network."""
    training: ImitationConfig = field(default_factory=ImitationConfig)
    """How it is trained."""


def train_on_recordings(config: ImitationFromRecordings) -> None:
    """Run the command: train, score, store, print.

    Raises:
        RecordingError: a file is missing, damaged, or lacks a cue or a channel.
        StreamError: the recordings differ in channels or rate.
        ConfigurationError: an option has a value that cannot be used.
    """
    started = time.perf_counter()
    console = Console()
    config, steer = as_calibrated(config)
    aim = check_options(config, steer)
    paths = [*config.recordings, *config.test]
    names = unique_names(paths)
    coming = read_sessions(paths, aim)
    sessions: Iterable[Session] = chain([first := next(coming)], coming)
    if steer:
        config = replace(config, pipeline=fitting(config.pipeline, first.eeg.info))
        console.print(f"A calibration of {config.environment} by {steer}: its own targets, features and network.")
    unfitted, learned_of = Pipeline(config.pipeline, first.eeg.info), []
    if config.on_disk is None:
        sessions = list(sessions)
        learned_of = sessions[: len(config.recordings)]
        unfitted = unfitted.calibrate([aim.before_held_back(session, config.hold_back) for session in learned_of])

    shelf, asked = Shelf(config.on_disk), Shelf(config.on_disk and config.on_disk / "asked")
    learned: list[Stretch] = []
    validated: list[Stretch] = []
    scored: dict[str, dict[str, Stretch]] = {"held_back": {}, "test": {}}
    found: dict[str, Gated] = {}
    for number, (name, session) in enumerate(zip(names, sessions, strict=True)):
        sequence = aim.sequence(session, unfitted)
        found |= {str(paths[number]): sequence.gated} if sequence.gated else {}
        part = "held_back" if number < len(config.recordings) else "test"
        if part == "held_back":
            kept, checked, sequence = split(sequence, config.hold_back, config.validate, unfitted.memory)
            learned.append(shelf.put(kept))
            validated += [asked.put(checked)] if checked else []
        check_scorable(name, sequence)
        scored[part][name] = asked.put(sequence)
    fitted = fit_scaling(unfitted, learned)
    size = REACH if aim.cues else typical_size(learned)
    folder = open_run_folder(config.out, "train imitation", config)
    data = hashes(list(config.recordings))
    provenance = {"files": data, "config": asdict(config), "seed": config.seed, "version": version("motorctl")}
    shelf.close(unfitted, config.targets.channels or ("velocity x", "velocity y"), provenance)

    torch.manual_seed(config.seed)
    commands = learned[0][:1].targets.shape[1]
    controller = RecurrentController(config.controller, len(fitted.names), commands, scale=size)
    resume = Resume(folder / STATE, identity(config, data))
    if not config.resume:
        resume.path.unlink(missing_ok=True)
    curves: list[Epoch] = []
    with (
        progress_bar(console, "training", config.training.epochs) as progress,
        tensorboard_log(folder) if config.tensorboard else nullcontext() as write,
    ):
        train(
            controller,
            learned_in(learned, learned_of, unfitted, fitted, config.augment, config.seed),
            config.training,
            fitted.config.rate,
            progress,
            validation=[scaled_stretch(s, fitted) for s in validated],
            log=lambda epoch: keep(epoch, curves, write),
            resume=resume,
        )

    scores = {
        part: {name: score(controller, scaled(s[:], fitted), config.seed)._asdict() for name, s in of_part.items()}
        for part, of_part in scored.items()
    }
    results = scores | {"pipeline_delay_ms": 1e3 * fitted.delay, "bad_channels": fitted.bads, "gated": found}
    results |= {"last_epoch": curves[-1]._asdict()}
    if validated:
        results |= {"best_epoch": min(curves, key=lambda epoch: epoch.validation)._asdict()}
    results |= {"train_seconds": time.perf_counter() - started, "seed": config.seed}
    of_epochs = {name: [getattr(epoch, name) for epoch in curves] for name in Epoch._fields[1:]}
    history = plain({"config": asdict(config), "data": data} | of_epochs | results)
    controller.scale *= WAYS[steer].gain if steer else 1.0
    save_checkpoint(
        Checkpoint(controller, fitted, "velocity", config.environment, aim.cues, history, steer=steer), folder
    )
    write_json(folder / "summary.json", results)
    if config.json:
        write_json(config.json, results)
    resume.path.unlink()
    console.print(score_table(scores))
    print_gated(console, found)
    console.print(f"Controller and summary.json are in {folder}; pipeline delay {1e3 * fitted.delay:.0f} ms.")


def keep(epoch: Epoch, curves: list[Epoch], write: Callable[[Epoch], None] | None) -> None:
    """Add an epoch to the curves, and to those of TensorBoard if these are written."""
    curves.append(epoch)
    if write:
        write(epoch)


def as_calibrated(config: ImitationFromRecordings) -> tuple[ImitationFromRecordings, str]:
    """Recordings of a calibration tell the environment and how people steered, from which the pipeline, the network and
    its training follow where nothing else was asked for; also how they steered, empty if it is no calibration.

    Raises:
        RecordingError: a recording cannot be read, is of another calibration, or of one of classes.
    """
    if config.cues or config.targets.channels or not (found := calibration_in([*config.recordings, *config.test])):
        return config, ""
    if found.steer == CLASSES:
        raise RecordingError(
            f"The recordings are a {found.mark}, and a class is no movement.", "Use 'motorctl train classify'."
        )
    way, usual = WAYS[found.steer], ImitationFromRecordings(())
    unasked = [name for name in ("pipeline", "controller", "training") if getattr(config, name) == getattr(usual, name)]
    own: dict[str, Any] = {name: getattr(way, name) for name in unasked}
    return replace(config, environment=found.environment, **own), found.steer


def check_options(config: ImitationFromRecordings, steer: str = "") -> Aim:
    """What in the recordings says where to go; and say what no training could use.

    Raises:
        ConfigurationError: an option has a value that cannot be used, or does not go with another one.
        RecordingError: no recording is named.
    """
    check_json_path(config.json)
    check_imitation(config.training)
    check_augmentation(config.augment)
    check_seed(config.seed)
    if not config.recordings:
        raise RecordingError("No recording is given.", "Name some with --recordings.")
    if config.cues and config.targets.channels:
        raise ConfigurationError("Both cues and targets are given.", "Give --cues or --targets.channels.")
    env = make_env(config.environment, command="velocity", control_rate=config.pipeline.rate)
    env.close()
    if config.targets.channels:
        check_targets(config.targets, int(np.prod(env.action_space.shape or ())))
    if not (config.cues or config.targets.channels or steer):
        raise ConfigurationError(
            "No cue is given.", "Name them, for example --cues T1=left T2=right, or channels with --targets.channels."
        )
    aim = Aim(parse_cues(config.cues) if config.cues else {}, config.targets, steer)
    if not 0 < config.hold_back < 1:
        raise ConfigurationError(f"hold-back is {config.hold_back:g}.", "Choose a share above 0 and below 1.")
    if not 0 <= config.validate < 1:
        raise ConfigurationError(f"validate is {config.validate:g}.", "Choose a share from 0 to below 1.")
    if config.training.patience and not config.validate:
        raise ConfigurationError(
            "Training can stop early only if something tells when.", "Give --validate, such as 0.2, or no patience."
        )
    if config.resume and not (config.out and (config.out / STATE).is_file()):
        raise ConfigurationError(
            f"There is no training to go on with in {config.out or 'no folder'}.",
            "Name the run folder with --out, or leave out --resume.",
        )
    if config.on_disk:
        check_on_disk(config, config.on_disk)
    if config.tensorboard:
        check_tensorboard()
    return aim


def check_on_disk(config: ImitationFromRecordings, folder: Path) -> None:
    """Say what cannot be done with one recording in memory at a time.

    Raises:
        ConfigurationError: an option needs all of them, or the folder holds a data set already.
    """
    reasons = {
        "Without batches, all of the data set is in memory": not config.training.batch,
        "EEG that is changed in every epoch is in memory": config.augment.of_eeg,
        "What is calibrated on all recordings needs them in memory": config.pipeline.repair
        or config.pipeline.covariance_band is not None,
    }
    cures = ("Give --training.batch, such as 32.", "Leave out --augment.amplitude and --augment.band-stop.")
    for (reason, given), cure in zip(reasons.items(), (*cures, "Leave out that, or --on-disk."), strict=True):
        if given:
            raise ConfigurationError(f"{reason}.", cure)
    if (folder / INDEX).exists() and not config.resume:
        raise ConfigurationError(f"{folder} holds a data set already.", "Name another folder with --on-disk.")


def read_sessions(paths: list[Path], aim: Aim) -> Iterator[Session]:
    """Each recording when it is asked for, with the channels of the first, in its order; what its reader has to say is
    said."""
    first: StreamInfo | None = None
    for path in paths:
        session = aim.read(path)
        say_notes(session.eeg)
        first = first or session.eeg.info
        yield session._replace(eeg=session.eeg.select(channel_indices(session.eeg.info, first)))


def identity(config: ImitationFromRecordings, data: dict[str, str]) -> str:
    """What training is of: all that its numbers depend on."""
    told = plain(asdict(config))
    for name in ("out", "json", "resume", "on_disk", "tensorboard"):
        del told[name]
    return dumps({"config": told, "data": data, "torch": torch.__version__}, sort_keys=True)


def typical_size(learned: list[Stretch]) -> float:
    """Root mean square of the targets (m/s), where they are known.

    Raises:
        RecordingError: nothing moves.
    """
    squares = np.concatenate([np.square(stretch[:].targets, dtype=float).ravel() for stretch in learned])
    size = float(np.sqrt(np.nanmean(squares))) if np.isfinite(squares).any() else 0.0
    if not size:
        raise RecordingError("The targets never move where they are learned from.", "Check --targets.channels.")
    return size


def read_alike(paths: list[Path]) -> list[Recording]:
    """All recordings, with the channels of the first, in its order; what their readers have to say is said."""
    if not paths:
        raise RecordingError("No recording is given.", "Name some with --recordings.")
    recordings = [read_recording(path) for path in paths]
    for recording in recordings:
        say_notes(recording)
    first, *others = recordings
    return [first, *(other.select(channel_indices(other.info, first.info)) for other in others)]


def unique_names(paths: list[Path]) -> list[str]:
    """What to call each recording: its file's name, or its whole path where two have one name."""
    return [path.name if sum(path.name == other.name for other in paths) == 1 else str(path) for path in paths]


def check_scorable(name: str, sequence: Sequence) -> None:
    """Say before training that there is nothing to score.

    Raises:
        RecordingError: no row of a trial rests on measured samples alone.
    """
    known = sequence.features.mask.all(axis=1) & np.isfinite(sequence.targets).all(axis=1)
    if not (known & (sequence.trial >= 0)).any():
        found = f" ({gated_in_words(sequence.gated)})" if sequence.gated else ""
        raise RecordingError(
            f"The trials of {name} that are to be scored have no row without missing samples or artefacts{found}.",
            "Leave the worst channels out with --pipeline.channels, or loosen --pipeline.reject and --pipeline.flat.",
        )


def gated(paths: Iterable[Path], sequences: Iterable[Sequence]) -> dict[str, Gated]:
    """What was missing or taken for an artefact, of each recording with any."""
    return {str(path): s.gated for path, s in zip(paths, sequences, strict=True) if s.gated}


def print_gated(console: Console, of_recordings: dict[str, Gated]) -> None:
    """A line for each recording with anything missing or taken for an artefact."""
    for path, found in of_recordings.items():
        console.print(f"{path}: {gated_in_words(found)}.", highlight=False, markup=False)


def score(controller: RecurrentController, sequence: Sequence, seed: int) -> DecodingScore:
    """How well the controller decodes the sequence; rows that rest on missing samples do not count."""
    valid = sequence.features.mask.all(axis=1) & np.isfinite(sequence.targets).all(axis=1)
    decoded = decode(controller, sequence.features.values)
    return decoding_score(decoded[valid], sequence.targets[valid], sequence.trial[valid], seed)


def score_table(scores: dict[str, dict[str, dict[str, Any]]]) -> Table:
    """Scores beside chance, for the console."""
    table = Table(
        "recording", "r", "chance (95 %)", "direction right", "95 % interval", title="decoded against expert velocity"
    )
    for part, scored in scores.items():
        for name, s in scored.items():
            low, high = s["accuracy_interval"]
            share = f"{s['correct']} of {s['trials']} trials"
            chance = f"{s['chance_r']:.2f} ({s['chance_r_95']:.2f})"
            interval = f"{100 * low:.0f}-{100 * high:.0f} %"
            table.add_row(f"{name}, {part.replace('_', ' ')}", f"{s['pearson_r']:.2f}", chance, share, interval)
    return table
