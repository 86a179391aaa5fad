"""``motorctl envs``: which environments there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from motorctl.envs import describe_env, env_ids
from motorctl.runs import check_json_path, write_json


@dataclass(frozen=True)
class ListEnvironments:
    """List the environments with their commands and spaces."""

    env: str | None = None
    """Only this one, with everything that its actions, observations and options mean."""
    json: Path | None = None
    """File for all of it as JSON."""


def list_environments(config: ListEnvironments) -> None:
    """Run the command.

    Raises:
        ConfigurationError: there is no such environment.
    """
    check_json_path(config.json)
    console = Console(highlight=False)
    described = [describe_env(id_) for id_ in ([config.env] if config.env else env_ids())]
    if config.json:
        write_json(config.json, {d["id"]: d for d in described})
    if config.env:
        print_one(described[0], console)
    else:
        print_all(described, console)


def print_all(described: Sequence[dict[str, Any]], console: Console) -> None:
    """A few lines an environment; ids in full, to be copied."""
    table = Table(
        Column("environment", no_wrap=True),
        "task",
        Column("actions", no_wrap=True),
        Column("observed", justify="right"),
        Column("limit", justify="right", no_wrap=True),
        box=None,
        padding=(0, 2, 0, 0),
    )
    for d in described:
        actions = "\n".join(f"{name} ({action['size']})" for name, action in d["actions"].items())
        width = sum(row["width"] for row in d["observation"])
        table.add_row(d["id"], d["summary"], actions, str(width), f"{d['time_limit']:g} s")
    console.print(table)
    console.print("Numbers are sizes of action and observation; the first command is the default.")
    console.print("'motorctl envs --env ID' explains one, 'motorctl simulate --env ID' runs it.")


def print_one(d: dict[str, Any], console: Console) -> None:
    """All there is to know of one."""
    console.print(f"[bold]{d['id']}[/bold]  {d['summary']}\n")
    console.print(f"{d['limb']}\n\n{' '.join(d['task'].split())}\n", markup=False)
    actions = [(name, str(action["size"]), action["meaning"]) for name, action in d["actions"].items()]
    print_rows(console, "Actions, Box(-1, 1)", ("command", "size", "what it means"), actions)
    observation = [
        (row["index"], row["name"], row["unit"], f"{row['low']} to {row['high']}") for row in d["observation"]
    ]
    title = f"Observation with the command {d['command']}"
    print_rows(console, title, ("index", "what", "unit", "range"), observation)
    print_rows(console, "Reward, the sum of", ("term", "what it means"), list(d["reward"].items()))
    options = d["options"] | d["common_options"]
    rows = [(name, default(option["default"]), option["meaning"]) for name, option in options.items()]
    print_rows(console, "Options", ("name", "default", "what it means"), rows)
    print_rows(console, "Options of reset", ("name", "what it means"), list(d["reset_options"].items()))
    console.print(f"Metrics: {d['metrics_text']}\n\nAn episode ends by: {', '.join(d['reasons'])}.", markup=False)


def print_rows(console: Console, title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table of text as it is."""
    table = Table(*header, title=title, title_justify="left", box=SIMPLE_HEAD)
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


def default(value: Any) -> str:
    """A default as it is written after ``--options``."""
    return ",".join(value) if isinstance(value, tuple) else "" if value is None else f"{value:g}"
