"""How long a sample takes to become a command, live: `python scripts/benchmarks/live.py --json F`.

64 channels at 250 Hz come over LSL, sample by sample, from another process. `motorctl live`, the command that people
run, reads them in a process of its own, with a GRU of two layers of 128 units and ArmReach, at 50 and at 250 control
steps a second, one after the other. Beside it all the time, a process that does nothing but `pull_sample` on the same
stream shows what the machine allows. Headset and that process go before ordinary ones, where the system grants it, as
the loop does. F gets, under `hz_50` and `hz_250`:

latency_ms.p50, .p99, .p999, .max   from the newest sample that a command rests on (its stamp, made when it is sent) to
                                    the command, of every step in which the controller moves the limb. Commands go out
                                    when their samples come: the control period adds nothing. With `--pacing clock` they
                                    wait for deadlines, and the wait is in these numbers.
oldest_ms, compute_ms, slack_ms     as in a run's summary: from the oldest of a command's samples; from when they are
                                    there; from the limb's step to the next deadline
deadlines, missed_fraction          control steps that were due, and the share that went by without a command
rss_growth_mib                      of the process of `motorctl live`, from a fifth of the run to its end: the straight
                                    line through its resident memory, read every second
rss_mib                             at the end
bare.p50, bare.p99, .p999, .max     age of a sample when `pull_sample` returns it (ms)

and `bare`, the same of both runs together. With `--cockpit` a browser has the page open, if `browser` says so.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]
import pylsl  # type: ignore[import-untyped]
import torch

from motorctl.agents import ControllerConfig, RecurrentController
from motorctl.priority import hurry
from motorctl.signals.headset import stream_chunks
from motorctl.signals.lsl import LSLSink, find_stream, hush
from motorctl.signals.pipeline import Pipeline, PipelineConfig
from motorctl.signals.stream import Channel, Chunk, StreamInfo
from motorctl.training.checkpoint import Checkpoint, save_checkpoint

RATE, CHANNELS = 250.0, 64
PIPELINE = PipelineConfig(line=50, band=(0.5, 45.0), power_bands=((8.0, 13.0), (16.0, 25.0)))
"""Notch, band-pass, common average; amplitude and power of two bands of every channel."""
FIGURES = ("latency_ms", "oldest_ms", "compute_ms", "slack_ms", "deadlines")
SETTLED = 0.2
"""Share of a run after which its memory is looked at."""
BROWSER = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--enable-unsafe-swiftshader",
    "--remote-debugging-port=0",
)
"""The page is drawn without a graphics card, by processes that stand back behind others."""
PERCENTILES = {"p50": 50, "p99": 99, "p999": 99.9, "max": 100}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="F", help="write the figures here; else only print them")
    parser.add_argument("--minutes", type=float, default=5.0, help="of each of the two rates (default 5)")
    parser.add_argument("--rates", type=float, nargs="+", default=[50.0, 250.0], help="control rates (default 50 250)")
    parser.add_argument("--cockpit", action="store_true", help="with the cockpit open, in a browser where there is one")
    parser.add_argument("--pacing", choices=("samples", "clock"), default="samples", help="as of motorctl live")
    parser.add_argument("--isolated", action="store_true", help="as of motorctl live")
    parser.add_argument("--actuator", help="as of motorctl live")
    parser.add_argument("--role", nargs=2, metavar=("ROLE", "NAME"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    hush()
    if options.role:
        {"headset": send, "bare": pull}[options.role[0]](options.role[1])
        return
    figures: dict[str, Any] = {}
    ages: list[np.ndarray] = []
    for rate in options.rates:
        figures[f"hz_{rate:g}"], bare = run(rate, options)
        ages.append(bare)
    figures["bare"] = percentiles(np.concatenate(ages))
    figures["minutes"], figures["cockpit"], figures["pacing"] = options.minutes, options.cockpit, options.pacing
    text = json.dumps(figures, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


def run(rate: float, options: argparse.Namespace) -> tuple[dict[str, Any], np.ndarray]:
    """One control rate: its figures, and the ages of the bare loop (ms)."""
    name = f"motorctl-benchmark-{os.getpid()}-{rate:g}"
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        part("headset", name),
        part("bare", name) as bare,
        contextlib.ExitStack() as shown,
    ):
        save_controller(rate, Path(folder))
        written = Path(folder) / "results.json"
        command = [sys.executable, "-m", "motorctl", "live", "--controller", folder, "--stream", name]
        command += ["--seconds", str(60 * options.minutes), "--limb-stream", f"{name}-limb", "--pacing", options.pacing]
        command += ["--out", f"{folder}/run", "--json", str(written), "--timeout", "60"]
        command += ["--isolated"] * options.isolated + ["--cockpit"] * options.cockpit
        command += ["--actuator", options.actuator] if options.actuator else []
        live = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        said = shown.enter_context(contextlib.closing(Said(live, Path(folder))))
        memory = watch_memory(live)[-max(2, round((1 - SETTLED) * 60 * options.minutes)) :]
        if live.wait():
            raise SystemExit("motorctl live failed.")
        assert bare.stdin and bare.stdout
        bare.stdin.close()
        ages = np.frombuffer(bare.stdout.read(), np.float32)
        results = json.loads(written.read_text())
    figures = {key: results[key] for key in FIGURES}
    figures["missed_fraction"] = results["deadlines_missed"] / results["deadlines"]
    figures |= {"rss_growth_mib": growth(memory), "rss_mib": memory[-1][1], "ended": results["ended"]}
    return figures | {"bare": percentiles(ages), "browser": bool(said.browsers)}, ages


class Said:
    """Reads what a run says on its output, and opens the page of its cockpit in a browser, if there is one."""

    def __init__(self, live: subprocess.Popen[str], folder: Path) -> None:
        self.browsers: list[subprocess.Popen[bytes]] = []
        self._live, self._folder = live, folder
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._live.stdout
        for line in self._live.stdout:
            found = shutil.which("chromium") or shutil.which("google-chrome")
            if line.startswith("Cockpit at") and found:
                command = ["nice", found, *BROWSER, f"--user-data-dir={self._folder}/browser", line.split()[-1]]
                nowhere = subprocess.DEVNULL
                self.browsers.append(subprocess.Popen(command, stdout=nowhere, stderr=nowhere, start_new_session=True))

    def close(self) -> None:
        """Close the browser, with its own processes."""
        for browser in self.browsers:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()


@contextlib.contextmanager
def part(role: str, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """A part of this script in a process of its own, which ends with its input."""
    command = [sys.executable, __file__, "--role", role, name]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def save_controller(rate: float, folder: Path) -> None:
    """An untrained controller of the size that is asked for: what it decodes takes no longer than what a trained one
    does."""
    torch.manual_seed(0)
    info = stream("any")
    pipeline = Pipeline(replace(PIPELINE, rate=rate), info)
    noise = np.random.default_rng(0).normal(0, 20, (round(20 * RATE), CHANNELS)).astype(np.float32)
    features, _ = pipeline.process(Chunk(noise, np.arange(len(noise)) / RATE))
    pipeline = pipeline.fit([features])
    config = ControllerConfig(cell="gru", widths=(128, 128))
    controller = RecurrentController(config, len(pipeline.names), 2, scale=0.3).eval()
    save_checkpoint(Checkpoint(controller, pipeline, "velocity", "motorctl/ArmReach-v0"), folder)


def stream(name: str) -> StreamInfo:
    return StreamInfo(name, "EEG", RATE, tuple(Channel(f"E{k}") for k in range(CHANNELS)))


def send(name: str) -> None:
    """Noise, sample by sample, each stamped when it is sent, until the input ends.

    A headset is a machine of its own: here it goes before what else runs.
    """
    stop = ended_with_input()
    rng, turn = np.random.default_rng(0), [0.0]
    with LSLSink(stream(name)) as sink:

        def now(samples: np.ndarray, times: np.ndarray) -> None:
            if len(times) and times[-1] >= turn[0]:
                turn[0] = times[-1] + 1.0
                hurry()  # liblsl has a new thread for each that listens
            sink.send(samples, np.full(len(times), pylsl.local_clock()))

        def noise(count: int) -> np.ndarray:
            return rng.normal(0, 20, (count, CHANNELS)).astype(np.float32)

        stream_chunks(now, RATE, noise, chunk_seconds=0.0, stop=stop)


def pull(name: str) -> None:
    """Ages of samples (ms, float32) to the output, when the input ends."""
    over = ended_with_input()
    inlet = pylsl.StreamInlet(find_stream(name=name, timeout=60.0))
    inlet.time_correction(10.0)
    inlet.open_stream(10.0)
    hurry()  # as the loop does
    ages = []
    while not over.is_set():
        sample, stamp = inlet.pull_sample(1.0)
        if sample is not None:
            ages.append(1e3 * (pylsl.local_clock() - stamp))
    sys.stdout.buffer.write(np.array(ages[round(RATE) :], np.float32).tobytes())


def ended_with_input() -> threading.Event:
    """Set when standard input is closed, as it is when whoever has started this has ended."""
    ended = threading.Event()

    def wait() -> None:
        sys.stdin.buffer.read()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    return ended


def watch_memory(process: subprocess.Popen[str]) -> list[tuple[float, float]]:
    """When (s) and how much (MiB) a process holds, every second until it ends."""
    seen = []
    with contextlib.suppress(psutil.NoSuchProcess):
        own = psutil.Process(process.pid)
        while process.poll() is None:
            seen.append((time.monotonic(), own.memory_info().rss / 2**20))
            time.sleep(1.0)
    return [(when, size) for when, size in seen if size]


def growth(memory: list[tuple[float, float]]) -> float:
    """By the straight line through what was held (MiB)."""
    times, sizes = np.array(memory).T
    slope = np.polyfit(times - times[0], sizes, 1)[0]
    return float(slope * (times[-1] - times[0]))


def percentiles(ages: np.ndarray) -> dict[str, float]:
    return {name: float(np.percentile(ages, percent)) for name, percent in PERCENTILES.items()}


if __name__ == "__main__":
    main()
