"""``motorctl session``: from the cap on the head to a limb that obeys, step by step, and on from where it was left.

Each step is a command of its own, said before it runs, so that it can be repeated by hand. What is done is in
``session.json``, which is written whole or not at all; a step that was not finished begins anew, but for the minutes of
a calibration, which are kept and added to.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from itertools import count
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from motorctl import cli
from motorctl.errors import ConfigurationError, MotorctlError, check_positive, check_seed
from motorctl.runs import plain, write_json
from motorctl.runtime.assist import check_share
from motorctl.runtime.report import help_rows, print_table
from motorctl.training.calibrated import seconds_moved

STATE = "session.json"
"""Where it stands."""
LEAST = 20.0
"""Recorded time of movement (s) from which on a calibration that broke off is of use."""
FREE = ("stream", "out", "yes", "timeout", "unit", "limb_stream", "cockpit", "tui", "json")
"""Options that may be others when a session goes on."""


@dataclass(frozen=True)
class SessionConfig:
    """Lead somebody through all of it: check the signal, calibrate, train, move the limb with less and less help, let
    the decoder adapt, move it alone. Begun again with the same --out, it goes on where it was left."""

    stream: str
    """Name, type or source_id of the EEG stream."""
    out: Path
    """Folder for everything; one of an unfinished session goes on."""
    env: str = "motorctl/ArmCenterOut-v0"
    """Environment whose limb is moved."""
    steer: Literal["imagery", "reach"] = "imagery"
    """How the hand is steered, see 'motorctl calibrate'."""
    classes: tuple[str, ...] = ()
    """Movement classes in place of targets, see 'motorctl calibrate'."""
    minutes: float = 5.0
    """Calibration (min)."""
    assist: float = 0.5
    """Share of the expert when the person first moves the limb (0 to 1); it fades out in half of these minutes."""
    assisted: float = 3.0
    """Minutes with help (min); 0 for none."""
    adapting: float = 3.0
    """Minutes in which the decoder adapts (min); 0 for none. Classes do not adapt."""
    alone: float = 3.0
    """Minutes alone, with what has come of it (min)."""
    yes: bool = False
    """Ask nothing: go on though the signal is not good, and from step to step."""
    timeout: float = 10.0
    """How long to wait for the stream to appear (s)."""
    unit: str | None = None
    """Unit of the EEG (V, mV, µV, uV, nV), where the stream says none or a wrong one."""
    limb_stream: str = "motorctl-limb"
    """Name of the LSL stream that the limb goes out on."""
    cockpit: bool = False
    """Show the limb in the browser, step by step."""
    tui: bool = False
    """Show it in the terminal."""
    json: Path | None = None
    """File for the results as JSON, the same as summary.json in the folder."""
    seed: int = 0
    """Seed of everything random."""


def session(config: SessionConfig) -> None:
    """Run the command.

    Raises:
        MotorctlError: a step has failed; what was done before is kept.
        ConfigurationError: an option has a value that cannot be used, or the folder holds another session.
    """
    console = Console()
    check_options(config)
    state = State.of(config)
    steps = list(steps_of(config))
    left = [step for step in steps if step.name not in state.done]
    if state.done:
        console.print(f"{config.out} goes on: {', '.join(state.done)} done.", highlight=False)
    try:
        if any(step.live for step in left):
            run(console, Step("check", "Is the signal good?", "quality", check_words(config)), config)
        for step in left:
            say(console, step, steps, config)
            state.finish(step.name, step.act(step, config, console))
    except (MotorctlError, KeyboardInterrupt):
        step = next(step for step in steps if step.name not in state.done)
        console.print(f"[yellow]Stopped[/yellow] in '{step.name}'. The same command goes on from there.")
        raise
    summarize_session(config, state, console)


@dataclass(frozen=True)
class Step:
    """A step of a session.

    Args:
        name: of it.
        title: what it is for, to whoever wears the cap.
        command: of ``motorctl``.
        words: its options.
        act: does it; gives what is to be remembered.
        live: whether the person takes part.
    """

    name: str
    title: str
    command: str
    words: tuple[str, ...]
    act: Callable[[Step, SessionConfig, Console], dict[str, Any]] = lambda step, config, console: {}
    live: bool = True


def steps_of(config: SessionConfig) -> Iterator[Step]:
    """What is done, in order; the options of live steps and of training are completed when their turn has come."""
    reading = tuple(_options(stream=config.stream, timeout=config.timeout, unit=config.unit))
    moving = (*reading, *_options(limb_stream=config.limb_stream, seed=config.seed))
    moving += ("--cockpit",) * config.cockpit + ("--tui",) * config.tui
    what = _options(classes=config.classes) if config.classes else _options(steer=config.steer)
    shown = (*moving, "--env", config.env, *what, "--check", "0")
    yield Step("calibrate", "Watch the limb and imagine along.", "calibrate", shown, calibrate_on)
    learn = "train classify" if config.classes else "train imitation"
    yield Step("train", "Your controller is trained.", learn, tuple(_options(seed=config.seed)), train_on, live=False)
    own = "controller"
    if config.assisted:
        fade = _options(assist=config.assist, **{"fade.seconds": 30 * config.assisted})
        words = (*moving, *_options(controller=config.out / own, seconds=60 * config.assisted), *fade)
        yield Step("assisted", "Move the limb; the expert helps, less and less.", "live", words, live_on)
    if config.adapting and not config.classes:
        words = (*moving, *_options(controller=config.out / own, seconds=60 * config.adapting), "--adapt")
        yield Step("adapt", "Move the limb; the decoder learns what you want.", "live", words, live_on)
        own = "adapted"
    words = (*moving, *_options(controller=config.out / own, seconds=60 * config.alone), "--chance")
    yield Step("alone", "Move the limb, alone.", "live", words, live_on)


def calibrate_on(step: Step, config: SessionConfig, console: Console) -> dict[str, Any]:
    """Calibrate for the minutes that lack."""
    for path in recordings_of(config.out):
        console.print(f"{path} is there already: {seconds_moved(path):.0f} s.", highlight=False)
    while (left := 60 * config.minutes - sum(map(seconds_moved, recordings_of(config.out)))) > 1:
        path = unused(config.out, "calibration", ".xdf")
        results = run(console, step, config, _options(minutes=left / 60, out=path))
        if results["ended"] == "interrupted":
            raise KeyboardInterrupt
        if results["ended"] == "ended by the operator":
            break
        if results["ended"] != "complete":
            raise StreamFailed(results["ended"])
    used = recordings_of(config.out)
    if not used:
        raise ConfigurationError(f"Less than {LEAST:g} s were recorded.", "Calibrate for longer.")
    return {"files": used, "seconds": sum(map(seconds_moved, used))}


def train_on(step: Step, config: SessionConfig, console: Console) -> dict[str, Any]:
    """Train on all that was recorded."""
    files = [str(path) for path in recordings_of(config.out)]
    return run(console, step, config, ["--recordings", *files, *_options(out=config.out / "controller")])


def live_on(step: Step, config: SessionConfig, console: Console) -> dict[str, Any]:
    """Let the person move the limb."""
    folder = unused(config.out, step.name, "")
    results = run(console, step, config, _options(out=folder, record=folder.with_suffix(".xdf")))
    if results["ended"] == "interrupted":
        raise KeyboardInterrupt
    if results["ended"] not in ("time is up", "ended by the operator"):
        raise StreamFailed(results["ended"])
    if step.name == "adapt":
        replace_folder(folder / "adapted", config.out / "adapted")
    return results


class StreamFailed(MotorctlError):
    """A step ended as its stream did."""

    def __init__(self, ended: str) -> None:
        super().__init__(ended, "")


def run(console: Console, step: Step, config: SessionConfig, more: list[str] | None = None) -> dict[str, Any]:
    """Run a step's command, said before; gives its results."""
    path = config.out / f"{step.name}.json"
    words = [*step.words, *(more or []), *_options(json=path)]
    console.print(f"$ motorctl {step.command} {shlex.join(words)}", style="dim", highlight=False, markup=False)
    path.unlink(missing_ok=True)
    cli.run(step.command, words)
    results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return results


