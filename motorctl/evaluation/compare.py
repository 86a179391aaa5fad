"""``motorctl compare``: runs of ``motorctl evaluate`` side by side, tested against each other."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console

from motorctl.errors import ConfigurationError
from motorctl.evaluation import decoding_tables, reaching_tables
from motorctl.evaluation.baselines import BASELINES
from motorctl.evaluation.decoding_summary import compare_all
from motorctl.evaluation.reaching_summary import compare, name_of
from motorctl.evaluation.report import write_report
from motorctl.runs import check_json_path, plain, write_json

Results = dict[str, Any]

SAME = {
    "evaluate decoding": ("kind", "protocol", "classes", "outputs", "data", "tested", "permutations", "seed"),
    "evaluate reaching": ("env", "seed"),
}
"""What runs of a command must have in common."""
NEEDED = {
    "evaluate decoding": {"decoders", "comparisons", "data", "kind", "protocol", "tested", "permutations", "seed"},
    "evaluate reaching": {"controllers", "comparisons", "data", "env", "seed"},
}
"""What the results of a command hold."""


@dataclass(frozen=True)
class CompareRuns:
    """Put runs side by side, and test each decoder or controller against each other on the same trials or people."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders that 'motorctl evaluate' wrote; a single one shows that run again."""
    report: Path | None = None
    """HTML file to write."""
    markdown: Path | None = None
    """File for the table as Markdown."""
    csv: Path | None = None
    """File for the table as CSV."""
    json: Path | None = None
    """File for the results as JSON."""


def compare_runs(config: CompareRuns) -> None:
    """Run the command.

    Raises:
        ConfigurationError: a folder holds no run that was evaluated, or runs cannot be compared.
    """
    if not config.runs:
        raise ConfigurationError("No run is named.", "Name folders that 'motorctl evaluate' wrote.")
    for path in (config.report, config.markdown, config.csv, config.json):
        check_json_path(path)
    results = merged(dict(zip(names_of(config.runs), map(read_results, config.runs), strict=True)))
    tables = decoding_tables if results["command"] == "evaluate decoding" else reaching_tables
    if config.json:
        write_json(config.json, results)
    if config.csv:
        tables.write_csv(config.csv, results)
    if config.markdown:
        config.markdown.write_text(tables.markdown(results), encoding="utf-8")
    if config.report:
        write_report(config.report, results, told_of(config.runs))
    console = Console()
    console.print(tables.console_table(results))
    for entry in results["comparisons"]:
        if entry["difference"] is None:  # nothing to compare
            continue
        p = reaching_tables.p_value(entry["holm_p"])
        console.print(
            f"{entry['a']} less {entry['b']}: {entry['score']} {entry['difference']:+.3f}, d_z "
            f"{reaching_tables.number('', entry['effect'])}, p {p} (Holm).",
            highlight=False,
            soft_wrap=True,
        )


def merged(runs: Mapping[str, Results]) -> Results:
    """The results of several runs as if of one, in the same form; decoders and controllers are told by their run too.

    Every pair is tested, and p-values are corrected for all of them.

    Args:
        runs: results by the name of the run.

    Raises:
        ConfigurationError: what was evaluated is not the same.
    """
    first_name, first = next(iter(runs.items()))
    if len(runs) == 1:
        return first
    for name, results in runs.items():
        for what in ("command", *SAME[first["command"]]):
            ours, theirs = (told(what, r) for r in (first, results))
            if ours != theirs:
                raise ConfigurationError(
                    f"{first_name} and {name} differ in {what}: {shortly(ours)} and {shortly(theirs)}.",
                    "Compare runs over the same.",
                )
    common = first | {"seconds": sum(r["seconds"] for r in runs.values())}
    return common | (merged_decoding(runs) if first["command"] == "evaluate decoding" else merged_reaching(runs))


def told(what: str, results: Results) -> Any:
    """Of the results; data by their hashes, wherever they lie."""
    return sorted(results["data"].values()) if what == "data" else results.get(what)


