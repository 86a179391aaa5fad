"""``motorctl replay``: a recorded run again, through the controller that ran or another."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import tyro
from numpy.typing import NDArray
from rich.console import Console

from motorctl.envs import Env
from motorctl.errors import ConfigurationError
from motorctl.runs import check_json_path, open_run_folder, write_json
from motorctl.runtime.assist import expert_of
from motorctl.runtime.class_control import ClassControl, ClassDecoder
from motorctl.runtime.limb_stream import LoopStreams
from motorctl.runtime.loop import Decoder, Sink, Step, free_reaching, run_loop
from motorctl.runtime.matching import decoder_for, environment_for
from motorctl.runtime.operator import Operator
from motorctl.runtime.pace import Pace
from motorctl.runtime.reader import Reader
from motorctl.runtime.report import number, print_table, summary_rows
from motorctl.runtime.safety import SafetyConfig
from motorctl.runtime.session_file import SessionFile, read_session
from motorctl.runtime.summary import summarize
from motorctl.signals.pipeline import Features, join_features
from motorctl.signals.stream import Chunk, StreamInfo
from motorctl.training.checkpoint import Checkpoint, load_checkpoint


@dataclass(frozen=True)
class ReplayConfig:
    """Run a recorded session again, as fast as possible: with the controller that ran it gives the same commands."""

    session: tyro.conf.Positional[Path]
    """File of 'motorctl live --record'; or any recording with EEG, as if each sample had come when it was measured."""
    controller: Path | None = None
    """Run folder of a controller; by default the one that ran."""
    stream: str | None = None
    """Name of the EEG stream, for a recording without a run that has several."""
    environment: str | None = None
    """Environment id; by default the one that was moved, or that the controller was trained for."""
    real_time: bool = False
    """Take as long as the session took."""
    limb_stream: str | None = None
    """Name of an LSL stream to send the limb on, with timing, status and events beside it, as 'motorctl live' does."""
    out: Path | None = None
    """Run folder to write, with summary.json and commands.csv; by default a new one under runs/."""
    json: Path | None = None
    """File for the results as JSON."""


def replay(config: ReplayConfig) -> None:
    """Run the command.

    Raises:
        RecordingError: the file cannot be read, or holds no run and no EEG.
        CheckpointError: the controller cannot be loaded.
        StreamError: the controller was trained on another stream.
        ConfigurationError: no controller is known.
    """
    console = Console()
    check_json_path(config.json)
    checkpoint = load_checkpoint(config.controller) if config.controller else None
    session = read_session(config.session, config.stream, checkpoint.pipeline.config.rate if checkpoint else 50.0)
    ran = session.description.get("controller", "")
    if checkpoint is None:
        if not ran:
            raise ConfigurationError(f"'{config.session}' does not say which controller ran.", "Name --controller.")
        checkpoint = load_checkpoint(Path(ran))
    env = environment_of(session, checkpoint, config.environment)
    rate = env.get_wrapper_attr("control_rate")
    if session.description.get("control_rate", checkpoint.pipeline.config.rate) != rate:
        session = session.at_rate(rate)
    folder = open_run_folder(config.out, "replay", config)
    sinks: list[Sink] = []
    safety = SafetyConfig(**_tuples(session.description.get("safety", {})))
    if config.limb_stream:
        sinks.append(LoopStreams(config.limb_stream, env, safety, str(config.controller or ran)))
    steps = run_again(session, checkpoint, env, safety, sinks, config.real_time)
    summary = summarize(steps)
    difference = most_different(steps, session.commands)
    results = asdict(summary) | {"session": str(config.session), "controller": str(config.controller or ran)}
    results["commands_differ_by"] = difference
    write_json(folder / "summary.json", results)
    if config.json:
        write_json(config.json, results)
    write_commands(folder / "commands.csv", steps, env)
    rows = summary_rows(summary)
    rows.append(("commands differ from those recorded by at most", number(difference, "", 7)))
    print_table(console, f"replay of {config.session.name}: {summary.seconds:.0f} s", rows)
    console.print(f"summary.json and commands.csv are in {folder}.")


def environment_of(session: SessionFile, checkpoint: Checkpoint, name: str | None) -> Env:
    """What the replayed controller moves: the environment of the run if it takes the controller's commands."""
    said = session.description
    options: dict[str, Any] = {}
    alike = said and (said["command"] == checkpoint.command or checkpoint.command == "class")
    if alike and name in (None, said["environment"]):
        name = said["environment"]
        options = {k: v for k, v in said["options"].items() if k not in ("command", "control_rate")}
    return environment_for(checkpoint, name, **options)


