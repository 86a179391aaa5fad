"""Figures of how decoders read recordings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import mne  # type: ignore[import-untyped]
import numpy as np
from markupsafe import Markup

from motorctl.evaluation.baselines import BASELINES
from motorctl.evaluation.decoding_tables import HEADINGS, MAIN_OF, PERCENT
from motorctl.evaluation.report.cost_pictures import latency_picture, learning_picture
from motorctl.evaluation.report.drawing import (
    COLOURS,
    GREY,
    HALF,
    WHOLE,
    Picture,
    coloured,
    intervals,
    sized,
    style,
    svg,
)
from motorctl.signals.electrodes import electrode_positions

Results = Mapping[str, Any]

BINS = 5
"""Of the calibration's curve: trials are few."""
STRETCHES = 12
"""Most stretches of traces in a page, so that it stays small."""


def decoding_pictures(results: Results) -> list[Picture]:
    """Every figure that the results have the data for."""
    with style():
        pictures = [scores_picture(results), folds_picture(results)]
        if results["kind"] == "class":
            pictures += [confusion_picture(results), calibration_picture(results)]
            if "signals" in results:
                pictures += [spectra_picture(results), topography_picture(results)]
        else:
            pictures.append(traces_picture(results))
        pictures += cost_pictures(results)
    return [picture for picture in pictures if picture.body or picture.choices]


def unit_of(results: Results) -> tuple[str, str, float]:
    """Main score, what it is called on an axis, and what it is multiplied by."""
    main = MAIN_OF[results["kind"]]
    return main, HEADINGS[main], 100 if main in PERCENT else 1


def scores_picture(results: Results) -> Picture:
    """Decoders beside chance."""
    main, heading, unit = unit_of(results)
    rows = []
    for name, decoder in results["decoders"].items():
        score = decoder["scores"][main]
        rows.append((name, score["value"], score["interval"], score["chance"], score["chance_95"]))
    figure = sized(WHOLE, 0.9 + 0.3 * len(rows))
    axes = figure.add_subplot(xlabel=heading)
    intervals(axes, rows, unit)
    chance = "; the tick is chance, and the grey bar reaches up to what chance is better than once in twenty times"
    caption = f"Points with 95 % intervals{chance if results['permutations'] else ''}."
    return Picture("Scores", caption, svg(figure), wide=True)


def folds_picture(results: Results) -> Picture:
    """The main score of each fold."""
    main, heading, unit = unit_of(results)
    decoders = {name: d["folds"] for name, d in results["decoders"].items()}
    names = [fold["fold_name"] for fold in next(iter(decoders.values()))]
    if len(names) < 2:
        return Picture("", "")
    colour = coloured(list(decoders))
    figure = sized(HALF, 3)
    axes = figure.add_subplot(ylabel=heading)
    for index, (name, folds) in enumerate(decoders.items()):
        values = [np.nan if (v := fold["scores"][main]) is None else unit * v for fold in folds]
        offset = 0.5 * (index / max(1, len(decoders) - 1) - 0.5)
        axes.plot(np.arange(len(values)) + offset, values, "o", color=colour(name), ms=5, label=name)
    axes.set_xticks(range(len(names)), names)
    axes.grid(axis="y", color="#eef0f3")
    figure.legend(loc="outside right upper")
    return Picture("Folds", "Each fold's score: what another session might give.", svg(figure))


def confusion_picture(results: Results) -> Picture:
    """A confusion matrix for each decoder."""
    classes = results["classes"]
    choices = []
    for name, decoder in results["decoders"].items():
        counts = np.array(decoder["confusion"], float)
        share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        figure = sized(2.2 + 0.7 * len(classes), 1.6 + 0.6 * len(classes))
        axes = figure.add_subplot(xlabel="decoded", ylabel="asked for")
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for (row, column), count in np.ndenumerate(counts):
            text = f"{count:.0f}\n{100 * share[row, column]:.0f} %"
            colour = "white" if share[row, column] > 0.55 else "#111827"
            axes.text(column, row, text, ha="center", va="center", color=colour)
        axes.set_xticks(range(len(classes)), classes)
        axes.set_yticks(range(len(classes)), classes)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        choices.append((name, svg(figure)))
    return Picture(
        "Confusion", "Trials of all folds: how many, and which share of their class.", choices=tuple(choices)
    )


def calibration_picture(results: Results) -> Picture:
    """How often a decoder is right, by how sure it is."""
    graded = {n: d for n, d in results["decoders"].items() if all(fold["graded"] for fold in d["folds"])}
    if not graded:
        return Picture("", "")
    colour = coloured(list(results["decoders"]))
    figure = sized(HALF, 3)
    axes = figure.add_subplot(xlabel="probability of the class that is decoded (%)", ylabel="right (%)")
    lowest = 100 / len(results["classes"])
    axes.plot([lowest, 100], [lowest, 100], color=GREY, lw=1, ls=":")
    for name, decoder in graded.items():
        said = np.concatenate([np.array(fold["probabilities"], float) for fold in decoder["folds"]])
        labels = np.concatenate([fold["labels"] for fold in decoder["folds"]])
        sure, right = said.max(axis=1), said.argmax(axis=1) == labels
        parts = [rows for rows in np.array_split(np.argsort(sure, kind="stable"), BINS) if len(rows)]
        points = [[100 * sure[rows].mean(), 100 * right[rows].mean()] for rows in parts]
        axes.plot(*np.transpose(points), "o-", color=colour(name), ms=4, lw=1, label=name)
    axes.set_xlim(lowest - 3, 103)
    axes.set_ylim(-3, 103)
    axes.grid(color="#eef0f3")
    figure.legend(loc="outside right upper")
    caption = "A fifth of the trials each; on the dotted line a decoder is as often right as it says."
    return Picture("Calibration", caption, svg(figure))


