"""The page's words and the terminal say the same, and nothing that is heard is taken for markup."""

from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from motorctl.runtime.cockpit import words
from motorctl.runtime.cockpit.eeg import BandPower
from motorctl.runtime.cockpit.run import TIMES, Component, Cue, Snapshot
from motorctl.runtime.cockpit.terminal import bar, picture
from motorctl.signals.quality import ChannelQuality

LATENCY = {name: {"p50": 1.25, "p99": 2.5, "p99.9": 123.4, "max": 456.7} for name in TIMES}
PARTS = Component("x", "m/s", -0.5, 0.5), Component("y", "m/s", -0.5, 0.5)
CURVES = np.array([[0.1, -0.5], [0.25, 0.5]])
SNAPSHOT = Snapshot(
    10.0, "holding", "no sample for <b>0.11</b> s", 0.3, 5, 4, 3, 0.01, LATENCY, (2, 500), PARTS,
    np.array([-1.0, 0.0]), {"wanted": CURVES, "intended": -CURVES, "command": CURVES}, np.array([0.5, np.nan]),
    Cue("left", 8.0, 4.0),
)  # fmt: skip
QUALITY = tuple(ChannelQuality(label, 10.0, 1.0, 50.0, 0.0, problem) for label, problem in
                (("C3", ""), ("Cz", "flat"), ("C<4>", "noisy")))  # fmt: skip


def shown(width: int, snapshot: Snapshot = SNAPSHOT, trouble: str = "") -> str:
    """The terminal's picture as text."""
    said = {"environment": "motorctl/ArmReach-v0"}
    eeg = SimpleNamespace(trouble=trouble, stream=SimpleNamespace(info=SimpleNamespace(name="cap")))
    run = SimpleNamespace(name="limb", said=said, eeg=eeg)
    console = Console(width=width, record=True, file=None, force_terminal=False)
    with console.capture() as captured:
        console.print(picture(run, snapshot, QUALITY, heard=True))
    return captured.get()


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_terminal_shows_the_essentials(width: int) -> None:
    text = shown(width)
    assert max(map(len, text.splitlines())) <= width
    for part in ("HOLDING", "no sample for <b>0.11</b> s", "3 of 4 (75%)", "assist 0.30", "123.4", "2 of 500 deadlines",
                 "x, m/s", "+0.25", "+0.50", "1 of 3 channels good", "Cz flat", "C<4> noisy", "cue: left"):  # fmt: skip
        assert part in text, part


def test_the_terminal_says_that_there_is_no_run() -> None:
    text = shown(100, Snapshot(0.0, cause="the run 'limb' is waited for"), trouble="not there")
    assert "NO RUN" in text and "the run 'limb' is waited for" in text and "EEG: not there" in text


@pytest.mark.parametrize(("value", "filled"), [(0.0, 0), (0.5, 8), (-0.5, 8), (0.25, 4), (9.0, 8), (float("nan"), 0)])
def test_a_bar_is_as_long_as_its_value(value: float, filled: int) -> None:
    assert bar(value, -0.5, 0.5).plain.count("█") == filled


def test_the_page_shows_the_same() -> None:
    assert "HOLDING" in words.state_html(SNAPSHOT)
    assert "3 of 4" in words.score_html(SNAPSHOT) and "75%" in words.score_html(SNAPSHOT)
    latency = words.latency_html(SNAPSHOT)
    assert "1.2" in latency and "123" in latency and "2 of 500 deadlines missed" in latency
    assert "x +0.50" in words.agreement_html(SNAPSHOT)
    assert "left" in words.cue_html(SNAPSHOT.cue, 10.0) and "width:50%" in words.cue_html(SNAPSHOT.cue, 10.0)
    assert "NO RUN" in words.state_html(Snapshot(0.0))


def test_what_is_heard_is_no_markup() -> None:
    evil = "<script>alert(1)</script>"
    quality = (ChannelQuality(evil, 1.0, 0.0, 50.0, 0.0, "flat"),)
    bands = {"mu": BandPower(np.ones(1), np.zeros(1))}
    pages = [
        words.state_html(SNAPSHOT._replace(cause=evil)),
        words.cue_html(Cue(evil, 0.0, None), 1.0),
        words.quality_html(quality, "", evil, 250.0, 50.0),
        words.quality_html((), evil, "", 0.0, 0.0),
        words.heads_html(quality, bands),
        words.agreement_html(SNAPSHOT._replace(components=(PARTS[0]._replace(name=evil), PARTS[1]))),
    ]
    assert not any("<script" in page for page in pages)


def test_electrodes_are_where_they_are_on_the_head() -> None:
    c3, c4, cz, fz, unknown = words.head_spots(["C3", "C4", "Cz", "Fz", "counter"])
    assert c3[0] < -0.2 < 0.2 < c4[0] and abs(cz[0]) < 0.1 and fz[1] < cz[1] and unknown[1] > 1
    assert max(np.hypot(*spot) for spot in words.head_spots(["Fp1", "Oz", "T7", "T8"])) < 1.02


@pytest.mark.parametrize(("change", "colour"), [(0.0, "#adb5bd"), (6.0, "#e03131"), (-60.0, "#195ed6")])
def test_less_power_is_blue_and_more_is_red(change: float, colour: str) -> None:
    assert words.diverging(change) == colour
