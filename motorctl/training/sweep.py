"""``motorctl sweep``: any command run with many settings of its options, and which of them does best."""

from __future__ import annotations

import hashlib
import math
import shlex
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from itertools import product
from json import loads
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from motorctl.cli import COMMANDS, name_of, parse
from motorctl.distributed import Workers, check_workers, mapping
from motorctl.errors import ConfigurationError, MotorctlError, check_seed
from motorctl.runs import check_json_path, open_run_folder, write_json
from motorctl.training.progress import progress_bar

Options = dict[str, str]
"""Option, without dashes, to its value as on the command line."""

MOST_SHOWN = 10
WRITTEN = ("summary.json", "results.json")
"""Where commands write their numbers."""


@dataclass(frozen=True)
class SweepOptions(Workers):
    """Search for hyper-parameters: run a command with many settings of its options."""

    command: str = ""
    """The command with the options that stay the same, in quotes: "train regress --recording a.npz"."""
    over: tuple[str, ...] = ()
    """What is searched: NAME=A,B,C tries these values; NAME=LOW:HIGH draws from between, evenly, and NAME=LOW:HIGH:log
    evenly in the logarithm; whole numbers where both ends are. NAME is an option without its dashes."""
    score: str = ""
    """Which number of summary.json or results.json says how good a run is, with dots between names."""
    minimise: bool = False
    """Less is better."""
    trials: int | None = None
    """How many settings are drawn at random; by default all combinations are tried."""
    seed: int = 0
    """Seed of the draws."""
    out: Path | None = None
    """Run folder to write; by default a new one under runs/. That of an interrupted sweep is gone on with. The machines
    of a Ray cluster must share it."""
    json: Path | None = None
    """File for the results as JSON."""


@dataclass(frozen=True)
class Point:
    """One run: plain values, so that it can be sent to another process or machine.

    Args:
        command: by name.
        words: its options, but for where to write.
        folder: to write into.
    """

    command: str
    words: tuple[str, ...]
    folder: str


