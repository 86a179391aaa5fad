"""``motorctl train regress`` on a set of sequences: values at the end of each, or on every row."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from motorctl.agents import ControllerConfig
from motorctl.errors import ConfigurationError
from motorctl.runs import open_run_folder, plain, write_json
from motorctl.training.examples import Examples, shuffled
from motorctl.training.fitting import SequenceTraining, Targets, fit, row_losses
from motorctl.training.generated import reach_sequences
from motorctl.training.imitation import Progress
from motorctl.training.networks import NetworkConfig, StoredNetwork, asked_weight, make_network, save_network
from motorctl.training.progress import progress_bar
from motorctl.training.scaling import fit_scaling
from motorctl.training.scoring import class_score, value_scores
from motorctl.training.sequence_files import read_sequences, targets_every_row
from motorctl.training.sequences import OnSequences, check_options


@dataclass(frozen=True)
class RegressSequences(OnSequences):
    """Train a recurrent network to give values for sequences, and test it on sequences it never saw."""

    preset: str = "sequence-regression"
    """System to start from: recording or sequence-regression; the options below are its."""
    targets: Path | None = None
    """An .npy with the values, (sequence,) or (sequence, output) at the end of each sequence, or (sequence, time,
    output) on every row, where data does not hold them as targets."""
    labels: Path | None = None
    """An .npy with the class of each sequence, for --tasks both, where data does not hold them as labels."""
    tasks: Literal["values", "both"] = "values"
    """What one network learns: the values, or both values and classes."""


PRESET = RegressSequences(
    controller=ControllerConfig("lstm", (50, 50, 50), dropout=0.2), training=SequenceTraining(epochs=100)
)


def regress_sequences(config: RegressSequences) -> None:
    """Run the command: train, test, store, print.

    Raises:
        RecordingError: a file is missing, damaged, or does not hold what is needed.
        ConfigurationError: an option has a value that cannot be used.
    """
    started = time.perf_counter()
    console = Console()
    check_options(config)
    examples = read(config, config.data) if config.data else None
    folder = open_run_folder(config.out, "train regress", config)
    if examples is None:
        console.print(f"No --data is given: data are made from seed {config.seed}.")
        examples = read(config, reach_sequences(folder / "data.npz", config.seed))

    kept, held = shuffled(replace(examples, labels=None), config.hold_back, config.seed)
    train, test = examples[kept], examples[held]
    with progress_bar(console, "training", config.training.epochs) as progress:
        network, losses = learn(train, config, progress)
    predicted: dict[str, Any] = network.predict(test)
    wanted, given = asked_values(test, predicted["values"], network.config.asked)
    results: dict[str, Any] = {"test": value_scores(given, wanted) | {"sequences": len(test)}}
    if config.tasks == "both" and test.labels is not None:
        probabilities = torch.from_numpy(predicted["probabilities"])
        results["classes"] = class_score(probabilities, torch.from_numpy(test.labels), test.classes)._asdict()
    results |= {"train": {"sequences": len(train), "loss": losses[-1]}, "seed": config.seed}
    results |= {"gated": network.inputs.apply(examples.inputs).gated, "seconds": time.perf_counter() - started}
    save_network(replace(network, history=plain({"config": asdict(config), "losses": losses} | results)), folder)
    np.savez(folder / "predictions.npz", test_sequences=held, targets=wanted, **predicted)
    for path in filter(None, (folder / "summary.json", config.json)):
        write_json(path, results)
    console.print(score_table(results))
    console.print(f"The network, summary.json and predictions.npz are in {folder}.")


def read(config: RegressSequences, data: Path) -> Examples:
    """The user's or the generated data.

    Raises:
        RecordingError: a file is missing, damaged, or not of the form.
        ConfigurationError: there is nothing to learn.
    """
    examples = read_sequences(data, config.labels, config.targets)
    if examples.targets is None:
        raise ConfigurationError(f"'{data}' holds no targets.", "Name a file that does with --targets.")
    if config.tasks == "both" and examples.labels is None:
        raise ConfigurationError(f"'{data}' holds no labels.", "Name a file that does with --labels.")
    return examples


def learn(
    train: Examples, config: RegressSequences, progress: Progress = lambda epoch, loss: None
) -> tuple[StoredNetwork, list[float]]:
    """A network trained on all of ``train``, and its losses; targets that are NaN cost nothing."""
    assert train.targets is not None
    torch.manual_seed(config.seed)
    described = NetworkConfig(
        config.controller,
        train.inputs.shape[2],
        "both" if config.tasks == "both" else "value",
        classes=train.classes if config.tasks == "both" else (),
        outputs=tuple(f"output {number}" for number in range(train.targets.shape[2])),
        asked="every" if targets_every_row(train) else "last",
    )
    network = make_network(described)
    inputs, outputs = fit_scaling(train.inputs), fit_scaling(train.targets)
    values = torch.from_numpy(outputs.standardise(train.targets))
    known = values.isfinite().float()
    targets: Targets = values
    weight: Targets = known
    if config.tasks == "both" and train.labels is not None:
        classes = torch.from_numpy(train.labels)[:, None].expand(values.shape[:2])
        targets = {"value": values, "class": classes}
        weight = {"value": known, "class": asked_weight(train, described)}
    read = inputs.apply(train.inputs).values
    losses = fit(
        network,
        len(train),
        row_losses(network, read, targets, weight, config.training.horizon),
        config.training,
        progress,
    )
    return StoredNetwork(described, network, inputs, outputs), losses


def asked_values(
    examples: Examples, values: NDArray[np.float32], asked: str
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Targets and predicted values, ``(sequence, output)`` or ``(sequence, time, output)`` as they were asked for."""
    assert examples.targets is not None
    if asked == "every":
        return examples.targets, values
    return examples.targets[np.arange(len(examples)), examples.lengths - 1], values


def score_table(results: dict[str, Any]) -> Table:
    """The scores of each output, for the console."""
    table = Table("output", "mean squared error", "R²", "r", title="sequences of the test")
    columns = [results["test"][score] for score in ("mse", "r2", "pearson_r")]
    for number, (mse, r2, r) in enumerate(zip(*columns, strict=True)):
        table.add_row(str(number), f"{mse:.4g}", f"{r2:.3f}", f"{r:.3f}")
    if "classes" in results:
        table.add_section()
        table.add_row("class", f"{results['classes']['correct']} of {results['classes']['trials']} right", "", "")
    return table
