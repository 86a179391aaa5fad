"""``motorctl calibrate``: the limb is shown what to do, the person imagines along, and all of it is recorded."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pylsl import local_clock  # type: ignore[import-untyped]
from rich.console import Console

from motorctl.envs import Env, make_env
from motorctl.errors import ConfigurationError, StreamError, check_positive, check_seed
from motorctl.runs import check_json_path, write_json
from motorctl.runtime.cockpit.child import cockpit_of, talking_to
from motorctl.runtime.demonstration import ClassesShown, ReachingShown
from motorctl.runtime.limb_stream import LoopStreams
from motorctl.runtime.loop import Sink, Step, run_loop
from motorctl.runtime.operator import Operator, keyboard, operator_stream, remote
from motorctl.runtime.reader import Reader
from motorctl.runtime.recording import recording_of
from motorctl.runtime.report import print_phase
from motorctl.runtime.safety import Phase, SafetyConfig
from motorctl.runtime.signal_check import SECONDS, check_signal
from motorctl.signals.gate import gated_in_words
from motorctl.signals.lsl import LSLSource, find_stream, hush, open_markers
from motorctl.signals.pipeline import Pipeline, PipelineConfig
from motorctl.signals.stream import StreamInfo
from motorctl.training.calibrated import CLASSES, CUE, PAUSE, Calibration
from motorctl.training.steering import WAYS

FOREVER = 1e9
"""Time that nobody waits for (s): the limb's own time ends a calibration."""
NOTHING = "rest"
"""What a class does that moves nothing."""
DWELL = 0.8
"""How long the hand rests in a target (s): also of rest there is something to learn."""
WHAT_TO_DO = {
    "imagery": "Imagine along: right fist to move right, left fist to the left, both fists forward, feet back; "
    "nothing while the hand rests in the target.",
    "reach": "Move your right hand along, or try to, as the limb does.",
    CLASSES: "Imagine what each cue names for as long as it is shown, and nothing in the pauses.",
}


@dataclass(frozen=True)
class CalibrateConfig:
    """Record what a controller can be trained on: the expert moves the limb to cued targets, slowly, while the person
    imagines or attempts the same movement; or cues name movement classes. Space stops, s starts, h holds, q ends."""

    stream: str
    """Name, type or source_id of the EEG stream."""
    out: Path
    """XDF file to write, which must not exist yet: EEG, cues, the limb, everything on one clock."""
    env: str = "motorctl/ArmCenterOut-v0"
    """Environment whose limb is moved."""
    minutes: float = 5.0
    """How long the limb moves (min); while it is held or stopped, this time stands still."""
    steer: Literal["imagery", "reach"] = "imagery"
    """How the hand is steered: by imagined movements of fists and feet, with a slow hand, as people can; or by
    attempted reaches, whose slow potentials few amplifiers show."""
    classes: tuple[str, ...] = ()
    """Movement classes to cue in place of targets, such as rest left right feet. What the limb does meanwhile may be
    said behind each, as in rest=stand feet=walk; else it is its commands in order (LegGait: stand, walk, run, jump;
    HandGrasp: open, close), and nothing for more classes than there are."""
    cue: float = 4.0
    """How long each class is asked for (s)."""
    pause: float = 2.0
    """Least pause between two classes (s)."""
    yes: bool = False
    """Go on though the signal is not good."""
    check: float = SECONDS
    """How long the signal is listened to before (s); 0 for not at all."""
    timeout: float = 10.0
    """How long to wait for the stream to appear (s)."""
    unit: str | None = None
    """Unit of the EEG (V, mV, µV, uV, nV), where the stream says none or a wrong one."""
    limb_stream: str = "motorctl-limb"
    """Name of the LSL stream that the limb goes out on; timing, status and events, the cues among them, beside it."""
    cockpit: bool = False
    """Show the limb in the browser, from a process of its own; if that is killed, the limb stops."""
    tui: bool = False
    """Show it in the terminal; what else is said goes beside the file, as .log."""
    operator: tuple[str, ...] = ()
    """Names of marker streams whose markers stop, hold, start and end do what the keys do."""
    safety: SafetyConfig = field(default_factory=SafetyConfig)
    """When the limb is held and stopped."""
    json: Path | None = None
    """File for what was recorded as JSON."""
    seed: int = 0
    """Seed of targets, cues and pauses."""


