"""How the simulated brain compares with people: `python scripts/figures/brain.py --out docs` writes brain.png and
brain.json, the figures of docs/brain.md.

Each preset is recorded as an experiment would record it, 32 electrodes at 250 Hz, and read with the methods of the
literature:

velocity    five minutes of reaching train a ridge regression on the low-frequency EEG, two more minutes test it;
            Pearson's r of decoded and intended hand velocity, mean of x and y (as Bradberry et al. 2010, J. Neurosci.)
chance      the same with the velocity of another session (as Antelis et al. 2013, PLoS ONE, ask)
left/right  five minutes of cued movements of the left or right fist train common spatial patterns and a linear
            discriminant on 8 to 30 Hz, five more test them; share of trials that come out right (as Ramoser et al.
            2000, IEEE Trans. Rehabil. Eng.)

All are means over sessions; `sd` is the standard deviation between them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import mne  # type: ignore[import-untyped]
import numpy as np
import torch
from mne.decoding import CSP  # type: ignore[import-untyped]
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt, welch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis  # type: ignore[import-untyped]
from sklearn.linear_model import RidgeCV  # type: ignore[import-untyped]
from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped]
from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]

from motorctl.person.brain import PRESETS, Brain, make_brain
from motorctl.person.cued import CuedUser
from motorctl.person.movements import MOVEMENTS
from motorctl.person.user import User
from motorctl.signals.electrodes import electrode_positions
from motorctl.threads import one_thread

Array = NDArray[np.floating[Any]]

LABELS = (
    *("Fp1", "Fp2", "AF3", "AF4", "F7", "F3", "Fz", "F4", "F8", "FC5", "FC1", "FC2", "FC6", "T7", "C3", "Cz"),
    *("C4", "T8", "CP5", "CP1", "CP2", "CP6", "P7", "P3", "Pz", "P4", "P8", "PO3", "PO4", "O1", "Oz", "O2"),
)
"""The usual cap of 32."""

PUBLISHED = {"velocity": (0.2, 0.5), "left/right": (0.65, 0.85)}
"""What EEG of people gives: r of hand velocity, accuracy of left against right hand."""

CONTROL_RATE, CUE_SECONDS, PAUSE_SECONDS = 50.0, 4.0, 3.5


def main() -> None:
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument(
        "--out", type=Path, default=Path("docs"), metavar="FOLDER", help="where to write (default docs)"
    )
    parser.add_argument("--sessions", type=int, default=8, help="of each preset and experiment (default 8)")
    parser.add_argument("--presets", nargs="+", default=PRESETS, choices=PRESETS, help="default: all")
    options = parser.parse_args()
    with one_thread():
        table = {preset: calibrate(make_brain(preset, LABELS), options.sessions) for preset in options.presets}
        options.out.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"published": PUBLISHED, "sessions": options.sessions, **table}, indent=2)
        (options.out / "brain.json").write_text(text + "\n", encoding="utf-8")
        print(text)
        draw(table, options.out / "brain.png")


def calibrate(brain: Brain, sessions: int, seed: int = 0) -> dict[str, dict[str, float]]:
    """What the methods of the literature read from this brain."""
    decoded, chance = velocity_correlations(brain, sessions, seed)
    right = class_accuracies(brain, sessions, seed)
    figures = {"velocity": decoded, "chance": chance, "left/right": right}
    return {name: {"mean": float(values.mean()), "sd": float(values.std())} for name, values in figures.items()}


def reaching(seconds: float, sessions: int, seed: int) -> torch.Tensor:
    """Intended velocities ``(session, step, 2)`` (m/s) of people who reach for a new place in a square of 20 cm about
    every two seconds, with a hand that does what is intended."""
    user, rng = User(CONTROL_RATE), np.random.default_rng(seed)
    hand, target, state, intentions = torch.zeros(sessions, 2), torch.zeros(sessions, 2), user.initial_state(seed), []
    for _ in range(round(seconds * CONTROL_RATE)):
        fresh = torch.from_numpy(rng.random((sessions, 1)) < 0.5 / CONTROL_RATE)
        target = torch.where(fresh, torch.from_numpy(rng.uniform(-0.1, 0.1, (sessions, 2))).float(), target)
        intention, state = user.intend(hand, target, state)
        hand = hand + intention / CONTROL_RATE
        intentions.append(intention)
    return torch.stack(intentions, dim=1)


def velocity_correlations(brain: Brain, sessions: int, seed: int) -> tuple[Array, Array]:
    """Correlation of decoded and intended velocity in each session, and with that of the next session."""
    train = round(300 * CONTROL_RATE)
    intended = reaching(420.0, sessions, seed)
    eeg, _ = brain.emit(held(intended, brain), brain.initial_state(sessions, seed))
    lags = np.arange(0, 25, 4)  # half a second of the past, every 80 ms
    sos = butter(2, [0.1, 3.0], "bandpass", fs=brain.rate, output="sos")
    decoded = []
    for samples, velocity in zip(eeg.numpy(), intended.numpy(), strict=True):
        slow = sosfilt(sos, referenced(samples), axis=0)[:: round(brain.rate / CONTROL_RATE)]
        inputs = np.concatenate([np.roll(slow, lag, axis=0) for lag in lags], axis=1)[lags[-1] :]
        model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(1, 6, 6)))
        model.fit(inputs[:train], velocity[lags[-1] :][:train])
        decoded.append(model.predict(inputs[train:]))
    tested = intended[:, lags[-1] + train :].numpy()
    own = [correlation(d, v) for d, v in zip(decoded, tested, strict=True)]
    other = [correlation(d, v) for d, v in zip(decoded, np.roll(tested, 1, axis=0), strict=True)]
    return np.array(own), np.array(other)


def class_accuracies(brain: Brain, sessions: int, seed: int) -> Array:
    """Share of test trials of the left and the right fist that are told apart, in each session."""
    eeg, sides, onsets = cued(brain, ("left", "right"), 80, sessions, seed)
    sos = butter(4, [8.0, 30.0], "bandpass", fs=brain.rate, output="sos")
    window = np.arange(round(0.8 * brain.rate), round(CUE_SECONDS * brain.rate))
    accuracies = []
    for samples, side in zip(eeg, sides, strict=True):
        band = sosfilt(sos, referenced(samples), axis=0)
        trials = np.stack([band[onset + window].T for onset in onsets]).astype(float)
        half = len(trials) // 2
        model = make_pipeline(CSP(6, reg=0.05, rank={"eeg": len(LABELS) - 1}), LinearDiscriminantAnalysis())
        with mne.utils.use_log_level("ERROR"):
            model.fit(trials[:half], side[:half])
            accuracies.append(model.score(trials[half:], side[half:]))
    return np.array(accuracies)


def cued(
    brain: Brain, movements: tuple[str, str], count: int, sessions: int, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """EEG ``(session, sample, channel)`` with ``count`` trials, which movement ``(session, trial)`` each cue asks for,
    in random order, and the sample ``(trial,)`` at which it appears."""
    rng, user = np.random.default_rng(seed), CuedUser(CONTROL_RATE)
    which = rng.permuted(np.tile(np.arange(count) % 2, (sessions, 1)), axis=1)
    classes = torch.eye(len(MOVEMENTS))[[MOVEMENTS.index(movement) for movement in movements]]
    pause, cue = round(PAUSE_SECONDS * CONTROL_RATE), round(CUE_SECONDS * CONTROL_RATE)
    shown = torch.zeros(sessions, count, pause + cue, len(MOVEMENTS))
    shown[:, :, pause:] = classes[which][:, :, None]
    state, intended = user.initial_state(seed), []
    for step in shown.flatten(1, 2).unbind(dim=1):
        movement, state = user.intend(step, state)
        intended.append(movement)
    movement = held(torch.stack(intended, dim=1), brain)
    still = torch.zeros(*movement.shape[:2], 2)
    eeg, _ = brain.emit(still, brain.initial_state(sessions, seed), movement)
    onsets = (np.arange(count) * (pause + cue) + pause) * round(brain.rate / CONTROL_RATE)
    return eeg.numpy(), which, onsets


def held(steps: torch.Tensor, brain: Brain) -> torch.Tensor:
    """Control steps ``(session, step, ...)`` held for the samples that each lasts."""
    return steps.repeat_interleave(round(brain.rate / CONTROL_RATE), dim=1)


def referenced(samples: Array) -> Array:
    """To the common average."""
    centred: Array = samples - samples.mean(axis=-1, keepdims=True)
    return centred


def correlation(decoded: Array, velocity: Array) -> float:
    """Pearson's r, the mean of x and y."""
    return float(np.mean([np.corrcoef(d, v)[0, 1] for d, v in zip(decoded.T, velocity.T, strict=True)]))


