"""``motorctl train forecast``: how a movement goes on, from how it went so far; the next sample and several ahead."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch import Tensor

from motorctl.agents import ControllerConfig, Network
from motorctl.errors import ConfigurationError, RecordingError
from motorctl.runs import open_run_folder, plain, write_json
from motorctl.training.examples import Examples, shuffled
from motorctl.training.fitting import Losses, SequenceTraining, fit, row_losses
from motorctl.training.generated import movements
from motorctl.training.imitation import Progress
from motorctl.training.networks import NetworkConfig, StoredNetwork, make_network, save_network
from motorctl.training.progress import progress_bar
from motorctl.training.scaling import fit_scaling
from motorctl.training.sequence_files import read_sequences
from motorctl.training.sequences import OnSequences, check_options
from motorctl.training.wiener import apply, lagged, solve

LAGS = 10
"""Rows that the linear forecast rests on."""


@dataclass(frozen=True)
class ForecastSequences(OnSequences):
    """Train a recurrent network to say how sequences go on, and test it on sequences it never saw."""

    preset: Literal["movement-forecast"] = "movement-forecast"
    """System to start from; there is one."""
    generate: Literal["gait", "reaches"] = "gait"
    """Which movements are made where no data are given: joint angles of walking and jumping, or the path of a hand."""
    steps: int = 1
    """Rows that are foretold."""
    history: int = 20
    """Rows that are seen before a forecast counts."""
    decoder: Literal["direct", "seq2seq"] = "direct"
    """All rows at once from every row, or, by a decoder, one after the other from all that was seen."""
    attention: Literal["none", "dot", "additive"] = "none"
    """Where a decoder looks back at what was seen (Luong et al. 2015; Bahdanau et al. 2015)."""
    controller: ControllerConfig = field(default_factory=lambda: ControllerConfig("lstm", (50,)))
    """The recurrent network."""
    training: SequenceTraining = field(default_factory=lambda: SequenceTraining(learning_rate=5e-3))
    """How it is trained."""


def train_forecast(config: ForecastSequences) -> None:
    """Run the command: train, test beside a linear forecast and one that all stays as it is, store, print.

    Raises:
        RecordingError: the file is missing, damaged, or its sequences are too short.
        ConfigurationError: an option has a value that cannot be used.
    """
    started = time.perf_counter()
    console = Console()
    check_options(config)
    if min(config.steps, config.history) < 1:
        raise ConfigurationError("steps or history is below 1.", "Give 1 row or more of each.")
    if config.attention != "none" and config.decoder == "direct":
        raise ConfigurationError("A direct forecast has no attention.", "Choose --decoder seq2seq.")
    if config.decoder == "seq2seq" and config.training.horizon:
        raise ConfigurationError("A decoder reads whole sequences, not pieces.", "Leave --training.horizon at 0.")
    examples = read_sequences(config.data) if config.data else None
    check_length(examples, config)
    folder = open_run_folder(config.out, "train forecast", config)
    if examples is None:
        console.print(f"No --data is given: {config.generate} is made from seed {config.seed}.")
        examples = read_sequences(movements(folder / "data.npz", config.seed, config.generate))
        check_length(examples, config)

    kept, held = shuffled(examples, config.hold_back, config.seed)
    train, test = examples[kept], examples[held]
    with progress_bar(console, "training", config.training.epochs) as progress:
        network, losses = learn(train, config, progress)
    forecasts: dict[str, Any] = {
        "test": network_forecast(network, test, config.history),
        "linear": linear_forecast(network, train, test, config),
        "unchanged": unchanged(network, test, config),
    }
    wanted = ahead(test.inputs, config.history, config.steps)
    results: dict[str, Any] = {name: forecast_scores(values, wanted) for name, values in forecasts.items()}
    results |= {"sequences": {"train": len(train), "test": len(test)}, "train_loss": losses[-1], "seed": config.seed}
    results |= {"gated": network.inputs.apply(examples.inputs).gated, "seconds": time.perf_counter() - started}
    save_network(replace(network, history=plain({"config": asdict(config), "losses": losses} | results)), folder)
    np.savez(folder / "predictions.npz", test_sequences=held, wanted=wanted, **forecasts)
    for path in filter(None, (folder / "summary.json", config.json)):
        write_json(path, results)
    console.print(score_table(results))
    console.print(f"The network, summary.json and predictions.npz are in {folder}.")


def check_length(examples: Examples | None, config: ForecastSequences) -> None:
    """Say that sequences are too short to foretell anything of them.

    Raises:
        RecordingError: one is.
    """
    needed = config.history + config.steps
    if examples is not None and examples.lengths.min() < needed:
        raise RecordingError(
            f"The shortest sequence has {examples.lengths.min()} rows; {config.history} seen and {config.steps} "
            f"foretold are {needed}.",
            "Choose a smaller --history or --steps, or leave it out.",
        )


def learn(
    train: Examples, config: ForecastSequences, progress: Progress = lambda epoch, loss: None
) -> tuple[StoredNetwork, list[float]]:
    """A network trained on all of ``train``, and its losses; what is missing is neither read nor to be foretold."""
    torch.manual_seed(config.seed)
    channels = train.inputs.shape[2]
    described = NetworkConfig(
        config.controller,
        channels,
        "forecast" if config.decoder == "direct" else "decoder",
        outputs=tuple(f"channel {number}" for number in range(channels)),
        steps=config.steps,
        attention=config.attention,
        asked="every",
    )
    network, scaling = make_network(described), fit_scaling(train.inputs)
    read = scaling.apply(train.inputs)
    inputs, weight = read.values, torch.from_numpy(read.measured.astype(np.float32))
    losses = (
        row_losses(network, inputs, inputs, weight, config.training.horizon, ahead=config.steps)
        if config.decoder == "direct"
        else decoder_losses(network, inputs, weight, train.lengths, config)
    )
    history = fit(network, len(train), losses, config.training, progress)
    return StoredNetwork(described, network, scaling, scaling), history


def decoder_losses(
    network: Network, inputs: Tensor, weight: Tensor, lengths: NDArray[np.int64], config: ForecastSequences
) -> Losses:
    """What a decoder costs that reads to a row drawn at random and writes the rows after it, reading the true ones
    (teacher forcing, Williams & Zipser 1989)."""
    steps = config.steps
    there = torch.from_numpy(lengths)

    def losses(batch: Tensor) -> Iterator[Tensor]:
        latest = int(there[batch].min()) - steps
        cut = int(torch.randint(config.history, latest + 1, ()))
        seen, rows = inputs[batch, :cut], slice(cut, cut + steps)
        wanted, counts = inputs[batch, rows], weight[batch, rows]
        written, _ = network(seen, network.initial_state(len(batch)), None, wanted, counts)
        yield network.head.loss(written, wanted, counts)  # type: ignore[operator]

    return losses


def ahead(values: NDArray[np.floating], history: int, steps: int) -> NDArray[np.float32]:
    """``(sequence, row, step, channel)``: the ``steps`` rows after each row that had ``history`` rows up to it."""
    windows = np.lib.stride_tricks.sliding_window_view(values[:, history:], steps, axis=1)
    return np.asarray(windows.transpose(0, 1, 3, 2), np.float32)


def network_forecast(network: StoredNetwork, examples: Examples, history: int) -> NDArray[np.float32]:
    """What the network foretells, in the form of :func:`ahead`."""
    steps, rows = network.config.steps, examples.inputs.shape[1]
    if network.config.head == "forecast":
        return network.predict(examples)["forecast"][:, history - 1 : rows - steps]
    cuts = range(history, rows - steps + 1)
    seen = (replace(examples, inputs=examples.inputs[:, :cut]) for cut in cuts)
    return np.stack([network.predict(part)["forecast"] for part in seen], axis=1)


def linear_forecast(
    network: StoredNetwork, train: Examples, test: Examples, config: ForecastSequences
) -> NDArray[np.float32]:
    """Least squares from the last rows of all channels (autoregression), in the form of :func:`ahead`."""

    def rows(examples: Examples) -> NDArray[np.float64]:
        scaled = network.inputs.apply(examples.inputs).values.numpy()
        parts = [lagged(sequence, LAGS)[config.history - 1 : -config.steps] for sequence in scaled]
        return np.stack(parts)

    read, foretold = rows(train), ahead(network.inputs.standardise(train.inputs), config.history, config.steps)
    known = np.isfinite(foretold).all(axis=(2, 3))
    fitted = solve(read[known], foretold[known].reshape(int(known.sum()), -1), ridge=1e-6)
    given = apply(fitted, rows(test)).reshape(len(test), -1, *foretold.shape[2:])
    return network.inputs.invert(given)


def unchanged(network: StoredNetwork, examples: Examples, config: ForecastSequences) -> NDArray[np.float32]:
    """The last row, for all rows to come, in the form of :func:`ahead`."""
    values = network.inputs.invert(network.inputs.apply(examples.inputs).values.numpy())
    last = values[:, config.history - 1 : values.shape[1] - config.steps, None]
    return np.repeat(last, config.steps, axis=2)


def forecast_scores(forecast: NDArray[np.floating], wanted: NDArray[np.floating]) -> dict[str, Any]:
    """Mean squared error over all that was measured, in squared units, and its root for each step."""
    squared = np.square(forecast - wanted)
    return {
        "mse": float(np.nanmean(squared)),
        "rmse_by_step": np.sqrt(np.nanmean(squared, axis=(0, 1, 3))).tolist(),
        "rmse_by_channel": np.sqrt(np.nanmean(squared, axis=(0, 1, 2))).tolist(),
    }


def score_table(results: dict[str, Any]) -> Table:
    """The forecasts beside each other, for the console."""
    table = Table(
        "forecast", "mean squared error", "root, first step", "root, last step", title="sequences of the test"
    )
    for name in ("test", "linear", "unchanged"):
        r = results[name]
        first, last = r["rmse_by_step"][0], r["rmse_by_step"][-1]
        table.add_row({"test": "network"}.get(name, name), f"{r['mse']:.4g}", f"{first:.4g}", f"{last:.4g}")
    return table