def calibrate(config: CalibrateConfig) -> dict[str, Any]:
    """Run the command.

    Returns:
        What was recorded: seconds that the limb moved, cues, why it ended.

    Raises:
        StreamError: there is no such stream, or more than one; its signal is not good; or it came back different.
        ConfigurationError: an option has a value that cannot be used.
    """
    hush()
    console = Console()
    check_options(config)
    calibration = Calibration(config.env, CLASSES if config.classes else config.steer)
    env = shown_environment(config)
    classes = meanings(config.classes, env)
    found = find_stream(config.stream, timeout=config.timeout)
    quality = None
    if config.check:
        quality = check_signal(LSLSource(found, config.timeout, config.unit), console, config.check, config.yes)
    source = LSLSource(found, config.timeout, config.unit)
    reader = Reader(source, bare_pipeline(source.info, env), local_clock)
    streams = LoopStreams(config.limb_stream, env, config.safety, gated=lambda: reader.gated_share)
    operator, remotes = Operator(), [open_markers(name) for name in config.operator]
    cues = Cues(calibration, classes, streams, console)
    shown = demonstration(config, env, cues)
    console.print(WHAT_TO_DO[calibration.steer])
    known_by = found.source_id() or found.name()
    recorded = [known_by, *streams.names, *(inlet.name for inlet in remotes)]
    commanded, say = operator_stream(config.limb_stream), partial(console.print, highlight=False, markup=False)
    moved = Moved(60 * config.minutes, operator, 1 / env.get_wrapper_attr("control_rate"))
    with (
        talking_to(config.out.with_suffix(".log"), console, config.tui),
        recording_of(recorded, [commanded], config.out, config.out.parent, operator, say),
        remote(operator, remotes, commanded),
        cockpit_of(config.limb_stream, known_by, config.unit, operator, config.cockpit, config.tui),
    ):
        ended = show(reader, env, shown, [streams, cues, shown.told, moved], config, operator, console)
    ended = "complete" if moved.complete else ended
    results = {
        "file": config.out,
        "calibration": calibration._asdict(),
        "seconds": moved.seconds,
        "ended": ended,
        "cues": dict(cues.counted),
        "quality": quality and [channel._asdict() for channel in quality.channels],
        "gated": reader.gated,
        "seed": config.seed,
    }
    if config.json:
        write_json(config.json, results)
    if reader.gated:
        console.print(f"stream: {gated_in_words(reader.gated)}.", highlight=False, markup=False)
    command = "classify" if config.classes else "imitation"
    console.print(
        f"{ended}: the limb moved for {moved.seconds:.0f} s, {sum(cues.counted.values())} cues.\n"
        f"Next: motorctl train {command} --recordings {config.out}",
        highlight=False,
        markup=False,
    )
    return results


def check_options(config: CalibrateConfig) -> None:
    """Say what cannot be done, before anybody waits.

    Raises:
        ConfigurationError: an option has a value that cannot be used.
    """
    check_json_path(config.json)
    check_seed(config.seed)
    for name in ("minutes", "cue", "pause", "timeout"):
        check_positive(name, getattr(config, name))
    if not 0 <= config.check < float("inf"):
        raise ConfigurationError(f"check is {config.check:g}.", "Give seconds, or 0 for no check.")
    if config.out.suffix.lower() != ".xdf":
        raise ConfigurationError(f"{config.out} is no name of an XDF file.", "Let it end in .xdf.")
    if config.out.exists():
        raise ConfigurationError(f"{config.out} is there already.", "Choose another name with --out.")
    names = [text.partition("=")[0] for text in config.classes]
    if names and (len(set(names)) < max(2, len(names)) or any(" " in text for text in config.classes)):
        raise ConfigurationError(
            f"The classes are {', '.join(config.classes)}.", "Name two or more different ones, without spaces."
        )


def shown_environment(config: CalibrateConfig) -> Env:
    """The environment, under the command that the controller will give, with all the time that a slow hand needs.

    Raises:
        ConfigurationError: it has no such command.
    """
    if config.classes:
        return make_env(config.env, command="class", time_limit=FOREVER)
    rate = WAYS[config.steer].pipeline.rate
    return make_env(config.env, command="velocity", control_rate=rate, time_limit=FOREVER, dwell=DWELL)


def bare_pipeline(info: StreamInfo, env: Env) -> Pipeline:
    """What lets the loop's reader watch a stream that nothing is decoded from."""
    rate = min(env.get_wrapper_attr("control_rate"), info.rate)
    config = PipelineConfig(rate=rate, reference="none", amplitude_band=None, power_bands=(), raw=True)
    return Pipeline(config, info)


