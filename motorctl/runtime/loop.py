"""The loop, one for simulated and for wall-clock time: they differ in the source and in the clock alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from motorctl.envs import Env, expert
from motorctl.runtime.operator import Operator
from motorctl.runtime.pace import Pace, Pacing
from motorctl.runtime.reader import Reader
from motorctl.runtime.safety import CAUTIOUS, Phase, SafetyConfig, advance, first_state, late
from motorctl.runtime.workspace import limits_near

Array = NDArray[np.float64]


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
        slack: from when the limb had moved to the next deadline (s); below 0 if that was missed.
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

    def prepare(self, state: Any) -> None:
        """Do what of the next :meth:`step` from ``state`` does not wait for its row; asked again while none comes."""
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
Actuator = Callable[[Array, float], None]
"""Told a command ``(size,)`` in physical units, and when it was decided (s); must not wait."""

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
    actuator: Actuator = lambda command, time: None,
    pacing: Pacing = "clock",
) -> Iterator[Step]:
    """Run ``controller`` on ``env`` for ``seconds``, one :class:`Step` at a time.

    Args:
        reader: of an opened source, with a pipeline at the environment's control rate.
        controller: takes its features one row at a time.
        sinks: told of every step when the limb has moved.
        trials: says when a new trial begins; by default when one ends, with the limb left where it is.
        safety: when the limb is held and stopped, and how fast its command may change.
        operator: who may hold and stop it, and end the run.
        guide: has a say in the command before safety has its.
        actuator: told every command first, before anything else is done with it.
        pacing: whether commands wait for deadlines or go out with the samples that they rest on.

    Raises:
        StreamLost: the stream is gone for good.
    """
    now, operator, guide = reader.now, operator or Operator(), guide or Unguided()
    to_action, intention = env.get_wrapper_attr("to_action"), intended_by_expert(env)
    low, high = command_range(env)
    period = 1 / env.get_wrapper_attr("control_rate")
    limits_at = limits_near(safety, safety.limits(low, high, period), env)
    wanted: NDArray[np.floating] = np.zeros(len(low))
    hidden = controller.initial_state()
    _, info = env.reset(seed=seed)
    intended, trial = intention(info), 1
    started = trial_start = now()
    state, pace = first_state(len(low), started), Pace(period, started, pacing)
    while pace.deadline <= started + seconds + period / 2 and not operator.ended:
        # The network has to see every row, the oldest first; the limb only what it says of the newest.
        prepare = partial(controller.prepare, hidden)
        rows = reader.read_at(pace, prepare).values
        ready, before = now(), state.phase
        for row in rows:
            wanted, hidden = controller.step(row, hidden)
        guided = guide(wanted, intended, info)
        request = operator.request()
        trouble = reader.trouble or late(safety, reader.lateness)
        state = advance(safety, limits_at(info), state, guided, reader.newest, ready, *request, trouble)
        command = state.given.command
        actuator(command, ready)
        issued = now()
        missed = pace.missed(issued)

        if not np.isfinite(wanted).all():
            hidden = controller.initial_state()
        if state.phase is Phase.STOPPED and before is not Phase.STOPPED:
            reader.forget()
            hidden = controller.initial_state()
        *_, info = env.step(to_action(command))
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
            compute=issued - ready,
            slack=pace.deadline + period - now(),
            missed=missed,
        )
        for sink in sinks:
            sink(step)
        if (options := trials(step)) is not None:
            _, info = env.reset(options=options)
            trial, trial_start = trial + 1, now()
        intended = intention(info)
        yield step
        pace.go_on(missed, reader.came if len(rows) else None, state.phase is Phase.RUNNING)


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
