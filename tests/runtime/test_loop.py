"""The loop on simulated time: deadlines, silence, bad commands, trials."""

from __future__ import annotations

from dataclasses import replace
from types import TracebackType
from typing import Self

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from motorctl.envs import Env, make_env
from motorctl.errors import StreamError
from motorctl.person.brain import Brain
from motorctl.person.person import Person
from motorctl.person.source import SimulatedSource
from motorctl.person.user import User
from motorctl.runtime.loop import Step, Trials, command_range, free_reaching, run_loop
from motorctl.runtime.operator import Operator
from motorctl.runtime.pace import Pace
from motorctl.runtime.reader import BACKLOG, CATCH_UP, Reader
from motorctl.runtime.safety import CAUTIOUS, Phase, SafetyConfig
from motorctl.runtime.summary import summarize
from motorctl.signals.pipeline import Pipeline, PipelineConfig
from motorctl.signals.stream import Channel, Chunk, StreamInfo

INFO = StreamInfo("test", "EEG", 100.0, (Channel("C3"), Channel("C4")))
PIPELINE = Pipeline(PipelineConfig(rate=50.0, reference="none", amplitude_band=(0.0, 20.0), power_bands=()), INFO)
FOREVER = 9e9
AT_ONCE = SafetyConfig(settle=0.0, rate=1e3, acceleration=1e6)
"""Commands follow the controller at once."""


class Scripted:
    """A source on simulated time: silent from one time to another, and once held up while it is read."""

    def __init__(
        self, info: StreamInfo = INFO, silence: tuple[float, float] = (FOREVER, FOREVER), stall_at: float = FOREVER
    ) -> None:
        self.info, self.time, self._silence, self._stall_at, self._sent = info, 0.0, silence, stall_at, 0

    def now(self) -> float:
        return self.time

    def read(self, timeout: float) -> Chunk:
        self.time += timeout
        if self.time >= self._stall_at:  # the machine was busy elsewhere
            self.time, self._stall_at = self.time + 0.095, FOREVER
        due = round(self.time * self.info.rate)
        times = np.arange(self._sent + 1, due + 1) / self.info.rate
        times = times[(times < self._silence[0]) | (times >= self._silence[1])]
        self._sent = due
        return Chunk(np.ones((len(times), len(self.info.channels)), np.float32), times)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Constant:
    """Commands the same velocity at every row; its state is how many there were."""

    def __init__(self, x: float, y: float) -> None:
        self.command, self.rows = np.array([x, y]), 0

    def initial_state(self) -> int:
        return 0

    def step(self, features: NDArray[np.float32], state: int) -> tuple[NDArray[np.floating], int]:
        self.rows = state + 1
        return self.command, self.rows

    def prepare(self, state: int) -> None: ...


def env() -> Env:
    return make_env("motorctl/ArmReach-v0", command="velocity", control_rate=50.0)


def run(
    source: Scripted,
    controller: Constant,
    seconds: float,
    trials: Trials = free_reaching,
    safety: SafetyConfig = AT_ONCE,
    operator: Operator | None = None,
) -> list[Step]:
    reader = Reader(source, PIPELINE, source.now)
    return list(run_loop(reader, controller, env(), seconds, 1, trials=trials, safety=safety, operator=operator))


def test_every_period_has_a_step_and_every_row_is_seen_once() -> None:
    controller = Constant(0.1, 0.0)
    steps = run(Scripted(), controller, 1.0)
    np.testing.assert_allclose([s.time for s in steps], np.arange(1, 51) * 0.02)
    assert controller.rows == 50
    assert all(s.newest_age == pytest.approx(0, abs=1e-9) and s.missed == 0 and s.phase is Phase.RUNNING for s in steps)
    assert all(s.compute == 0 and s.slack == pytest.approx(0.02) for s in steps)  # simulated time stands still
    assert steps[-1].hand[0] > steps[0].hand[0] + 0.05  # 0.1 m/s to the right


class Device(Scripted):
    """Its clock is another one, and its samples come some time after they were measured; reads end with the first."""

    def __init__(self, drift: float, latency: float, begin: float) -> None:
        super().__init__()
        self._period, self._latency, self._begin = (1 + drift) / INFO.rate, latency, begin

    def read(self, timeout: float) -> Chunk:
        measured = self._begin + (self._sent + 1) * self._period
        if measured + self._latency > self.time + timeout:
            self.time += timeout
            return Chunk(np.empty((0, 2), np.float32), np.empty(0))
        self._sent, self.time = self._sent + 1, max(self.time, measured + self._latency)
        return Chunk(np.ones((1, 2), np.float32), np.array([measured]))