def run_again(
    session: SessionFile,
    checkpoint: Checkpoint,
    env: Env,
    safety: SafetyConfig,
    sinks: list[Sink],
    real_time: bool = False,
) -> list[Step]:
    """The steps of the session, decided anew.

    Raises:
        StreamError: the controller was trained on another stream.
    """
    operator, ran = Operator(), session.description.get("run", {})
    decoder = decoder_for(checkpoint, ClassControl(**_tuples(ran.get("classes", {}))), env)
    reader = ReplayedReader(session, checkpoint, decoder, operator, real_time)
    return list(
        run_loop(
            reader,
            decoder,
            env,
            math.inf,
            int(ran.get("seed", 0)),
            sinks,
            trials=reader.trials,
            safety=safety,
            operator=operator,
            guide=reader,
        )
    )


class ReplayedReader(Reader):
    """As the :class:`~motorctl.runtime.reader.Reader` of a run: gives for each decision what was heard for it, on a
    clock that shows when it was made, and has the operator ask for what was asked for. It is the run's guide too, with
    the share ``assist`` of the expert that there was.

    Args:
        session: from :func:`~motorctl.runtime.session_file.read_session`.
        checkpoint: the controller, with its pipeline.
        decoder: made of it.
        operator: of the replay; ends it after the last decision.
        real_time: whether to wait as long as the session did.

    Raises:
        StreamError: the pipeline is one of another stream.
    """

    def __init__(
        self, session: SessionFile, checkpoint: Checkpoint, decoder: Decoder, operator: Operator, real_time: bool
    ) -> None:
        super().__init__(Silence(session.stream), checkpoint.pipeline, self._now)
        self._decoder, self._expert = decoder, expert_of(checkpoint.steer)
        self._moments, self._operator, self._real_time = session.moments, operator, real_time
        self._next, self._begun = 0, time.monotonic()
        self._ready = session.moments[0].ready
        self._asked_at: float | None = None
        self.assist = 0.0

    def __call__(
        self, wanted: NDArray[np.floating], intended: NDArray[np.floating], info: Mapping[str, Any]
    ) -> NDArray[np.floating]:
        """The controller's command with as much of the expert's in it as there was."""
        if not self.assist:
            return wanted
        return (1 - self.assist) * wanted + self.assist * self._expert(intended, info)

    def read_at(self, pace: Pace, meanwhile: Callable[[], None] = lambda: None) -> Features:
        """What was heard for the next decision, whatever the pace."""
        moment = self._moments[self._next]
        self._next += 1
        if self._next == len(self._moments):
            self._operator.end()
        if self._real_time:
            time.sleep(max(0.0, self._begun + moment.ready - self._moments[0].ready - time.monotonic()))
        if moment.asked.request:
            self._operator.ask(moment.asked.request, moment.asked.why)
        self.assist = moment.assist
        self.heard, self._ready, self._asked_at = [], moment.ready, None
        features = join_features([self.take(chunk) for chunk in moment.chunks], len(self.pipeline.names))
        self._asked_at = None
        return features

    def trials(self, step: Step) -> dict[str, Any] | None:
        """The trials that were asked for from outside; those that followed on the one before follow on it again."""
        moment = self._moments[self._next - 1]
        if moment.restart and isinstance(self._decoder, ClassDecoder):
            self._decoder.restart()
        trial = moment.trial
        return trial if trial and "target" in trial else free_reaching(step)

    def _now(self) -> float:
        """When the decision was made, from the first time that it is asked for on."""
        now = time.perf_counter()
        self._asked_at = now if self._asked_at is None else self._asked_at
        return self._ready + (now - self._asked_at)


class Silence:
    """A source that gives nothing by itself."""

    def __init__(self, info: StreamInfo) -> None:
        self.info = info

    def read(self, timeout: float) -> Chunk:
        """Nothing."""
        return Chunk(np.empty((0, len(self.info.channels)), np.float32), np.empty(0))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to close."""


def most_different(steps: list[Step], commands: NDArray[np.float64]) -> float | None:
    """Largest difference between the commands of steps and those recorded ``(step, size)``, None where there is nothing
    to compare."""
    if len(commands) != len(steps) or not len(steps) or commands.shape[1] != len(steps[0].command):
        return None
    given = np.array([step.command for step in steps])
    return float(np.nanmax(np.abs(given - commands)))


def write_commands(path: Path, steps: list[Step], env: Env) -> None:
    """As CSV: when, what the limb was told, and what was decoded."""
    names = [name for name, _ in env.get_wrapper_attr("limb").command.components]
    header = ",".join(["time", *(f"command_{name}" for name in names), *(f"wanted_{name}" for name in names)])
    rows = [[step.time, *step.command, *step.wanted] for step in steps]
    np.savetxt(path, rows, "%.9g", ",", header=header, comments="")


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    """JSON's lists as the tuples that they were."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
