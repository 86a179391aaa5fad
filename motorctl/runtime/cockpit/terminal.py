"""The essentials of a run in the terminal: what the page shows, in words."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from contextlib import nullcontext

import numpy as np
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from motorctl.runtime.cockpit.eeg import channel_quality
from motorctl.runtime.cockpit.remote import Remote
from motorctl.runtime.cockpit.run import PERCENTILES, Run, Snapshot
from motorctl.runtime.operator import keyboard
from motorctl.signals.quality import ChannelQuality

COLOURS = {"running": "green", "holding": "yellow", "stopped": "red", "armed": "blue", "idle": "bright_black"}
PROBLEMS = {"": "green", "noisy": "yellow", "hum": "yellow", "flat": "red", "missing": "bright_black"}
PERIOD = 0.1
"""Between two pictures (s)."""
BAR = 8
"""Half the width of a bar of a command (characters)."""
NAMES = {"newest_age": "sample to command", "compute": "compute", "slack": "slack (low end)"}
HELP = "space stop   s start   h hold   q end"


def show_terminal(run: Run, remote: Remote, over: threading.Event, console: Console, keys: bool) -> None:
    """Draw until ``over``.

    Args:
        run: that is shown.
        remote: that the keys ask.
        over: ends it, as Ctrl-C does.
        console: that is drawn on.
        keys: whether keys are listened to here.
    """
    judged, quality = -float("inf"), tuple[ChannelQuality, ...]()
    with keyboard(remote) if keys and sys.stdin.isatty() else nullcontext():
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while not over.wait(PERIOD):
                if (eeg := run.eeg.stream) and time.monotonic() - judged > 1:
                    judged = time.monotonic()
                    quality = channel_quality(eeg.info, eeg.history, eeg.age)
                live.update(picture(run, run.snapshot(), quality, remote.heard), refresh=True)


def picture(run: Run, snapshot: Snapshot, quality: Sequence[ChannelQuality], heard: bool) -> RenderableType:
    """All of it."""
    title = " ".join(["motorctl ", run.name, run.said.get("environment", "")]).strip()
    colour = COLOURS.get(snapshot.phase, "dim")
    figures = Columns([latency_table(snapshot), command_table(snapshot)], padding=(1, 4))
    footer = Text(HELP if heard else f"{HELP}   (no run hears these keys)", style="dim")
    parts = (state_line(snapshot), score_line(snapshot), Text(), figures, Text(), eeg_part(run, quality), footer)
    return Panel(Group(*parts), title=title, title_align="left", border_style=colour)


def state_line(snapshot: Snapshot) -> Text:
    """The state of the safety machine, with its cause, and the cue."""
    colour = COLOURS.get(snapshot.phase, "bright_black")
    line = Text.assemble((f" {snapshot.phase.upper() or 'NO RUN'} ", f"bold white on {colour}"), "  ", snapshot.cause)
    if snapshot.cue:
        line.append(f"   cue: {snapshot.cue.text}", "bold")
    return line


def score_line(snapshot: Snapshot) -> Text:
    """Targets, assist, recording."""
    share = f" ({snapshot.reached / snapshot.targets:.0%})" if snapshot.targets else ""
    said = [
        f"reached alone {snapshot.reached} of {snapshot.targets}{share}",
        f"trial {snapshot.trial or '–'}",
        f"assist {snapshot.assist:.2f}",
        f"gated {snapshot.gated:.1%}",
        "recording" if snapshot.recording else "",
    ]
    return Text("   ".join(part for part in said if part))


def latency_table(snapshot: Snapshot) -> Table:
    """How old what was used was, how long it took, what time was left (ms)."""
    missed, of = snapshot.missed
    table = Table("latency, ms", *PERCENTILES, box=None, pad_edge=False, caption=f"{missed} of {of} deadlines missed")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, words in NAMES.items():
        known = snapshot.latency.get(name, {})
        table.add_row(words, *(f"{known[p]:.1f}" if p in known else "–" for p in PERCENTILES))
    return table


def command_table(snapshot: Snapshot) -> Table:
    """What is decoded and what is intended now, as bars over the range of a command, and how well they agree."""
    table = Table("command", "decoded", "intended", "r, 10 s", box=None, pad_edge=False)
    for number, part in enumerate(snapshot.components if len(snapshot.times) else ()):
        bars = (bar(float(snapshot.commands[kind][-1, number]), part.low, part.high) for kind in ("wanted", "intended"))
        r = snapshot.agreement[number]
        table.add_row(part.label, *bars, f"{r:+.2f}" if np.isfinite(r) else "–")
    return table


def bar(value: float, low: float, high: float) -> Text:
    """A value within its range: from the middle of it where 0 is in it, else from the left."""
    if not np.isfinite(value):
        return Text("–".center(2 * BAR + 1), "dim")
    place = round(2 * BAR * (min(max(value, low), high) - low) / (high - low))
    zero = round(2 * BAR * (min(max(0.0, low), high) - low) / (high - low))
    first, last = sorted((place, zero))
    cells = " " * first + "█" * (last - first) + " " * (2 * BAR - last)
    return Text.assemble((cells[:zero] + "│" + cells[zero:], "cyan"), f" {value:+.2f}", no_wrap=True)


def eeg_part(run: Run, quality: Sequence[ChannelQuality]) -> RenderableType:
    """The channels, coloured by what is wrong with them."""
    if run.eeg.trouble or not quality:
        return Text(f"EEG: {run.eeg.trouble or 'listening'}", "dim")
    bad = [channel for channel in quality if channel.problem]
    name = run.eeg.stream.info.name if run.eeg.stream else ""
    good = Text(f"EEG {name}: {len(quality) - len(bad)} of {len(quality)} channels good")
    named = [Text(f"{c.label} {c.problem}".strip(), PROBLEMS[c.problem]) for c in quality]
    return Group(good, Columns(named, padding=(0, 2)))
