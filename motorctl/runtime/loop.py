"""The loop, one for simulated and for wall-clock time: they differ in the source and in the clock alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from motorctl.envs import Env, expert
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
        wanted: ``(size,)`` what was decoded: the controller's command, in physical units (m/s for a velocity).
        intended: ``(size,)`` what the environment's expert would have commanded, seeing what there was to see.
        command: ``(size,)`` what the limb was told, after assistance and safety's last word.
        assist: share of the expert in it (0 to 1).
        phase: what safety allows.
        cause: of the phase, in a few words.
        info: the environment's ``info`` after the step: what is sensed of the limb, and what the task tells.
        outcome: why the trial ended with this step (``reached``, ``time limit``, ``unstable``), empty while it goes on.
        trial: its number, from 1.
        trial_time: since it began (s).
        newest_age: from the newest sample that ``wanted`` rests on to the command (s); NaN before the first.
        oldest_age: from the oldest of the samples that came with it, which no command before had used (s). What older
            ones still do through filters and memory, the pipeline's delay tells.
        compute: from when these samples, or the deadline, had come to the command (s).
        slack: from the end of all work of this step to the next deadline (s); below 0 if that was missed.
        missed: deadlines that went by without a command before this one.
    """

    time: float
    wanted: NDArray[np.floating]
    intended: NDArray[np.floating]
    command: NDArray[np.floating]
    assist: float
    phase: Phase
    cause: str
    info: Mapping[str, Any]
    outcome: str
    trial: int
    trial_time: float
    newest_age: float
    oldest_age: float
    compute: float
    slack: float
    missed: int

    @property
    def success(self) -> bool:
        """Whether the trial ended with this step, as it should."""
        return bool(self.info["success"])

    @property
    def hand(self) -> Array:
        """``(2,)`` or ``(3,)`` position of the hand (m), of limbs that have one."""
        return self.info["hand_position"]  # type: ignore[no-any-return]

    @property
    def target(self) -> Array:
        """Where it is to go (m), of tasks that tell."""
        return self.info["target_position"]  # type: ignore[no-any-return]


class Decoder(Protocol):
    """A controller one row at a time: what the loop asks of it."""

    def initial_state(self) -> Any:
        """The state before anything was seen."""
        ...

    def step(self, features: NDArray[np.float32], state: Any) -> tuple[NDArray[np.floating], Any]:
        """The command ``(command,)`` for one row of features ``(feature,)``, and the state to go on with."""
        ...


class Guide(Protocol):
    """What stands between the controller and safety: assistance, and a decoder that adapts to its user."""

    @property
    def assist(self) -> float:
        """Share of the expert in the last command (0 to 1)."""
        ...

    def __call__(
        self, wanted: NDArray[np.floating], intended: NDArray[np.floating], info: Mapping[str, Any]
    ) -> NDArray[np.floating]:
        """The command ``(size,)`` to go on with; called once a control step, on the way to the limb: be quick.

        Args:
            wanted: ``(size,)`` what the controller commands.
            intended: ``(size,)`` what the expert would command, seeing what there is to see now.
            info: what there is to see: the environment's ``info`` after the step before.
        """
        ...


class Unguided:
    """Nothing stands there."""

    assist = 0.0

    def __call__(
        self, wanted: NDArray[np.floating], intended: NDArray[np.floating], info: Mapping[str, Any]
    ) -> NDArray[np.floating]:
        """What the controller commands."""
        return wanted


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
    *,
    trials: Trials = free_reaching,
    safety: SafetyConfig = CAUTIOUS,
    operator: Operator | None = None,
    guide: Guide | None = None,
) -> Iterator[Step]:
    """Run ``controller`` on ``env`` for ``seconds``, one :class:`Step` at a time.

    Args:
        reader: of an opened source, with a pipeline at the environment's control rate.
        controller: takes its features one row at a time.
        sinks: told of every step as soon as its command is out.
        trials: says when a new trial begins; by default when one ends, with the limb left where it is.
        safety: when the limb is held and stopped, and how fast its command may change.
        operator: who may hold and stop it, and end the run.
        guide: has a say in the command before safety has its.

    Raises:
        StreamError: the stream is gone for good, or has come back different.
    """
    now, operator, guide = reader.now, operator or Operator(), guide or Unguided()
    period = 1 / env.get_wrapper_attr("control_rate")
    to_action = env.get_wrapper_attr("to_action")
    low, high = command_range(env)
    limits = safety.limits(low, high, period)
    hidden = controller.initial_state()
    wanted: NDArray[np.floating] = np.zeros(len(low))
    _, info = env.reset(seed=seed)
    intention = intended_by_expert(env)
    intended = intention(info)
    started = trial_start = now()
    trial = 1
    state = first_state(len(low), started)
    deadline = started + period
    while deadline <= started + seconds + period / 2 and not operator.ended:
        # The network has to see every row, the oldest first; the limb only what it says of the newest.
        for row in reader.read_until(deadline).values:
            wanted, hidden = controller.step(row, hidden)
        woken, before = now(), state.phase
        guided = guide(wanted, intended, info)
        state = advance(safety, limits, state, guided, reader.newest, woken, *operator.request())
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
            intended=intended,
            command=command,
            assist=guide.assist,
            phase=state.phase,
            cause=state.cause,
            info=info,
            outcome=info["reason"],
            trial=trial,
            trial_time=issued - trial_start,
            newest_age=issued - reader.used[1],
            oldest_age=issued - reader.used[0],
            compute=issued - woken,
            slack=deadline + period - issued,
            missed=missed,
        )
        for sink in sinks:
            sink(step)
        if (options := trials(step)) is not None:
            _, info = env.reset(options=options)
            trial, trial_start = trial + 1, now()
        intended = intention(info)
        yield step
        deadline += (1 + missed) * period


