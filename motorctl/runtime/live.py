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
from motorctl.envs import Env
from motorctl.errors import StreamError, check_positive, check_seed
from motorctl.runs import check_json_path, open_run_folder, write_json
from motorctl.runtime.actuator import hardware_of
from motorctl.runtime.adapting import LearningConfig, adapting
from motorctl.runtime.assist import Assistance, Fade, check_share, expert_of
from motorctl.runtime.calm import calm
from motorctl.runtime.class_control import ClassControl, ClassDecoder, CuedClasses
from motorctl.runtime.cockpit.child import cockpit_of, talking_to
from motorctl.runtime.cued_trials import CuedTrials
from motorctl.runtime.demonstration import AskedAloud
from motorctl.runtime.limb_stream import LoopStreams
from motorctl.runtime.loop import Actuator, Decoder, Guide, Sink, Step, Trials, free_reaching, run_loop
from motorctl.runtime.matching import commands_by_class, decoder_for, environment_for
from motorctl.runtime.operator import Operator, keyboard, operator_stream, remote
from motorctl.runtime.pace import Pacing
from motorctl.runtime.reader import Reader
from motorctl.runtime.recording import recording_of, told_of
from motorctl.runtime.rehearsal import rehearse
from motorctl.runtime.report import (
    cue_row,
    help_rows,
    number,
    print_class,
    print_cue,
    print_phase,
    print_table,
    print_trial,
    summary_rows,
)
from motorctl.runtime.safety import CAUTIOUS, UNHEARD, Phase, SafetyConfig
from motorctl.runtime.shuffled import shuffled_success_rate
from motorctl.runtime.summary import Tally
from motorctl.runtime.tape import Tape
from motorctl.runtime.trials import TrialLog, success_by_help
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


