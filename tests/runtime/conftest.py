"""What tests of runs share: noise on simulated time, commands and whole live runs in processes of their own, and a
headset that does what it is told."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pytest
from pylsl import StreamInlet, StreamOutlet

from motorctl.person.brain import Brain
from motorctl.runtime.limb_stream import read_description
from motorctl.signals.lsl import find_stream
from motorctl.signals.stream import Channel, Chunk, StreamInfo

PATIENCE = 120.0

HEADSET = """
import json, sys, threading, time, numpy as np, pylsl
name, labels = sys.argv[1], json.loads(sys.argv[2])
state = dict(outlet=None, mode="on", rate=250.0, gives=250.0, shift=0.0, nan=0, count=0, held=[])
rng, lock = np.random.default_rng(0), threading.Lock()

def open_outlet(name=name, labels=labels, rate=250.0, gives=None, unit="uV", type="EEG", source_id="id-" + name):
    info = pylsl.StreamInfo(name, type, len(labels), rate, "float32", source_id)
    parent = info.desc().append_child("channels")
    for label in labels:
        channel = parent.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("unit", unit)
    state.update(outlet=pylsl.StreamOutlet(info), gives=gives or rate, width=len(labels))

def stream():
    begin, sent, gives = pylsl.local_clock(), 0, 250.0
    while True:
        time.sleep(0.008)
        with lock:
            now = pylsl.local_clock()
            if gives != state["gives"]:
                begin, sent, gives = now, 0, state["gives"]
            due = int((now - begin) * gives)
            times = begin + np.arange(sent + 1, due + 1) / gives
            sent = due
            if state["outlet"] is None or state["mode"] == "silent" or not len(times):
                continue
            rows = rng.normal(0, 10, (len(times), state["width"])).astype("float32")
            rows[:, :state["nan"]] = np.nan
            state["count"] += len(rows)
            if state["mode"] == "hold":
                state["held"].append(rows)
                continue
            if state["held"]:
                rows = np.concatenate(state["held"] + [rows])
                times, state["held"] = np.full(len(rows), now), []
            times = times + state["shift"]
            for _ in range(2 if state["mode"] == "twice" else 1):
                state["outlet"].push_chunk(rows, times.tolist())

open_outlet()
threading.Thread(target=stream, daemon=True).start()
print("ready", flush=True)
twins = []
for line in sys.stdin:
    order = json.loads(line)
    with lock:
        if "open" in order:
            open_outlet(**order["open"])
        elif "close" in order:
            state["outlet"] = None
        elif "twin" in order:
            kept = state["outlet"]
            open_outlet(**order["twin"])
            twins.append(state["outlet"])
            state["outlet"] = kept
        elif "old" in order:
            count = int(order["old"] * 250)
            times = pylsl.local_clock() - np.arange(count)[::-1] / 250
            state["outlet"].push_chunk(np.ones((count, state["width"]), "float32"), times.tolist())
        else:
            state.update(order)
    print("done", flush=True)
