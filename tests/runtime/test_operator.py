"""Whoever may stop the limb, by key, by marker, and from the program."""

from __future__ import annotations

import os
import pty
import time

import pytest

from motorctl.runtime.operator import Operator, keyboard, obey
from motorctl.signals.lsl import marker_outlet, open_markers

PATIENCE = 10.0


def eventually(condition):
    """Whether it becomes true."""
    deadline = time.monotonic() + PATIENCE
    while not (true := condition()) and time.monotonic() < deadline:
        time.sleep(0.005)
    return true


def test_the_last_request_counts_but_a_stop_is_never_taken_back():
    operator = Operator()
    assert operator.request() is None
    for request in ("hold", "start"):
        operator.ask(request)
    assert (operator.request(), operator.request()) == ("start", None)
    for request in ("stop", "start"):
        operator.ask(request)
    assert operator.request() == "stop"


@pytest.mark.parametrize(("key", "request_"), [(b" ", "stop"), (b"h", "hold"), (b"s", "start"), (b"x", None)])
def test_keys_on_a_terminal_ask_and_the_terminal_is_left_as_it_was(key, request_, monkeypatch):
    import termios

    typist, terminal = pty.openpty()
    with os.fdopen(terminal) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        before = termios.tcgetattr(stdin)
        operator = Operator()
        with keyboard(operator):
            os.write(typist, key + b"q")
            assert eventually(lambda: operator.ended)
        assert operator.request() == request_
        assert termios.tcgetattr(stdin) == before
    os.close(typist)


def test_markers_ask_and_others_mean_nothing(stream_name):
    outlet, operator = marker_outlet(stream_name), Operator()
    markers = open_markers(stream_name)
    assert outlet.wait_for_consumers(PATIENCE)
    for text in ("T1", "hold", "STOP", "end"):
        outlet.push_sample([text])

    def ended():
        obey(operator, markers)
        return operator.ended

    assert eventually(ended)
    assert operator.request() == "hold"
