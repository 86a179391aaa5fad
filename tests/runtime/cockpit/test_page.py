"""The page in a real browser, on a real run: live, its EEG and the cockpit are processes of their own."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
import pytest
from PIL import Image
from playwright.sync_api import sync_playwright
from pylsl import local_clock

from motorctl.person.brain import Brain
from motorctl.runtime.cockpit.remote import Remote
from motorctl.signals.lsl import MarkerInlet, marker_outlet, open_markers

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
BROWSER = ["--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader"]  # WebGL without a graphics card
PATIENCE = 120.0  # s; drawing in software takes its time on a machine that has other things to do
EXPECTED = ("GPU stall", "THREE.Clock", "Failed to load resource: the server responded with a status of 403")

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
    pytest.mark.timeout(600),
]

EEG = """
import sys, threading, numpy as np
from motorctl.signals.headset import stream_chunks
from motorctl.signals.lsl import LSLSink
from motorctl.signals.stream import Channel, StreamInfo
random = np.random.default_rng(0)
def noise(count):
    samples = random.standard_normal((count, 17)).astype(np.float32) * 10
    samples[:, 3] = 1.0
    return samples
channels = tuple(Channel(label) for label in sys.argv[2:])
with LSLSink(StreamInfo(sys.argv[1], "EEG", 250.0, channels)) as sink:
    print("streams", flush=True)
    stream_chunks(sink.send, 250.0, noise, stop=threading.Event())
"""


class Running(NamedTuple):
    """A run with its cockpit: the limb stream's name, the page's address, its events, and the run's process."""

    name: str
    url: str
    events: MarkerInlet
    process: subprocess.Popen[str]


@pytest.fixture
def running(spawn: Callable[..., Any], stream_name: str, small_controller: Path, tmp_path: Path) -> Iterator[Running]:
    """``motorctl live --cockpit`` on noise, the expert at the limb; patient, lest a busy machine stop it."""
    spawn(EEG, stream_name, *Brain().info.labels).hear()
    words = ["live", "--controller", small_controller, "--stream", stream_name, "--limb-stream", f"{stream_name}-limb"]
    words += ["--seconds", 600, "--timeout", 30, "--out", tmp_path / "run", "--cockpit"]
    words += ["--assist", 1, "--fade.by", "nothing"]
    words += ["--safety.hold-after", 20, "--safety.fade-after", 20, "--safety.stop-after", 30]
    command = [sys.executable, "-P", "-u", "-m", "motorctl", *map(str, words)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout
    url = next(line.split()[-1] for line in process.stdout if line.startswith("Cockpit at"))
    with open_markers(f"{stream_name}-limb events", timeout=PATIENCE) as events:
        yield Running(f"{stream_name}-limb", url, events, process)
    ended = psutil.Process(process.pid).children() if process.poll() is None else []
    process.kill()
    process.communicate()
    psutil.wait_procs(ended, timeout=30)  # the cockpit sees that it is alone


class Opened:
    """A browser that has opened pages, and what their consoles complained of."""

    def __init__(self, browser: Any) -> None:
        self._browser = browser
        self.complaints: list[str] = []

    def page(self, url: str) -> Any:
        """A page of its own browser profile."""
        page = self._browser.new_context(viewport={"width": 1200, "height": 760}).new_page()
        page.set_default_timeout(1e3 * PATIENCE)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self._hear(message.type, message.text))
        page.goto(url)
        return page

    def _hear(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not any(word in text for word in EXPECTED):
            self.complaints.append(text)


@pytest.fixture
def opened() -> Iterator[Opened]:
    """``opened.page(url)``; in the end no page may have complained."""
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=BROWSER)
        pages = Opened(browser)
        yield pages
        browser.close()
    assert pages.complaints == []


def says(page: Any, what: str, word: str) -> None:
    """Wait until it does."""
    page.locator(f"[data-test={what}]", has_text=re.compile(word)).wait_for()


def pixels(page: Any) -> np.ndarray:
    """Of the middle of the page, where the limb is, ``(y, x, 3)``."""
    picture = page.screenshot(clip={"x": 480, "y": 200, "width": 330, "height": 540})
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).astype(int)


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never was"


def stopped_after(running: Running, page: Any) -> float:
    """Click the stop button: from then to the stamp of the run's event (s)."""
    running.events.read()
    button = page.get_by_role("button", name="Stop", exact=True).element_handle()
    clicked = local_clock()
    button.evaluate("button => button.click()")
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for stamp, text in running.events.read(0.2):
            if text.startswith("stopped"):
                assert text == "stopped: stopped by the operator"
                return stamp - clicked
    raise AssertionError("the run did not stop")