def spectra_picture(results: Results) -> Picture:
    """Mean spectra of the classes."""
    signals = results["signals"]
    figure = sized(WHOLE, 2.6)
    grid = figure.subplots(1, len(signals["spectra"]), sharey=True, squeeze=False)[0]
    for axes, (channel, of_class) in zip(grid, signals["spectra"].items(), strict=True):
        for name, power in of_class.items():
            colour = COLOURS[results["classes"].index(name) % len(COLOURS)]
            axes.plot(signals["frequencies"], power, color=colour, lw=1.3, label=name)
        axes.set(title=channel, xlabel="Hz")
        axes.grid(color="#eef0f3")
    grid[0].set_ylabel("dB re 1 µV²/Hz")
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside right upper")
    return Picture(
        "Spectra", "Mean over the trials of each class, in the band that decoders are given.", svg(figure), wide=True
    )


def topography_picture(results: Results) -> Picture:
    """Where rhythms differ between classes."""
    signals, places = results["signals"], electrode_positions()
    there = [k for k, label in enumerate(signals["channels"]) if label in places]
    if len(there) < 8 or not signals["r2"]:
        return Picture("", "")
    info = mne.create_info([signals["channels"][k] for k in there], 1.0, "eeg")
    info.set_montage(mne.channels.make_dig_montage({n: places[n] for n in info.ch_names}, coord_frame="head"))
    highest = 100 * max(values[k] for values in signals["r2"].values() for k in there)
    figure = sized(HALF, 2.5)
    grid = figure.subplots(1, len(signals["r2"]), squeeze=False)[0]
    for axes, (band, values) in zip(grid, signals["r2"].items(), strict=True):
        share = 100 * np.array([values[k] for k in there])
        drawn, _ = mne.viz.plot_topomap(
            share, info, axes=axes, show=False, cmap="Blues", vlim=(0, highest), contours=0, sensors="k."
        )
        axes.set_title(band)
    figure.colorbar(drawn, ax=list(grid), shrink=0.7, label="r² (%)")
    caption = (
        "Share of the variance of log power over trials that the class explains. Where recordings hold several runs, "
        "what differs between runs counts as noise."
    )
    return Picture("Topographies", caption, svg(figure))


def traces_picture(results: Results) -> Picture:
    """What was decoded beside what was intended, over time, to look around in."""
    decoders = results["decoders"]
    stretches: dict[tuple[int, float], dict[str, Any]] = {}
    for name, decoder in decoders.items():
        for fold in decoder["folds"]:
            for trace in fold.get("traces", ()):
                place = trace["recording"], trace["times"][0]
                shown = stretches.setdefault(
                    place, {"recording": place[0], "times": short(trace["times"]), "decoded": {}}
                )
                shown["targets"] = by_output(trace["targets"])
                shown["decoded"][name] = by_output(trace["decoded"])
    if not stretches:
        return Picture("", "")
    kept = [stretches[place] for place in sorted(stretches)][:STRETCHES]
    told = {
        "outputs": results["outputs"],
        "names": list(decoders),
        "recordings": [path.rsplit("/", 1)[-1] for path in results["data"]],
        "shown": [name for name in decoders if name not in BASELINES][:2],
        "colours": COLOURS,
        "stretches": kept,
    }
    text = json.dumps(told, separators=(",", ":")).replace("<", "\\u003c")
    body = Markup('<div class="traces"></div><script type="application/json" class="traces-data">{}</script>').format(
        Markup(text)
    )
    caption = "Black is intended. Drag to move through time, turn the wheel to look closer, choose decoders above."
    if len(kept) < len(stretches):
        caption += f" Of {len(stretches)} stretches, the first {len(kept)}; all are in results.json."
    return Picture("Decoded against intended", caption, body, wide=True)


def by_output(rows: list[list[float | None]]) -> list[list[float | None]]:
    """``(output, time)`` of ``(time, output)``."""
    return [short(list(column)) for column in zip(*rows, strict=True)]


def short(values: list[Any]) -> list[float | None]:
    """To four digits, which is more than can be seen."""
    return [None if v is None else float(f"{v:.4g}") if abs(v) < 1000 else round(v, 3) for v in values]


def cost_pictures(results: Results) -> list[Picture]:
    """The time that a decision takes, and how networks were trained."""
    decoders = results["decoders"]
    milliseconds = {n: d["cost"]["latency_ms"] for n, d in decoders.items() if d["cost"].get("latency_ms")}
    of = "a trial with all its samples" if results["kind"] == "class" else "a row of features"
    curves = {name: [fold.get("losses", []) for fold in d["folds"]] for name, d in decoders.items()}
    return [latency_picture(milliseconds, of), learning_picture(curves)]
