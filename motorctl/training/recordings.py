"""``motorctl train imitation``: learn from recordings with cues what an expert would do."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

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
from motorctl.signals.stream import channel_indices
from motorctl.training.checkpoint import Checkpoint, save_checkpoint
from motorctl.training.cues import REACH, before_held_back, cued_sequence, parse_cues
from motorctl.training.imitation import ImitationConfig, check_imitation, decode, train
from motorctl.training.progress import progress_bar
from motorctl.training.sequence import Sequence, hold_back


@dataclass(frozen=True)
class ImitationFromRecordings:
    """Train a recurrent controller on recordings: from the EEG alone, the velocity of an expert's reach to each cue."""

    recordings: tuple[Path, ...]
    """Recordings to train on, with cues: EDF, BDF, FIF, BrainVision, CSV and others."""
    cues: tuple[str, ...]
    """Which annotation asks for a reach in which direction (left, right, forward, back), such as T1=left T2=right."""
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
    environment: str = "motorctl/ArmReach-v0"
    """Environment that the controller is for."""
    pipeline: PipelineConfig = MOTOR_RHYTHMS
    """From EEG to features."""
    controller: ControllerConfig = field(default_factory=lambda: ControllerConfig(widths=(16,), dropout=0.3))
    """The recurrent network."""
    training: ImitationConfig = field(default_factory=ImitationConfig)
    """How it is trained."""


def train_on_recordings(config: ImitationFromRecordings) -> None:
    """Run the command: train, score, store, print.

    Raises:
        RecordingError: a file is missing, damaged, or lacks a cue.
        StreamError: the recordings differ in channels or rate.
        ConfigurationError: an option has a value that cannot be used.
    """
    started = time.perf_counter()
    console = Console()
    check_json_path(config.json)
    check_imitation(config.training)
    check_seed(config.seed)
    cues = parse_cues(config.cues)
    make_env(config.environment, command="velocity", control_rate=config.pipeline.rate).close()
    if not 0 < config.hold_back < 1:
        raise ConfigurationError(f"hold-back is {config.hold_back:g}.", "Choose a share above 0 and below 1.")
    recordings = read_alike([*config.recordings, *config.test])
    seen = [before_held_back(r, cues, config.hold_back) for r in recordings[: len(config.recordings)]]
    pipeline = Pipeline(config.pipeline, recordings[0].info).calibrate(seen)
    sequences = [cued_sequence(recording, cues, pipeline) for recording in recordings]
    folder = open_run_folder(config.out, "train imitation", config)

    parts = [hold_back(s, config.hold_back, pipeline.memory) for s in sequences[: len(config.recordings)]]
    names = unique_names([*config.recordings, *config.test])
    held = dict(zip(names, (later for _, later in parts), strict=False))
    test = dict(zip(names[len(parts) :], sequences[len(parts) :], strict=True))
    for name, scored in (held | test).items():
        check_scorable(name, scored)
    fitted = pipeline.fit([kept.features for kept, _ in parts])
    torch.manual_seed(config.seed)
    controller = RecurrentController(config.controller, len(fitted.names), 2, scale=REACH)
    with progress_bar(console, "training", config.training.epochs) as progress:
        losses = train(
            controller, [scaled(kept, fitted) for kept, _ in parts], config.training, fitted.config.rate, progress
        )

    scores = {
        part: {name: score(controller, scaled(s, fitted), config.seed)._asdict() for name, s in scored.items()}
        for part, scored in (("held_back", held), ("test", test))
    }
    results = scores | {"pipeline_delay_ms": 1e3 * fitted.delay, "bad_channels": fitted.bads}
    found = gated([*config.recordings, *config.test], sequences)
    results |= {"gated": found, "train_seconds": time.perf_counter() - started, "seed": config.seed}
    data = {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in config.recordings}
    history = {"config": plain(asdict(config)), "data": data, "loss": losses} | plain(results)
    save_checkpoint(Checkpoint(controller, fitted, "velocity", config.environment, cues, history), folder)
    write_json(folder / "summary.json", results)
    if config.json:
        write_json(config.json, results)
    console.print(score_table(scores))
    print_gated(console, found)
    console.print(f"Controller and summary.json are in {folder}; pipeline delay {1e3 * fitted.delay:.0f} ms.")


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
    if not (sequence.features.mask.all(axis=1) & (sequence.trial >= 0)).any():
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


def scaled(sequence: Sequence, pipeline: Pipeline) -> Sequence:
    """The sequence as the fitted pipeline gives it."""
    return sequence.with_features(pipeline.scale(sequence.features))


def score(controller: RecurrentController, sequence: Sequence, seed: int) -> DecodingScore:
    """How well the controller decodes the sequence; rows that rest on missing samples do not count."""
    valid = sequence.features.mask.all(axis=1)
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