def intended_by_expert(env: Env) -> Callable[[Mapping[str, Any]], Array]:
    """What the environment's expert would command, ``(size,)`` in physical units, from ``info``; asked for after a step
    or a reset, since some experts look at the limb itself."""
    policy = expert(env)
    low, high = command_range(env)
    middle, half = (high + low) / 2, (high - low) / 2
    return lambda info: middle + half * policy(dict(info))


def command_range(env: Env) -> tuple[Array, Array]:
    """Lowest and highest command ``(size,)`` in physical units: those that are the actions -1 and 1."""
    command = env.get_wrapper_attr("limb").command
    at_zero, at_one = (np.asarray(command.to_action(np.full(command.size, c)), float) for c in (0.0, 1.0))
    half = 1 / (at_one - at_zero)  # an action is linear in its command
    return (-1 - at_zero) * half, (1 - at_zero) * half


class Reader:
    """Turns whatever has arrived into features; remembers the pipeline's state and how old the samples are.

    ``newest`` is when the newest sample was measured (s), ``used`` the oldest and the newest of those that the last
    features rest on and those before did not (s).

    Args:
        source: must have the pipeline's channels.
        pipeline: fitted.
        now: the clock that the source's time stamps are on (s).

    Raises:
        StreamError: the source does not give what the pipeline needs.
    """

    def __init__(self, source: Source, pipeline: Pipeline, now: Callable[[], float]) -> None:
        self.newest, self.now, self.skipped = -float("inf"), now, 0
        self.used = float("nan"), float("nan")
        self.source, self._pipeline = source, pipeline
        self._columns = channel_indices(source.info, pipeline.info)
        self._state: PipelineState | None = None
        self._past: PipelineState | None = None  # forgotten, but for what is counted
        self._unused = float("nan")  # when the oldest sample was measured that no features rest on yet (s)

    @property
    def gated(self) -> Gated:
        """What was missing or taken for an artefact so far (:meth:`Pipeline.gated`)."""
        return self._pipeline.gated(self._state or self._past)

    @property
    def gated_share(self) -> float:
        """Share of all samples so far that was (0 to 1)."""
        state = self._state or self._past
        return float(state.gated.sum() / max(1, state.samples * state.gated.shape[1])) if state else 0.0

    def forget(self) -> None:
        """What was heard: filters begin anew with the next sample. What was gated still counts."""
        self._state, self._past = None, self._state or self._past
        self._unused = float("nan")

    def read_until(self, deadline: float) -> Features:
        """All feature rows that become complete before ``deadline``; returns then.

        Of a backlog longer than ``BACKLOG`` only the last ``CATCH_UP`` s are looked at; ``skipped`` counts the rest.
        """
        parts = []
        oldest = self._unused
        while (left := deadline - self.now()) > 0:
            chunk = self._recent(self.source.read(left))
            if len(chunk):
                oldest = float(chunk.times[0]) if np.isnan(oldest) else oldest
                parts.append(self._process(chunk))
        features = join_features(parts, len(self._pipeline.names))
        if len(features.times):
            self.used = oldest, float(features.times[-1])
        return features

    def _recent(self, chunk: Chunk) -> Chunk:
        """What is looked at of a chunk."""
        if not len(chunk):
            return chunk
        self.newest = float(chunk.times[-1])
        if self.newest - chunk.times[0] <= BACKLOG:
            return chunk
        recent = int(np.searchsorted(chunk.times, self.newest - CATCH_UP))
        self.skipped += recent
        self.forget()
        return chunk[recent:]

    def _process(self, chunk: Chunk) -> Features:
        features, state = self._pipeline.process(chunk.select(self._columns), self._state)
        if state and self._past:
            past, self._past = self._past, None
            state = state._replace(gated=state.gated + past.gated, samples=state.samples + past.samples)
        self._state = state
        if len(features.times):
            rest = int(np.searchsorted(chunk.times, features.times[-1], "right"))
            self._unused = float(chunk.times[rest]) if rest < len(chunk) else float("nan")
        elif np.isnan(self._unused):
            self._unused = float(chunk.times[0])
        return features
