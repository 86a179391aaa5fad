"""The loop, one for simulated and for wall-clock time: they differ in the source and in the clock alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from motorctl.envs import Env
from motorctl.runtime.operator import Operator
from motorctl.runtime.safety import CAUTIOUS, Phase, SafetyConfig, advance, first_state
from motorctl.signals.gate import Gated
from motorctl.signals.pipeline import Features, Pipeline, PipelineState, join_features
from motorctl.signals.stream import Chunk, Source, channel_indices

Array = NDArray[np.float64]

BACKLOG = 5.0
"""Of more than this (s) that has piled up, only the end is looked at: a decision on what is long past helps nobody."""
CATCH_UP = 2.0
"""Length of that end (s), for the filters to settle in."""


@dataclass(frozen=True)
class Step:
    """What happened in one control step.

    Args:
        time: when the command went out, on the loop's clock (s).
        wanted: what the controller commanded (m/s for a velocity).
        command: what the limb was told, after safety's last word.
        phase: what safety allows.
        cause: of the phase, in a few words.
        hand: ``(2,)`` position of the hand after the step (m).
        hand_velocity: ``(2,)`` (m/s).
        target: ``(2,)`` (m).
        joint_angles: after the step (rad).
        activation: of the muscles after the step (0 to 1).
        outcome: why the trial ended with this step (``reached``, ``time limit``, ``unstable``), empty while it goes on.
        trial_time: since the target appeared (s).
        latency: from the newest sample that the command rests on to the command (s); NaN unless running.
        compute: from the deadline's waking to the command, features apart (s).
        slack: from the command to the next deadline (s); below 0 if that was missed.
        missed: deadlines that went by without a command before this one.
    """

    time: float
    wanted: NDArray[np.floating]
    command: NDArray[np.floating]
    phase: Phase
    cause: str
    hand: Array
    hand_velocity: Array
    target: Array
    joint_angles: Array
    activation: Array
    outcome: str
    trial_time: float
    latency: float
    compute: float
    slack: float
    missed: int


class Decoder(Protocol):
    """A controller one row at a time: what the loop asks of it."""

    def initial_state(self) -> Any:
        """The state before anything was seen."""
        ...

    def step(self, features: NDArray[np.float32], state: Any) -> tuple[NDArray[np.floating], Any]:
        """The command ``(command,)`` for one row of features ``(feature,)``, and the state to go on with."""
        ...


Sink = Callable[[Step], None]

Trials = Callable[[Step], dict[str, Any] | None]
"""Asked after every step; gives the options of ``env.reset`` for a new trial, or None to go on with this one."""


def free_reaching(step: Step) -> dict[str, Any] | None:
    """From target to target, the limb left where it is."""
    return {"keep_limb": True} if step.outcome else None


def run_loop(
    reader: Reader,
    controller: Decoder,
    env: Env,
    seconds: float,
    seed: int,
    sinks: Iterable[Sink] = (),
    trials: Trials = free_reaching,
    safety: SafetyConfig = CAUTIOUS,
    operator: Operator | None = None,
) -> Iterator[Step]:
    """Run ``controller`` on ``env`` for ``seconds``, one :class:`Step` at a time.

    Args:
        reader: of an opened source, with a pipeline at the environment's control rate.
        controller: takes its features one row at a time.
        sinks: told of every step as soon as its command is out.
        trials: says when a new trial begins; by default when one ends, with the limb left where it is.
        safety: when the limb is held and stopped, and how fast its command may change.
        operator: who may hold and stop it, and end the run.

    Raises:
        StreamError: the stream is gone for good, or has come back different.
    """
    now, operator = reader.now, operator or Operator()
    period = 1 / env.get_wrapper_attr("control_rate")
    to_action = env.get_wrapper_attr("to_action")
    low, high = command_range(env)
    limits = safety.limits(low, high, period)
    hidden = controller.initial_state()
    wanted: NDArray[np.floating] = np.zeros(len(low))
    env.reset(seed=seed)
    started = trial_start = now()
    state = first_state(len(low), started)
    deadline = started + period
    while deadline <= started + seconds + period / 2 and not operator.ended:
        # The network has to see every row, the oldest first; the limb only what it says of the newest.
        for row in reader.read_until(deadline).values:
            wanted, hidden = controller.step(row, hidden)
        woken, before = now(), state.phase
        state = advance(safety, limits, state, wanted, reader.newest, woken, operator.request())
        if not np.isfinite(wanted).all():
            hidden = controller.initial_state()
        if state.phase is Phase.STOPPED and before is not Phase.STOPPED:
            reader.forget()
            hidden = controller.initial_state()
        command = state.given.command
        *_, info = env.step(to_action(command))
        issued = now()
        missed = max(0, int((issued - deadline) / period))
        step = Step(
            time=issued,
            wanted=wanted,
            command=command,
            phase=state.phase,
            cause=state.cause,
            hand=info["hand_position"],
            hand_velocity=info["hand_velocity"],
            target=info["target_position"],
            joint_angles=info["joint_angles"],
            activation=info["activation"],
            outcome=info["reason"],
            trial_time=issued - trial_start,
            latency=issued - reader.newest if state.phase is Phase.RUNNING else float("nan"),
            compute=issued - woken,
            slack=deadline + period - issued,
            missed=missed,
        )
        for sink in sinks:
            sink(step)
        if (options := trials(step)) is not None:
            env.reset(options=options)
            trial_start = now()
        yield step
        deadline += (1 + missed) * period


def command_range(env: Env) -> tuple[Array, Array]:
    """Lowest and highest command ``(size,)`` in physical units: those that are the actions -1 and 1."""
    command = env.get_wrapper_attr("limb").command
    at_zero, at_one = (np.asarray(command.to_action(np.full(command.size, c)), float) for c in (0.0, 1.0))
    half = 1 / (at_one - at_zero)  # an action is linear in its command
    return (-1 - at_zero) * half, (1 - at_zero) * half


class Reader:
    """Turns whatever has arrived into features; remembers the pipeline's state and how old the newest sample is.

    Args:
        source: must have the pipeline's channels.
        pipeline: fitted.
        now: the clock that the source's time stamps are on (s).

    Raises:
        StreamError: the source does not give what the pipeline needs.
    """

    def __init__(self, source: Source, pipeline: Pipeline, now: Callable[[], float]) -> None:
        self.newest, self.now, self.skipped = -float("inf"), now, 0
        self.source, self._pipeline = source, pipeline
        self._columns = channel_indices(source.info, pipeline.info)
        self._state: PipelineState | None = None
        self._past: PipelineState | None = None  # forgotten, but for what is counted

    @property
    def gated(self) -> Gated:
        """What was missing or taken for an artefact so far (:meth:`Pipeline.gated`)."""
        return self._pipeline.gated(self._state or self._past)

    def forget(self) -> None:
        """What was heard: filters begin anew with the next sample. What was gated still counts."""
        self._state, self._past = None, self._state or self._past

    def read_until(self, deadline: float) -> Features:
        """All feature rows that become complete before ``deadline``; returns then.

        Of a backlog longer than ``BACKLOG`` only the last ``CATCH_UP`` s are looked at; ``skipped`` counts the rest.
        """
        parts = []
        while (left := deadline - self.now()) > 0:
            chunk = self.source.read(left)
            if len(chunk):
                self.newest = float(chunk.times[-1])
                if self.newest - chunk.times[0] > BACKLOG:
                    recent = int(np.searchsorted(chunk.times, self.newest - CATCH_UP))
                    self.skipped += recent
                    self.forget()
                    chunk = chunk[recent:]
                parts.append(self._process(chunk))
        return join_features(parts, len(self._pipeline.names))

    def _process(self, chunk: Chunk) -> Features:
        features, state = self._pipeline.process(chunk.select(self._columns), self._state)
        if state and self._past:
            past, self._past = self._past, None
            state = state._replace(gated=state.gated + past.gated, samples=state.samples + past.samples)
        self._state = state
        return features
