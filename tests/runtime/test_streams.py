"""``motorctl streams``: what is visible, and what really comes."""

import json
import time

import pytest

from motorctl.cli import main
from motorctl.runtime.streams import age_in_words

OUTLETS = """
import sys, threading, time, numpy as np, pylsl
from motorctl.signals.headset import stream_chunks
from motorctl.signals.lsl import LSLSink, marker_outlet
from motorctl.signals.stream import Channel, StreamInfo
name = sys.argv[1]
markers = marker_outlet(name + "-markers")
bare = pylsl.StreamOutlet(pylsl.StreamInfo(name + "-bare", "EEG", 3, 100, "int16", "bare"))
def stamp_wrongly(samples, times):
    bare.push_chunk([[1, 2, 3]] * len(times), time.time())
wrong = (stamp_wrongly, 100.0, lambda n: np.ones((n, 3), np.float32))
threading.Thread(target=stream_chunks, args=wrong, daemon=True).start()
with LSLSink(StreamInfo(name, "EEG", 250.0, (Channel("C3"), Channel("C4")))) as sink:
    print("ready", flush=True)
    stream_chunks(sink.send, 125.0, lambda n: np.ones((n, 2), np.float32))
"""


@pytest.mark.parametrize("option", ["--seconds", "--timeout"])
def test_a_time_below_0_is_one_line(option, capsys):
    assert main(["streams", option, "-1"]) == 1
    assert capsys.readouterr().err.startswith(f"motorctl: {option[2:]} is -1.")


def test_streams_are_listed_with_what_comes_from_them(spawn, stream_name, tmp_path, capsys):
    spawn(OUTLETS, stream_name).hear()
    assert main(["streams", "--seconds", "1.5", "--json", str(tmp_path / "s.json")]) == 0
    said = capsys.readouterr().out
    listed = {stream["name"]: stream for stream in json.loads((tmp_path / "s.json").read_text())["streams"]}
    good, bare, markers = (listed[stream_name + end] for end in ("", "-bare", "-markers"))
    assert (good["kind"], good["nominal_rate"], good["format"]) == ("EEG", 250, "float32")
    assert good["channels"] == [["C3", "microvolts"], ["C4", "microvolts"]]
    assert good["measured_rate"] == pytest.approx(125, rel=0.2)
    assert good["samples"] > 0 and -0.1 < good["age_s"] < 5 and good["answers"]
    assert bare["channels"] == [["", ""]] * 3
    assert abs(bare["age_s"]) > 1e6
    assert (markers["format"], markers["measured_rate"], markers["age_s"], markers["nominal_rate"]) == (
        "text",
        None,
        None,
        0,
    )
    said = " ".join(said.split())
    assert f"{stream_name}: EEG, 250 Hz, 1" in said and "2 channels: C3, C4 (microvolts); float32" in said
    assert f"{stream_name}-bare: EEG, 100 Hz" in said and "3 channels: no labels (no unit)" in said
    assert f"{stream_name}-markers: Markers, irregular, nothing came" in said


def test_no_stream_is_said(capsys, tmp_path):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:  # those of other tests take a moment to go
        assert main(["streams", "--timeout", "0.3", "--seconds", "0.1"]) == 0
        if "No stream is visible" in capsys.readouterr().out:
            return
    raise AssertionError("streams are always visible")


@pytest.mark.parametrize(
    ("age", "said"),
    [(None, "nothing came"), (0.0123, "newest 12.3 ms old"), (-1.7e9, "not on LSL's clock (off by -1.7e+09 s)")],
)
def test_an_age_in_words(age, said):
    assert age_in_words(age) == said