def draw(table: dict[str, dict[str, dict[str, float]]], path: Path) -> None:
    """Spectrum at rest, topography of the desynchronisation, calibration against the published ranges."""
    matplotlib.use("Agg")
    figure, axes = plt.subplots(1, 4, figsize=(15, 3.8), width_ratios=(1.3, 1, 1, 1.5), layout="constrained")
    brain = make_brain("realistic", LABELS)
    draw_spectrum(brain, axes[0])
    eeg, which, onsets = cued(brain, ("left", "right"), 40, 4, seed=1)
    for axis, side in zip(axes[1:3], range(2), strict=True):
        drawn = draw_topography(power_change(eeg, which, onsets, side, brain.rate), axis)
        axis.set_title(f"{('left', 'right')[side]} fist, 8-13 Hz")
    figure.colorbar(drawn, ax=axes[2], label="power change (%)", shrink=0.7)
    draw_table(table, axes[3])
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_spectrum(brain: Brain, axis: Any) -> None:
    """Of three electrodes, two minutes at rest."""
    rest, _ = brain.emit(torch.zeros(1, round(120 * brain.rate), 2), brain.initial_state(1, seed=0))
    frequencies, power = welch(referenced(rest[0].numpy()), brain.rate, nperseg=1000, axis=0)
    for label in ("C3", "O1", "T7"):
        axis.loglog(frequencies[1:], power[1:, LABELS.index(label)], label=label)
    axis.set(xlabel="frequency (Hz)", ylabel="power (µV²/Hz)", title="at rest, realistic", xlim=(0.25, 125))
    axis.legend()


