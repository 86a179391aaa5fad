"""Pictures of docs/cockpit.md: `python scripts/figures/cockpit.py --controller RUN` runs all of it, the headset of a
simulated person, `motorctl live --cockpit` and Chromium, and writes cockpit-light.png, cockpit-dark.png and
cockpit-terminal.svg to docs/pictures.

RUN is a run folder of `motorctl demo --brain ideal`; the machine must have nothing else to do.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright
from rich.console import Console

from motorctl.runtime.cockpit.eeg import channel_quality
from motorctl.runtime.cockpit.run import Run
from motorctl.runtime.cockpit.terminal import picture
from motorctl.signals.lsl import hush

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"
SIZE = 1440, 900
BROWSER = ["--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader"]
"""WebGL without a graphics card."""
HEADSET, LIMB = "simulated person", "cockpit-picture"
SETTLED = 25.0
"""How long the page is looked at before its picture is taken (s): curves are full by then."""


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--controller", type=Path, required=True)
    options = parser.parse_args()
    hush()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        start(stack, "headset", "--name", HEADSET, "--limb-stream", LIMB, "--brain", "ideal")
        live = ["live", "--controller", str(options.controller), "--stream", HEADSET, "--limb-stream", LIMB]
        live += ["--seconds", "300", "--timeout", "60", "--out", f"{folder}/run", "--cockpit"]
        light = address(start(stack, *live))
        dark = address(start(stack, "cockpit", "--limb-stream", LIMB, "--stream", HEADSET, "--dark"))
        with sync_playwright() as started:
            found = shutil.which("chromium") or shutil.which("google-chrome")
            browser = started.chromium.launch(executable_path=found, args=BROWSER)
            for name, url in (("light", light), ("dark", dark)):
                take(browser, url, PICTURES / f"cockpit-{name}.png")
        take_terminal(PICTURES / "cockpit-terminal.svg")


def start(stack: ExitStack, *words: str) -> subprocess.Popen[str]:
    """A command in a process of its own, which ends with this one."""
    command = [sys.executable, "-u", "-m", "motorctl", *words]
    process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    stack.callback(process.kill)
    return process


def address(process: subprocess.Popen[str]) -> str:
    """Of the page of a cockpit that begins; what else is said is read, so that it does not wait to be."""
    assert process.stdout
    url = next(line.split()[-1] for line in process.stdout if line.startswith("Cockpit at"))
    threading.Thread(target=process.stdout.read, daemon=True).start()
    return url


def take(browser: Browser, url: str, path: Path) -> None:
    """A picture of a page, in few colours, so that it is small."""
    page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
    page.set_default_timeout(120_000)
    page.goto(url)
    page.locator("[data-test=phase]", has_text="RUNNING").wait_for()
    page.add_style_tag(content=".mantine-Notifications-root {display: none}")  # that this browser draws in software
    time.sleep(SETTLED)
    page.screenshot(path=path)
    page.close()
    Image.open(path).convert("RGB").quantize(128).save(path, optimize=True)


def take_terminal(path: Path) -> None:
    """A picture of the terminal."""
    with Run(LIMB, HEADSET) as run:
        time.sleep(SETTLED)
        eeg = run.eeg.stream
        assert eeg
        quality = channel_quality(eeg.info, eeg.history, eeg.age)
        console = Console(width=104, record=True, file=io.StringIO())
        console.print(picture(run, run.snapshot(), quality, heard=True))
        path.write_text(console.export_svg(title="motorctl live --tui"), encoding="utf-8")


if __name__ == "__main__":
    main()
