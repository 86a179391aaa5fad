"""The loop, one for simulated and for wall-clock time: they differ in the source and in the clock alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from motorctl.envs import Env
from motorctl.signals.gate import Gated
from motorctl.signals.pipeline import Features, Pipeline, PipelineState, join_features
from motorctl.signals.stream import Source, channel_indices

Array = NDArray[np.float64]

STALE = 0.25
"""Age of the newest sample (s) from which on the command is neutral: a hand must not run on while nobody is heard."""
LOST = 5.0
"""Silence (s) after which the loop ends: the stream is gone."""


@dataclass(frozen=True)
class Step:
    """What happened in one control step.

    Args:
        time: when the command went out, on the loop's clock (s).
        command: what the limb was told, after the last word (m/s for a velocity).
        hand: ``(2,)`` position of the hand after the step (m).
        hand_velocity: ``(2,)`` (m/s).
        target: ``(2,)`` (m).
        joint_angles: after the step (rad).
        activation: of the muscles after the step (0 to 1).
        outcome: why the trial ended with this step (``reached``, ``time limit``, ``unstable``), empty while it goes on.
        trial_time: since the target appeared (s).
        latency: from the newest sample that the command rests on to the command (s); NaN if the command is neutral.
        missed: deadlines that went by without a command before this one.
    """

    time: float
    command: NDArray[np.floating]
    hand: Array
    hand_velocity: Array
    target: Array
    joint_angles: Array
    activation: Array
    outcome: str
    trial_time: float
    latency: float
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
) -> Iterator[Step]:
    """Run ``controller`` on ``env`` for ``seconds``, one :class:`Step` at a time; ends early if the stream is lost.

    Args:
        reader: of an opened source, with a pipeline at the environment's control rate.
        controller: takes its features one row at a time.
        sinks: told of every step as soon as its command is out.
        trials: says when a new trial begins; by default when one ends, with the limb left where it is.

    Raises:
        StreamError: the stream is gone for good, or has come back different.
    """
    now = reader.now
    period = 1 / env.get_wrapper_attr("control_rate")
    to_action = env.get_wrapper_attr("to_action")
    hidden = controller.initial_state()
    command: NDArray[np.floating] = np.zeros(2)
    env.reset(seed=seed)
    started = trial_start = reader.newest = now()
    deadline = started + period
    while deadline <= started + seconds + period / 2 and now() - reader.newest < LOST:
        # The network has to see every row, the oldest first; the limb only what it says of the newest.
        for row in reader.read_until(deadline).values:
            command, hidden = controller.step(row, hidden)
        usable = now() - reader.newest <= STALE and np.isfinite(command).all()
        if not usable:
            command = np.zeros_like(command)
        *_, info = env.step(to_action(command))
        issued = now()
        missed = max(0, int((issued - deadline) / period))
        step = Step(
            time=issued,
            command=command,
            hand=info["hand_position"],
            hand_velocity=info["hand_velocity"],
            target=info["target_position"],
            joint_angles=info["joint_angles"],
            activation=info["activation"],
            outcome=info["reason"],
            trial_time=issued - trial_start,
            latency=issued - reader.newest if usable else float("nan"),
            missed=missed,
        )
        for sink in sinks:
            sink(step)
        if (options := trials(step)) is not None:
            env.reset(options=options)
            trial_start = now()
        yield step
        deadline += (1 + missed) * period


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
        self.newest, self.now = now(), now
        self.source, self._pipeline = source, pipeline
        self._columns = channel_indices(source.info, pipeline.info)
        self._state: PipelineState | None = None

    @property
    def gated(self) -> Gated:
        """What was missing or taken for an artefact so far (:meth:`Pipeline.gated`)."""
        return self._pipeline.gated(self._state)

    def read_until(self, deadline: float) -> Features:
        """All feature rows that become complete before ``deadline``; returns then."""
        parts = []
        while (left := deadline - self.now()) > 0:
            chunk = self.source.read(left)
            if len(chunk):
                features, self._state = self._pipeline.process(chunk.select(self._columns), self._state)
                self.newest = float(chunk.times[-1])
                parts.append(features)
        return join_features(parts, len(self._pipeline.names))
