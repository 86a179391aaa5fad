"""``motorctl quality``: is a stream good enough to calibrate on? Judged, told, and asked about."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from motorctl.errors import StreamError, check_positive
from motorctl.runs import check_json_path, write_json
from motorctl.signals.lsl import LSLSource, find_stream, hush
from motorctl.signals.quality import Quality, judge, listen
from motorctl.signals.stream import Source

SECONDS = 5.0
"""How long a signal is listened to (s): two stretches in which the source itself measures the rate."""


@dataclass(frozen=True)
class QualityConfig:
    """Say which channels of a stream are flat, noisy, missing or full of hum, and what mends each. Ends with an error
    if any is."""

    stream: str
    """Name, type or source_id of the EEG stream."""
    seconds: float = SECONDS
    """How long to listen (s)."""
    yes: bool = False
    """Ask nothing, and end well whatever is found."""
    timeout: float = 10.0
    """How long to wait for the stream to appear (s)."""
    unit: str | None = None
    """Unit of the EEG (V, mV, µV, uV, nV), where the stream says none or a wrong one."""
    json: Path | None = None
    """File for what is found as JSON."""


def quality(config: QualityConfig) -> None:
    """Run the command.

    Raises:
        StreamError: there is no such stream, or more than one, or its signal is not good.
        ConfigurationError: an option has a value that cannot be used.
    """
    hush()
    console = Console()
    check_json_path(config.json)
    check_positive("seconds", config.seconds)
    check_positive("timeout", config.timeout)
    source = LSLSource(find_stream(config.stream, timeout=config.timeout), config.timeout, config.unit)
    found = heard_of(source, console, config.seconds)
    if config.json:
        channels = [channel._asdict() for channel in found.channels]
        write_json(config.json, {"channels": channels, "measured_rate": found.measured_rate, "good": found.good})
    console.print(channel_table(found))
    decide(found, source.info.name, console, config.yes)


def check_signal(source: Source, console: Console, seconds: float = SECONDS, yes: bool = False) -> Quality:
    """Listen to a source, say what is wrong with which channel and what mends it, and :func:`decide`."""
    found = heard_of(source, console, seconds)
    decide(found, source.info.name, console, yes)
    return found


def heard_of(source: Source, console: Console, seconds: float) -> Quality:
    """What is found of a source in that time (s)."""
    with source, console.status(f"listening to '{source.info.name}' for {seconds:g} s"):
        return judge(source.info, listen(source, seconds))


def decide(found: Quality, name: str, console: Console, yes: bool) -> None:
    """Say what was found. With something wrong, whoever sits at the terminal is asked whether to go on; where nobody
    does, only ``yes`` goes on.

    Raises:
        StreamError: it is not gone on.
    """
    problems, count = found.problems(), len(found.channels)
    if not problems:
        amplitudes = sorted(channel.amplitude for channel in found.channels)
        console.print(
            f"Signal of '{name}': {count} channels are good, {amplitudes[0]:.0f} to {amplitudes[-1]:.0f} µV between 1 "
            f"and 40 Hz, {found.measured_rate:.1f} Hz.",
            highlight=False,
        )
        return
    console.print(f"Signal of '{name}': {len(found.bad)} of {count} channels need attention.", highlight=False)
    for problem in problems:
        console.print(f"  - {problem}", highlight=False, markup=False)
    if yes or (sys.stdin.isatty() and console.input("Go on all the same? \\[y/N] ").strip().lower() in ("y", "yes")):
        return
    raise StreamError(f"The signal is not good: {problems[0]}", "Mend that and try again, or go on with --yes.")


def channel_table(found: Quality) -> Table:
    """Figures of every channel."""
    table = Table("channel", "1-40 Hz", "hum", "missing", "problem")
    for c in found.channels:
        hum = "–" if c.hum != c.hum else f"{c.hum:.1f} µV"
        table.add_row(c.label, f"{c.amplitude:.1f} µV", hum, f"{c.missing:.1%}", c.problem)
    return table
