"""What takes part in a live run, made before its first sample is read."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from pylsl import local_clock  # type: ignore[import-untyped]
from rich.console import Console

from motorctl.envs import Env
from motorctl.errors import StreamError
from motorctl.runs import open_run_folder
from motorctl.runtime.adapting import Pupil
from motorctl.runtime.assist import Assistance, expert_of
from motorctl.runtime.class_control import ClassDecoder, CuedClasses
from motorctl.runtime.cued_trials import CuedTrials
from motorctl.runtime.limb_stream import LoopStreams
from motorctl.runtime.live_config import LiveConfig
from motorctl.runtime.loop import Decoder, Step
from motorctl.runtime.matching import decoder_for, environment_for
from motorctl.runtime.operator import Operator, operator_stream
from motorctl.runtime.reader import Reader
from motorctl.runtime.report import print_class, print_cue
from motorctl.runtime.summary import Tally
from motorctl.runtime.tape import Tape
from motorctl.runtime.trials import TrialLog
from motorctl.signals.lsl import IsolatedSource, LSLSource, MarkerInlet, find_stream, open_markers
from motorctl.training.checkpoint import Checkpoint, load_checkpoint

ENDLESS = {"time_limit": 3600.0, "dwell": 3600.0}
"""Options of the environment that leave it to cues when a trial ends."""


@dataclass
class Run:
    """All that takes part in a run, made before its first sample is read."""

    checkpoint: Checkpoint
    env: Env
    decoder: Decoder
    source: LSLSource | IsolatedSource
    known_by: str  # source_id of the stream, or its name
    reader: Reader
    markers: MarkerInlet | None
    cued: CuedTrials | CuedClasses | None
    remotes: list[MarkerInlet]
    streams: LoopStreams
    operator: Operator
    guide: Assistance
    tape: Tape
    folder: Path
    tally: Tally = field(default_factory=Tally)
    log: TrialLog = field(default_factory=TrialLog)
    kept: list[Step] = field(default_factory=list)  # all steps, where chance is to be said
    pupil: Pupil | None = None  # where the decoder learns

    @property
    def recorded(self) -> list[str]:
        """Streams to record from the beginning on."""
        inlets = (self.markers, *self.remotes)
        return [self.known_by, *self.streams.names, *self.tape.names, *(inlet.name for inlet in inlets if inlet)]

    @property
    def recorded_later(self) -> list[str]:
        """Streams to record from when they appear."""
        markers = [] if self.markers else [f"{self.source.info.name} markers"]
        return [operator_stream(self.streams.names[0]), *markers]


def prepare(config: LiveConfig, console: Console) -> Run:
    """Find the stream, and make what is to run on it; raises what :func:`live` does."""
    checkpoint = load_checkpoint(config.controller)
    env = environment_for(checkpoint, config.environment)
    decoder = decoder_for(checkpoint, config.classes, env)
    found = find_stream(config.stream, timeout=config.timeout)
    source = (IsolatedSource if config.isolated else LSLSource)(found, config.timeout, config.unit)
    reader = Reader(source, checkpoint.pipeline, local_clock)
    markers = find_markers(config.markers, source.info.name) if checkpoint.cues else None
    if markers and not isinstance(decoder, ClassDecoder):
        env = environment_for(checkpoint, config.environment, **ENDLESS)
    cued = cued_by(markers, checkpoint, decoder, env, console) if markers else None
    folder = open_run_folder(config.out, "live", config)
    asked = "cues say what to do" if cued else "what to do is drawn at random"
    assert env.spec
    console.print(f"'{source.info.name}' moves {env.spec.id} for {config.seconds:g} s; {asked}.")
    remotes = [open_markers(name) for name in config.operator]
    delay = checkpoint.pipeline.delay
    streams = LoopStreams(
        config.limb_stream, env, config.safety, str(config.controller), delay, lambda: reader.gated_share
    )
    operator, period = Operator(), 1 / streams.description["control_rate"]
    guide = Assistance(config.assist, config.fade, operator, expert_of(checkpoint.steer), period)
    tape = Tape(streams, reader, operator, asdict(config))
    known_by = found.source_id() or found.name()
    return Run(
        checkpoint,
        env,
        decoder,
        source,
        known_by,
        reader,
        markers,
        cued,
        remotes,
        streams,
        operator,
        guide,
        tape,
        folder,
    )


def cued_by(
    markers: MarkerInlet, checkpoint: Checkpoint, decoder: Decoder, env: Env, console: Console
) -> CuedTrials | CuedClasses:
    """Trials as markers ask for them."""
    if isinstance(decoder, ClassDecoder):
        window = checkpoint.history["window"]
        return CuedClasses(markers, checkpoint.cues, window, decoder, partial(print_class, console))
    rest = env.get_wrapper_attr("rest_position")
    return CuedTrials(markers, checkpoint.cues, rest, partial(print_cue, console))


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