def shortly(value: Any) -> str:
    """A value within a line."""
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def merged_decoding(runs: Mapping[str, Results]) -> Results:
    """``decoders`` of all runs, and ``comparisons``. Baselines, which are the same in every run, come once."""
    decoders = {f"{run}: {name}": d for run, r in runs.items() for name, d in r["decoders"].items()}
    baselines = {name: d for r in runs.values() for name, d in r["decoders"].items() if name in BASELINES}
    decoders = {name: d for name, d in decoders.items() if name.rpartition(": ")[2] not in baselines} | baselines
    first = next(iter(runs.values()))
    folds = {name: d["folds"] for name, d in decoders.items()}
    check_folds(folds)
    return {
        "decoders": decoders,
        "comparisons": plain(compare_all(folds, first["kind"], first["seed"])),
        "left_out": {path: count for r in runs.values() for path, count in r["left_out"].items()},
    }


def check_folds(folds: Mapping[str, Sequence[Results]]) -> None:
    """Say that trials are not the same, although data and protocol are.

    Raises:
        ConfigurationError: folds differ in number or in their trials.
    """
    tested = {
        name: [(fold["fold_name"], fold["train"], fold["test"], fold.get("labels")) for fold in of_one]
        for name, of_one in folds.items()
    }
    first = next(iter(tested.values()))
    for name, of_one in tested.items():
        if of_one != first:
            raise ConfigurationError(
                f"{name} was tested on other trials than {next(iter(tested))}.",
                "Compare runs of the same cues, window and folds.",
            )


def merged_reaching(runs: Mapping[str, Results]) -> Results:
    """``controllers`` of all runs, the expert once, and ``comparisons``."""
    controllers = []
    for run, results in runs.items():
        for c in results["controllers"]:
            if c["controller"] != "expert":
                renamed = c | {"controller": f"{run}: {c['controller']}"}
                controllers.append(renamed | {"name": name_of(renamed)})
            elif not any(other["controller"] == "expert" for other in controllers):
                controllers.append(c)
    first = next(iter(runs.values()))
    return {
        "controllers": controllers,
        "comparisons": plain(compare(controllers, first["seed"])),
        "data": {path: digest for r in runs.values() for path, digest in r["data"].items()},
    }


def read_results(folder: Path) -> Results:
    """``results.json`` of a run.

    Raises:
        ConfigurationError: there is none of ``motorctl evaluate``.
    """
    try:
        results: Results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"There are no results in {folder}.", "Name a folder that 'motorctl evaluate' wrote to the end."
        ) from error
    if not isinstance(results, dict) or results.get("command") not in SAME:
        raise ConfigurationError(f"{folder} is no run of 'motorctl evaluate'.", "Name one that is.")
    if lacking := NEEDED[results["command"]] - set(results):
        raise ConfigurationError(
            f"The results in {folder} lack {', '.join(sorted(lacking))}.", "Evaluate again with this version."
        )
    return results


def told_of(folders: Sequence[Path]) -> dict[str, Any]:
    """What ``config.json`` of the runs tells, as of one: options that differ, beside each other.

    Raises:
        ConfigurationError: one is missing.
    """
    try:
        told = [json.loads((folder / "config.json").read_text(encoding="utf-8")) for folder in folders]
    except (OSError, ValueError) as error:
        raise ConfigurationError("A run has no config.json.", "Name folders that 'motorctl evaluate' wrote.") from error
    if len(told) == 1:
        one: dict[str, Any] = told[0]
        return one
    names = names_of(folders)
    return {
        "command": f"compare {' '.join(names)}",
        "config": {name: run["config"] for name, run in zip(names, told, strict=True)},
        "versions": {
            key: " / ".join(dict.fromkeys(str(run["versions"].get(key, "–")) for run in told))
            for key in told[0]["versions"]
        },
    }


def names_of(folders: Sequence[Path]) -> list[str]:
    """What runs are told by: the folders' names, or what of their paths differs.

    Raises:
        ConfigurationError: a folder is named twice.
    """
    paths = [folder.resolve() for folder in folders]
    if len(set(paths)) < len(paths):
        raise ConfigurationError("A run is named twice.", "Name it once.")
    names = [path.name for path in paths]
    if len(set(names)) == len(names):
        return names
    above = os.path.commonpath(paths)
    return [str(path.relative_to(above)) for path in paths]
