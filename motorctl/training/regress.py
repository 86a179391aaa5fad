"""``motorctl train regress``: continuous targets from recordings stored as arrays, beside a Wiener filter; and the
preset that learns from a set of sequences."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.table import Table

from motorctl.agents import ControllerConfig
from motorctl.errors import ConfigurationError, check_seed
from motorctl.runs import check_json_path, open_run_folder, plain, write_json
from motorctl.training.arrays import ArrayRecording, read_arrays
from motorctl.training.examples import side_by_side
from motorctl.training.fitting import SequenceTraining, fit, row_losses
from motorctl.training.generated import brain_recording
from motorctl.training.imitation import LaneTraining, Progress, check_lanes
from motorctl.training.networks import NetworkConfig, StoredNetwork, ask, make_network, save_network
from motorctl.training.optimization import Optimization
from motorctl.training.progress import progress_bar
from motorctl.training.regress_sequences import PRESET as SEQUENCE_REGRESSION
from motorctl.training.regress_sequences import RegressSequences, regress_sequences
from motorctl.training.scaling import fit_scaling
from motorctl.training.scoring import value_scores
from motorctl.training.sequence import Sequence, hold_back
from motorctl.training.wiener import wiener_filter


@dataclass(frozen=True)
class RegressArrays:
    """Train a recurrent network to give continuous targets, and compare it with a Wiener filter of 10 lags."""

    preset: str = "recording"
    """System to start from: recording or sequence-regression; the options below are its."""
    recording: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="PATH")] = None
    """The recording, where --data does not name it."""
    data: Path | None = None
    """An .npz with samples (time, channel), targets (time, output) and rate (Hz); optionally trials (time,),
    channel_names and target_names. NaN is a missing value. By default one is made from the seed: EEG of a simulated
    person, and the hand velocity that was intended."""
    out: Path | None = None
    """Run folder to write; by default a new one under runs/."""
    json: Path | None = None
    """File for the results as JSON."""
    seed: int = 0
    """Seed of everything random."""
    hold_back: float = 0.2
    """Share of the trials, the last ones, that is tested on (0 to 1)."""
    controller: ControllerConfig = field(
        default_factory=lambda: ControllerConfig(cell="lstm", widths=(128,), dropout=0.2)
    )
    """The recurrent network."""
    training: LaneTraining = field(default_factory=LaneTraining)
    """How it is trained."""


PRESETS: dict[str, RegressArrays | RegressSequences] = {
    "recording": RegressArrays(),
    "sequence-regression": SEQUENCE_REGRESSION,
}
"""What --preset names: the command's options with their defaults."""


def train_regression(config: RegressArrays | RegressSequences) -> None:
    """Run the command.

    Raises:
        RecordingError: the file is missing, damaged, or does not hold what is needed.
        ConfigurationError: an option has a value that cannot be used.
    """
    if isinstance(config, RegressSequences):
        regress_sequences(config)
    else:
        regress_recording(config)


