"""Results of decoders as tables: for the console, as CSV, and as Markdown for a paper."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Column, Table

from motorctl.evaluation.baselines import BASELINES

HEADINGS = {
    "accuracy": "accuracy %",
    "balanced_accuracy": "balanced %",
    "kappa": "kappa",
    "roc_auc": "AUC",
    "log_loss": "log loss",
    "calibration_error": "ECE",
    "itr": "bits/min",
    "r2": "R²",
    "pearson_r": "r",
    "rmse": "RMSE",
    "nrmse": "nRMSE",
}
PERCENT = ("accuracy", "balanced_accuracy")
COST = {"latency_ms": "ms", "parameters": "numbers", "flops": "FLOPs", "memory_bytes": "bytes"}
SHOWN = {"class": ("roc_auc", "itr"), "value": ("pearson_r", "nrmse")}
"""Further scores that the console has room for."""


MAIN_OF = {"class": "accuracy", "value": "r2"}
"""The score that decoders are compared by."""


def console_table(results: Mapping[str, Any]) -> Table:
    """The main score with its interval beside chance (its mean, in brackets the 95th percentile), and a few others."""
    main, others = MAIN_OF[results["kind"]], SHOWN[results["kind"]]
    headings = (HEADINGS[main], "95 %", "chance", "p", *(HEADINGS[name] for name in others), "ms")
    columns = [
        Column("decoder", overflow="fold", min_width=10),
        *(Column(heading, no_wrap=True) for heading in headings),
    ]
    table = Table(*columns, title=f"{results['protocol']}, {results['tested']} tested", box=SIMPLE_HEAD)
    for name, decoder in results["decoders"].items():
        scores, score = decoder["scores"], decoder["scores"][main]
        table.add_row(
            name,
            number(main, score["value"]),
            span(main, score["interval"]),
            number(main, score["chance"]) + (f" ({number(main, score['chance_95'])})" if score["p"] else ""),
            number("p", score["p"]),
            *(number(other, scores[other]["value"]) if other in scores else "–" for other in others),
            number("latency_ms", decoder["cost"].get("latency_ms")),
        )
    return table


def markdown(results: Mapping[str, Any]) -> str:
    """Every score with its interval, chance in brackets behind it, and what decoders cost; then the comparisons with
    the best."""
    names = list(dict.fromkeys(name for decoder in results["decoders"].values() for name in decoder["scores"]))
    rows = [["decoder", *(HEADINGS[name] for name in names), *COST.values()]]
    for decoder, summary in results["decoders"].items():
        cells = [_cell(name, summary["scores"].get(name)) for name in names]
        rows.append([decoder, *cells, *(number(name, summary["cost"].get(name)) for name in COST)])
    caption = (
        f"{results['protocol']}, {results['tested']} tested. Score [95 % interval], (mean of {results['permutations']} "
        "permutations of the labels by trial)."
    )
    best = best_decoder(results)
    compared = [["decoder", f"difference from {best}", "d_z", "permutation p", "Holm", "corrected t", "p"]]
    for entry in results["comparisons"]:
        if best in (entry["a"], entry["b"]):
            other, sign = (entry["b"], -1) if entry["a"] == best else (entry["a"], 1)
            numbers = [number("", sign * entry[key] if entry[key] else entry[key]) for key in ("difference", "effect")]
            statistic = number("", sign * entry["t"] if entry["t"] else entry["t"])
            ps = [number("p", entry[key]) for key in ("permutation_p", "holm_p", "corrected_t_p")]
            compared.append([other, *numbers, ps[0], ps[1], statistic, ps[2]])
    return "\n\n".join([caption, _table(rows), *([_table(compared)] if len(compared) > 1 else [])]) + "\n"


def best_decoder(results: Mapping[str, Any]) -> str:
    """The highest main score, baselines aside; of equals the first."""
    main = MAIN_OF[results["kind"]]
    decoders = {name: d for name, d in results["decoders"].items() if name not in BASELINES}
    scored: dict[str, float | None] = {name: d["scores"][main]["value"] for name, d in decoders.items()}
    return max(scored, key=lambda name: float("-inf") if (value := scored[name]) is None else value)


def write_csv(path: Path, results: Mapping[str, Any]) -> None:
    """One row for each decoder and score: value, interval, chance; costs follow in the same form."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["decoder", "score", "value", "low", "high", "chance", "chance_95", "p"])
        for decoder, summary in results["decoders"].items():
            for name, score in summary["scores"].items():
                interval = score["interval"] or (None, None)
                writer.writerow(
                    [decoder, name, score["value"], *interval, *(score[k] for k in ("chance", "chance_95", "p"))]
                )
            for name, value in summary["cost"].items():
                writer.writerow([decoder, name, value, "", "", "", "", ""])


def number(name: str, value: float | None) -> str:
    """A number as a paper would give it; a dash for none."""
    if value is None:
        return "–"
    if name in PERCENT:
        return f"{100 * value:.0f}"
    if name in ("parameters", "flops", "memory_bytes"):
        return f"{value:,.0f}"
    if name == "p":
        return f"{value:.3f}" if value >= 0.001 else "< 0.001"
    return f"{value:.1f}" if name == "itr" else f"{value:.3g}" if name in ("latency_ms", "rmse") else f"{value:.2f}"


def span(name: str, interval: tuple[float, float] | None) -> str:
    """An interval, low to high."""
    if not interval or None in interval:
        return "–"
    low, high = (number(name, value) for value in interval)
    return f"{low} to {high}"


def _cell(name: str, score: Mapping[str, Any] | None) -> str:
    if score is None:
        return "–"
    by_chance = f" ({number(name, score['chance'])})" if score["chance"] is not None else ""
    return f"{number(name, score['value'])} [{span(name, score['interval'])}]{by_chance}"


def _table(rows: list[list[str]]) -> str:
    first, *rest = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([first, "|" + "---|" * len(rows[0]), *rest])
