"""How old samples are when they are read, and when a reader has them: `python scripts/benchmarks/streams.py --json F`.

Another process sends 64 channels of float32 over LSL on this machine. They are read by LSLSource in the main thread, by
LSLSource in a thread, and by IsolatedSource, a process; the main thread has nothing else to do ("free"), or computes in
Python between reads of a 50 Hz loop, 15 ms of every 20 ("busy"). F gets, for each of them,

READER.free.p50, .p99, .max      from a sample's stamp to when the reader has it (ms)
READER.busy.p50, .p99, .max      the same
place_us.p50, .p99               what putting a chunk's time stamps right costs (µs)
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pylsl  # type: ignore[import-untyped]
from numpy.typing import NDArray

from motorctl.signals.lsl import IsolatedSource, LSLSource, find_stream, hush
from motorctl.signals.lsl.timeline import Timeline
from motorctl.signals.stream import Chunk

Array = NDArray[np.float64]

DEVICE = """
import sys, numpy as np
from motorctl.signals.headset import stream_chunks
from motorctl.signals.lsl import LSLSink, hush
from motorctl.signals.stream import Channel, StreamInfo
hush()
name, rate, chunk = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
with LSLSink(StreamInfo(name, "EEG", rate, tuple(Channel(f"E{k}") for k in range(64)))) as sink:
    stream_chunks(sink.send, rate, lambda count: np.ones((count, 64), np.float32), chunk_seconds=chunk)
"""
STEP, WORK = 0.02, 0.015


def main() -> None:
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("--json", type=Path, metavar="F", help="write the figures here; else only print them")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each is read (default 20)")
    parser.add_argument("--rate", type=float, default=250.0, help="of the stream in Hz (default 250)")
    parser.add_argument("--chunk", type=float, default=0.004, help="what the device sends at once in s (default 0.004)")
    options = parser.parse_args()
    hush()
    name = f"motorctl-benchmark-{os.getpid()}"
    with device(name, options.rate, options.chunk):
        found = find_stream(name=name, timeout=30)
        figures: dict[str, object] = {
            reader.__name__: {
                "free": reader(found, options.seconds, 0.0),
                "busy": reader(found, options.seconds, WORK),
            }
            for reader in (main_thread, thread, process)
        }
    figures["place_us"] = time_placing()
    text = json.dumps(figures, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


@contextmanager
def device(name: str, rate: float, chunk: float) -> Iterator[None]:
    """Somebody else's headset."""
    sender = subprocess.Popen([sys.executable, "-c", DEVICE, name, str(rate), str(chunk)])
    try:
        yield
    finally:
        sender.kill()
        sender.wait()


def main_thread(found: pylsl.StreamInfo, seconds: float, work: float) -> dict[str, float]:
    """The loop's own way: it reads until the deadline."""
    ages: list[Array] = []
    with LSLSource(found) as source:

        def read(timeout: float) -> None:
            chunk = source.read(timeout)
            ages.append(pylsl.local_clock() - chunk.times)

        steps(seconds, work, read)
    return percentiles(ages)


def thread(found: pylsl.StreamInfo, seconds: float, work: float) -> dict[str, float]:
    """A thread that reads all the time, beside the main thread."""
    ages: list[Array] = []
    stop = threading.Event()
    with LSLSource(found) as source:

        def read_on() -> None:
            while not stop.is_set():
                chunk = source.read(0.1)
                ages.append(pylsl.local_clock() - chunk.times)

        reader = threading.Thread(target=read_on)
        reader.start()
        steps(seconds, work, time.sleep)
        stop.set()
        reader.join()
    return percentiles(ages)


def process(found: pylsl.StreamInfo, seconds: float, work: float) -> dict[str, float]:
    """A process that reads all the time; the age is that at its arrival there."""
    ages: list[Array] = []
    with IsolatedSource(found) as source:

        def read(timeout: float) -> None:
            chunk = source.read(timeout)
            ages.append(source.arrived - chunk.times)

        steps(seconds, work, read)
    return percentiles(ages)


def steps(seconds: float, work: float, wait: Callable[[float], None]) -> None:
    """A loop that works in Python, which keeps the interpreter's lock, and waits until its next deadline."""
    deadline = time.perf_counter()
    end = deadline + seconds
    while deadline < end:
        deadline += STEP
        until = time.perf_counter() + work
        while time.perf_counter() < until:
            pass
        wait(max(0.0, deadline - time.perf_counter()))
        while (left := deadline - time.perf_counter()) > 0:
            wait(left)


def percentiles(ages: list[Array]) -> dict[str, float]:
    """Of all ages but the first twentieth, while things settle (ms)."""
    milliseconds = 1e3 * np.concatenate(ages)
    milliseconds = milliseconds[len(milliseconds) // 20 :]
    return {f"p{p}" if p < 100 else "max": float(np.percentile(milliseconds, p)) for p in (50, 99, 100)}


def time_placing() -> dict[str, float]:
    """Two samples at a time of 64 channels, good stamps."""
    timeline = Timeline(250.0, 0.0, deque())
    samples = np.zeros((2, 64), np.float32)
    taken = []
    for k in range(5000):
        chunk = Chunk(samples, (2 * k + np.arange(2)) / 250)
        before = time.perf_counter()
        timeline.place(chunk, 0.0, float(chunk.times[-1]))
        taken.append(1e6 * (time.perf_counter() - before))
    return {f"p{p}": float(np.percentile(taken, p)) for p in (50, 99)}


if __name__ == "__main__":
    main()