class Nobody:
    """A decoder that wants nothing: the limb is the expert's."""

    def __init__(self, size: int) -> None:
        self._nothing = np.zeros(size)

    def initial_state(self) -> None:
        """There is none."""

    def step(self, features: NDArray[np.float32], state: None) -> tuple[NDArray[np.floating], None]:
        """Nothing, ``(size,)``."""
        return self._nothing, None

    def prepare(self, state: None) -> None:
        """There is nothing to prepare."""


def demonstration(config: CalibrateConfig, env: Env, cues: Cues) -> ReachingShown | ClassesShown:
    """What moves the limb, and says what is asked for."""
    rate = env.get_wrapper_attr("control_rate")
    if config.classes:
        return ClassesShown(commands_shown(config.classes, env), config.cue, config.pause, rate, config.seed, cues.say)
    radius = env.get_wrapper_attr("task").target_radius
    return ReachingShown(WAYS[config.steer], radius, rate, config.seed, cues.say)


def meanings(classes: tuple[str, ...], env: Env) -> dict[str, str]:
    """What the limb does by each class: a movement of its command, or ``rest``, which is none.

    Raises:
        ConfigurationError: it knows no such movement.
    """
    known = [name for name, _ in env.get_wrapper_attr("limb").command.components]
    meant = {}
    for place, text in enumerate(classes):
        name, _, movement = text.partition("=")
        meant[name] = movement or (name if name in known else [*known, *[NOTHING] * len(classes)][place])
    if odd := [movement for movement in meant.values() if movement not in (*known, NOTHING)]:
        raise ConfigurationError(
            f"{env.spec and env.spec.id} knows no {', '.join(odd)}.", f"Choose among {', '.join([*known, NOTHING])}."
        )
    return meant


def commands_shown(classes: tuple[str, ...], env: Env) -> dict[str, NDArray[np.floating]]:
    """The command of each class by name, ``(size,)``."""
    known = [name for name, _ in env.get_wrapper_attr("limb").command.components]
    return {
        name: np.array([float(movement == own) for own in known]) for name, movement in meanings(classes, env).items()
    }


class Cues:
    """Sends cues out as events and says them on the console; a sink that first tells what the recording is."""

    def __init__(
        self, calibration: Calibration, classes: Mapping[str, str], streams: LoopStreams, console: Console
    ) -> None:
        self.counted: Counter[str] = Counter()
        self._streams, self._console = streams, console
        named = " ".join(f"{name}={movement}" for name, movement in classes.items())
        self._first = [calibration.mark, *([f"{CLASSES}: {named}"] if classes else [])]

    def __call__(self, step: Step) -> None:
        """With the first step, say what the recording is."""
        for mark in self._first:
            self._streams.say(mark, step.time)
        self._first = []

    def say(self, text: str, time: float) -> None:
        """A cue, or a pause."""
        self._streams.say(text, time)
        if text != PAUSE:
            self.counted[text.removeprefix(CUE)] += 1
        self._console.print(text.removeprefix(CUE), style="dim" if text == PAUSE else "bold", highlight=False)


class Moved:
    """A sink that ends the run when the limb has moved for long enough."""

    def __init__(self, wanted: float, operator: Operator, period: float) -> None:
        self.seconds = 0.0
        self._wanted, self._operator, self._period = wanted, operator, period

    @property
    def complete(self) -> bool:
        """Whether it has."""
        return self.seconds >= self._wanted - self._period / 2

    def __call__(self, step: Step) -> None:
        """A step has gone by."""
        self.seconds += self._period * (1 + step.missed) * (step.phase is Phase.RUNNING)
        if self.complete:
            self._operator.end()


def show(
    reader: Reader,
    env: Env,
    shown: ReachingShown | ClassesShown,
    sinks: Iterable[Sink],
    config: CalibrateConfig,
    operator: Operator,
    console: Console,
) -> str:
    """Run the loop with nobody in it; returns why it ended, as :func:`motorctl.runtime.real_time.run_live` does."""
    nobody, phase = Nobody(env.get_wrapper_attr("limb").command.size), Phase.IDLE
    try:
        with reader.source, keyboard(operator) if sys.stdin.isatty() else nullcontext():
            for step in run_loop(
                reader,
                nobody,
                env,
                FOREVER,
                config.seed,
                sinks,
                safety=config.safety,
                operator=operator,
                guide=shown,
            ):
                if step.phase is not phase:
                    phase = step.phase
                    print_phase(console, step)
        return "ended by the operator"
    except StreamError as error:
        return str(error)
    except KeyboardInterrupt:
        return "interrupted"
