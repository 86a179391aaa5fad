"""Options of ``motorctl live``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from motorctl.errors import check_positive, check_seed
from motorctl.runs import check_json_path
from motorctl.runtime.adapting import LearningConfig
from motorctl.runtime.assist import Fade, check_share
from motorctl.runtime.class_control import ClassControl
from motorctl.runtime.pace import Pacing
from motorctl.runtime.safety import SafetyConfig


@dataclass(frozen=True)
class LiveConfig:
    """Close the loop from a live EEG stream to the limb. Space stops the limb, s starts it, h holds it; q or Ctrl-C
    ends the run, with the summary written."""

    controller: Path
    """Run folder of a trained controller."""
    stream: str
    """Name, type or source_id of the EEG stream."""
    seconds: float = 60.0
    """How long to run (s)."""
    timeout: float = 10.0
    """How long to wait for the stream to appear (s)."""
    unit: str | None = None
    """Unit of the EEG (V, mV, µV, uV, nV), where the stream says none or a wrong one."""
    isolated: bool = False
    """Read the stream in a process of its own, which nothing that this one does can hold up."""
    markers: str | None = None
    """Name of the marker stream whose cues say where the targets are, for a controller trained on cues; by default that
    of the EEG stream with ' markers' behind, if there is one."""
    operator: tuple[str, ...] = ()
    """Names of marker streams whose markers stop, hold, start and end do what the keys do; 'assist 0.5' sets the share
    of the expert. A stream that is called as --limb-stream with ' operator' behind is obeyed from when it appears."""
    safety: SafetyConfig = field(default_factory=SafetyConfig)
    """When the limb is held and stopped."""
    pacing: Pacing = "samples"
    """Whether a command goes out as soon as its samples are there, or evenly, at the deadlines of this machine's
    clock, which samples then wait for."""
    environment: str | None = None
    """Environment id; by default the one the controller was trained for."""
    classes: ClassControl = field(default_factory=ClassControl)
    """What is done by the classes that a controller of 'motorctl train classify' tells apart."""
    actuator: str | None = None
    """Your own hardware: a function package.module:function that gives what is told every command, in a process of its
    own with its own watchdog; docs/live.md shows one."""
    assist: float = 0.0
    """Share of the expert in the command to begin with (0 to 1); what is reached with help is counted apart."""
    fade: Fade = field(default_factory=Fade)
    """How that share becomes less."""
    adapt: bool = False
    """Let the read-out follow what the user intends; the adapted controller is stored in the run folder."""
    learning: LearningConfig = field(default_factory=LearningConfig)
    """How it follows."""
    chance: bool = False
    """Say too what the same commands reach in random order; takes some seconds more."""
    limb_stream: str = "motorctl-limb"
    """Name of the LSL stream that hand, target and command go out on; timing, status and events go out beside it."""
    record: Path | None = None
    """XDF file for everything: the EEG and its markers, the limb, the timing, the events; see 'motorctl record'."""
    cockpit: bool = False
    """Show the run in the browser and steer it there, from a process of its own: 'motorctl cockpit'. If that is killed,
    the limb is stopped."""
    tui: bool = False
    """Show the run in the terminal; what else there is to say goes to log.txt in the run folder."""
    out: Path | None = None
    """Run folder to write; by default a new one under runs/."""
    json: Path | None = None
    """File for the results as JSON."""
    seed: int = 0
    """Seed of the targets."""


def check_options(config: LiveConfig) -> None:
    """Say what no stream could mend.

    Raises:
        ConfigurationError: an option has a value that cannot be used.
    """
    check_json_path(config.json)
    check_positive("seconds", config.seconds)
    check_positive("timeout", config.timeout)
    check_seed(config.seed)
    check_share(config.assist)