def test_the_page_shows_the_limb_and_its_stop_button_stops_it(running: Running, opened: Opened) -> None:
    page = opened.page(running.url)
    says(page, "phase", "RUNNING")
    says(page, "quality", "16 of 17 channels good")  # the flat one is named
    wait_until(lambda: np.ptp(pixels(page), axis=2).max() > 80)  # colours: the limb is there, and no longer faded
    before = pixels(page)
    wait_until(lambda: (abs(pixels(page) - before).max(axis=2) > 30).sum() > 100)  # it moves
    assert stopped_after(running, page) < 10  # docs/cockpit.md has the time on a machine at rest
    says(page, "phase", "STOPPED")
    says(page, "cause", "stopped by the operator")


@pytest.mark.slow
def test_two_browsers_see_the_same_and_a_reload_changes_nothing(running: Running, opened: Opened) -> None:
    first, second = opened.page(running.url), opened.page(running.url)
    says(first, "phase", "RUNNING")
    says(second, "phase", "RUNNING")
    stopped_after(running, first)
    says(second, "phase", "STOPPED")
    second.reload()
    says(second, "phase", "STOPPED")
    says(second, "cause", "stopped by the operator")
    second.get_by_role("button", name="Start", exact=True).click()
    says(first, "phase", "RUNNING")
    first.get_by_role("button", name="Hold", exact=True).click()
    says(second, "phase", "HOLDING")
    says(second, "cause", "held by the operator")
    wait_until(lambda: np.ptp(pixels(second), axis=2).max() > 80)


@pytest.mark.slow
def test_a_killed_cockpit_stops_the_limb_and_a_new_one_starts_it(running: Running, opened: Opened) -> None:
    says(opened.page(running.url), "phase", "RUNNING")
    (cockpit,) = [p for p in psutil.Process(running.process.pid).children() if "cockpit" in p.cmdline()]
    cockpit.kill()
    heard: list[str] = []
    wait_until(lambda: bool(heard.extend(text for _, text in running.events.read(0.2)) or "stopped" in str(heard)))
    assert "stopped: the cockpit has ended" in heard  # others are told of it as well
    opened.complaints.clear()  # the page has lost its server
    remote = Remote(running.name)
    wait_until(lambda: remote.ask("start") and any("running" in text for _, text in running.events.read(0.2)))


@pytest.fixture
def cockpit(stream_name: str) -> Iterator[Callable[..., tuple[subprocess.Popen[str], str]]]:
    """``cockpit(...)`` starts a cockpit of no run; gives the process and its address."""
    processes: list[subprocess.Popen[str]] = []

    def start(*options: str) -> tuple[subprocess.Popen[str], str]:
        command = [sys.executable, "-P", "-u", "-m", "motorctl", "cockpit", "--limb-stream", stream_name, *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        processes.append(process)
        assert process.stdout
        line = process.stdout.readline()
        assert line.startswith("Cockpit at http://"), line + process.stdout.read()
        return process, line.split()[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_a_cue_is_shown_in_large(cockpit: Any, opened: Opened, stream_name: str) -> None:
    events = marker_outlet(f"{stream_name} events")
    page = opened.page(cockpit()[1])
    says(page, "phase", "NO RUN")
    says(page, "cause", f"the run '{stream_name}' is waited for")
    assert events.wait_for_consumers(PATIENCE)
    events.push_sample(["cue: left"])
    says(page, "cue", "left")
    events.push_sample(["pause"])
    says(page, "cue", "pause")


@pytest.mark.slow
def test_with_a_host_the_page_opens_with_the_token_alone(cockpit: Any, opened: Opened) -> None:
    _, url = cockpit("--host", "0.0.0.0")
    address, token = re.fullmatch(r"http://0\.0\.0\.0:(\d+)/\?token=(.+)", url).groups()  # type: ignore[union-attr]
    page = opened.page(f"http://127.0.0.1:{address}/")
    assert "with its token" in page.content()
    page = opened.page(f"http://127.0.0.1:{address}/?token={token}")
    says(page, "phase", "NO RUN")  # its web socket is open too
    assert "token" not in page.url
    page.reload()
    says(page, "phase", "NO RUN")


@pytest.mark.slow
def test_a_port_that_is_taken_is_said_in_one_line(cockpit: Any) -> None:
    _, url = cockpit()
    port = url.rstrip("/").rsplit(":", 1)[1]
    command = [sys.executable, "-P", "-m", "motorctl", "cockpit", "--port", port]
    second = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert second.returncode == 1 and second.stderr.count("\n") == 1
    assert f"No page can be served at 127.0.0.1:{port}" in second.stderr
