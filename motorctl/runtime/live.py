"""``motorctl live``: a trained controller moves the limb from an EEG stream, in real time."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from pylsl import local_clock  # type: ignore[import-untyped]
from rich.console import Console

from motorctl.agents import Stepper
from motorctl.envs import Env, make_env
from motorctl.errors import ConfigurationError, StreamError, check_positive, check_seed
from motorctl.runs import check_json_path, open_run_folder, write_json
from motorctl.runtime.calm import calm
from motorctl.runtime.cockpit.child import cockpit_of, console_beside
from motorctl.runtime.cued_trials import CuedTrials
from motorctl.runtime.limb_stream import LoopStreams
from motorctl.runtime.loop import Guide, Sink, Step, Trials, free_reaching, run_loop
from motorctl.runtime.operator import Operator, keyboard, operator_stream, remote
from motorctl.runtime.pace import Pacing
from motorctl.runtime.reader import Reader
from motorctl.runtime.recording import recording_of
from motorctl.runtime.rehearsal import rehearse
from motorctl.runtime.report import number, print_cue, print_phase, print_table, print_trial, summary_rows
from motorctl.runtime.safety import CAUTIOUS, Phase, SafetyConfig
from motorctl.runtime.summary import Tally
from motorctl.signals.gate import gated_in_words
from motorctl.signals.lsl import IsolatedSource, LSLSource, MarkerInlet, find_stream, hush, open_markers
from motorctl.training.checkpoint import Checkpoint, load_checkpoint

ENDLESS = {"time_limit": 3600.0, "dwell": 3600.0}
"""Options of the environment that leave it to cues when a trial ends."""


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


def live(config: LiveConfig) -> None:
    """Run the command.

    Raises:
        CheckpointError: the controller cannot be loaded.
        StreamError: there is no such stream, more than one, or one that the controller was not trained on.
        ConfigurationError: an option has a value that cannot be used.
    """
    hush()
    console = Console()
    check_json_path(config.json)
    check_positive("seconds", config.seconds)
    check_positive("timeout", config.timeout)
    check_seed(config.seed)
    checkpoint = load_checkpoint(config.controller)
    if checkpoint.command != "velocity":
        raise ConfigurationError(
            f"The controller in {config.controller} gives '{checkpoint.command}', but a limb is moved by a velocity.",
            "Name a controller of 'motorctl train imitation' or 'motorctl demo'.",
        )
    name, rate = config.environment or checkpoint.environment, checkpoint.pipeline.config.rate
    env = make_env(name, command=checkpoint.command, control_rate=rate)
    found = find_stream(config.stream, timeout=config.timeout)
    source = (IsolatedSource if config.isolated else LSLSource)(found, config.timeout, config.unit)
    reader = Reader(source, checkpoint.pipeline, local_clock)
    markers = find_markers(config.markers, source.info.name) if checkpoint.cues else None
    cued = None
    if markers:
        env = make_env(name, command=checkpoint.command, control_rate=rate, **ENDLESS)
        rest = env.get_wrapper_attr("rest_position")
        cued = CuedTrials(markers, checkpoint.cues, rest, partial(print_cue, console))
    folder = open_run_folder(config.out, "live", config)
    asked = "cues say where to" if cued else "targets are drawn at random"
    console.print(f"'{source.info.name}' moves {name} for {config.seconds:g} s; {asked}.")
    remotes = [open_markers(name) for name in config.operator]
    delay = checkpoint.pipeline.delay
    streams = LoopStreams(
        config.limb_stream, env, config.safety, str(config.controller), delay, lambda: reader.gated_share
    )
    known_by = found.source_id() or found.name()
    recorded = [known_by, *streams.names, *(m.name for m in (markers, *remotes) if m)]
    operator, tally = Operator(), Tally()
    with (
        console_beside(config.tui, console, folder / "log.txt") as talk,
        recording_of(recorded, config.record, talk) as check_recording,
        remote(operator, remotes, operator_stream(config.limb_stream)),
        cockpit_of(config.limb_stream, known_by, config.unit, operator, config.cockpit, config.tui),
    ):
        ended = run_live(
            checkpoint,
            reader,
            env,
            [streams, tally, check_recording],
            config.seconds,
            config.seed,
            talk,
            trials=cued or free_reaching,
            safety=config.safety,
            operator=operator,
            pacing=config.pacing,
        )
    summary = tally.summary()
    rows = summary_rows(summary)
    happened = Counter(event.kind for event in source.events)
    results = asdict(summary) | {"pipeline_delay_ms": 1e3 * delay, "ended": ended, "seed": config.seed}
    results |= {"stream_events": happened, "gated": reader.gated, "backlog_skipped": reader.skipped}
    if cued:
        followed = sum(cue.moved > 0 for cue in cued.results)
        results["cues"] = [cue._asdict() for cue in cued.results]
        rows = [("hand moved as cued", f"{followed} of {len(cued.results)} cues"), *rows[3:]]
    write_json(folder / "summary.json", results)
    if config.json:
        write_json(config.json, results)
    for kind, text in {event.kind: event.text for event in source.events}.items():
        console.print(f"stream: {happened[kind]} x {kind}, the last: {text}.", highlight=False, markup=False)
    if reader.gated:
        console.print(f"stream: {gated_in_words(reader.gated)}.", highlight=False, markup=False)
    rows.append(("pipeline delay", number(1e3 * delay, "ms", 0)))
    console.print(f"ended: {ended.rstrip('.')}.", highlight=False, markup=False)
    print_table(console, f"live: {summary.seconds:.0f} s", rows)
    console.print(f"summary.json is in {folder}.")


def run_live(
    checkpoint: Checkpoint,
    reader: Reader,
    env: Env,
    sinks: Iterable[Sink],
    seconds: float,
    seed: int,
    console: Console,
    *,
    trials: Trials = free_reaching,
    safety: SafetyConfig = CAUTIOUS,
    operator: Operator | None = None,
    guide: Guide | None = None,
    pacing: Pacing = "samples",
) -> str:
    """Run the loop on wall-clock time, with a line for every target and every phase of safety; the keyboard is the
    operator's.

    Returns:
        why it ended: ``time is up``, ``ended by the operator``, ``interrupted`` (Ctrl-C), or in a sentence what is
        wrong with the stream.
    """
    operator = operator or Operator()
    decoder = Stepper(checkpoint.controller)
    try:
        rehearse(checkpoint.pipeline, decoder, env)
        with calm(console) as collect, reader.source, keyboard(operator) if sys.stdin.isatty() else nullcontext():
            loop = run_loop(
                reader,
                decoder,
                env,
                seconds,
                seed,
                [*sinks, collect],
                trials=trials,
                safety=safety,
                operator=operator,
                guide=guide,
                pacing=pacing,
            )
            print_steps(loop, console)
            return "ended by the operator" if operator.ended else "time is up"
    except StreamError as error:
        return str(error)
    except KeyboardInterrupt:
        return "interrupted"


def find_markers(name: str | None, stream: str) -> MarkerInlet | None:
    """The marker stream that belongs to ``stream``; None if no name was given and there is none.

    Raises:
        StreamError: there is no stream of the name that was given, or more than one.
    """
    if name:
        return open_markers(name)
    try:
        return open_markers(f"{stream} markers", timeout=1.0)
    except StreamError:
        return None


def print_steps(loop: Iterable[Step], console: Console) -> None:
    """Run the loop to its end, with a line for each trial that ends, and when safety allows something else."""
    trials, phase = 0, Phase.IDLE
    for step in loop:
        if step.outcome:
            trials += 1
            print_trial(console, trials, step)
        if step.phase is not phase:
            phase = step.phase
            print_phase(console, step)