@pytest.mark.parametrize("begin", [0.0, 0.003, 0.0125])
def test_with_the_pace_of_samples_no_sample_waits_for_a_deadline(begin: float) -> None:
    """However the deadlines lie when the stream begins, and though the device's crystal is another one."""
    source = Device(drift=3e-4, latency=5e-4, begin=begin)
    reader, controller = Reader(source, PIPELINE, source.now), Constant(0.1, 0.0)
    steps = list(run_loop(reader, controller, env(), 60.0, 1, safety=AT_ONCE, pacing="samples"))
    settled = steps[3:]
    assert all(s.newest_age == pytest.approx(5e-4) and s.missed == 0 for s in settled)
    assert all(s.oldest_age == pytest.approx(5e-4 + 0.01, abs=1e-4) for s in settled)
    np.testing.assert_allclose(np.diff([s.time for s in settled]), 0.02 * (1 + 3e-4), rtol=1e-6)
    assert controller.rows in (len(steps), len(steps) - 1)

    source = Device(drift=3e-4, latency=5e-4, begin=begin)
    waiting = list(run_loop(Reader(source, PIPELINE, source.now), Constant(0.1, 0.0), env(), 60.0, 1, safety=AT_ONCE))
    ages = [s.newest_age for s in waiting[3:]]
    assert max(ages) > 0.015 and min(ages) >= 5e-4 - 1e-9  # at the clock's pace they wait, as the clocks drift


def test_a_row_that_does_not_come_is_not_waited_for_beyond_the_deadline() -> None:
    class Pausing(Device):
        def read(self, timeout: float) -> Chunk:
            if 1.0 <= self.time < 1.5:
                self.time += timeout
                self._sent = round(self.time / self._period)
                return Chunk(np.empty((0, 2), np.float32), np.empty(0))
            return super().read(timeout)

    source = Pausing(drift=0.0, latency=5e-4, begin=0.003)
    steps = list(run_loop(Reader(source, PIPELINE, source.now), Constant(0.1, 0.0), env(), 2.5, 1, pacing="samples"))
    assert len(steps) == pytest.approx(125, abs=2) and not sum(s.missed for s in steps)
    assert max(np.diff([s.time for s in steps])) < 0.031
    pause = [s.newest_age for s in steps if 1.1 < s.time < 1.45]
    assert (np.diff(pause) > 0).all()


@pytest.mark.parametrize("stall", [0.012, 0.02, 0.025, 0.029, 0.033, 0.05, 0.11])
def test_after_a_stall_of_the_device_no_sample_waits(stall: float) -> None:
    """What was held up comes at once, in a period that has had its command, or with its own as well."""

    class Stalling(Device):
        def read(self, timeout: float) -> Chunk:
            if 1.0 <= self.time < 1.0 + stall:
                self.time = min(self.time + timeout, 1.0 + stall)
                return Chunk(np.empty((0, 2), np.float32), np.empty(0))
            return super().read(timeout)

    source = Stalling(drift=0.0, latency=5e-4, begin=0.003)
    steps = list(run_loop(Reader(source, PIPELINE, source.now), Constant(0.1, 0.0), env(), 2.0, 1, pacing="samples"))
    assert all(s.newest_age == pytest.approx(5e-4) for s in steps[3:] if not 1.0 < s.time < 1.04 + stall)
    assert len(steps) == pytest.approx(100, abs=2) and not sum(s.missed for s in steps)
    assert min(np.diff([s.time for s in steps])) > 0
    assert max(np.diff([s.time for s in steps])) < 0.041


def test_an_actuator_is_told_every_command_before_the_limb_moves() -> None:
    told: list[tuple[float, float]] = []
    source = Scripted()
    loop = run_loop(
        Reader(source, PIPELINE, source.now),
        Constant(0.1, 0.0),
        env(),
        0.5,
        1,
        safety=AT_ONCE,
        actuator=lambda command, time: told.append((float(command[0]), time)),
    )
    for number, step in enumerate(loop, 1):
        assert len(told) == number and told[-1] == (step.command[0], step.time)


class Broken(Scripted):
    """Its second electrode is off for the first second."""

    def read(self, timeout: float) -> Chunk:
        chunk = super().read(timeout)
        mask = np.ones(chunk.samples.shape, bool)
        mask[:, 1] = chunk.times > 1 + 1e-9
        return replace(chunk, mask=mask)


def test_what_the_pipeline_gates_is_counted() -> None:
    source = Broken()
    reader = Reader(source, PIPELINE, source.now)
    assert reader.gated == {}
    assert len(list(run_loop(reader, Constant(0.0, 0.0), env(), 2.0, seed=1))) == 100
    assert reader.gated == {"C4": {"missing": 0.5, "rejected": 0.0, "flat": 0.0}}


