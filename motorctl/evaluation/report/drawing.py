"""Figures as SVG within a page: text stays text, and nothing is loaded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import Any, NamedTuple

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLOURS = ("#2563a8", "#c2410c", "#1b7f5c", "#7c3aed", "#ca8a04", "#0e7490", "#be185d", "#4d7c0f", "#475569")
GREY, FAINT = "#6b7280", "#d1d5db"
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "motorctl",  # the same results give the same file
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "xtick.color": GREY,
    "ytick.color": GREY,
    "legend.frameon": False,
}


Row = tuple[str, float | None, tuple[float | None, float | None] | None, float | None, float | None]


class Picture(NamedTuple):
    """A figure within a page.

    Args:
        title: above it.
        caption: below it, what is to be seen.
        body: SVG, or HTML that a script fills.
        choices: what can be chosen, each with its body; empty where there is nothing to choose.
        wide: it needs the width of the page.
    """

    title: str
    caption: str
    body: Markup = Markup("")
    choices: tuple[tuple[str, Markup], ...] = ()
    wide: bool = False


@contextmanager
def style() -> Iterator[None]:
    """Figures drawn inside look like the page."""
    with matplotlib.rc_context(rc=STYLE):
        yield


HALF, WHOLE = 4.9, 10.3
"""Width of half the page, and of all of it (inches)."""


def sized(width: float, height: float) -> Figure:
    """A figure of so many inches."""
    return Figure(figsize=(width, height), layout="constrained")


def svg(figure: Figure) -> Markup:
    """The figure as an element of HTML, without names that two figures could share."""
    text = StringIO()
    figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    element = text.getvalue()[text.getvalue().index("<svg") :]
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    element = re.sub(r' id="\w+_\d+"', "", element)
    return Markup(element)


def coloured(names: list[str]) -> Callable[[str], str]:
    """The colour of each name."""
    return lambda name: COLOURS[names.index(name) % len(COLOURS)]


def intervals(
    axes: Axes,
    rows: Sequence[Row],
    unit: float,
) -> None:
    """A row for each name: its value with its interval; below it chance, and up to where it comes by chance.

    Args:
        axes: to draw on.
        rows: name, value, interval, chance, and what chance is better than once in twenty times; None if not known.
        unit: that values are multiplied by.
    """
    for y, (_, value, interval, chance, chance_95) in enumerate(rows):
        if chance is not None:
            if chance_95 is not None:
                axes.plot([unit * chance, unit * chance_95], [y, y], color=FAINT, lw=9, solid_capstyle="butt")
            axes.plot([unit * chance], [y], "|", color=GREY, ms=11, mew=1.5)
        if value is None:
            continue
        if interval and None not in interval:
            axes.plot([unit * float(end or 0) for end in interval], [y, y], color=COLOURS[0], lw=1.8)
        axes.plot([unit * value], [y], "o", color=COLOURS[0], ms=6)
    axes.set_yticks(range(len(rows)), [row[0] for row in rows])
    axes.tick_params(axis="y", length=0, labelcolor="#111827")
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(axis="x", color="#eef0f3")
    axes.set_axisbelow(True)
