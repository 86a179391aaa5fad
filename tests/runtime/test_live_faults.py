"""What headsets do wrong, done to a whole live run by a headset in another process.

In each case no command leaves its limits, the phase is the right one in time, one line names the cause, and the run
recovers by itself where that is safe.
"""

from __future__ import annotations

import signal
import time

import psutil
import pytest

from motorctl.errors import StreamError
from motorctl.runtime.live import live
from motorctl.runtime.live_config import LiveConfig
from motorctl.signals.lsl import marker_outlet

FAST = ("frozen", "nan", "clock", "channels")
"""Rows that are tested every time; the others take longer, or differ little."""


@pytest.fixture
def running(start_run, new_headset, stream_name, small_controller, tmp_path):
    """A run that runs, its headset, and when."""

    def begin(*options):
        headset, limb = new_headset(stream_name), f"{stream_name}-limb"
        words = ["--controller", small_controller, "--stream", f"id-{stream_name}", "--timeout", 30]
        run = start_run([*words, "--seconds", 600, "--out", tmp_path / "run", *options], limb)
        return run, headset, run.wait_for("running")

    return begin


def slow_unless(*names):
    return [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in names]


SILENCES = {
    "killed": (lambda headset: headset.process.popen.kill(), lambda headset: headset.start(), "the stream is gone"),
    "closed": (lambda headset: headset.do(close=True), lambda headset: headset.do(open={}), "the stream is gone"),
    "frozen": (
        lambda headset: headset.process.popen.send_signal(signal.SIGSTOP),
        lambda headset: headset.process.popen.send_signal(signal.SIGCONT),
        "no sample for",
    ),
    "burst": (lambda headset: headset.do(mode="hold"), lambda headset: headset.do(mode="on"), "no sample for"),
    "nan": (lambda headset: headset.do(nan=17), lambda headset: headset.do(nan=0), "electrodes give no signal"),
}


@pytest.mark.parametrize("name", slow_unless(*SILENCES))
def test_silence_is_held_then_stopped_and_over_by_itself(running, name):
    begin, end, cause = SILENCES[name]
    run, headset, since = running()
    begin(headset)
    since = run.wait_for("holding", since=since)
    since = run.wait_for("stopped", cause, since)
    run.stay(0.3)
    assert not run.commands[-1].any()
    end(headset)
    run.wait_for("running", since=run.wait_for("armed", since=since))
    run.stay(0.3)
    run.check()


HARMLESS = {
    "clock": lambda headset: headset.do(shift=5.0),
    "back": lambda headset: headset.do(shift=-5.0),
    "unix": lambda headset: headset.do(shift=time.time()),
    "duplicates": lambda headset: headset.do(mode="twice"),
    "few": lambda headset: headset.do(nan=8),
    "twin": lambda headset: headset.do(twin={"source_id": "another"}),
}


@pytest.mark.parametrize("name", slow_unless(*HARMLESS))
def test_what_can_be_put_right_moves_on(running, name):
    """At most a moment's hold: the limb is never stopped."""
    run, headset, since = running()
    HARMLESS[name](headset)
    run.stay(3.0)
    assert run.phases[-1][1] in ("running", "holding")  # a busy machine may just be late
    assert "stopped" not in [phase for when, phase, _ in run.phases if when > since]
    run.check()


@pytest.mark.slow
def test_of_an_hour_that_comes_at_once_the_end_is_looked_at(running):
    """The device is busy with it for a second or more, and silent."""
    run, headset, since = running()
    headset.do(old=3600)
    run.stay(3.0)
    run.stay(2.0)
    assert run.phases[-1][1] in ("running", "holding") and run.ages[-1][1] < 0.3
    run.check()


@pytest.mark.slow
def test_units_that_are_known_are_converted(running):
    run, headset, since = running()
    headset.reopen(unit="nV")
    run.wait_for("running", since=run.wait_for("holding", since=since))
    run.check()