def test_what_is_late_is_counted_and_never_queued_up() -> None:
    """A stall of 95 ms passes four deadlines; the loop goes on at the next one, on the old grid."""
    steps = run(Scripted(stall_at=1.0), Constant(0.1, 0.0), 2.0)
    missed = [s.missed for s in steps]
    assert sum(missed) == 4 and max(missed) == 4
    late = missed.index(4)
    np.testing.assert_allclose([s.time for s in steps[late + 1 :]], np.arange(late + 6, 101) * 0.02)
    summary = summarize(steps)
    assert (summary.deadlines, summary.deadlines_missed) == (100, 4)


def phase_at(steps: list[Step], time: float) -> Phase:
    return min(steps, key=lambda s: abs(s.time - time)).phase


def test_a_silent_stream_is_held_faded_and_stopped_and_goes_on_when_it_is_heard_again() -> None:
    steps = run(Scripted(silence=(1.0, 3.0)), Constant(0.1, 0.0), 4.5, safety=CAUTIOUS)
    phases = {
        0.3: "armed",
        0.9: "running",
        1.2: "holding",
        1.5: "holding",
        2.5: "stopped",
        3.3: "armed",
        4.0: "running",
    }
    assert {time: phase_at(steps, time) for time in phases} == phases
    commands = {round(s.time, 2): s.command[0] for s in steps}
    assert [commands[t] for t in (0.3, 0.9, 1.2, 1.6, 2.5, 3.3, 4.0)] == pytest.approx([0, 0.1, 0.1, 0, 0, 0, 0.1])
    still = [s for s in steps if 2.0 < s.time < 3.0]
    assert max(np.linalg.norm(s.info["hand_velocity"]) for s in still) < 0.01
    summary = summarize(steps)
    assert summary.neutral_steps == sum(s.phase is not Phase.RUNNING for s in steps)
    assert summary.phases["holding"] == pytest.approx(0.9, abs=0.05)
    assert sum(summary.phases.values()) == pytest.approx(summary.seconds)


class Counting(Constant):
    """Its command is how many rows it has seen since the state was new, in cm/s."""

    def step(self, features: NDArray[np.float32], state: int) -> tuple[NDArray[np.floating], int]:
        return np.array([min(state, 50) / 100, 0.0]), state + 1


def test_a_device_that_is_always_late_is_named_as_the_cause_and_may_be_allowed() -> None:
    steps = run(Device(drift=0.0, latency=0.15, begin=0.0), Constant(0.1, 0.0), 1.0)
    assert all(s.phase is Phase.IDLE and (s.command == 0).all() for s in steps)
    assert {s.cause for s in steps[10:]} == {
        "samples come more than 0.1 s late; if the device is as slow, raise --safety.hold-after"
    }
    allowed = replace(AT_ONCE, hold_after=0.2)
    assert run(Device(drift=0.0, latency=0.15, begin=0.0), Constant(0.1, 0.0), 1.0, safety=allowed)[-1].command[0] > 0


def test_after_a_stop_the_hidden_state_and_the_filters_are_new() -> None:
    steps = run(Scripted(silence=(1.0, 3.0)), Counting(0, 0), 3.5)
    back = [s for s in steps if s.time > 3.005]
    np.testing.assert_allclose([s.wanted[0] for s in back[:5]], np.arange(5) / 100, atol=1e-12)
    before = [s for s in steps if s.time < 1.0]
    assert before[-1].wanted[0] > 0.4

    class Stepped(Scripted):  # an electrode's offset that has moved would ring in filters that remember
        def read(self, timeout: float) -> Chunk:
            chunk = super().read(timeout)
            return replace(chunk, samples=chunk.samples * np.where(chunk.times[:, None] < 3, 1, 1e4).astype(np.float32))

    source = Stepped(silence=(1.0, 3.0))
    shown: list[float] = []

    class Showing(Constant):
        def step(self, features: NDArray[np.float32], state: int) -> tuple[NDArray[np.floating], int]:
            shown.append(float(features[0]))
            return self.command, state

    run(source, Showing(0.0, 0.0), 3.5)
    np.testing.assert_allclose(shown[-20:], 1e4, rtol=1e-6)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_command_that_is_not_finite_never_reaches_the_limb(bad: float) -> None:
    steps = run(Scripted(), Constant(bad, 0.1), 0.5)
    assert len(steps) == 25
    assert all((s.command == 0).all() and np.isfinite(s.hand).all() for s in steps)
    assert summarize(steps).neutral_steps == 25


def test_a_hidden_state_that_is_poisoned_is_made_anew() -> None:
    class Poisoned(Constant):
        def step(self, features: NDArray[np.float32], state: int) -> tuple[NDArray[np.floating], int]:
            self.rows += 1
            return self.command * (np.nan if state > 40 else 1), state + 1

    steps = run(Scripted(), Poisoned(0.1, 0.0), 2.0)
    assert sum(s.phase is Phase.HOLDING for s in steps) == 2  # two rows in a hundred
    np.testing.assert_allclose([s.command[0] for s in steps], 0.1)