def live(config: LiveConfig) -> None:
    """Run the command.

    Raises:
        CheckpointError: the controller cannot be loaded.
        StreamError: there is no such stream, more than one, or one that the controller was not trained on.
            A run that ends because its stream is gone for good is one of these, after its summary is written.
        ConfigurationError: an option has a value that cannot be used.
    """
    hush()
    console = Console()
    check_json_path(config.json)
    check_positive("seconds", config.seconds)
    check_positive("timeout", config.timeout)
    check_seed(config.seed)
    check_share(config.assist)
    checkpoint = load_checkpoint(config.controller)
    env = environment_for(checkpoint, config.environment)
    decoder = decoder_for(checkpoint, config.classes, env)
    found = find_stream(config.stream, timeout=config.timeout)
    source = (IsolatedSource if config.isolated else LSLSource)(found, config.timeout, config.unit)
    reader = Reader(source, checkpoint.pipeline, local_clock)
    markers = find_markers(config.markers, source.info.name) if checkpoint.cues else None
    cued: CuedTrials | CuedClasses | None = None
    if markers and isinstance(decoder, ClassDecoder):
        window = checkpoint.history["window"]
        cued = CuedClasses(markers, checkpoint.cues, window, decoder, partial(print_class, console))
    elif markers:
        env = environment_for(checkpoint, config.environment, **ENDLESS)
        rest = env.get_wrapper_attr("rest_position")
        cued = CuedTrials(markers, checkpoint.cues, rest, partial(print_cue, console))
    folder = open_run_folder(config.out, "live", config)
    asked = "cues say what to do" if cued else "what to do is drawn at random"
    assert env.spec
    console.print(f"'{source.info.name}' moves {env.spec.id} for {config.seconds:g} s; {asked}.")
    remotes = [open_markers(name) for name in config.operator]
    delay = checkpoint.pipeline.delay
    streams = LoopStreams(
        config.limb_stream, env, config.safety, str(config.controller), delay, lambda: reader.gated_share
    )
    operator, tally, log = Operator(), Tally(), TrialLog()
    period = 1 / streams.description["control_rate"]
    guide = Assistance(config.assist, config.fade, operator, expert_of(checkpoint.steer), period)
    tape = Tape(streams, reader, operator, asdict(config))
    known_by = found.source_id() or found.name()
    recorded = [known_by, *streams.names, *tape.names]
    recorded += [m.name for m in (markers, *remotes) if m]
    later = [operator_stream(config.limb_stream), *([] if markers else [f"{source.info.name} markers"])]
    say = partial(console.print, highlight=False, markup=False)
    kept: list[Step] = []
    asking = []
    if isinstance(decoder, ClassDecoder) and not cued:
        asking = [AskedAloud(commands_by_class(checkpoint, config.classes, env), streams.say)]
    with (
        talking_to(folder / "log.txt", console, config.tui),
        hardware_of(config.actuator, streams.description, config.safety, operator) as (actuator, check_actuator),
        adapting(checkpoint, config.learning, env, operator) if config.adapt else nullcontext() as pupil,
        recording_of(recorded, later, config.record, folder, operator, say),
        remote(operator, remotes, operator_stream(config.limb_stream)),
        cockpit_of(config.limb_stream, known_by, config.unit, operator, config.cockpit, config.tui),
    ):
        ended = run_live(
            checkpoint,
            reader,
            env,
            [
                streams,
                tape,
                told_of(operator, streams.say),
                guide.told,
                tally,
                log,
                check_actuator,
                stop_for_dead(source, operator),
                *asking,
                *([pupil.learn] if pupil else []),
                *([kept.append] if config.chance else []),
            ],
            config.seconds,
            config.seed,
            console,
            trials=tape.told(cued or free_reaching, decoder),
            safety=config.safety,
            operator=operator,
            guide=guide,
            actuator=actuator,
            pacing=config.pacing,
            decoder=pupil.decoder if pupil else decoder,
        )
    summary = tally.summary()
    rows = summary_rows(summary)
    happened = Counter(event.kind for event in source.events)
    results = asdict(summary) | {"pipeline_delay_ms": 1e3 * delay, "ended": str(ended), "seed": config.seed}
    results |= success_by_help(log.trials)
    if pupil:
        results["adapted"] = pupil.store(folder / "adapted", config.controller)
    if config.chance:
        results["shuffled_success_rate"] = shuffled_success_rate(kept, env, config.seed)
    results |= {"stream_events": happened, "gated": reader.gated, "backlog_skipped": reader.skipped}
    if cued:
        results["cues"] = [cue._asdict() for cue in cued.results]
        rows = [cue_row(cued), *rows[3:]]
    else:
        rows = [*help_rows(results), *rows[2:]]
    write_json(folder / "summary.json", results)
    if config.json:
        write_json(config.json, results)
    for kind, text in {event.kind: event.text for event in source.events}.items():
        console.print(f"stream: {happened[kind]} x {kind}, the last: {text}.", highlight=False, markup=False)
    if reader.gated:
        console.print(f"stream: {gated_in_words(reader.gated)}.", highlight=False, markup=False)
    rows.append(("pipeline delay", number(1e3 * delay, "ms", 0)))
    console.print(f"ended: {str(ended).rstrip('.')}.", highlight=False, markup=False)
    print_table(console, f"live: {summary.seconds:.0f} s", rows)
    console.print(f"summary.json is in {folder}.")
    if isinstance(ended, StreamError):
        raise ended


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
    actuator: Actuator = lambda command, time: None,
    pacing: Pacing = "samples",
    decoder: Decoder | None = None,
) -> str | StreamError:
    """Run the loop on wall-clock time, with a line for every target and every phase of safety; the keyboard is the
    operator's.

    Returns:
        why it ended: ``time is up``, ``ended by the operator``, ``interrupted`` (Ctrl-C), or the error of a stream that
        is gone for good.
    """
    operator = operator or Operator()
    decoder = decoder or Stepper(checkpoint.controller)
    alike = checkpoint.pipeline.config.rate == env.get_wrapper_attr("control_rate")  # else few steps have a row
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
                actuator=actuator,
                pacing=pacing if alike else "clock",
            )
            print_steps(loop, console)
            return "ended by the operator" if operator.ended else "time is up"
    except StreamError as error:
        return error
    except KeyboardInterrupt:
        return "interrupted"


def stop_for_dead(source: LSLSource | IsolatedSource, operator: Operator) -> Sink:
    """A sink that stops the limb when the process that reads the stream has died."""
    known = 0

    def look(step: Step) -> None:
        nonlocal known
        if (deaths := getattr(source, "deaths", 0)) > known:
            known = deaths
            operator.ask("stop", "the process that reads the stream was killed; start to go on")

    return look


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
    trials, phase = 0, (Phase.IDLE, UNHEARD)
    for step in loop:
        if step.outcome:
            trials += 1
            print_trial(console, trials, step)
        if (step.phase, step.cause) != phase:
            phase = step.phase, step.cause
            print_phase(console, step)
