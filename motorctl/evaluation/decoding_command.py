"""``motorctl evaluate decoding``: how well decoders read recordings, beside chance, nothing learned from the test."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from rich.console import Console

from motorctl.distributed import Workers, check_workers, mapping
from motorctl.errors import ConfigurationError, check_seed
from motorctl.evaluation.baselines import BASELINES
from motorctl.evaluation.decoding import FoldTask, Map, evaluate_fold, plan
from motorctl.evaluation.decoding_data import ClassData, DecodingData, ValueData, load
from motorctl.evaluation.decoding_summary import summarise
from motorctl.evaluation.decoding_tables import console_table, markdown, write_csv
from motorctl.evaluation.protocols import Protocol
from motorctl.evaluation.report import write_report
from motorctl.evaluation.signal_picture import signal_picture
from motorctl.evaluation.value_decoders import VALUE_DECODERS, value_decoder
from motorctl.runs import check_json_path, open_run_folder, plain, write_json
from motorctl.training.progress import progress_bar


@dataclass(frozen=True)
class EvaluateDecoding(Workers, DecodingData):
    """Compare decoders on recordings: scores with intervals, chance from permuted labels, and what each costs."""

    decoders: tuple[str, ...] = ()
    """Which decoders: recurrent, csp-lda, fbcsp-lda, mdm, tangent, knn for classes; recurrent, wiener, kalman,
    refit-kalman, knn for values; or any scikit-learn estimator, such as sklearn.svm:SVC. By default all of the kind."""
    protocol: Protocol = field(default_factory=Protocol)
    """What is learned from and what is tested on."""
    tune: bool = False
    """Choose hyper-parameters within the training trials of each fold; by default they are those of the literature."""
    permutations: int = 20
    """How often everything is done again with labels permuted by trial; 0 for never."""
    seed: int = 0
    """Seed of everything random."""
    report: bool = True
    """Write report.html into the run folder too."""
    out: Path | None = None
    """Run folder to write; by default a new one under runs/. That of an interrupted run is taken up where it ended."""
    json: Path | None = None
    """File for the results as JSON."""


def evaluate_decoding(config: EvaluateDecoding) -> None:
    """Run the command.

    Raises:
        RecordingError: a recording is missing, damaged, or lacks a cue.
        StreamError: the recordings differ in channels or rate.
        ConfigurationError: an option has a value that cannot be used.
    """
    console = Console()
    check_json_path(config.json)
    check_options(config)
    tasks = tasks_of(config)
    check_decoders({task.decoder for task in tasks}, load(data_of(config)))
    folder = open_run_folder(config.out, "evaluate decoding", config)
    with mapping(config, folder / "finished", data_hashes(config)) as mapped:
        with progress_bar(console, "folds", len(tasks)) as advance:
            results = evaluate(config, mapped, advance)
    for path in filter(None, (folder / "results.json", config.json)):
        write_json(path, results)
    write_csv(folder / "results.csv", results)
    (folder / "table.md").write_text(markdown(results), encoding="utf-8")
    if config.report:
        write_report(folder / "report.html", results, json.loads((folder / "config.json").read_text(encoding="utf-8")))
    console.print(console_table(results))
    for path, count in results["left_out"].items():
        console.print(f"{path}: {count} left out, as samples are missing.", highlight=False, markup=False)
    report = "report.html, " if config.report else ""
    console.print(f"{report}results.json, results.csv and table.md are in {folder}.", highlight=False, soft_wrap=True)


def evaluate(
    config: EvaluateDecoding, mapped: Map = map, progress: Callable[[int], None] = lambda done: None
) -> dict[str, Any]:
    """The results of every decoder, as JSON types.

    Args:
        config: what to do.
        mapped: runs the folds, here or elsewhere, and gives their results in order.
        progress: told how many folds are done.
    """
    started = time.perf_counter()
    data = load(data_of(config))
    results = []
    for result in mapped(evaluate_fold, tasks_of(config)):
        results.append(result)
        progress(len(results))
    classes = isinstance(data, ClassData)
    summed = summarise(
        results, "class" if classes else "value", data.seconds if isinstance(data, ClassData) else 0, config.seed
    )
    summary: dict[str, Any] = plain(
        {
            "command": "evaluate decoding",
            "kind": "class" if classes else "value",
            "protocol": config.protocol.name,
            "classes" if classes else "outputs": data.names,
            "tested": f"{len(data.units)} {'windows' if config.online else 'trials'}",
            "permutations": config.permutations,
            "data": data_hashes(config),
            "left_out": dict(data.left_out),
            "gap": data.gap,
            "seed": config.seed,
        }
        | summed
        | ({"signals": signal_picture(data)} if isinstance(data, ClassData) else {})
        | {"seconds": time.perf_counter() - started}
    )
    return summary


def data_hashes(config: EvaluateDecoding) -> dict[str, str]:
    """SHA-256 of each recording."""
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in config.recordings}


def data_of(config: EvaluateDecoding) -> DecodingData:
    """The part of the configuration that says what is decoded."""
    return DecodingData(**{f.name: getattr(config, f.name) for f in fields(DecodingData)})


def tasks_of(config: EvaluateDecoding) -> list[FoldTask]:
    """Every fold to run."""
    data = data_of(config)
    decoders = config.decoders or default_decoders(data)
    return plan(data, config.protocol, decoders, config.seed, config.permutations, config.tune)


def default_decoders(data: DecodingData) -> tuple[str, ...]:
    """All of the kind."""
    if not isinstance(load(data), ClassData):
        return tuple(VALUE_DECODERS)
    from motorctl.evaluation.class_decoders import CLASS_DECODERS  # needs scikit-learn

    return tuple(CLASS_DECODERS)


def check_decoders(names: Iterable[str], data: ClassData | ValueData) -> None:
    """Make each decoder once, before any folder is written.

    Raises:
        ConfigurationError: one cannot be made.
    """
    for name in names:
        if isinstance(data, ValueData):
            if name not in BASELINES:
                value_decoder(name, 0)
        else:
            from motorctl.evaluation.class_decoders import make_class_decoder  # needs scikit-learn

            make_class_decoder(name, data.info)


def check_options(config: EvaluateDecoding) -> None:
    """Say what no evaluation could use.

    Raises:
        ConfigurationError: an option is out of its range, or a decoder is named twice or cannot be made.
    """
    check_seed(config.seed)
    check_workers(config)
    if config.permutations < 0:
        raise ConfigurationError(f"permutations is {config.permutations}.", "Choose such as 20, or 0 for none.")
    if len(set(config.decoders)) < len(config.decoders):
        raise ConfigurationError("A decoder is named twice.", "Name it once with --decoders.")
    if config.online and config.target == "velocity":
        raise ConfigurationError("Velocities are decoded from whole runs anyway.", "Leave out --online.")
    if not config.cues and config.target == "velocity" and config.recordings and config.recordings[0].suffix != ".npz":
        raise ConfigurationError("No cue is given.", "Name them: --cues T1=left T2=right.")
