"""Results of reaching as a table for the console, for a spreadsheet and for a paper."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Column, Table

from motorctl.evaluation.reaching_summary import SUCCESS, known_scores

HEADINGS = {
    SUCCESS: "success %",
    "time_to_target": "time to target s",
    "acquisition_time": "without dwell s",
    "median_time": "median s",
    "restricted_time": "restricted mean s",
    "throughput": "throughput bit/s",
    "fitts_intercept": "a s",
    "fitts_slope": "b s/bit",
    "fitts_r2": "R² of MT = a + b ID",
    "bit_rate": "achieved bit/s",
    "dial_in_time": "dial-in s",
    "overshoots": "overshoots",
    "orbits": "orbits",
    "path_efficiency": "path efficiency",
    "peak_speed": "peak m/s",
    "sparc": "SPARC",
    "ldlj": "LDLJ",
    "command_effort": "∫u² m²/s",
    "muscle_effort": "∫a² s",
    "work": "∫|τω| J",
    "tracking_error": "RMS error m",
    "time_on_target": "on target %",
    "bandwidth": "bandwidth Hz",
    "coherent": "coherent",
}
PERCENT = (SUCCESS, "time_on_target")
SHOWN = {
    "median_time": "median s",
    "throughput": "bit/s",
    "path_efficiency": "path",
    "tracking_error": "RMS m",
    "bandwidth": "Hz",
}
"""Scores beside success that the console has room for, and what they are called there."""


def console_table(results: Mapping[str, Any]) -> Table:
    """Success with its interval beside chance, and a few other scores."""
    controllers = results["controllers"]
    shown = [name for name in SHOWN if name in known_scores(controllers)]
    conditions = [what for what in ("brain", "user", "delay") if len({c[what] for c in controllers if c["brain"]}) > 1]
    titles = ("%", "95 %", "chance", *(SHOWN[name] for name in shown))
    columns = [
        *(Column(what, no_wrap=True) for what in conditions),
        *(Column(title, justify="right", no_wrap=True) for title in titles),
    ]
    title = f"Success: {results['env']}, seed {results['seed']}"
    table = Table(Column("controller", overflow="fold", min_width=10), *columns, title=title, box=SIMPLE_HEAD)
    for controller in controllers:
        scores = controller["scores"]
        success = scores[SUCCESS]
        table.add_row(
            controller["controller"],
            *(str(controller[what]) if controller["brain"] else "" for what in conditions),
            number(SUCCESS, success["value"]),
            span(SUCCESS, success["interval"]),
            number(SUCCESS, success["chance"]),
            *(number(name, scores[name]["value"]) if name in scores else "–" for name in shown),
        )
    return table


def markdown(results: Mapping[str, Any]) -> str:
    """Every score with its interval, chance in brackets behind it; then the comparisons."""
    controllers = results["controllers"]
    names = known_scores(controllers)
    rows = [["controller", "episodes", *(HEADINGS[name] for name in names)]]
    for controller in controllers:
        cells = [_cell(name, controller["scores"].get(name)) for name in names]
        rows.append([controller["name"], str(len(controller["episodes"])), *cells])
    caption = (
        f"{results['env']}, seed {results['seed']}. Score [95 % interval] (the same commands, dealt out anew among the "
        "people). Throughput: effective width, ISO 9241-411, targets not reached included; achieved: Nuyujukian et al. "
        "2015."
    )
    compared = [["controller", "less", "difference in success", "d_z", "permutation p", "Holm"]]
    for entry in results["comparisons"]:
        numbers = [number("", entry[key]) for key in ("difference", "effect")]
        compared.append([entry["a"], entry["b"], *numbers, *(p_value(entry[k]) for k in ("permutation_p", "holm_p"))])
    return "\n\n".join([caption, _table(rows), *([_table(compared)] if len(compared) > 1 else [])]) + "\n"


def write_csv(path: Path, results: Mapping[str, Any]) -> None:
    """One row for each controller and score: conditions, value, interval, chance, the expert's; costs follow in the
    same form."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        conditions = ("controller", "env", "brain", "user", "delay")
        writer.writerow([*conditions, "score", "value", "low", "high", "chance", "expert", "p"])
        for controller in results["controllers"]:
            for name, score in controller["scores"].items():
                numbers = (score["value"], *score["interval"], *(score[key] for key in ("chance", "expert", "p")))
                writer.writerow([*(controller[key] for key in conditions), name, *numbers])
            for name, value in controller["cost"].items():
                writer.writerow([*(controller[key] for key in conditions), name, value, *[""] * 5])


def number(name: str, value: float | None) -> str:
    """A number as a paper would give it; a dash for none."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{100 * value:.0f}" if name in PERCENT else f"{value:.2g}" if abs(value) < 0.1 else f"{value:.2f}"


def p_value(value: float) -> str:
    """A probability."""
    return f"{value:.3f}" if value >= 0.001 else "< 0.001"


def span(name: str, interval: tuple[float | None, float | None]) -> str:
    """An interval, low to high."""
    low, high = (number(name, value) for value in interval)
    return "–" if "–" in (low, high) else f"{low} to {high}"


def _cell(name: str, score: Mapping[str, Any] | None) -> str:
    if score is None or number(name, score["value"]) == "–":
        return "–"
    by_chance = f" ({number(name, score['chance'])})" if score["chance"] is not None else ""
    return f"{number(name, score['value'])} [{span(name, score['interval'])}]{by_chance}"


def _table(rows: list[list[str]]) -> str:
    first, *rest = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([first, "|" + "---|" * len(rows[0]), *rest])
