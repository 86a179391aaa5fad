"""``motorctl train regress``: continuous targets from recordings stored as arrays, beside a Wiener filter."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import tyro
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from motorctl.agents import ControllerConfig, RecurrentController
from motorctl.errors import ConfigurationError
from motorctl.evaluation.metrics import pearson_r
from motorctl.runs import check_json_path, open_run_folder, write_json
from motorctl.training.arrays import read_arrays
from motorctl.training.imitation import ImitationConfig, Progress, decode, train
from motorctl.training.progress import progress_bar
from motorctl.training.sequence import Sequence, hold_back
from motorctl.training.wiener import wiener_filter

LIMIT = 8.0
"""Standardised samples are clipped here, in standard deviations."""


@dataclass(frozen=True)
class RegressArrays:
    """Train a recurrent network to give continuous targets, and compare it with a Wiener filter of 10 lags."""

    data: Annotated[Path, tyro.conf.Positional]
    """An .npz with samples (time, channel), targets (time, output) and rate (Hz); optionally trials (time,),
    channel_names and target_names."""
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
    training: ImitationConfig = field(default_factory=ImitationConfig)
    """How it is trained."""


def train_regression(config: RegressArrays) -> None:
    """Run the command: train, test, compare, store, print.

    Raises:
        RecordingError: the file is missing, damaged, or does not hold what is needed.
        ConfigurationError: an option has a value that cannot be used.
    """
    started = time.perf_counter()
    console = Console()
    check_json_path(config.json)
    if not 0 < config.hold_back < 1:
        raise ConfigurationError(f"hold-back is {config.hold_back:g}.", "Choose a share above 0 and below 1.")
    if config.controller.bidirectional:
        raise ConfigurationError("A network that reads both ways is not causal.", "Leave out bidirectional.")
    recording = read_arrays(config.data)
    earlier, later = hold_back(recording.sequence, config.hold_back, gap=0.0)
    if len(earlier) < 2:
        raise ConfigurationError("Too little is left to train on.", "Choose a smaller --hold-back.")
    folder = open_run_folder(config.out, "train regress", config)

    kept, held = standardised(earlier, earlier), standardised(later, earlier)
    with progress_bar(console, "training", config.training.epochs) as progress:
        controller, losses = fit(kept, config, recording.rate, progress)
    decoded: dict[str, NDArray[np.floating]] = {
        "test": decode(controller, held.features.values),
        "wiener": wiener_filter(kept.features.values, kept.targets, held.features.values),
    }
    results: dict[str, Any] = {name: scores(values, held.targets) for name, values in decoded.items()}
    results["test"] |= {"rows": len(held), "trials": len(set(held.trial.tolist()) - {-1})}
    results |= {"targets": recording.target_names, "train": {"rows": len(kept), "loss": losses[-1]}}
    results |= {"seed": config.seed, "seconds": time.perf_counter() - started}

    unit, zero = earlier.targets.std(axis=0), earlier.targets.mean(axis=0)
    decoded_units = {name: values * unit + zero for name, values in decoded.items()}
    np.savez(folder / "predictions.npz", times=later.features.times, targets=later.targets, **decoded_units)
    for path in filter(None, (folder / "summary.json", config.json)):
        write_json(path, results)
    console.print(score_table(results))
    console.print(f"summary.json and predictions.npz are in {folder}.")


def standardised(sequence: Sequence, fitted_on: Sequence) -> Sequence:
    """Samples and targets of mean 0 and standard deviation 1 in ``fitted_on``; what never varies there becomes 0."""
    values = standard(sequence.features.values, fitted_on.features.values).clip(-LIMIT, LIMIT)
    targets = standard(sequence.targets, fitted_on.targets)
    return Sequence(sequence.features._replace(values=values), targets, sequence.trial)


def standard(values: NDArray[np.float32], fitted_on: NDArray[np.float32]) -> NDArray[np.float32]:
    """``(time, column)`` in standard deviations from the mean of ``fitted_on``."""
    mean, std = fitted_on.mean(axis=0, dtype=float), fitted_on.std(axis=0, dtype=float)
    varies = std > 1e-6 * np.abs(mean) + 1e-12
    return np.where(varies, (values - mean) / np.where(varies, std, 1.0), 0.0).astype(np.float32)


def fit(
    sequence: Sequence, config: RegressArrays, rate: float, progress: Progress = lambda epoch, loss: None
) -> tuple[RecurrentController, list[float]]:
    """A controller trained on the stretch, its state carried on, and its losses."""
    torch.manual_seed(config.seed)
    features, outputs = sequence.features.values.shape[1], sequence.targets.shape[1]
    controller = RecurrentController(config.controller, features, outputs)
    return controller, train(controller, [sequence], config.training, rate, progress)


def scores(decoded: NDArray[np.floating], targets: NDArray[np.floating]) -> dict[str, list[float]]:
    """Coefficient of determination and Pearson's correlation of each output; NaN where the target never changes."""
    missed = np.square(decoded - targets).sum(axis=0, dtype=float)
    spread = np.square(targets - targets.mean(axis=0)).sum(axis=0, dtype=float)
    r2 = np.where(spread > 0, 1 - missed / np.where(spread > 0, spread, 1), np.nan)
    return {"r2": r2.tolist(), "pearson_r": pearson_r(decoded, targets).tolist()}


def score_table(results: dict[str, Any]) -> Table:
    """Both decoders for each output, for the console."""
    table = Table("target", "R²", "Wiener R²", "r", "Wiener r", title="decoded against targets held back")
    columns = [results[name][score] for score in ("r2", "pearson_r") for name in ("test", "wiener")]
    for target, *row in zip(results["targets"], *columns, strict=True):
        table.add_row(target, *(f"{value:.3f}" for value in row))
    return table