def sweep(config: SweepOptions) -> None:
    """Run the command.

    Raises:
        ConfigurationError: an option has a value that cannot be used, or no run gives the score.
    """
    console = Console()
    check_json_path(config.json)
    check_seed(config.seed)
    check_workers(config)
    command, words = command_of(config.command)
    settings = settings_of(config)
    if not config.score:
        raise ConfigurationError("No score is named.", "Say what is to be best: --score test.accuracy.")
    for options in settings:
        parse(command, [*words, *as_words(options)])
    folder = open_run_folder(config.out, "sweep", config)
    points = [
        Point(command, (*words, *as_words(options)), str(folder / f"{number:04d}"))
        for number, options in enumerate(settings)
    ]
    with mapping(config, folder / "finished", file_hashes(words)) as mapped:
        with progress_bar(console, "runs", len(points)) as advance:
            results = []
            for result in mapped(run_point, points):
                results.append(result)
                advance(len(results))
        ranked = rank(settings, results, config.score, config.minimise)
    told = {"command": "sweep", "of": command, "score": config.score, "seed": config.seed, "runs": ranked}
    for path in filter(None, (folder / "results.json", config.json)):
        write_json(path, told)
    console.print(console_table(ranked, config.score))
    failed = [entry for entry in ranked if entry["error"]]
    for entry in failed[:MOST_SHOWN]:
        console.print(f"{entry['folder']}: {entry['error']}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"results.json and a folder for each run are in {folder}.", highlight=False, soft_wrap=True)


def command_of(text: str) -> tuple[str, list[str]]:
    """Name and options of a command, as written on a command line.

    Raises:
        ConfigurationError: there is no such command, or it writes no run folder.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ConfigurationError(f"The quotes of '{text}' do not match.", "Close each of them.") from error
    name = name_of(words)
    if name is None or name.split()[0] not in ("train", "evaluate", "simulate"):
        known = ", ".join(n for n in COMMANDS if n.split()[0] in ("train", "evaluate", "simulate"))
        raise ConfigurationError(f"'{text}' is no command to sweep.", f'Give --command "..." with one of {known}.')
    return name, words[len(name.split()) :]


def settings_of(config: SweepOptions) -> list[Options]:
    """Every setting to run: all combinations, or as many draws as there are trials.

    Raises:
        ConfigurationError: nothing is searched, a search cannot be read, or a range is to be a grid.
    """
    if not config.over:
        raise ConfigurationError("Nothing is searched.", "Name options: --over learning-rate=1e-3,1e-2.")
    if config.trials is not None and config.trials < 1:
        raise ConfigurationError(f"trials is {config.trials}.", "Give 1 or more, or leave it out.")
    searched = dict(entry.partition("=")[::2] for entry in config.over)
    if len(searched) < len(config.over):
        raise ConfigurationError("An option is searched twice.", "Name it once with --over.")
    for name, values in searched.items():
        if not name or not all(values.split(",")) or values.count("'") % 2 or values.count('"') % 2:
            raise ConfigurationError(f"'{name}={values}' is no search.", "Write NAME=A,B,C or NAME=LOW:HIGH.")
    if config.trials is None:
        for name, values in searched.items():
            if range_of(values):
                raise ConfigurationError(f"{name}={values} is a range.", "Say how many are drawn with --trials.")
        lists = [values.split(",") for values in searched.values()]
        return [dict(zip(searched, values, strict=True)) for values in product(*lists)]
    rng = np.random.default_rng(config.seed)
    return [{name: draw(values, rng) for name, values in searched.items()} for _ in range(config.trials)]


def range_of(values: str) -> tuple[float, float, bool, bool] | None:
    """Lowest, highest, whether in the logarithm, and whether whole; None if it is no range.

    Raises:
        ConfigurationError: its ends are no range.
    """
    parts = values.split(":")
    log = parts[-1] == "log"
    try:
        low, high = map(float, parts[: len(parts) - log])
    except ValueError:
        return None  # a value may have a colon
    if not low < high < math.inf or (log and low <= 0):
        raise ConfigurationError(f"{values} is no range.", "Write LOW:HIGH, or LOW:HIGH:log above 0.")
    whole = all(part.strip().lstrip("-").isdigit() for part in parts[:2])
    return low, high, log, whole


def draw(values: str, rng: np.random.Generator) -> str:
    """A value, as on the command line."""
    found = range_of(values)
    if found is None:
        return str(rng.choice(values.split(",")))
    low, high, log, whole = found
    if whole and not log:
        return str(rng.integers(int(low), int(high), endpoint=True))
    value = math.exp(rng.uniform(math.log(low), math.log(high))) if log else rng.uniform(low, high)
    return str(round(value)) if whole else f"{value:.6g}"


def as_words(options: Options) -> Iterator[str]:
    """Options as words of a command line; True and False are switches."""
    for name, value in options.items():
        if value in ("True", "False"):
            above, dot, last = name.rpartition(".")
            yield f"--{name}" if value == "True" else f"--{above}{dot}no-{last}"
        else:
            yield from (f"--{name}", *shlex.split(value))


def file_hashes(words: Sequence[str]) -> dict[str, str]:
    """SHA-256 of each file that is named."""
    return {word: hashlib.sha256(Path(word).read_bytes()).hexdigest() for word in words if Path(word).is_file()}


def run_point(point: Point) -> dict[str, Any]:
    """Run the command; what it prints goes to a text file beside its folder.

    Returns:
        ``folder``; ``numbers`` that it wrote, by name with dots; ``error``, None or what went wrong.
    """
    folder = Path(point.folder)
    command, config = parse(point.command, [*point.words, "--out", point.folder])
    said = folder.with_suffix(".txt")
    said.parent.mkdir(parents=True, exist_ok=True)
    error = None
    with said.open("w", encoding="utf-8") as file, redirect_stdout(file):
        try:
            command(config)
        except MotorctlError as problem:
            error = str(problem)
    numbers: dict[str, float] = {}
    for name in () if error else WRITTEN:
        if (folder / name).exists():
            numbers |= dict(numbers_of(loads((folder / name).read_text(encoding="utf-8"))))
    return {"folder": point.folder, "numbers": numbers, "error": error}


def numbers_of(data: Any, above: str = "") -> Iterator[tuple[str, float]]:
    """Each number in nested dicts, its name with dots."""
    if isinstance(data, dict):
        for name, value in data.items():
            yield from numbers_of(value, f"{above}.{name}" if above else name)
    elif isinstance(data, int | float) and not isinstance(data, bool):
        yield above, data


def rank(
    settings: Sequence[Options], results: Sequence[dict[str, Any]], score: str, minimise: bool
) -> list[dict[str, Any]]:
    """Each run with its ``options`` and ``score``, the best first, those without a score last.

    Raises:
        ConfigurationError: runs ended, and none gave the score.
    """
    known = list(dict.fromkeys(name for result in results for name in result["numbers"]))
    if score not in known:
        if not known:
            raise ConfigurationError(f"No run ended well: {results[0]['error']}", "Change --command or --over.")
        raise ConfigurationError(
            f"'{score}' is no number that runs give.", f"Choose --score from {', '.join(known[:30])}."
        )
    entries = [
        {
            "options": options,
            "score": result["numbers"].get(score),
            "folder": result["folder"],
            "error": result["error"],
        }
        for options, result in zip(settings, results, strict=True)
    ]
    sign = 1 if minimise else -1
    return sorted(entries, key=lambda entry: math.inf if entry["score"] is None else sign * entry["score"])


def console_table(ranked: Sequence[dict[str, Any]], score: str) -> Table:
    """The best runs."""
    table = Table(*ranked[0]["options"], score, "run", title=f"{len(ranked)} runs", box=SIMPLE_HEAD)
    for entry in ranked[:MOST_SHOWN]:
        told = "–" if entry["score"] is None else f"{entry['score']:.4g}"
        table.add_row(*entry["options"].values(), told, Path(entry["folder"]).name)
    return table
