"""Curves of the page. What is drawn has a fixed grid of times, 0 being now, so that only values are sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import viser
from numpy.typing import NDArray

from motorctl.runtime.cockpit.eeg import TRACE, Traces
from motorctl.runtime.cockpit.run import SHOWN, Component, Snapshot

Array = NDArray[np.floating]

GRID = 150
"""Points of a curve of commands or latencies."""
KINDS = {"command": "#9aa2ad", "intended": "#ea580c", "wanted": "#2563eb"}
"""Curves of a command and their colours, the last drawn above the others."""
GOOD, BAD = "#3b82f6", "#e03131"
"""Colours of a trace."""
PLAIN: dict[str, Any] = {"legend": {"show": False}, "cursor": {"show": False}}


class EegPlot:
    """The traces, one line a channel, named at the left.

    Args:
        gui: of the page.
        labels: of the channels.
        height: in pixels.
        order: its place among the elements around it.
    """

    def __init__(self, gui: viser.GuiApi, labels: Sequence[str], height: int, order: float) -> None:
        self._labels, self._height, self._bad = labels, height, [False] * len(labels)
        count = len(labels)
        self._times = np.linspace(-TRACE, 0, 2)
        empty = np.full(2, np.nan)
        self._plot = gui.add_uplot(
            (self._times, *[empty] * count),
            self._series(),
            height=height,
            scales={"x": {"time": False}, "y": {"range": (-0.5, count + 0.5)}},
            axes=axes(seconds_axis(), channel_axis(labels, height)),
            padding=(6, 12, 0, 0),
            order=order,
            **PLAIN,
        )

    def show(self, traces: Traces, bad: Sequence[bool]) -> None:
        """Draw traces; those of bad channels in another colour."""
        if not len(traces.times):
            return
        if list(bad) != self._bad:
            self._bad = list(bad)
            self._plot.series = self._series()
        places = len(self._labels) - np.arange(len(self._labels))  # the first on top
        values = places + np.clip(traces.values / traces.scale, -1.5, 1.5) - 0.5
        if len(traces.times) != len(self._times):
            self._times = np.linspace(-TRACE, 0, len(traces.times))
        self._plot.data = (self._times, *np.ascontiguousarray(values.T, float))

    def lay_out_again(self, extra: int) -> None:
        """Give it ``extra`` pixels more of height than usual, so that the browser lays it out anew."""
        self._plot.height = self._height + extra

    def remove(self) -> None:
        """Take it away."""
        self._plot.remove()

    def _series(self) -> tuple[Any, ...]:
        return ({}, *(line(BAD if bad else GOOD, 1.0) for bad in self._bad))


class CommandPlots:
    """What was decoded, intended and told the limb, one plot for each number of a command.

    Args:
        gui: of the page.
        components: of it.
    """

    def __init__(self, gui: viser.GuiApi, components: Sequence[Component]) -> None:
        self.components = components
        self._times = np.linspace(-SHOWN, 0, GRID)
        self._height = max(80, min(120, 330 // max(len(components), 1)))
        self._plots = [
            gui.add_uplot(
                (self._times, *[np.full(GRID, np.nan)] * len(KINDS)),
                ({}, *(line(colour, 1.5) for colour in KINDS.values())),
                height=self._height,
                scales={"x": {"time": False}, "y": {"range": (part.low, part.high)}},
                axes=axes(seconds_axis(), value_axis(part.label)),
                padding=(6, 12, 0, 0),
                **PLAIN,
            )
            for part in components
        ]

    def show(self, snapshot: Snapshot) -> None:
        """Draw the last seconds, of the same components."""
        if len(snapshot.times) < 2 or snapshot.components != self.components:
            return
        for number, plot in enumerate(self._plots):
            curves = (on_grid(self._times, snapshot.times, snapshot.commands[kind][:, number]) for kind in KINDS)
            plot.data = (self._times, *curves)

    def lay_out_again(self, extra: int) -> None:
        """As :meth:`EegPlot.lay_out_again`."""
        for plot in self._plots:
            plot.height = self._height + extra

    def remove(self) -> None:
        """Take them away."""
        for plot in self._plots:
            plot.remove()


def on_grid(grid: NDArray[np.float64], times: Array, values: Array) -> NDArray[np.float64]:
    """Values ``(time,)`` at ``grid``; NaN where nothing was measured."""
    known = np.isfinite(values)
    if np.count_nonzero(known) < 2:
        return np.full(len(grid), np.nan)
    curve: NDArray[np.float64] = np.interp(grid, times[known].astype(float), values[known].astype(float), left=np.nan)
    return curve


def line(colour: str, width: float) -> Any:
    """A curve, as uPlot takes it."""
    return {"stroke": colour, "width": width, "points": {"show": False}}


def axes(*described: dict[str, Any]) -> tuple[Any, ...]:
    """Axes, as viser takes them."""
    return described


def seconds_axis() -> dict[str, Any]:
    """Time before now."""
    return {**AXIS, "size": 22, "label": "time, s", "labelSize": 14}


def value_axis(label: str) -> dict[str, Any]:
    """A quantity with its unit."""
    return {**AXIS, "size": 44, "label": label, "labelSize": 16}


def channel_axis(labels: Sequence[str], height: int) -> dict[str, Any]:
    """The names of channels; of many, as many as there is room for."""
    step = max(1, -(-len(labels) * FONT_HEIGHT // height))
    shown = range(0, len(labels), step)
    places = [len(labels) - i - 0.5 for i in shown]
    return {**AXIS, "size": 44, "splits": places[::-1], "values": [labels[i] for i in shown][::-1]}


FONT = "11px system-ui, sans-serif"
AXIS: dict[str, Any] = {
    "font": FONT,
    "labelFont": FONT,
    "labelGap": 0,
    "gap": 4,
    "ticks": {"show": True, "size": 3, "width": 1, "stroke": "#9aa2ad"},
}
FONT_HEIGHT = 14
"""Pixels that a name takes."""