def test_the_operator_stops_starts_and_ends_the_run() -> None:
    operator = Operator()

    def at_times(step: Step) -> None:
        asked = {0.5: "stop", 1.0: "start", 1.5: "hold"}.get(round(step.time, 2))
        if asked:
            operator.ask(asked)  # type: ignore[arg-type]
        if round(step.time, 2) == 2.0:
            operator.end()

    steps = run(Scripted(), Constant(0.1, 0.0), 9.0, trials=lambda step: at_times(step), operator=operator)
    assert steps[-1].time == pytest.approx(2.0)
    assert [phase_at(steps, t) for t in (0.4, 0.52, 0.9, 1.02, 1.52, 1.9)] == [
        "running", "stopped", "stopped", "running", "holding", "holding",
    ]  # fmt: skip
    assert all((s.command == 0).all() for s in steps if 0.51 < s.time < 1.01)


def test_of_a_long_backlog_only_the_end_is_looked_at() -> None:
    class Hoarding(Scripted):
        def read(self, timeout: float) -> Chunk:
            self.time = 100.0
            return super().read(0.0)

    source = Hoarding()
    reader = Reader(source, PIPELINE, source.now)
    features = reader.read_at(Pace(0.02, 0.0, "clock"))
    assert reader.skipped + CATCH_UP * INFO.rate == pytest.approx(100 * INFO.rate, abs=1) and BACKLOG < 100
    assert len(features.values) == pytest.approx(CATCH_UP * 50, abs=1)
    assert features.times[-1] == pytest.approx(100.0, abs=0.02)


def test_the_range_of_a_command_is_what_the_actions_stand_for() -> None:
    low, high = command_range(env())
    np.testing.assert_allclose([low, high], [[-0.6, -0.6], [0.6, 0.6]])
    low, high = command_range(make_env("motorctl/ArmReach-v0", command="muscles"))
    np.testing.assert_allclose([low, high], [np.zeros(6), np.ones(6)])


def test_a_stream_without_the_channels_is_refused() -> None:
    other = StreamInfo("other", "EEG", 100.0, (Channel("Oz"), Channel("C4")))
    with pytest.raises(StreamError, match="needs channel C3, but 'other' has Oz, C4"):
        run(Scripted(other), Constant(0, 0), 1.0)


def test_channels_are_taken_by_name() -> None:
    """A stream with other channels too, in another order and case."""
    wide = StreamInfo("wide", "EEG", 100.0, tuple(Channel(label) for label in ("Oz", "C4", "c3")))
    assert len(run(Scripted(wide), Constant(0.1, 0), 1.0)) == 50


def test_trials_follow_each_other_with_the_limb_left_where_it_is() -> None:
    steps = run(Scripted(), Constant(0.0, 0.0), 9.0)
    ends = [i for i, s in enumerate(steps) if s.outcome]
    assert [steps[i].outcome for i in ends] == ["time limit", "time limit"]
    assert [steps[i].trial_time for i in ends] == pytest.approx([4.0, 4.0])
    assert not np.array_equal(steps[ends[0]].target, steps[ends[0] + 1].target)
    np.testing.assert_allclose(steps[ends[0]].hand, steps[ends[0] + 1].hand, atol=1e-3)


def test_trials_can_be_asked_for_from_outside() -> None:
    target = np.array([0.05, 0.45])

    def at_half_time(step: Step) -> dict[str, object] | None:
        return {"target": target} if step.time == pytest.approx(0.5) else None

    steps = run(Scripted(), Constant(0.2, 0.0), 1.0, at_half_time)
    np.testing.assert_allclose(steps[25].target, target)
    assert steps[25].trial_time == pytest.approx(0.02)
    assert steps[24].hand[0] - steps[25].hand[0] > 0.05  # back at rest


def test_with_a_perfect_decoder_the_simulated_person_reaches_every_target() -> None:
    brain = Brain(mu=None, beta=None, background=None, amplifier=None)
    along_axes = torch.eye(2)[:, None].expand(2, 250, 2)
    patterns = brain.emit(along_axes, brain.initial_state(2, seed=0))[0][:, -1].numpy()
    source = SimulatedSource(Person(User(50.0), brain, seed=0))
    config = PipelineConfig(reference="none", amplitude_band=(0.0, 20.0), power_bands=())

    class ReadOff(Constant):
        def step(self, features: NDArray[np.float32], state: int) -> tuple[NDArray[np.floating], int]:
            return features @ np.linalg.pinv(patterns), state

    sinks = [lambda step: source.see(step.hand, step.target)]
    pipeline = Pipeline(config, brain.info)
    summary = summarize(list(run_loop(Reader(source, pipeline, source.now), ReadOff(0, 0), env(), 20.0, 3, sinks)))
    assert summary.success_rate == 1.0 and summary.reached >= 10
