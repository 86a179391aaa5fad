"""What augmentation gives on recordings: `python scripts/benchmarks/augmentation.py --data DIR --json F`.

DIR has runs of subject 1 of the EEG Motor Movement/Imagery Database (Schalk et al. 2004; PhysioNet). A controller
learns the expert's velocity from one run (`motorctl train imitation`'s defaults) and is tested on the other run of the
same movements, both ways: both fists or both feet, executed and imagined, four folds. (One fist or the other is near
chance on these recordings, and tells nothing.) Every kind of augmentation is tried alone, and all of them together.
F gets for each kind, means over the folds:

<kind>.r, .low, .high                correlation of decoded with the expert's velocity: mean over the seeds,
                                     and the 95 % interval of Student's t over them
<kind>.gain, .gain_low, .gain_high   the same of the difference from no augmentation with the same seed
<kind>.right                         share of the trials whose decoded velocity points to the cued side
<kind>.seconds                       to train a fold, median

The seeds draw weights, dropout and augmentation; recordings and subject stay the same, so the intervals tell what is
due to chance in training, not how another person would do.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import t as student

from motorctl.agents import RecurrentController
from motorctl.evaluation.metrics import mean_pearson_r
from motorctl.signals.pipeline import Pipeline
from motorctl.signals.recording import read_recording
from motorctl.threads import one_thread
from motorctl.training.augmentation import Augmentation
from motorctl.training.cues import REACH
from motorctl.training.imitation import decode, train
from motorctl.training.material import Aim, Session, fit_scaling, learned_in, scaled
from motorctl.training.recordings import ImitationFromRecordings

KINDS = {
    "none": Augmentation(),
    "time_shift": Augmentation(time_shift=0.2),
    "channel_dropout": Augmentation(channel_dropout=0.2),
    "noise": Augmentation(noise=0.2),
    "amplitude": Augmentation(amplitude=0.5),
    "band_stop": Augmentation(band_stop=2.0),
    "all": Augmentation(time_shift=0.2, channel_dropout=0.2, noise=0.2, amplitude=0.5, band_stop=2.0),
}
FOLDS = ((5, 9), (9, 5), (6, 10), (10, 6))
"""Runs to learn from and to test on."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="folder with S001R05, R06, R09 and R10 (.edf)"
    )
    parser.add_argument("--json", type=Path, metavar="F", help="write the figures here; else only print them")
    parser.add_argument("--seeds", type=int, default=5, help="how many (default 5)")
    parser.add_argument("--only", nargs="*", default=list(KINDS), choices=list(KINDS), help="kinds to try")
    options = parser.parse_args()
    kinds = dict.fromkeys(["none", *options.only])  # what the others are compared with comes first
    sessions = {run: Session(read_recording(options.data / f"S001R{run:02d}.edf")) for run in (5, 6, 9, 10)}
    tried = np.array([[try_out(kind, seed, sessions) for kind in kinds] for seed in range(options.seeds)])
    figures = {kind: summary(tried[:, k], tried[:, 0]) for k, kind in enumerate(kinds)}
    text = json.dumps(figures, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


def try_out(kind: str, seed: int, sessions: dict[int, Session]) -> NDArray[np.float64]:
    """Correlation, share of trials to the right side and seconds of every fold, ``(fold, 3)``."""
    with one_thread():
        tried = np.array([fold(sessions[a], sessions[b], KINDS[kind], seed) for a, b in FOLDS])
    print(f"{kind}, seed {seed}: r {tried[:, 0].mean():.4f}, right {tried[:, 1].mean():.3f}", flush=True)
    return tried


def fold(learned: Session, tested: Session, augmentation: Augmentation, seed: int) -> tuple[float, float, float]:
    """Learn from one run, test on another."""
    options = ImitationFromRecordings(())
    aim = Aim({"T1": "left", "T2": "right"})
    unfitted = Pipeline(options.pipeline, learned.eeg.info)
    own, other = (aim.sequence(session, unfitted) for session in (learned, tested))
    fitted = fit_scaling(unfitted, [own])
    torch.manual_seed(seed)
    controller = RecurrentController(options.controller, len(fitted.names), 2, scale=REACH)
    started = time.perf_counter()
    material = learned_in([own], [learned], unfitted, fitted, augmentation, seed)
    train(controller, material, options.training, fitted.config.rate)
    seconds = time.perf_counter() - started
    decoded, valid = decode(controller, scaled(other, fitted).features.values), other.features.mask.all(axis=1)
    trials = [(other.trial == number) & valid for number in np.unique(other.trial[other.trial >= 0])]
    right = np.mean([(decoded[rows] * other.targets[rows]).sum() > 0 for rows in trials])
    return mean_pearson_r(decoded[valid], other.targets[valid]), float(right), seconds


def summary(tried: NDArray[np.float64], without: NDArray[np.float64]) -> dict[str, Any]:
    """Figures of ``(seed, fold, 3)``."""
    r, gain = tried[..., 0].mean(axis=1), (tried - without)[..., 0].mean(axis=1)
    figures = {name: value for name, value in zip(("r", "low", "high"), interval(r), strict=True)}
    figures |= dict(zip(("gain", "gain_low", "gain_high"), interval(gain), strict=True))
    return figures | {"right": float(tried[..., 1].mean()), "seconds": float(np.median(tried[..., 2]))}


def interval(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """Mean, and the 95 % interval of Student's t (Student 1908, Biometrika 6:1-25)."""
    mean = float(values.mean())
    if len(values) < 2:
        return mean, float("nan"), float("nan")
    half = float(student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return mean, mean - half, mean + half


if __name__ == "__main__":
    main()
