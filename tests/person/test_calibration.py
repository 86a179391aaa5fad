"""The realistic brain beside people: spectrum, topography, and how well the methods of the literature read it."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.signal import welch

from motorctl.person.brain import make_brain
from motorctl.threads import one_thread

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "figures" / "brain.py"


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    """What the script that draws docs/brain.png defines."""
    return runpy.run_path(str(SCRIPT))


def test_the_spectrum_at_rest_is_a_persons(figures: dict[str, Any]) -> None:
    """1/f with peaks at 10 Hz behind and over the hands and at 20 Hz over the hands. At 1 and 30 Hz, medians over the
    electrodes of subject 1 of the EEG Motor Movement/Imagery Database (Schalk et al. 2004) are 172 and 2.2 µV²/Hz, of a
    restless recording; a quiet one has a tenth."""
    labels = figures["LABELS"]
    brain = make_brain("realistic", labels)
    eeg, _ = brain.emit(torch.zeros(3, 60 * 250, 2), brain.initial_state(3, seed=0))
    f, power = welch(figures["referenced"](eeg.numpy()), 250, nperseg=1000, axis=1)
    power = np.median(power, axis=0)  # over sessions: one blinks or clenches more

    def level(frequency: float, *at: str) -> float:
        rows = np.abs(f - frequency) <= 0.5
        return float(np.median(power[rows][:, [labels.index(label) for label in at or labels]]))

    assert 17 < level(1.0) < 172 and 0.2 < level(30.0) < 2.2
    assert level(10.0, "O1", "O2") > 5 * level(7.0, "O1", "O2")
    assert level(10.5, "C3", "C4") > 2 * level(7.0, "C3", "C4")
    assert level(20.0, "C3", "C4") > 2 * level(20.0, "Fz", "Pz", "F3", "F4")
    assert level(50.0) > 3 * level(47.0)


def test_desynchronisation_is_strongest_over_the_hand_across_the_body(figures: dict[str, Any]) -> None:
    """Pfurtscheller & Lopes da Silva (1999) report losses of a quarter to three quarters of mu power."""
    labels, brain = figures["LABELS"], make_brain("realistic", figures["LABELS"])
    eeg, which, onsets = figures["cued"](brain, ("left", "right"), 16, 4, seed=0)
    for side, across, same in ((0, "C4", "C3"), (1, "C3", "C4")):
        change = dict(zip(labels, figures["power_change"](eeg, which, onsets, side, 250.0), strict=True))
        assert -75 < change[across] < -25
        assert change[across] < change[same] - 8
        assert abs(change["O1"]) < 20 and abs(change["O2"]) < 20


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["realistic", "hard", "ideal"])
def test_presets_are_as_hard_to_read_as_they_say(figures: dict[str, Any], preset: str) -> None:
    with one_thread():
        measured = figures["calibrate"](make_brain(preset, figures["LABELS"]), sessions=6, seed=100)
    velocity, classes = measured["velocity"]["mean"], measured["left/right"]["mean"]
    assert abs(measured["chance"]["mean"]) < 0.06
    if preset == "realistic":
        for name, value in (("velocity", velocity), ("left/right", classes)):
            low, high = figures["PUBLISHED"][name]
            assert low <= value <= high
    elif preset == "hard":
        assert 0.03 < velocity < 0.2 and 0.5 < classes < 0.7
    else:
        assert velocity > 0.6 and classes > 0.95


@pytest.mark.slow
def test_the_figure_is_drawn(tmp_path: Path) -> None:
    command = [sys.executable, "-P", str(SCRIPT), "--out", str(tmp_path), "--sessions", "1", "--presets", "ideal"]
    subprocess.run(command, check=True, timeout=170)
    assert json.loads((tmp_path / "brain.json").read_text(encoding="utf-8"))["ideal"]["velocity"]["mean"] > 0.5
    assert (tmp_path / "brain.png").stat().st_size > 10_000
