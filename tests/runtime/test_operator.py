"""Whoever may stop the limb, by key, by marker, and from the program."""

from __future__ import annotations

import os
import pty
import time

import pytest

from motorctl.errors import StreamError
from motorctl.runtime.operator import Operator, keyboard, obey, operator_stream, remote
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
    assert operator.request() == (None, "")
    for request in ("hold", "start"):
        operator.ask(request)
    assert (operator.request(), operator.request()) == (("start", ""), (None, ""))
    operator.ask("stop", "the cockpit was killed")
    operator.ask("start")
    assert operator.request() == ("stop", "the cockpit was killed")


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
        assert operator.request()[0] == request_
        assert termios.tcgetattr(stdin) == before
    os.close(typist)


@pytest.mark.parametrize(
    ("text", "assist", "record"),
    [
        ("assist 0.5", 0.5, None),
        ("assist 0", 0.0, None),
        ("assist 2", None, None),
        ("assist much", None, None),
        ("record start", None, True),
        ("record stop", None, False),
        ("record", None, None),
    ],
)
def test_markers_set_assistance_and_recording(text, assist, record):
    operator = Operator()
    obey(operator, [text])
    assert (operator.assist, operator.record, operator.request()[0]) == (assist, record, None)


def test_each_of_two_cockpits_is_obeyed(stream_name: str) -> None:
    operator, cockpits = Operator(), [marker_outlet(operator_stream(stream_name), f"{stream_name}-{k}") for k in (1, 2)]
    with remote(operator, [], operator_stream(stream_name)):
        for outlet, text in zip(cockpits, ("hold", "start"), strict=True):
            assert outlet.wait_for_consumers(PATIENCE)
            outlet.push_sample([text])
            deadline = time.monotonic() + PATIENCE
            while (asked := operator.request()[0]) is None and time.monotonic() < deadline:
                time.sleep(0.01)
            assert asked == text


def test_streams_that_were_named_and_the_one_that_appears_later_are_obeyed(stream_name):
    named, operator = marker_outlet(stream_name), Operator()
    with remote(operator, [open_markers(stream_name)], operator_stream(stream_name)):
        assert named.wait_for_consumers(PATIENCE)
        for text in ("T1", "STOP", "hold"):
            named.push_sample([text])
        assert eventually(lambda: operator.request()[0] == "hold")
        later = marker_outlet(operator_stream(stream_name))
        assert later.wait_for_consumers(PATIENCE)
        later.push_sample(["end"])
        assert eventually(lambda: operator.ended)


def test_an_operator_who_is_gone_for_good_stops_the_limb():
    class Gone:
        name = "gone"

        def __enter__(self):
            return self

        def __exit__(self, *error): ...

        def read(self, timeout):
            raise StreamError("It is gone.", "Restart it.")

    operator = Operator()
    with remote(operator, [Gone()], "nobody"):
        assert eventually(lambda: operator.request() == ("stop", "the operator's stream is lost: It is gone."))
