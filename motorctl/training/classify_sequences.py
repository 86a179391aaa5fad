"""``motorctl train classify`` on a labelled table or a set of sequences: the part without recordings."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from motorctl.agents import ControllerConfig
from motorctl.errors import ConfigurationError
from motorctl.runs import open_run_folder, plain, write_json
from motorctl.training.calibration import calibration_error, fit_temperature
from motorctl.training.examples import Examples, by_block, shuffled
from motorctl.training.fitting import SequenceTraining, fit, row_losses
from motorctl.training.generated import brain_sequences, eeg_table, speech
from motorctl.training.imitation import Progress
from motorctl.training.networks import (
    NetworkConfig,
    StoredNetwork,
    ask,
    asked_weight,
    class_head,
    framed,
    make_network,
    save_network,
)
from motorctl.training.progress import progress_bar
from motorctl.training.scaling import fit_scaling
from motorctl.training.scoring import class_score
from motorctl.training.sequence_files import read_sequences
from motorctl.training.sequences import OnSequences, check_options
from motorctl.training.tables import read_table, table_examples

Split = Literal["shuffled", "by-block"]


@dataclass(frozen=True)
class ClassifySequences(OnSequences):
    """Train a recurrent network to tell classes of sequences apart, and test it on sequences it never saw."""

    preset: str = "gated-sequences"
    """System to start from: recordings, eeg-table, gated-sequences or long-sequences; the options below are its."""
    data: Path | None = None
    """eeg-table: a CSV with a column for each feature and one called label, in order of time. Others: an .npy, or an
    .npz that calls them sequences, (sequence, time) or (sequence, time, channel), where NaN is a missing value. By
    default data of this form are made from the seed, and written into the run folder."""
    labels: Path | None = None
    """An .npy with the class of each sequence, names, numbers, or one-hot (sequence, class), where data does not hold
    them as labels."""
    rows: int = 10
    """Rows of a table that are read together, to say what the last of them is."""
    frame: int = 1
    """Values in a row that are read as one: a strided front end, for sequences that are long."""
    asked: Literal["last", "every"] = "last"
    """Whether the last row says the class, or every row, and the probabilities are averaged."""
    splits: tuple[Split, ...] = ("shuffled",)
    """How the test is chosen: shuffled, a share of each class at random; by-block, the last share of each class in
    time, in whole bouts. Each is measured; the network of the last one is stored."""


PRESETS = {
    "eeg-table": ClassifySequences(
        preset="eeg-table",
        controller=ControllerConfig("lstm", (64, 32)),
        training=SequenceTraining(epochs=30),
        splits=("shuffled", "by-block"),
    ),
    "gated-sequences": ClassifySequences(
        controller=ControllerConfig("lstm", (50, 50, 50)),
        training=SequenceTraining(epochs=60, batch=128, learning_rate=3e-3),
    ),
    "long-sequences": ClassifySequences(
        preset="long-sequences",
        controller=ControllerConfig("lstm", (128, 128)),
        training=SequenceTraining(epochs=15, batch=62, learning_rate=3e-3),
        frame=147,
        asked="every",
    ),
}


class Tested(NamedTuple):
    """A network with what its test gave."""

    network: StoredNetwork
    results: dict[str, Any]


def classify_sequences(config: ClassifySequences) -> None:
    """Run the command: train and test for each split, calibrate, store, print.

    Raises:
        RecordingError: a file is missing, damaged, or not of the form.
        ConfigurationError: an option has a value that cannot be used.
    """
    started = time.perf_counter()
    console = Console()
    check_options(config)
    if not config.splits:
        raise ConfigurationError("No split is named.", "Choose shuffled, by-block or both with --splits.")
    if config.preset == "eeg-table" and config.labels:
        raise ConfigurationError("A table has its labels in a column of its own.", "Leave --labels out.")
    if config.frame < 1:
        raise ConfigurationError(f"frame is {config.frame}.", "Give 1 or more.")
    examples = read(config, config.data, config.labels) if config.data else None
    folder = open_run_folder(config.out, "train classify", config)
    if examples is None:
        console.print(f"No --data is given: data are made from seed {config.seed}.")
        examples = read(config, *generate(config, folder))

    results: dict[str, Any] = {}
    for split in config.splits:
        with progress_bar(console, f"training, {split}", config.training.epochs) as progress:
            tested = train_and_test(examples, split, config, progress)
        results[split] = tested.results
    scaled = tested.network.inputs.apply(examples.inputs)
    present = scaled.measured[examples.there[..., 0].numpy() > 0]
    results |= {"classes": examples.classes, "sequences": len(examples), "missing": float(1 - present.mean())}
    results |= {"gated": scaled.gated, "seed": config.seed, "seconds": time.perf_counter() - started}
    save_network(replace(tested.network, history=plain({"config": asdict(config)} | results)), folder)
    for path in filter(None, (folder / "summary.json", config.json)):
        write_json(path, results)
    console.print(score_table(results, config.splits))
    console.print(f"The network and summary.json are in {folder}.")


def read(config: ClassifySequences, data: Path, labels: Path | None) -> Examples:
    """The user's or the generated data.

    Raises:
        RecordingError: a file is missing, damaged, or not of the form.
        ConfigurationError: there are no labels.
    """
    if config.preset == "eeg-table":
        return table_examples(read_table(data), config.rows)
    examples = read_sequences(data, labels)
    if examples.labels is None:
        raise ConfigurationError(f"'{data}' holds no labels.", "Name a file that does with --labels.")
    return examples


def generate(config: ClassifySequences, folder: Path) -> tuple[Path, Path | None]:
    """Data of the preset's form, in files of the folder."""
    if config.preset == "eeg-table":
        return eeg_table(folder / "eeg_data.csv", config.seed), None
    if config.preset == "long-sequences":
        return speech(folder / "speech_data.npy", folder / "labels.npy", config.seed)
    return brain_sequences(folder / "data.npz", config.seed), None