DIFFERENT = {
    "channels": ({"labels": ["C3", "C4"]}, "channels"),
    "rate": ({"rate": 125.0}, "rate 250 Hz before, 125 Hz now"),
    "name": ({"name": "somebody"}, "name"),
    "type": ({"type": "EMG"}, "type EEG before, EMG now"),
    "unit": ({"unit": "furlong"}, "furlong"),
    "liar": ({"gives": 125.0}, "samples a second, not 250"),
}


@pytest.mark.parametrize("name", slow_unless(*DIFFERENT))
def test_a_headset_that_comes_back_different_is_named_and_waited_for(running, name):
    different, cause = DIFFERENT[name]
    run, headset, since = running()
    headset.reopen(**different)
    since = run.wait_for("stopped", cause, since)
    run.stay(0.3)
    assert not run.commands[-1].any()
    headset.reopen()
    run.wait_for("running", since=since)
    run.check()


@pytest.mark.slow
def test_an_isolated_reader_names_it_and_waits_too(running):
    run, headset, since = running("--isolated")
    headset.reopen(rate=125.0)
    since = run.wait_for("stopped", "rate 250 Hz before, 125 Hz now", since)
    headset.reopen()
    run.wait_for("running", since=since)
    run.check()


def test_of_two_of_one_name_none_is_chosen(new_headset, stream_name, small_controller, tmp_path):
    headset = new_headset(stream_name)
    headset.do(twin={"source_id": "another"})
    with pytest.raises(StreamError, match=f"2 streams with .*{stream_name}"):
        live(LiveConfig(small_controller, stream_name, out=tmp_path / "run"))


@pytest.mark.slow
def test_a_stream_that_is_gone_for_good_ends_the_run_with_an_error(running, tmp_path):
    run, headset, _ = running()
    headset.do(close=True)
    run.end()
    headset.do(open={"source_id": ""})
    words = ["--controller", tmp_path / "controller", "--stream", headset.name, "--seconds", 600]
    again = type(run)([*map(str, words), "--out", str(tmp_path / "again")], f"{headset.name}-limb2")
    again.wait_for("running")
    headset.do(close=True)
    said, complaints = again.process.communicate(timeout=60)
    assert again.process.returncode == 1 and (tmp_path / "again" / "summary.json").exists()
    own = [line for line in complaints.splitlines() if line.startswith("motorctl: ")]  # liblsl says it as well
    assert len(own) == 1 and own[0].startswith(f"motorctl: '{headset.name}'") and "is gone" in own[0], complaints


@pytest.mark.slow
def test_a_loop_that_was_stopped_for_long_looks_at_the_newest(running):
    run, headset, _ = running()
    run.process.send_signal(signal.SIGSTOP)
    time.sleep(7)  # what is tested is that so much has passed
    run.process.send_signal(signal.SIGCONT)
    run.listen()
    since = run.times[-1]
    run.stay(1.5)
    assert run.times[-1] - since < 10 and run.ages[-1][1] < 0.3
    run.check()


def child(run, word):
    """The process of a run with a word in its command line."""
    (found,) = [p for p in psutil.Process(run.process.pid).children() if word in " ".join(p.cmdline())]
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "word", "cause"),
    [
        (["--isolated"], "spawn_main", "the process that reads the stream was killed"),
        (["--record", "session.xdf"], "record", "the recording has ended: it was killed"),
    ],
)
def test_a_killed_process_is_an_emergency_stop_and_a_start_goes_on(running, tmp_path, options, word, cause):
    options = [tmp_path / option if option.endswith(".xdf") else option for option in options]
    run, headset, since = running(*options)
    operator = marker_outlet(f"{headset.name}-limb operator")
    child(run, word).kill()
    run.wait_for("stopped", cause, since)
    run.stay(1.0)
    assert not run.commands[-1].any()
    run.obey(operator, "start", "running")
    run.stay(0.3)
    run.check()
