"""``motorctl live`` and ``motorctl headset`` as people run them: processes of their own, real LSL between them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mne
import numpy as np
import psutil
import pylsl
import pytest
import pyxdf
from pylsl import StreamInlet

from motorctl.agents import ControllerConfig
from motorctl.cli import main
from motorctl.errors import ConfigurationError
from motorctl.runtime.headset import HeadsetConfig, headset
from motorctl.signals.lsl import find_stream, marker_outlet, open_source
from motorctl.training.imitation import ImitationConfig
from motorctl.training.recordings import ImitationFromRecordings, train_on_recordings

PATIENCE = 60.0

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """``start("live", "--controller", ...)`` runs a command in another process; it is killed when the test is over."""
    processes: list[subprocess.Popen[str]] = []

    def run(*words: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-P", "-u", "-m", "motorctl", *map(str, words)]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return processes[-1]

    yield run
    for process in processes:
        process.kill()
        process.communicate()


def results(process: subprocess.Popen[str], path: Path) -> dict[str, object]:
    """What the command wrote when it ended well."""
    said, complaints = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said + complaints
    written: dict[str, object] = json.loads(path.read_text())
    return written


def test_a_simulated_person_is_decoded_and_sees_the_limb(
    start: Start, stream_name: str, small_controller: Path, tmp_path: Path
) -> None:
    limb = f"{stream_name}-limb"
    headset = start("headset", "--name", stream_name, "--limb-stream", limb)
    options = ["--seconds", 4, "--limb-stream", limb, "--out", tmp_path / "run", "--json", tmp_path / "r.json"]
    options += ["--record", tmp_path / "session.xdf"]
    live = start("live", "--controller", small_controller, "--stream", stream_name, "--timeout", 30, *options)
    inlet = StreamInlet(find_stream(name=limb, timeout=PATIENCE))
    sample, _ = inlet.pull_sample(PATIENCE)
    assert sample is not None and len(sample) == 14
    written = results(live, tmp_path / "r.json")
    assert written["ended"] == "time is up"
    assert abs(written["deadlines"] - 200) <= 3  # the samples set the pace
    assert written["neutral_steps"] < 75  # type: ignore[operator]
    assert written["latency_ms"]["p50"] > 0  # type: ignore[index]
    assert written["gated"] == {} and written["stream_events"] == {}
    assert json.loads((tmp_path / "run" / "summary.json").read_text()) == written
    streams = {s["info"]["name"][0]: s for s in pyxdf.load_xdf(str(tmp_path / "session.xdf"))[0]}
    own = [f"{limb} {what}" for what in ("timing", "status", "events", "heard", "decisions")]
    assert sorted(streams) == sorted([stream_name, limb, *own, "motorctl record"])
    eeg, moved, timing, events = (streams[name] for name in (stream_name, limb, f"{limb} timing", f"{limb} events"))
    assert all("footer" in stream and len(stream["clock_times"]) for stream in streams.values())
    raw = mne.io.RawArray(eeg["time_series"].T * 1e-6, mne.create_info(17, 250.0, "eeg"), verbose="error")
    assert raw.times[-1] > 3.9
    assert len(moved["time_series"]) == len(timing["time_series"]) >= 195
    assert len(eeg["time_series"]) >= 4 * 250 and np.diff(eeg["time_stamps"]).max() < 0.02
    phases = [text.split(":")[0] for (text,) in events["time_series"] if not text.startswith(("trial", "recording"))]
    assert phases[:2] == ["armed", "running"]
    headset.send_signal(signal.SIGINT)
    said, complaints = headset.communicate(timeout=PATIENCE)
    assert headset.returncode == 0 and "Traceback" not in complaints
    assert said.startswith(f"Streaming {stream_name}: 17 channels at 250 Hz")


def test_a_board_with_faults_is_streamed_until_ctrl_c(start: Start, stream_name: str) -> None:
    pytest.importorskip("brainflow")
    options = ["--board", "synthetic", "--fault", "nan", "flat", "--fault-every", 0.2]
    headset = start("headset", "--name", stream_name, *options)
    with open_source(stream_name, timeout=PATIENCE) as source:
        assert len(source.info.channels) == 16 and source.info.rate == 250
        chunk = source.read(PATIENCE)
        while chunk.mask.all():
            chunk = source.read(PATIENCE)
    headset.send_signal(signal.SIGINT)
    said, complaints = headset.communicate(timeout=PATIENCE)
    assert headset.returncode == 0 and "Traceback" not in complaints
    assert said.startswith(f"Streaming {stream_name}: 16 channels at 250 Hz") and "\nFault: nan for 0.2 s" in said


@pytest.mark.parametrize("option", [{"seed": -1}, {"control_rate": 0.0}, {"fault_every": 0.0}])
def test_a_headset_of_impossible_options_is_refused(option: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(option))):
        headset(HeadsetConfig(**option))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_a_termination_end_live_with_the_summary_written(
    number: signal.Signals, start: Start, stream_name: str, small_controller: Path, tmp_path: Path
) -> None:
    start("headset", "--name", stream_name, "--limb-stream", f"{stream_name}-limb")
    options = ["--seconds", 600, "--limb-stream", f"{stream_name}-limb", "--out", tmp_path / "run"]
    live = start("live", "--controller", small_controller, "--stream", stream_name, "--timeout", 30, *options)
    inlet = StreamInlet(find_stream(name=f"{stream_name}-limb", timeout=PATIENCE))
    assert inlet.pull_sample(PATIENCE)[0] is not None  # it runs
    live.send_signal(number)
    written = results(live, tmp_path / "run" / "summary.json")
    assert written["ended"] == "interrupted"


def test_live_stops_the_limb_while_the_headset_is_gone_and_goes_on_when_it_is_back(
    start: Start, stream_name: str, small_controller: Path, tmp_path: Path
) -> None:
    limb, operator = f"{stream_name}-limb", marker_outlet(f"{stream_name}-operator", f"{stream_name}-operator")
    headset = start("headset", "--name", stream_name, "--limb-stream", limb)
    options = ["--seconds", 600, "--limb-stream", limb, "--out", tmp_path / "run"]
    options += ["--operator", f"{stream_name}-operator"]
    live = start("live", "--controller", small_controller, "--stream", stream_name, "--timeout", 30, *options)
    inlet = StreamInlet(find_stream(name=limb, timeout=PATIENCE))

    def wait_until(condition: Callable[[list[float]], bool], steps: int) -> None:
        """That many steps in a row of which it is true."""
        fulfilled, deadline = 0, time.monotonic() + PATIENCE
        while fulfilled < steps and time.monotonic() < deadline:
            sample, _ = inlet.pull_sample(1.0)
            if sample:
                fulfilled = fulfilled + 1 if condition(sample[6:8]) else 0
        assert fulfilled == steps

    wait_until(any, 1)
    headset.kill()
    wait_until(lambda command: not any(command), 50)
    start("headset", "--name", stream_name, "--limb-stream", limb)
    wait_until(any, 10)
    operator.push_sample(["stop"])
    wait_until(lambda command: not any(command), 10)
    operator.push_sample(["start"])
    wait_until(any, 1)
    operator.push_sample(["end"])
    written = results(live, tmp_path / "run" / "summary.json")
    assert written["ended"] == "ended by the operator"
    assert written["stream_events"]["lost"] == written["stream_events"]["back"] == 1  # type: ignore[index]
    assert all(written["phases"][phase] > 0 for phase in ("armed", "running", "holding", "stopped"))  # type: ignore[index]


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["live", "record", "headset"])
def test_whoever_is_killed_the_recording_can_be_read(
    victim: str, start: Start, stream_name: str, small_controller: Path, tmp_path: Path
) -> None:
    limb, path = f"{stream_name}-limb", tmp_path / "session.xdf"
    headset = start("headset", "--name", stream_name, "--limb-stream", limb)
    options = ["--seconds", 8, "--limb-stream", limb, "--out", tmp_path / "run", "--record", path]
    live = start("live", "--controller", small_controller, "--stream", stream_name, "--timeout", 30, *options)
    inlet = StreamInlet(find_stream(name=limb, timeout=PATIENCE))
    for _ in range(100):
        assert inlet.pull_sample(PATIENCE)[0] is not None
    (recorder,) = psutil.Process(live.pid).children()
    before = pylsl.local_clock()
    {"live": live, "record": recorder, "headset": headset}[victim].kill()
    if victim != "live":
        written = results(live, tmp_path / "run" / "summary.json")
        assert written["ended"] == "time is up"
    psutil.wait_procs([recorder], timeout=PATIENCE)
    streams = {s["info"]["name"][0]: s for s in pyxdf.load_xdf(str(path))[0]}
    assert len(streams) == 8
    for name in (stream_name, limb, f"{limb} timing", f"{limb} heard", f"{limb} decisions"):
        assert streams[name]["time_stamps"][-1] > before - 1  # at most the last second is missing
    if victim == "headset":
        assert len(streams[limb]["time_stamps"]) == 400
    lost = f"{stream_name}: lost"
    told = [text for (text,) in streams["motorctl record"]["time_series"] if text.startswith(lost)]
    assert [text.partition(";")[0] for text in told] == [f"{lost}: the stream is gone"] * (victim == "headset")


def test_the_cues_of_a_played_recording_say_where_the_targets_are(
    start: Start, stream_name: str, cued_edf: Callable[..., Path], tmp_path: Path
) -> None:
    """Trained on one recording, the arm follows the cues of another, played as a headset would give it."""
    train_on_recordings(
        ImitationFromRecordings(
            (cued_edf("a.edf"),),
            ("T1=left", "T2=right"),
            out=tmp_path / "trained",
            controller=ControllerConfig(widths=(8,)),
            training=ImitationConfig(epochs=30, learning_rate=2e-2),
        )
    )
    # Cues at 12, 20 and 28 s, played from 10 s on; the loop begins some seconds later.
    start("headset", "--recording", cued_edf("b.edf", seed=1), "--name", stream_name, "--start", 10, "--loop")
    options = ["--seconds", 18, "--limb-stream", f"{stream_name}-limb", "--json", tmp_path / "r.json"]
    options += ["--out", tmp_path / "run", "--timeout", 30]
    live = start("live", "--controller", tmp_path / "trained", "--stream", stream_name, *options)
    written = results(live, tmp_path / "r.json")
    cues: list[dict[str, object]] = written["cues"]  # type: ignore[assignment]
    assert 1 <= len(cues) <= 3
    assert all(cue["direction"] == {"T1": "left", "T2": "right"}[str(cue["text"])] for cue in cues)
    assert all(float(str(cue["moved"])) > 0 for cue in cues)


ROBOT = """
from pathlib import Path

