"""What a run says on the console while it goes and when it ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from motorctl.runtime.class_control import ClassResult, CuedClasses
from motorctl.runtime.cued_trials import CuedTrials, CueResult
from motorctl.runtime.loop import Step
from motorctl.runtime.summary import Summary


def print_trial(console: Console, number: int, step: Step) -> None:
    """One line when a trial ends: which target, and how it went."""
    place = step.info.get("target_position")
    where = f"trial {number:3d}"
    if place is not None:
        where = f"target {number:3d} at ({', '.join(f'{x:+.2f}' for x in place)}) m"
    if step.success:
        console.print(f"{where}  [green]{step.outcome}[/green] in {step.trial_time:.2f} s", highlight=False)
    else:
        console.print(f"{where}  [red]missed[/red]: {step.outcome} after {step.trial_time:.2f} s", highlight=False)


def print_cue(console: Console, cue: CueResult) -> None:
    """One line when a cue ends: where it asked the hand to go, and how far it went that way."""
    said = f"cue {cue.text} ({cue.direction}): "
    if cue.moved > 0:
        console.print(f"{said}[green]hand moved {100 * cue.moved:.1f} cm {cue.direction}[/green]", highlight=False)
    else:
        console.print(f"{said}[red]hand moved {-100 * cue.moved:.1f} cm the other way[/red]", highlight=False)


def cue_row(cued: CuedTrials | CuedClasses) -> tuple[str, str]:
    """How many cues were followed, for the table."""
    count = len(cued.results)
    if isinstance(cued, CuedTrials):
        return "hand moved as cued", f"{sum(cue.moved > 0 for cue in cued.results)} of {count} cues"
    return "class as cued", f"{sum(cue.decoded == cue.asked for cue in cued.results)} of {count} cues"


def print_class(console: Console, cue: ClassResult) -> None:
    """One line when a cue ends: the class that it asked for, and what was decoded."""
    colour = "green" if cue.decoded == cue.asked else "red"
    said = f"[{colour}]{cue.decoded}[/{colour}], {percent(cue.probability)} sure"
    console.print(f"cue {cue.text} ({cue.asked}): {said}", highlight=False)


def print_phase(console: Console, step: Step) -> None:
    """One line when safety allows something else: the phase, and why."""
    colour = {"running": "green", "holding": "yellow", "stopped": "red"}.get(step.phase, "dim")
    console.print(f"[{colour}]{step.phase}[/{colour}]{f': {step.cause}' * bool(step.cause)}", highlight=False)


def print_table(console: Console, title: str, rows: list[tuple[str, str]]) -> None:
    """Figures, one a row."""
    table = Table("", "", title=title, show_header=False)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def summary_rows(summary: Summary) -> list[tuple[str, str]]:
    """The summary's figures in words."""
    latency = summary.latency_ms
    return [
        ("targets reached", f"{summary.reached} of {summary.targets}"),
        ("success rate", percent(summary.success_rate)),
        ("median time to target", number(summary.median_time_to_target_s, "s")),
        ("sample to command, p50 / p99", f"{number(latency['p50'], 'ms', 1)} / {number(latency['p99'], 'ms', 1)}"),
        ("deadlines missed", f"{summary.deadlines_missed} of {summary.deadlines}"),
        ("safety", ", ".join(f"{phase} {number(time, 's', 1)}" for phase, time in summary.phases.items() if time)),
    ]


def help_rows(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What :func:`motorctl.runtime.trials.success_by_help` found, in words: the user's own success and that with help,
    where there was any."""
    rows = []
    for what, label in (("own", "reached alone"), ("helped", "reached with help")):
        found = results[what]
        if found["trials"]:
            interval = f"{percent(found['low'])} to {percent(found['high'])}"
            share = f", the expert's share {percent(found['assist'])}" if what == "helped" else ""
            reached = f"{found['succeeded']} of {found['trials']}: {percent(found['success_rate'])} ({interval}){share}"
            rows.append((label, reached))
    if (chance := results.get("shuffled_success_rate")) is not None:
        rows.append(("reached, output shuffled in time", percent(chance)))
    if "adapted" in results:
        rows.append(("read-out changed by", percent(results["adapted"]["change"])))
    return rows


def percent(share: float | None) -> str:
    """``0.953`` as ``95 %``; a dash where there is nothing to say."""
    return "–" if share is None else f"{100 * share:.0f} %"


def number(value: float | None, unit: str, digits: int = 2) -> str:
    """A figure with its unit; a dash where there is nothing to say."""
    return "–" if value is None else f"{value:.{digits}f} {unit}".strip()
