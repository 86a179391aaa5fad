"""``motorctl doctor``: tries what a closed loop needs on this machine, and says what to do where it is missing."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from motorctl.errors import ConfigurationError
from motorctl.runs import check_json_path, write_json
from motorctl.runtime.checks import CHECKS, Finding, run_check
from motorctl.signals.lsl import hush


@dataclass(frozen=True)
class DoctorConfig:
    """Try what a closed loop needs: LSL, the network, timers, OpenGL, torch, MuJoCo. Ends with 1 if something fails."""

    json: Path | None = None
    """File for the findings as JSON."""


def doctor(config: DoctorConfig) -> None:
    """Run the command.

    Raises:
        ConfigurationError: something failed; said after all was tried.
    """
    hush()
    check_json_path(config.json)
    console = Console()
    findings = []
    for check in CHECKS:
        with console.status(check.__name__.replace("_", " ")):
            findings.append(run_check(check))
    if config.json:
        write_json(config.json, {"checks": [asdict(finding) for finding in findings], "python": sys.version})
    console.print(table(findings))
    failed = [finding.name for finding in findings if not finding.ok]
    if failed:
        raise ConfigurationError(
            f"{len(failed)} of {len(findings)} checks failed: {', '.join(failed)}.", "The table says what to do."
        )


def table(findings: list[Finding]) -> Table:
    """The findings, one a row."""
    result = Table("", "what", "found", "what to do")
    for finding in findings:
        mark = "[green]ok[/green]" if finding.ok else "[red]fails[/red]"
        result.add_row(mark, finding.name, finding.found, "" if finding.ok else finding.cure)
    return result