def train_and_test(
    examples: Examples, split: Split, config: ClassifySequences, progress: Progress = lambda epoch, loss: None
) -> Tested:
    """Train on one part, calibrate on another, test on a third; each part is split from what came before in one way."""

    def parts(of: Examples) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return shuffled(of, config.hold_back, config.seed) if split == "shuffled" else by_block(of, config.hold_back)

    kept, held = parts(examples)
    learned, calibration = parts(examples[kept])
    train, calibrate, test = examples[kept[learned]], examples[kept[calibration]], examples[held]
    network, losses = learn(train, config, progress)
    logits, weight = (
        ask(network.network, framed(network.inputs.apply(calibrate.inputs).values, config.frame)),
        asked_weight(calibrate, network.config),
    )
    temperature = fit_temperature(logits, weight, numbers(calibrate))
    before = network.predict(test)["probabilities"]
    class_head(network.network).temperature.fill_(temperature)
    after = torch.from_numpy(network.predict(test)["probabilities"])
    wanted = numbers(test)
    results = class_score(after, wanted, examples.classes)._asdict()
    results |= {
        "chance": float(wanted.bincount().max() / len(wanted)),
        "trained_on": len(train),
        "calibrated_on": len(calibrate),
        "temperature": temperature,
        "calibration_error_before": calibration_error(torch.from_numpy(before), wanted),
        "calibration_error": calibration_error(after, wanted),
        "test_sequences": held.tolist(),
        "loss": losses[-1],
    }
    return Tested(network, results)


def learn(
    train: Examples, config: ClassifySequences, progress: Progress = lambda epoch, loss: None
) -> tuple[StoredNetwork, list[float]]:
    """A network trained on all of ``train``, and its losses."""
    torch.manual_seed(config.seed)
    described = NetworkConfig(
        config.controller, train.inputs.shape[2], "class", train.classes, frame=config.frame, asked=config.asked
    )
    network, scaling = make_network(described), fit_scaling(train.inputs)
    inputs, weight = framed(scaling.apply(train.inputs).values, config.frame), asked_weight(train, described)
    targets = numbers(train)[:, None].expand(inputs.shape[:2])
    losses = fit(
        network,
        len(train),
        row_losses(network, inputs, targets, weight, config.training.horizon),
        config.training,
        progress,
    )
    return StoredNetwork(described, network, scaling), losses


def numbers(examples: Examples) -> torch.Tensor:
    """``(sequence,)`` number of the class of each."""
    assert examples.labels is not None
    return torch.from_numpy(examples.labels)


def score_table(results: dict[str, Any], splits: tuple[Split, ...]) -> Table:
    """How many sequences were recognised, for the console."""
    table = Table("split", "right", "95 % interval", "chance", "calibration error", title="sequences of the test")
    for split in splits:
        r = results[split]
        low, high = r["interval"]
        table.add_row(
            split,
            f"{r['correct']} of {r['trials']}: {100 * r['accuracy']:.0f} %",
            f"{100 * low:.0f}-{100 * high:.0f} %",
            f"{100 * r['chance']:.0f} %",
            f"{r['calibration_error_before']:.3f} to {r['calibration_error']:.3f}",
        )
    return table