def say(console: Console, step: Step, steps: list[Step], config: SessionConfig) -> None:
    """Announce a step; whoever sits at a terminal says when they are ready."""
    console.rule(f"{steps.index(step) + 1} of {len(steps)}: {step.name}", align="left")
    console.print(step.title)
    if step.live and not config.yes and sys.stdin.isatty():
        console.input("Press Enter when you are ready. ")


def check_words(config: SessionConfig) -> tuple[str, ...]:
    """Options of the check of the signal."""
    words = _options(stream=config.stream, timeout=config.timeout, unit=config.unit)
    return tuple(words + ["--yes"] * config.yes)


def _options(**values: Any) -> list[str]:
    """Options as words; those that are None are left out."""
    words = []
    for name, value in values.items():
        if value is not None:
            many = value if isinstance(value, tuple) else (value,)
            words += [f"--{name.replace('_', '-')}", *(f"{v:g}" if isinstance(v, float) else str(v) for v in many)]
    return words


class State:
    """What is done, on disk.

    Args:
        path: of ``session.json``.
        told: what it holds.
    """

    def __init__(self, path: Path, told: dict[str, Any]) -> None:
        self._path, self._told = path, told

    @classmethod
    def of(cls, config: SessionConfig) -> State:
        """That of the folder, or of a new session.

        Raises:
            ConfigurationError: the folder holds something else, or a session of other options.
        """
        path, asked = config.out / STATE, plain(asdict(config))
        if path.is_file():
            try:
                told = json.loads(path.read_text(encoding="utf-8"))
                before = told["config"]
                told["steps"].items()
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise ConfigurationError(f"{path} is damaged ({error}).", "Name another folder with --out.") from None
            others = [f.name for f in fields(config) if f.name not in FREE and before.get(f.name) != asked[f.name]]
            if others:
                was = ", ".join(f"--{name} {before.get(name)}" for name in others)
                raise ConfigurationError(
                    f"The session in {config.out} was begun with {was}.", "Give the same, or another --out."
                )
            return cls(path, told)
        if config.out.exists() and (not config.out.is_dir() or any(config.out.iterdir())):
            raise ConfigurationError(
                f"{config.out} is there already and no session.", "Name another folder with --out."
            )
        config.out.mkdir(parents=True, exist_ok=True)
        state = cls(path, {"config": asked, "steps": {}})
        state._write()
        return state

    @property
    def done(self) -> dict[str, Any]:
        """What each finished step has to remember, by name, in order."""
        steps: dict[str, Any] = self._told["steps"]
        return steps

    def finish(self, step: str, results: dict[str, Any]) -> None:
        """A step is done."""
        self.done[step] = plain(results)
        self._write()

    def _write(self) -> None:
        new = self._path.with_suffix(".new")
        write_json(new, self._told)
        os.replace(new, self._path)  # so that a kill leaves the old one or the new one


