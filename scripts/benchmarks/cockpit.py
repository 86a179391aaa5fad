"""Whether the cockpit slows the loop, what it costs, and how fast its stop button is:
`python scripts/benchmarks/cockpit.py --controller RUN --json F`.

A process sends noise on the controller's channels, `motorctl live` moves the limb: alone, with a `motorctl cockpit` at
which nobody looks, and with one headless Chromium on its page, which draws in software and takes much of a core itself.
F gets, for each of `alone`, `cockpit` and `browser`,

CASE.age_ms.p50, .p99, .p999, .max       from the newest sample to its command
CASE.compute_ms.p50, .p99, .p999, .max   of that, what was computed
CASE.missed_fraction                     deadlines that went by without a command
CASE.cpu                                 of the cockpit's process, in cores; not of `alone`

and `stop_ms.p50`, `.max`, `.count`: from the click to the stamp of the run's event `stopped`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]
from playwright.sync_api import Page, sync_playwright
from pylsl import local_clock  # type: ignore[import-untyped]

from motorctl.runs import write_json
from motorctl.signals.lsl import MarkerInlet, hush, open_markers, open_source
from motorctl.training.checkpoint import load_checkpoint

DEVICE = """
import sys, threading, numpy as np
from motorctl.priority import hurry
from motorctl.signals.headset import stream_chunks
from motorctl.signals.lsl import LSLSink, hush
from motorctl.signals.stream import Channel, StreamInfo
hush()
name, rate, labels = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
random = np.random.default_rng(0)
def noise(count):
    hurry()  # a headset is a machine of its own; liblsl has a new thread for each that listens
    return 10 * random.standard_normal((count, len(labels))).astype(np.float32)
with LSLSink(StreamInfo(name, "EEG", rate, tuple(map(Channel, labels)))) as sink:
    stream_chunks(sink.send, rate, noise, chunk_seconds=0.004, stop=threading.Event())
"""
CLICK = "button => { const now = performance.timeOrigin + performance.now(); button.click(); return now; }"
"""Clicks, and gives when (ms of Unix time): what Playwright takes to ask for it is nobody's waiting."""
BROWSER = ["--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader"]
SETTLE = 8.0
"""Before anything is measured (s)."""
PATIENCE = 180.0
PERCENTILES = {"p50": 50.0, "p99": 99.0, "p999": 99.9, "max": 100.0}


def main() -> None:
    """Run it."""
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("--controller", type=Path, required=True, metavar="RUN", help="run folder of a controller")
    parser.add_argument("--json", type=Path, metavar="F", help="write the figures here; else only print them")
    parser.add_argument("--seconds", type=float, default=40.0, help="how long each case is measured (default 40)")
    parser.add_argument("--stops", type=int, default=20, help="how often the button is clicked (default 20)")
    options = parser.parse_args()
    hush()
    results: dict[str, Any] = {}
    limb = f"motorctl-benchmark-{os.getpid()}"
    with running(options.controller, limb) as stream:
        results["alone"] = measure(limb, options.seconds, None)
        with command("cockpit", "--limb-stream", limb, "--stream", stream) as process:
            assert process.stdout
            url = process.stdout.readline().split()[-1]
            results["cockpit"] = measure(limb, options.seconds, process.pid)
            with sync_playwright() as started, open_markers(f"{limb} events", PATIENCE) as events:
                found = shutil.which("chromium") or shutil.which("google-chrome")
                page = started.chromium.launch(executable_path=found, args=BROWSER).new_page()
                page.set_default_timeout(1e3 * PATIENCE)
                page.goto(url)
                page.locator("[data-test=phase]", has_text="RUNNING").wait_for()
                results["browser"] = measure(limb, options.seconds, process.pid, page)
                times = [1e3 * stop(page, events) for _ in range(options.stops)]
    results["stop_ms"] = {"p50": float(np.median(times)), "max": max(times), "count": len(times)}
    for name, figures in results.items():
        print(name, figures)
    if options.json:
        write_json(options.json, results)


@contextmanager
def running(controller: Path, limb: str) -> Iterator[str]:
    """A run on noise; gives the name of its EEG."""
    info, stream = load_checkpoint(controller).pipeline.info, f"{limb}-eeg"
    with ExitStack() as stack:
        device = [sys.executable, "-c", DEVICE, stream, str(info.rate), *info.labels]
        stack.callback(subprocess.Popen(device).kill)
        words = ["live", "--controller", str(controller), "--stream", stream, "--limb-stream", limb]
        stack.enter_context(command(*words, "--seconds", "3600", "--timeout", "60", "--out", f"/tmp/{limb}"))
        yield stream


@contextmanager
def command(*words: str) -> Iterator[subprocess.Popen[str]]:
    """A command in a process of its own."""
    process = subprocess.Popen([sys.executable, "-u", "-m", "motorctl", *words], stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def measure(limb: str, seconds: float, pid: int | None, page: Page | None = None) -> dict[str, Any]:
    """Latency of the loop, and CPU time of a process, for some seconds."""
    with open_source(name=f"{limb} timing", timeout=PATIENCE) as source:
        wait(SETTLE, page)
        source.flush()
        before, begin = cpu_time(pid), time.monotonic()
        wait(seconds, page)
        cpu = (cpu_time(pid) - before) / (time.monotonic() - begin)
        column = dict(zip(source.info.labels, source.read(0.0).samples.T, strict=True))
    missed = float(column["missed"].sum())
    figures: dict[str, Any] = {
        "age_ms": percentiles(column["newest_age"]),
        "compute_ms": percentiles(column["compute"]),
        "missed_fraction": missed / (missed + len(column["missed"])),
    }
    return figures | ({"cpu": cpu} if pid else {})


def wait(seconds: float, page: Page | None) -> None:
    """Playwright has to be called now and then, to read what its browser says."""
    if page:
        page.wait_for_timeout(1e3 * seconds)
    else:
        threading.Event().wait(seconds)


def cpu_time(pid: int | None) -> float:
    """Of a process (s)."""
    return sum(psutil.Process(pid).cpu_times()[:2]) if pid else 0.0


def percentiles(times: Any) -> dict[str, float]:
    """Of times in s, in ms."""
    known = 1e3 * times[np.isfinite(times)]
    return {name: float(np.percentile(known, p)) for name, p in PERCENTILES.items()}


def stop(page: Page, events: MarkerInlet) -> float:
    """Start, stop by the button, and give the time from the click to the event (s)."""
    page.get_by_role("button", name="Start", exact=True).evaluate("button => button.click()")
    page.locator("[data-test=phase]", has_text="RUNNING").wait_for()
    events.read()
    button = page.get_by_role("button", name="Stop", exact=True).element_handle()
    assert button
    clicked: float = button.evaluate(CLICK) / 1e3 - (time.time() - local_clock())  # on LSL's clock
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for stamp, text in events.read(0.2):
            if text.startswith("stopped"):
                return stamp - clicked
    raise TimeoutError("the run did not stop")


if __name__ == "__main__":
    main()
