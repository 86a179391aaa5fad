"""The state machine, transition by transition, and what the limb is told in each phase."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motorctl.errors import ConfigurationError
from motorctl.runtime.safety import Phase, SafetyConfig, advance, first_state

CONFIG = SafetyConfig(rate=1e3, acceleration=1e6)  # commands follow at once
PERIOD = 0.02
LIMITS = CONFIG.limits(-np.ones(2), np.ones(2), PERIOD)
WANTED = np.array([0.5, -0.2])
NAN = np.array([np.nan, 0.0])


class Bench:
    """Steps through control periods: what is heard, wanted and asked for is set between them."""

    def __init__(self, config=CONFIG):
        self.config, self.limits = config, config.limits(-np.ones(2), np.ones(2), PERIOD)
        self.now, self.newest = 0.0, -np.inf
        self.state, self.trouble = first_state(2, 0.0), ""

    def run(self, seconds, wanted=WANTED, heard=True, request=None):
        """Phases of the next ``seconds``; a request is made with the first step."""
        phases = []
        for _ in range(round(seconds / PERIOD)):
            self.now += PERIOD
            self.newest = self.now - 0.005 if heard else self.newest
            self.state = advance(
                self.config, self.limits, self.state, wanted, self.newest, self.now, request, trouble=self.trouble
            )
            request = None
            phases.append(self.state.phase)
        return phases

    @property
    def command(self):
        return self.state.given.command


@pytest.fixture
def running():
    bench = Bench()
    assert bench.run(1.0)[-1] is Phase.RUNNING
    return bench


def test_the_limb_moves_once_samples_have_come_for_the_settling_time():
    bench = Bench()
    assert set(bench.run(0.1, heard=False)) == {Phase.IDLE}
    phases = bench.run(0.6)
    assert phases == [Phase.ARMED] * 25 + [Phase.RUNNING] * 5
    np.testing.assert_allclose(bench.command, WANTED)


def test_a_break_while_armed_begins_the_settling_anew():
    bench = Bench()
    bench.run(0.4)
    assert bench.run(0.2, heard=False)[-1] is Phase.IDLE
    assert (bench.command == 0).all()
    assert bench.run(0.48)[-1] is Phase.ARMED


def test_silence_holds_then_fades_then_stops(running):
    commands = []
    phases = []
    for _ in range(60):
        phases += running.run(PERIOD, heard=False)
        commands.append(running.command[0])
    quiet = 0.005 + PERIOD * np.arange(1, 61)
    expected = np.where(quiet <= 0.1, Phase.RUNNING, np.where(quiet < 1.0, Phase.HOLDING, Phase.STOPPED))
    assert phases == expected.tolist()
    np.testing.assert_allclose(commands, 0.5 * (1 - np.clip((quiet - 0.25) / 0.25, 0, 1)), atol=1e-12)
    assert "no sample for 1." in running.state.cause


def test_a_short_silence_is_over_with_the_next_sample(running):
    assert running.run(0.5, heard=False)[-1] is Phase.HOLDING
    assert running.run(0.02) == [Phase.RUNNING]


def test_after_a_stop_by_silence_samples_must_settle_again(running):
    assert running.run(2.0, heard=False)[-1] is Phase.STOPPED
    assert running.run(0.6) == [Phase.ARMED] * 25 + [Phase.RUNNING] * 5


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_command_that_is_not_finite_is_silence(running, bad):
    wanted = np.array([0.5, bad])
    assert set(running.run(0.9, wanted)) == {Phase.HOLDING}
    assert np.isfinite(running.command).all() and "not finite" in running.state.cause
    assert running.run(0.2, wanted)[-1] is Phase.STOPPED and "not finite" in running.state.cause


def test_the_operator_stops_at_once_and_only_a_start_goes_on(running):
    slow = Bench(replace(CONFIG, rate=0.1, acceleration=1.0))
    slow.run(1.0)
    for bench in (running, slow):
        assert bench.run(0.02, request="stop") == [Phase.STOPPED]
        assert (bench.command == 0).all()
        assert set(bench.run(3.0)) == {Phase.STOPPED}
        assert bench.run(0.02, request="start") == [Phase.RUNNING]


def test_the_operator_holds_the_limb_still(running):
    assert set(running.run(0.5, request="hold")) == {Phase.HOLDING}
    assert (running.command == 0).all()
    assert running.run(0.1, request="start")[-1] is Phase.RUNNING


def test_nothing_moves_on_a_start_while_nothing_is_heard(running):
    running.run(2.0, heard=False, request="stop")
    assert running.run(1.0, heard=False, request="start")[-1] is Phase.STOPPED
    assert (running.command == 0).all()


def bench_in(situation):
    bench = Bench()
    if situation == "idle":
        bench.run(0.1, heard=False)
    elif situation == "armed":
        bench.run(0.2)
    else:
        bench.run(1.0)
    if situation == "holding":
        bench.run(0.3, heard=False)
    elif situation == "held":
        bench.run(0.1, request="hold")
    elif situation == "stopped":
        bench.run(2.0, heard=False)
    elif situation == "stopped by the operator":
        bench.run(0.1, request="stop")
    return bench


TRANSITIONS = {
    # situation: phase after a step with a sample, without one, with a command that is not finite,
    # as it is, and when a start is asked for with it
    "idle": ("armed idle idle", "armed idle idle"),
    "armed": ("armed armed idle", "armed armed idle"),
    "running": ("running running holding", "running running holding"),
    "holding": ("running holding holding", "running holding holding"),
    "held": ("holding holding holding", "running running idle"),
    "stopped": ("armed stopped stopped", "armed stopped stopped"),
    "stopped by the operator": ("stopped stopped stopped", "running running stopped"),
}


@pytest.mark.parametrize("request_", [None, "start", "hold", "stop"])
@pytest.mark.parametrize("heard", [0, 1, 2], ids=["sample", "none", "not finite"])
@pytest.mark.parametrize("situation", TRANSITIONS)
def test_every_transition(situation, heard, request_):
    bench = bench_in(situation)
    expected = {None: TRANSITIONS[situation][0].split()[heard], "start": TRANSITIONS[situation][1].split()[heard]}
    expected |= {"hold": "holding", "stop": "stopped"}
    (phase,) = bench.run(PERIOD, NAN if heard == 2 else WANTED, heard != 1, request_)
    assert phase == expected[request_]
    if phase in ("idle", "armed", "stopped"):
        assert bench.run(0.1, NAN, heard=False)[-1] in ("idle", "stopped") and (bench.command == 0).all()


def test_a_cause_is_told_once_and_what_is_wrong_takes_its_place(running):
    running.run(0.5, heard=False)
    first = running.state.cause
    running.run(0.3, heard=False)
    assert running.state.cause == first == "no sample for 0.11 s"
    running.trouble = "the stream is gone"
    running.run(PERIOD, heard=False)
    assert running.state.cause == "the stream is gone"


moments = st.tuples(
    st.lists(st.sampled_from([0.0, 0.3, -0.9, 5.0, float("nan"), float("inf")]), min_size=2, max_size=2),
    st.booleans(),
    st.sampled_from([None, None, None, "start", "hold", "stop"]),
    st.floats(0.02, 1.2),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(moments, max_size=8), st.floats(0.5, 50.0), st.floats(5.0, 2000.0))
def test_whatever_happens_commands_keep_their_limits_and_move_nothing_that_may_not(happening, rate, acceleration):
    bench = Bench(SafetyConfig(rate=rate, acceleration=acceleration))
    for wanted, heard, request, seconds in happening:
        for step in range(round(seconds / PERIOD)):
            before = bench.state
            bench.run(PERIOD, np.array(wanted), heard, request if step == 0 else None)
            now = bench.state
            assert np.isfinite(now.given.command).all()
            assert (np.abs(now.given.command) <= 1 + 1e-12).all()
            if now.latched == "stop":
                assert (now.given.command == 0).all()
                continue
            change = now.given.command - before.given.command
            assert (np.abs(change) <= bench.limits.step + 1e-9).all()
            assert (np.abs(change - before.given.change) <= bench.limits.bend + 1e-9).all()
            if now.phase in (Phase.IDLE, Phase.ARMED, Phase.STOPPED):
                assert (np.abs(now.given.command) <= np.abs(before.given.command) + 1e-12).all() or (
                    np.abs(now.given.change) <= np.abs(before.given.change) + 1e-12
                ).all()


@pytest.mark.parametrize("option", [{"hold_after": 0.0}, {"fade_after": 0.05}, {"stop_after": 0.2}, {"settle": -1.0}])
def test_times_in_the_wrong_order_are_refused(option):
    with pytest.raises(ConfigurationError, match=next(iter(option))):
        SafetyConfig(**option)