def recordings_of(folder: Path) -> list[Path]:
    """The calibrations of a session that are of use, in order."""
    paths = sorted(folder.glob("calibration-*.xdf"), key=lambda path: (len(path.name), path.name))
    return [path for path in paths if seconds_moved(path) >= LEAST]


def unused(folder: Path, name: str, suffix: str) -> Path:
    """``name-1``, or the next of these that is not there yet."""
    return next(path for i in count(1) if not (path := folder / f"{name}-{i}{suffix}").exists())


def replace_folder(source: Path, target: Path) -> None:
    """Let ``target`` hold what ``source`` holds, from one moment to the next."""
    target.mkdir(exist_ok=True)
    for path in source.iterdir():
        os.replace(path, target / path.name)
    source.rmdir()


def check_options(config: SessionConfig) -> None:
    """Say what cannot be done, before anything begins.

    Raises:
        ConfigurationError: an option has a value that cannot be used.
    """
    check_share(config.assist)
    check_seed(config.seed)
    for name in ("minutes", "alone", "timeout"):
        check_positive(name, getattr(config, name))
    for name in ("assisted", "adapting"):
        if getattr(config, name):
            check_positive(name, getattr(config, name))
    if 60 * config.minutes < LEAST:
        raise ConfigurationError(f"minutes is {config.minutes:g}.", f"Calibrate for {LEAST:g} s at least.")


def summarize_session(config: SessionConfig, state: State, console: Console) -> None:
    """What came of it: printed and written."""
    done = state.done
    rows = [("calibrated", f"{done['calibrate']['seconds'] / 60:.1f} min")]
    for name in ("assisted", "adapt", "alone"):
        if name in done:
            rows += [(f"{name}: {what}", said) for what, said in help_rows(done[name])]
    results = {"config": asdict(config), **done}
    for path in filter(None, (config.out / "summary.json", config.json)):
        write_json(path, results)
    print_table(console, f"session: {config.out}", rows)
    own = "adapted" if "adapt" in done else "controller"
    console.print(f"Next time: motorctl live --controller {config.out / own} --stream {config.stream}", highlight=False)
