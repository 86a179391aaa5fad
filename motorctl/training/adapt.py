"""``motorctl train adapt``: fit a stored controller to a new session, from a few minutes of it."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from rich.console import Console

from motorctl.errors import CheckpointError, ConfigurationError, check_positive, check_seed
from motorctl.runs import check_json_path, open_run_folder, plain, write_json
from motorctl.signals.recording import Recording
from motorctl.signals.stream import channel_indices
from motorctl.training.adaptation import AdaptationConfig, fine_tune, first_minutes, unfitted
from motorctl.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from motorctl.training.cues import before_held_back, cued_sequence, parse_cues
from motorctl.training.imitation import check_imitation
from motorctl.training.pretrain import PRETRAINED
from motorctl.training.progress import progress_bar
from motorctl.training.recordings import check_scorable, read_alike, scaled, score, score_table, unique_names
from motorctl.training.sequence import hold_back

ENVIRONMENT = "motorctl/ArmReach-v0"
"""What a pretrained network is for once it has been fine-tuned, as where a controller is trained on recordings."""


@dataclass(frozen=True)
class Adapt:
    """Fit a stored controller to a new session from a few minutes of it, and score it beside what it was before."""

    checkpoint: Path
    """Run folder of the controller, or of a pretrained network."""
    recordings: tuple[Path, ...]
    """Recordings of the new session, with cues."""
    cues: tuple[str, ...] = ()
    """Which annotation asks for a reach in which direction, such as T1=left T2=right; by default the stored ones."""
    minutes: float | None = None
    """How much of what is not held back is learned from, from the beginning (min); by default all."""
    test: tuple[Path, ...] = ()
    """More recordings to test on."""
    out: Path | None = None
    """Run folder to write; by default a new one under runs/."""
    json: Path | None = None
    """File for the results as JSON."""
    seed: int = 0
    """Seed of everything random."""
    hold_back: float = 0.2
    """Share of the trials, the last of each recording, that is held back and scored (0 to 1)."""
    adaptation: AdaptationConfig = field(default_factory=AdaptationConfig)
    """What is trained, and how."""


def adapt(config: Adapt) -> None:
    """Run the command: fine-tune, score before and after, store, print.

    Raises:
        CheckpointError: the stored controller is missing, damaged, or recognises classes.
        RecordingError: a file is missing, damaged, or lacks a cue.
        StreamError: the recordings differ from what the controller was trained on in channels or rate.
        ConfigurationError: an option has a value that cannot be used.
    """
    console = Console()
    check_options(config)
    stored = load_checkpoint(config.checkpoint)
    if stored.command not in ("velocity", PRETRAINED):
        raise CheckpointError(
            f"The controller in {config.checkpoint} gives '{stored.command}', but a velocity is adapted.",
            "Name a run of 'motorctl train imitation', 'motorctl train pretrain' or 'motorctl demo'.",
        )
    cues = parse_cues(config.cues or [f"{label}={direction}" for label, direction in stored.cues.items()])
    recordings = like_stored(read_alike([*config.recordings, *config.test]), stored)
    learned = recordings[: len(config.recordings)]
    pipeline = unfitted(stored.pipeline).calibrate([before_held_back(r, cues, config.hold_back) for r in learned])
    sequences = [cued_sequence(recording, cues, pipeline) for recording in recordings]
    parts = [hold_back(s, config.hold_back, pipeline.memory) for s in sequences[: len(learned)]]
    names = unique_names([*config.recordings, *config.test])
    held = dict(zip(names, (later for _, later in parts), strict=False))
    test = dict(zip(names[len(parts) :], sequences[len(parts) :], strict=True))
    for name, scored in (held | test).items():
        check_scorable(name, scored)
    kept = [earlier for earlier, _ in parts]
    if config.minutes is not None:
        kept = first_minutes(kept, config.minutes, pipeline.config.rate)
    start = replace(
        stored,
        pipeline=pipeline,
        command="velocity",
        environment=stored.environment or ENVIRONMENT,
        cues=cues,
        history={"start": {"folder": str(config.checkpoint), "history": dict(stored.history)}},
    )
    folder = open_run_folder(config.out, "train adapt", config)
    epochs = 0 if config.adaptation.layers == "none" else config.adaptation.training.epochs
    with progress_bar(console, "adapting", epochs) as progress:
        adapted = fine_tune(start, kept, None, config.adaptation, config.seed, progress)

    as_it_was = replace(pipeline, mean=stored.pipeline.mean, std=stored.pipeline.std)
    compared = {"before": (stored.controller, as_it_was), "after": (adapted.controller, adapted.pipeline)}
    if stored.command == PRETRAINED:  # its read-out was never trained
        del compared["before"]
    scores = {
        f"{part}_{when}": {
            name: score(controller, scaled(s, fitted), config.seed)._asdict() for name, s in scored.items()
        }
        for part, scored in (("held_back", held), ("test", test))
        for when, (controller, fitted) in compared.items()
        if scored
    }
    minutes = adapted.history["adaptation"][-1]["seconds"] / 60
    results = scores | {"minutes": minutes, "pipeline_delay_ms": 1e3 * pipeline.delay, "seed": config.seed}
    data = {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in config.recordings}
    history = {**adapted.history, "config": plain(asdict(config)), "data": data} | plain(results)
    save_checkpoint(replace(adapted, history=history), folder)
    for path in filter(None, (folder / "summary.json", config.json)):
        write_json(path, results)
    console.print(score_table(scores))
    console.print(f"Adapted on {minutes:.1f} min. Controller and summary.json are in {folder}.")


def check_options(config: Adapt) -> None:
    """Say what no fine-tuning could use.

    Raises:
        ConfigurationError: an option is out of its range.
    """
    check_json_path(config.json)
    check_imitation(config.adaptation.training)
    check_seed(config.seed)
    if config.minutes is not None:
        check_positive("minutes", config.minutes)
    if not 0 < config.hold_back < 1:
        raise ConfigurationError(f"hold-back is {config.hold_back:g}.", "Choose a share above 0 and below 1.")


def like_stored(recordings: list[Recording], stored: Checkpoint) -> list[Recording]:
    """The recordings with the channels that the controller was trained on, in its order.

    Raises:
        StreamError: a channel, a unit or the rate differs.
    """
    return [recording.select(channel_indices(recording.info, stored.pipeline.info)) for recording in recordings]
