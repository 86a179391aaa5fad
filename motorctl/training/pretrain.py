"""``motorctl train pretrain``: recurrent layers learn from recordings without labels, to be fine-tuned later."""

from __future__ import annotations

import hashlib
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from motorctl.agents import ControllerConfig, RecurrentController
from motorctl.errors import ConfigurationError, RecordingError, check_seed
from motorctl.runs import check_json_path, open_run_folder, plain, write_json
from motorctl.signals.pipeline import MOTOR_RHYTHMS, Features, Pipeline, PipelineConfig
from motorctl.signals.recording import Recording
from motorctl.signals.stream import Chunk
from motorctl.training.checkpoint import Checkpoint, save_checkpoint
from motorctl.training.cues import REACH
from motorctl.training.pretraining import PretrainingConfig, check_pretraining, foretell, pretrain
from motorctl.training.progress import progress_bar
from motorctl.training.recordings import read_alike

PRETRAINED = "pretrained"
"""What a checkpoint's controller gives whose read-out has not been trained."""


@dataclass(frozen=True)
class Pretrain:
    """Pretrain a recurrent network on recordings without labels: to tell what is hidden, and how the EEG goes on."""

    recordings: tuple[Path, ...]
    """Recordings to learn from; no cue is looked at."""
    out: Path | None = None
    """Run folder to write, for 'motorctl train adapt --checkpoint'; by default a new one under runs/."""
    json: Path | None = None
    """File for the results as JSON."""
    seed: int = 0
    """Seed of everything random."""
    hold_back: float = 0.1
    """Share of each recording, its end, that is held back to score what is foretold (0 to 1)."""
    pipeline: PipelineConfig = MOTOR_RHYTHMS
    """From EEG to features."""
    controller: ControllerConfig = field(default_factory=lambda: ControllerConfig(widths=(16,), dropout=0.3))
    """The recurrent network."""
    pretraining: PretrainingConfig = field(default_factory=PretrainingConfig)
    """What is foretold, and how that is learned."""


def pretrain_on_recordings(config: Pretrain) -> None:
    """Run the command: pretrain, score on what was held back, store, print.

    Raises:
        RecordingError: a file is missing or damaged, or too short to hold anything back.
        StreamError: the recordings differ in channels or rate.
        ConfigurationError: an option has a value that cannot be used.
    """
    started = time.perf_counter()
    console = Console()
    check_json_path(config.json)
    check_pretraining(config.pretraining)
    check_seed(config.seed)
    if not 0 < config.hold_back < 1:
        raise ConfigurationError(f"hold-back is {config.hold_back:g}.", "Choose a share above 0 and below 1.")
    recordings = read_alike([*config.recordings])
    chunks = [Chunk(recording.samples, recording.times, recording.mask) for recording in recordings]
    pipeline = Pipeline(config.pipeline, recordings[0].info)
    pipeline = pipeline.calibrate([chunk[: round((1 - config.hold_back) * len(chunk))] for chunk in chunks])
    parts = [
        split(pipeline.process(chunk)[0], recording, config.hold_back, pipeline.memory)
        for chunk, recording in zip(chunks, recordings, strict=True)
    ]
    fitted = pipeline.fit([kept for kept, _ in parts])
    learned, held = ([fitted.scale(part) for part in one] for one in zip(*parts, strict=True))
    folder = open_run_folder(config.out, "train pretrain", config)

    torch.manual_seed(config.seed)
    controller = RecurrentController(config.controller, len(fitted.names), 2, scale=REACH)
    rate = config.pipeline.rate
    with progress_bar(console, "pretraining", config.pretraining.epochs) as progress:
        network, losses = pretrain(controller, learned, config.pretraining, rate, config.seed, progress)
    told = foretell(network, held, config.pretraining, rate, config.seed)
    minutes = sum(len(part.times) for part in learned) / rate / 60
    results: dict[str, Any] = told._asdict() | {"minutes": minutes, "seed": config.seed}
    results["seconds"] = time.perf_counter() - started
    data = {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in config.recordings}
    history = {"config": plain(asdict(config)), "data": data, "loss": losses} | plain(results)
    save_checkpoint(Checkpoint(controller, fitted, PRETRAINED, "", history=history), folder)
    for path in filter(None, (folder / "summary.json", config.json)):
        write_json(path, results)
    table = Table("squared error in what was held back", "network", "naive", title="foretold of features, scaled")
    table.add_row("what is hidden; naive: the mean", f"{told.hidden:.2f}", "1.00")
    table.add_row(f"{config.pretraining.ahead:g} s ahead; naive: as now", f"{told.ahead:.2f}", f"{told.held:.2f}")
    console.print(table)
    console.print(f"Pretrained on {minutes:.1f} min. Network and summary.json are in {folder}.")


def split(features: Features, recording: Recording, share: float, gap: float) -> tuple[Features, Features]:
    """The earlier part, and the later ``share``; ``gap`` (s) between them is dropped, so that no filter spans both.

    Raises:
        RecordingError: the recording is too short for that, or nothing of a part was measured.
    """
    cut = round((1 - share) * len(features.times))
    end = int((features.times < features.times[min(cut, len(features.times) - 1)] - gap).sum())
    earlier, later = features.select(slice(0, end)), features.select(slice(cut, None))
    if not (earlier.mask.any() and later.mask.any()):
        raise RecordingError(
            f"{recording.path} is too short, or too little of it measured, to hold {share:g} of it back.",
            "Give a longer recording, or change --hold-back.",
        )
    return earlier, later
