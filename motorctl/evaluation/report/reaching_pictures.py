"""Figures of how somebody would reach with controllers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.patches import Circle

from motorctl.evaluation.figures import MISSED, REACHED
from motorctl.evaluation.fitts import index_of_difficulty
from motorctl.evaluation.reaching import EXPERT
from motorctl.evaluation.reaching_summary import PURSUIT, SUCCESS, condition_of
from motorctl.evaluation.reaching_tables import HEADINGS
from motorctl.evaluation.report.cost_pictures import latency_picture, learning_picture
from motorctl.evaluation.report.drawing import COLOURS, HALF, WHOLE, Picture, coloured, intervals, sized, style, svg

Results = Mapping[str, Any]
Controller = Mapping[str, Any]

LINES = ("-", "--", ":", "-.")
"""One a brain, user and delay."""
MOST = 600
"""Most movements in a figure of points."""


def reaching_pictures(results: Results) -> list[Picture]:
    """Every figure that the results have the data for."""
    with style():
        pictures = [
            success_picture(results),
            survival_picture(results),
            chosen(results, "Hand paths", draw_paths, "From above, as shown; circles are targets."),
            chosen(
                results,
                "Fitts' law",
                draw_fitts,
                "Movements that arrived; the line is fitted by least squares. Shannon's index of difficulty, the "
                "target's diameter as its width, time without dwell.",
            ),
            throughput_picture(results),
            pursuit_picture(results),
            *cost_pictures(results),
        ]
    return [picture for picture in pictures if picture.body or picture.choices]


def success_picture(results: Results) -> Picture:
    """Controllers beside chance."""
    rows = []
    for c in results["controllers"]:
        score = c["scores"][SUCCESS]
        rows.append((c["name"], score["value"], score["interval"], score["chance"], score["chance_95"]))
    figure = sized(WHOLE, 0.9 + 0.3 * len(rows))
    axes = figure.add_subplot(xlabel=HEADINGS[SUCCESS], xlim=(-3, 103))
    intervals(axes, rows, 100)
    caption = "Points with 95 % intervals; the tick is the same commands, dealt out anew among the people."
    return Picture("Success", caption, svg(figure), wide=True)


def survival_picture(results: Results) -> Picture:
    """Which share of the targets was not reached yet by when."""
    shown = [c for c in results["controllers"] if c["survival"]["end"]]
    if not shown:
        return Picture("", "")
    colour = coloured(list(dict.fromkeys(c["controller"] for c in results["controllers"])))
    conditions = list(dict.fromkeys(condition_of(c) for c in results["controllers"] if c["controller"] != EXPERT))
    figure = sized(WHOLE, max(3, 0.4 + 0.18 * len(shown)))
    axes = figure.add_subplot(xlabel="since the target was shown (s)", ylabel="not reached yet (%)", ylim=(0, 102))
    for c in shown:
        curve = c["survival"]
        times = [0, *curve["times"], curve["end"]]
        share = [1, *curve["share"], curve["share"][-1] if curve["share"] else 1]
        dashes = LINES[conditions.index(condition_of(c)) % len(LINES)] if c["controller"] != EXPERT else "-"
        axes.step(
            times, 100 * np.array(share), dashes, where="post", color=colour(c["controller"]), lw=1.5, label=c["name"]
        )
    axes.grid(color="#eef0f3")
    figure.legend(loc="outside right upper")
    caption = "Kaplan-Meier: targets not reached are censored when time is up."
    return Picture("Time to target", caption, svg(figure), wide=True)


def chosen(results: Results, title: str, draw: Any, caption: str) -> Picture:
    """A figure for each controller that ``draw(axes, controller)`` can draw."""
    choices: list[tuple[str, Markup]] = []
    for c in results["controllers"]:
        figure = sized(HALF, 3.6)
        if draw(figure.add_subplot(), c):
            choices.append((c["name"], svg(figure)))
    return Picture(title, caption, choices=tuple(choices))


def draw_paths(axes: Axes, c: Controller) -> bool:
    """Where the hand went."""
    for path in c["paths"]:
        hand, target = np.array(path["hand"], float) * 100, np.array(path["target"], float) * 100
        colour = REACHED if path["reached"] else MISSED
        axes.plot(*hand.T[:2], color=colour, lw=0.9, alpha=0.75)
        axes.add_patch(
            Circle((target[0], target[1]), 100 * c["radius"], fill=False, ec=colour, ls="-" if path["reached"] else ":")
        )
    for colour, label in ((REACHED, "reached"), (MISSED, "missed")):
        axes.plot([], [], color=colour, label=label)
    axes.set(aspect="equal", xlabel="x, to the right (cm)", ylabel="y, forward (cm)")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0)
    axes.autoscale_view()
    return bool(c["paths"])


def draw_fitts(axes: Axes, c: Controller) -> bool:
    """Time of a movement by its index of difficulty."""
    arrived = [m for m in c["movements"] if m["reached"] and m["acquisition"] is not None][:MOST]
    if not arrived:
        return False
    distance, radius, seconds = (np.array([m[k] for m in arrived]) for k in ("distance", "radius", "acquisition"))
    difficulty = index_of_difficulty(distance, 2 * radius)
    axes.plot(difficulty, seconds, "o", color=COLOURS[0], ms=3.5, alpha=0.5, mew=0)
    line = [c["scores"].get(f"fitts_{name}", {}).get("value") for name in ("intercept", "slope", "r2")]
    if None not in line:
        a, b, r2 = line
        ends = np.array([difficulty.min(), difficulty.max()])
        axes.plot(ends, a + b * ends, color=COLOURS[1], lw=1.6)
        axes.set_title(f"MT = {a:.2f} s {'+' if b >= 0 else '−'} {abs(b):.2f} s/bit · ID,  R² = {r2:.2f}", loc="left")
    axes.set(xlabel="index of difficulty (bit)", ylabel="time without dwell (s)", ylim=(0, None))
    axes.grid(color="#eef0f3")
    return True


def throughput_picture(results: Results) -> Picture:
    """Bits per second."""
    names = ("throughput", "bit_rate")
    shown = [c for c in results["controllers"] if any(c["scores"].get(n, {}).get("value") is not None for n in names)]
    if not shown:
        return Picture("", "")
    figure = sized(WHOLE, 0.9 + 0.3 * len(shown))
    grid = figure.subplots(1, 2, sharey=True)
    for axes, name in zip(grid, names, strict=True):
        scores = [c["scores"].get(name, {}) for c in shown]
        rows = [
            (c["name"], s.get("value"), s.get("interval"), s.get("chance"), None)
            for c, s in zip(shown, scores, strict=True)
        ]
        intervals(axes, rows, 1)
        axes.set_xlabel(HEADINGS[name])
    caption = "Throughput by effective width (ISO 9241-411), and achieved bit rate (Nuyujukian et al. 2015)."
    return Picture("Bits per second", caption, svg(figure), wide=True)


def pursuit_picture(results: Results) -> Picture:
    """Gain of the hand to the target by frequency."""
    shown = [c for c in results["controllers"] if c["pursuits"]]
    if not shown:
        return Picture("", "")
    colour = coloured([c["name"] for c in results["controllers"]])
    figure = sized(HALF, 2.8 + 0.17 * len(shown))
    axes = figure.add_subplot(xlabel="frequency of the target (Hz)", ylabel="gain", xscale="log")
    for c in shown:
        gain = np.median(np.array([p["gain"] for p in c["pursuits"]], float), axis=0)
        axes.plot(c["pursuits"][0]["frequencies"], gain, "o-", color=colour(c["name"]), ms=4, label=c["name"])
    axes.axhline(np.sqrt(0.5), color="#9ca3af", lw=1, ls=":")
    axes.grid(color="#eef0f3")
    figure.legend(loc="outside lower center")
    told = ", ".join(HEADINGS[name] for name in PURSUIT)
    return Picture(
        "Pursuit", f"Median over episodes; dotted is where bandwidth ends. See the table for {told}.", svg(figure)
    )


def cost_pictures(results: Results) -> list[Picture]:
    """The time that a step takes, and how networks were trained."""
    decoded = [c for c in results["controllers"] if c["cost"]]
    milliseconds = {c["name"]: c["cost"]["latency_ms"] for c in decoded}
    return [
        latency_picture(milliseconds, "a row of features"),
        learning_picture({c["name"]: [c["losses"]] for c in decoded}),
    ]