def power_change(eeg: Array, which: NDArray[np.int64], onsets: NDArray[np.int64], side: int, rate: float) -> Array:
    """Change of mu power from the two seconds before a cue to 0.8 to 4 s after it, ``(channel,)`` (%)."""
    sos = butter(4, [8.0, 13.0], "bandpass", fs=rate, output="sos")
    power = np.square(sosfilt(sos, referenced(eeg), axis=1))
    before, after = np.arange(-round(2 * rate), 0), np.arange(round(0.8 * rate), round(4 * rate))
    chosen = [(session, onset) for session, sides in enumerate(which) for onset in onsets[sides == side]]
    rest, active = (
        np.mean([power[s, onset + rows].mean(axis=0) for s, onset in chosen], axis=0) for rows in (before, after)
    )
    change: Array = 100 * (active / rest - 1)
    return change


def draw_topography(values: Array, axis: Any) -> Any:
    """Seen from above, nose up."""
    places = {label: electrode_positions()[label] for label in LABELS}
    info = mne.create_info(list(LABELS), 1.0, "eeg")
    info.set_montage(mne.channels.make_dig_montage(places, coord_frame="head"))
    image, _ = mne.viz.plot_topomap(values, info, axes=axis, show=False, vlim=(-50, 50), cmap="RdBu_r", contours=0)
    return image


def draw_table(table: dict[str, dict[str, dict[str, float]]], axis: Any) -> None:
    """Each figure of each preset, the published range as a band."""
    names: Iterable[tuple[str, str]] = (("velocity", "C0"), ("chance", "0.6"), ("left/right", "C1"))
    for offset, (name, colour) in enumerate(names):
        if name in PUBLISHED:
            axis.axhspan(*PUBLISHED[name], color=colour, alpha=0.15, label=f"{name}: published")
        means, spreads = ([row[name][key] for row in table.values()] for key in ("mean", "sd"))
        axis.errorbar(
            np.arange(len(table)) + 0.1 * offset, means, spreads, fmt="o", color=colour, capsize=3, label=name
        )
    axis.set(xticks=np.arange(len(table)) + 0.1, ylim=(-0.2, 1.05), title="r of velocity, accuracy of left/right")
    axis.set_xticklabels(list(table))
    axis.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=3)


if __name__ == "__main__":
    main()