class Robot:
    def __init__(self, run):
        self.log = Path("robot.log").open("a", buffering=1)
        print(run["environment"], *[name for name, _ in run["components"]], file=self.log)

    def move(self, command):
        print(*command, file=self.log)

    def stop(self):
        print("stop", file=self.log)
"""


@pytest.mark.slow
def test_a_controller_of_classes_moves_the_leg_and_hardware(
    start: Start, stream_name: str, cued_edf: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my_robot.py").write_text(ROBOT)
    train = ["train", "classify", "--recordings", cued_edf("a.edf"), "--cues", "T1=left", "T2=right"]
    main(list(map(str, [*train, "--permutations", 0, "--out", "trained"])))
    start("headset", "--recording", cued_edf("b.edf", seed=1), "--name", stream_name, "--start", 10, "--loop")
    options = ["--environment", "motorctl/LegGait-v0", "--classes.meaning", "left=walk", "right=stand"]
    options += ["--actuator", "my_robot:Robot", "--seconds", 20, "--limb-stream", f"{stream_name}-limb"]
    options += ["--json", "r.json", "--out", "run", "--timeout", 30]
    live = start("live", "--controller", "trained", "--stream", stream_name, *options)
    written = results(live, tmp_path / "r.json")
    cues: list[dict[str, Any]] = written["cues"]  # type: ignore[assignment]
    assert cues and all(cue["asked"] == {"T1": "left", "T2": "right"}[cue["text"]] for cue in cues)
    assert sum(cue["decoded"] == cue["asked"] for cue in cues) >= len(cues) - 1
    first, *moves, last = Path("robot.log").read_text().splitlines()
    assert first == "motorctl/LegGait-v0 stand walk run jump" and last == "stop"
    assert len(moves) > 500 and "0.0 1.0 0.0 0.0" in moves and moves[-1] == "0.0 0.0 0.0 0.0"
