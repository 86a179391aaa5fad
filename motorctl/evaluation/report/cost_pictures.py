"""Figures of what decoders cost, in decoding and in reaching: time of a decision, and training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.ticker import MaxNLocator, NullFormatter

from motorctl.evaluation.report.drawing import COLOURS, GREY, HALF, Picture, coloured, sized, svg

LONGEST = 34
"""Letters of a name."""


def latency_picture(milliseconds: Mapping[str, float], of: str) -> Picture:
    """How long a decision takes.

    Args:
        milliseconds: by name.
        of: what is decided on, in words.
    """
    if not milliseconds:
        return Picture("", "")
    figure = sized(HALF, 0.9 + 0.25 * len(milliseconds))
    axes = figure.add_subplot(xlabel="time of one decision (ms)", xscale="log")
    for y, value in enumerate(milliseconds.values()):
        axes.plot([value], [y], "o", color=COLOURS[0], ms=6)
        axes.annotate(f"{value:.3g}", (value, y), (7, -3), textcoords="offset points", color=GREY)
    axes.set_yticks(range(len(milliseconds)), map(shortened, milliseconds))
    axes.tick_params(axis="y", length=0, labelcolor="#111827")
    axes.set_ylim(len(milliseconds) - 0.4, -0.6)
    axes.margins(x=0.2)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(axis="x", color="#eef0f3")
    return Picture("Latency", f"Of {of}; the median, on the machine that evaluated.", svg(figure))


def shortened(name: str) -> str:
    """A name with room in half a page: of a long one, such as a path, the end."""
    return name if len(name) <= LONGEST else f"…{name[-LONGEST:]}"


def learning_picture(curves: Mapping[str, Sequence[Sequence[float]]]) -> Picture:
    """Loss over epochs.

    Args:
        curves: by name, the loss of every epoch, several of them where something was trained several times.
    """
    curves = {name: [losses for losses in several if losses] for name, several in curves.items()}
    curves = {name: several for name, several in curves.items() if several}
    if not curves:
        return Picture("", "")
    colour = coloured(list(curves))
    figure = sized(HALF, 2.6 + 0.2 * len(curves))
    axes = figure.add_subplot(xlabel="epoch", ylabel="training loss")
    for name, several in curves.items():
        for number, losses in enumerate(several):
            label = shortened(name) if number == 0 else None
            axes.plot(np.arange(1, len(losses) + 1), losses, color=colour(name), lw=1.3, alpha=0.8, label=label)
    axes.set_ylim(0, None)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(color="#eef0f3")
    figure.legend(loc="outside lower center", ncols=2)
    return Picture("Learning curves", "Of what learns in epochs, a line for each training.", svg(figure))