def regress_recording(config: RegressArrays) -> None:
    """Train on the earlier part of a recording, test on the later one, compare, store, print."""
    started = time.perf_counter()
    console = Console()
    check_json_path(config.json)
    if not 0 < config.hold_back < 1:
        raise ConfigurationError(f"hold-back is {config.hold_back:g}.", "Choose a share above 0 and below 1.")
    if config.controller.bidirectional:
        raise ConfigurationError("A network that reads both ways is not causal.", "Leave out bidirectional.")
    check_lanes(config.training)
    check_seed(config.seed)
    if config.recording and config.data:
        raise ConfigurationError("Two recordings are named.", "Give one, by itself or with --data.")
    path = config.recording or config.data
    recording = read_arrays(path) if path else None
    earlier, later = halves(recording, config) if recording else (None, None)
    folder = open_run_folder(config.out, "train regress", config)
    if recording is None:
        console.print(f"No file is given: a recording is made from seed {config.seed}.")
        recording = read_arrays(brain_recording(folder / "data.npz", config.seed))
        earlier, later = halves(recording, config)
    assert earlier and later

    with progress_bar(console, "training", config.training.epochs) as progress:
        network, losses = learn(earlier, recording, config, progress)
    assert network.outputs
    read, asked = (network.inputs.apply(part.features.values) for part in (earlier, later))
    given = {
        "test": ask(network.network, asked.values[None])[0].numpy(),
        "wiener": wiener_filter(
            read.values.numpy(), network.outputs.standardise(earlier.targets), asked.values.numpy()
        ),
    }
    decoded: dict[str, Any] = {name: network.outputs.invert(values) for name, values in given.items()}
    results: dict[str, Any] = {name: value_scores(values, later.targets) for name, values in decoded.items()}
    results["test"] |= {"rows": len(later), "trials": len(set(later.trial.tolist()) - {-1})}
    results |= {"targets": recording.target_names, "train": {"rows": len(earlier), "loss": losses[-1]}}
    held = [read, asked]
    results["missing"] = float(1 - np.concatenate([part.measured for part in held]).mean())
    results |= {"gated": sum(part.gated for part in held), "seed": config.seed}
    results["seconds"] = time.perf_counter() - started

    save_network(replace(network, history=plain({"config": asdict(config), "losses": losses} | results)), folder)
    np.savez(folder / "predictions.npz", times=later.features.times, targets=later.targets, **decoded)
    for path in filter(None, (folder / "summary.json", config.json)):
        write_json(path, results)
    console.print(score_table(results))
    console.print(f"The network, summary.json and predictions.npz are in {folder}.")


def halves(recording: ArrayRecording, config: RegressArrays) -> tuple[Sequence, Sequence]:
    """What to train and what to test on.

    Raises:
        ConfigurationError: too little is left to train on, or to test on.
    """
    earlier, later = hold_back(recording.sequence, config.hold_back, gap=0.0)
    for part, use, cure in ((earlier, "train", "smaller"), (later, "test", "larger")):
        if (few := np.isfinite(part.targets).sum(axis=0) < 2).any():
            name = recording.target_names[int(few.argmax())]
            raise ConfigurationError(
                f"Fewer than two values of {name} are left to {use} on.", f"Choose a {cure} --hold-back."
            )
    return earlier, later


def learn(
    sequence: Sequence,
    recording: ArrayRecording,
    config: RegressArrays,
    progress: Progress = lambda epoch, loss: None,
) -> tuple[StoredNetwork, list[float]]:
    """A network trained on the stretch, its state carried on, and its losses.

    A missing or gated sample is held, and a row without any that was measured is not learned from, nor is a missing
    target.
    """
    torch.manual_seed(config.seed)
    channels, training = sequence.features.values.shape[1], config.training
    described = NetworkConfig(config.controller, channels, "value", outputs=recording.target_names, asked="every")
    network = make_network(described)
    inputs, outputs = fit_scaling(sequence.features.values), fit_scaling(sequence.targets)
    read, targets = inputs.apply(sequence.features.values), outputs.standardise(sequence.targets)
    targets = np.where(read.measured.any(axis=1, keepdims=True), targets, np.nan)

    lane = min(max(1, round(training.lane * recording.rate)), len(sequence))
    starts = range(0, len(sequence), lane)
    values = torch.nn.utils.rnn.pad_sequence([read.values[start : start + lane] for start in starts], batch_first=True)
    wanted = torch.from_numpy(side_by_side([targets[start : start + lane] for start in starts])[0])
    horizon = max(1, round(training.horizon * recording.rate))
    losses = fit(
        network,
        len(values),
        row_losses(network, values, wanted, wanted.isfinite().float(), horizon),
        SequenceTraining(batch=len(values), **{f.name: getattr(training, f.name) for f in fields(Optimization)}),
        progress,
    )
    return StoredNetwork(described, network, inputs, outputs), losses


def score_table(results: dict[str, Any]) -> Table:
    """Both decoders for each output, for the console."""
    table = Table("target", "R²", "Wiener R²", "r", "Wiener r", title="decoded against targets held back")
    columns = [results[name][score] for score in ("r2", "pearson_r") for name in ("test", "wiener")]
    for target, *row in zip(results["targets"], *columns, strict=True):
        table.add_row(target, *(f"{value:.3f}" for value in row))
    return table