"""


class Headset:
    """A device that streams noise in real time, as 17 channels at 250 Hz, and fails when told to."""

    def __init__(self, spawn: Callable, name: str) -> None:
        self.name, self._spawn = name, spawn
        self.start()

    def start(self) -> None:
        """The process, anew after it was killed."""
        self.process = self._spawn(HEADSET, self.name, json.dumps(Brain().info.labels))
        self.process.hear()

    def do(self, **order: object) -> None:
        self.process.tell(json.dumps(order))
        self.process.hear()

    def reopen(self, **different: object) -> None:
        """The stream is closed, and opened again with what differs."""
        self.do(close=True)
        self.do(open=different)


class Run:
    """``motorctl live`` in another process, and what it says over LSL."""

    def __init__(self, words: list[str], limb: str) -> None:
        command = [sys.executable, "-P", "-u", "-m", "motorctl", "live", *words, "--limb-stream", limb]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        names = limb, f"{limb} timing", f"{limb} events", f"{limb} status"
        self._inlets = [StreamInlet(find_stream(name=name, timeout=PATIENCE)) for name in names]
        self.description = read_description(self._inlets[0].info(PATIENCE))
        labels = self._inlets[0].info(PATIENCE).get_channel_labels()
        self._columns = [k for k, label in enumerate(labels) if label.startswith("command_")]
        for inlet in self._inlets:
            inlet.open_stream(PATIENCE)
        self.commands: list[np.ndarray] = []
        self.times: list[float] = []
        self.ages: list[float] = []
        self.events: list[tuple[float, str]] = []

    def listen(self) -> None:
        """Take in what has come."""
        limb, timing, events, status = self._inlets
        values, stamps = limb.pull_chunk(0.05, 4096, min_samples=1)
        self.commands += [np.array(row)[self._columns] for row in values]
        self.times += stamps
        self.ages += [row[0] - row[3] for row in timing.pull_chunk(0.0, 4096)[0]]  # less what computing took
        texts, stamps = events.pull_chunk(0.0, 4096)
        self.events += [(stamp, text) for stamp, (text,) in zip(stamps, texts, strict=True)]
        numbers, stamps = status.pull_chunk(0.0, 4096)
        if numbers and not self.phases:  # entered before anybody listened
            self.events.append((stamps[-1], self.description["phases"][int(numbers[-1][0])]))

    @property
    def phases(self) -> list[tuple[float, str, str]]:
        """When each phase began, or its cause changed: (time, phase, cause)."""
        names = self.description["phases"]
        parts = [(time, *text.partition(": ")[::2]) for time, text in self.events]
        return [part for part in parts if part[1] in names]

    def wait_for(self, phase: str, cause: str = "", since: float = 0.0) -> float:
        """When a phase of that cause is entered, after ``since``."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for entered, name, why in self.phases:
                if entered > since and name == phase and cause in why:
                    return entered
            assert self.process.poll() is None, self.process.communicate()
            self.listen()
        raise AssertionError(f"not {phase} ({cause}) since {since}: {self.phases}")

    def obey(self, operator: StreamOutlet, text: str, phase: str, cause: str = "") -> float:
        """When the phase is entered that a marker of the operator asks for; sent until it is heard."""
        since, deadline = self.times[-1], time.monotonic() + PATIENCE
        while not any(t > since and name == phase and cause in why for t, name, why in self.phases):
            assert time.monotonic() < deadline, self.phases
            operator.push_sample([text])
            self.stay(0.3)
        return self.wait_for(phase, cause, since)

    def stay(self, seconds: float) -> None:
        """Listen to so many seconds of commands."""
        self.listen()
        begin, deadline = self.times[-1], time.monotonic() + PATIENCE
        while self.times[-1] < begin + seconds:
            assert time.monotonic() < deadline
            self.listen()

    def check(self) -> None:
        """No command was outside its limits, and none was decoded from samples that were too old."""
        said, safety = self.description, self.description["safety"]
        commands, period = np.array(self.commands), 1 / self.description["control_rate"]
        width = np.array(said["high"]) - said["low"]
        small = 1e-5
        assert np.isfinite(commands).all()
        assert (commands >= np.array(said["low"]) - small).all() and (commands <= np.array(said["high"]) + small).all()
        asked = [t for t, phase, cause in self.phases if phase == "stopped" and "no sample" not in cause]
        free = ~np.isin(self.times[2:], asked) & ~np.isin(self.times[1:-1], asked)
        change = np.diff(commands, axis=0)
        bend = np.diff(change, axis=0)
        assert (np.abs(change[1:][free]) <= width * safety["rate"] * period + small).all()
        assert (np.abs(bend[free]) <= width * safety["acceleration"] * period**2 + small).all()
        begins = [t for t, *_ in self.phases]
        for when, age in zip(self.times, self.ages, strict=False):
            place = int(np.searchsorted(begins, when, "right")) - 1
            phase = self.phases[place][1] if place >= 0 else "idle"
            if phase == "running":  # the newest sample may be a period younger than the newest row of features
                assert age < safety["hold_after"] + 1.5 * period
            if phase == "holding":
                assert age < safety["stop_after"] + 1.5 * period

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def start_run() -> Iterator[Callable[..., Run]]:
    """``start_run(words, limb)``; it is killed when the test is over."""
    runs: list[Run] = []

    def start(words: list[object], limb: str) -> Run:
        runs.append(Run([*map(str, words)], limb))
        return runs[-1]

    yield start
    for run in runs:
        run.end()


@pytest.fixture
def new_headset(spawn: Callable) -> Callable[[str], Headset]:
    """``new_headset(name)`` starts one."""
    return lambda name: Headset(spawn, name)


@pytest.fixture(scope="module")
def controller_for_module(tmp_path_factory: pytest.TempPathFactory, save_small_controller: Callable) -> Path:
    """As ``small_controller``, for all tests of a module."""
    folder = tmp_path_factory.mktemp("controller")
    save_small_controller(folder)
    return folder


class _Noise:
    """Three electrodes of noise, whose time passes only while somebody reads; silent from one time to another."""

    info = StreamInfo("noise", "EEG", 100.0, (Channel("C3"), Channel("Cz"), Channel("C4")))

    def __init__(self, silence: tuple[float, float] = (9e9, 9e9)) -> None:
        self.time, self._sent, self._silence = 0.0, 0, silence
        self._rng = np.random.default_rng(0)

    def now(self) -> float:
        return self.time

    def read(self, timeout: float) -> Chunk:
        self.time += timeout
        due = round(self.time * self.info.rate)
        times = np.arange(self._sent + 1, due + 1) / self.info.rate
        times = times[(times < self._silence[0]) | (times >= self._silence[1])]
        self._sent = due
        return Chunk(self._rng.standard_normal((len(times), 3)).astype(np.float32), times)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@pytest.fixture
def noise() -> Callable[..., _Noise]:
    """``noise(silence)``: a source of noise on simulated time."""
    return _Noise


Command = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def command() -> Iterator[Command]:
    """``command("live", "--controller", ...)`` runs a command in another process, which is killed in the end."""
    processes: list[subprocess.Popen[str]] = []

    def run(*words: object) -> subprocess.Popen[str]:
        line = [sys.executable, "-P", "-u", "-m", "motorctl", *map(str, words)]
        pipe = subprocess.PIPE
        processes.append(subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True))
        return processes[-1]

    yield run
    for process in processes:
        process.kill()
        process.communicate()
