"""Whether the decoder that is best offline is the best in the loop: `python scripts/figures/mismatch.py --out docs`
writes mismatch.png and mismatch.json, the figures of docs/evaluation.md (some minutes on one core).

A ridge regression reads the intended velocity of simulated people who watch an expert; its output goes through an
exponential filter, the slower the smoother. Each time constant is scored twice:

offline   on the EEG of other people who watch: mean squared error and Pearson's r with the velocity that they intend
in loop   on people who reach with it: time to the target (the area below the Kaplan-Meier curve, so that those who do
          not arrive count until time is up), success, and Fitts' throughput by effective width

The brain is `ideal` with a background three times as strong, so that there is noise to smooth and a loop that works.
People and targets are the same for every time constant. Bands are 95 % intervals, people resampled; `paired` compares
the times of the same people with the time constants that are best offline (mean squared error) and in the loop.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motorctl.envs import make_vec
from motorctl.evaluation.closed_loop import ClosedLoop, Decide
from motorctl.evaluation.metrics import mean_pearson_r
from motorctl.evaluation.reaching import decoded_steps, figures_of, record
from motorctl.evaluation.reaching_decoders import RATE, Watched, one_step, watch_people
from motorctl.evaluation.reaching_people import person_of
from motorctl.evaluation.reaching_summary import PARTS, SUCCESS, scores, tabled
from motorctl.evaluation.statistics import block_bootstrap, paired_permutation
from motorctl.person.background import Background
from motorctl.person.brain import Brain
from motorctl.threads import one_thread
from motorctl.training.wiener import fit_wiener

Array = NDArray[np.float64]
Scored = dict[str, dict[str, Any]]

ENV = "motorctl/ArmReach-v0"
BACKGROUND = Background(amplitude=12.0, exponent=1.0)
SMOOTHING = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8)
"""Time constants (s)."""
LEARNED_FROM = 0.75
"""Share of the people who watch; the others are for the offline score."""


def main() -> None:
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where to write both files")
    parser.add_argument("--people", type=int, default=256, help="who reach (default 256)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    person, brain = person_of("reaching", RATE, 0.0), Brain(background=BACKGROUND)
    with one_thread(), torch.no_grad():
        watched = watch_people(ENV, person, brain, person.way.pipeline, options.seed + 1)
        learned = round(LEARNED_FROM * len(watched.parts))
        ridge = one_step(fit_wiener(watched.parts[:learned], lags=1))
        env = make_vec(ENV, options.people, 1, command="velocity", control_rate=RATE)
        loop = ClosedLoop(env, person.user, brain, watched.pipeline)
        settings, times = [], {}
        for constant in SMOOTHING:
            decide = smoothed(ridge, constant)
            by_loop, times[constant] = in_loop(decide, loop, options.seed)
            scored = offline(decide, watched, learned, options.seed) | by_loop
            settings.append({"smoothing": constant, "scores": scored})
            said = {name: round(score["value"], 4) for name, score in scored.items()}
            print(json.dumps({"smoothing": constant} | said), flush=True)
    found = best(settings)
    paired = paired_permutation(times[found["mse"]], times[found["restricted_time"]], options.seed)._asdict()
    results = {"people": options.people, "seed": options.seed, "settings": settings, "best": found, "paired": paired}
    print(json.dumps({"best": found, "paired": paired}))
    (options.out / "mismatch.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    draw(settings, options.out / "mismatch.png")


def smoothed(decide: Decide, constant: float) -> Decide:
    """What ``decide`` says through a first-order low-pass of a time constant (s)."""
    kept = math.exp(-1 / (constant * RATE)) if constant else 0.0

    def smooth(features: Tensor, state: Any) -> tuple[Tensor, Any]:
        within, before = (None, None) if state is None else state
        said, within = decide(features, within)
        said = said if before is None else kept * before + (1 - kept) * said
        return said, (within, said)

    return smooth


def offline(decide: Decide, watched: Watched, learned: int, seed: int) -> Scored:
    """Error and correlation on the people who were not learned from, all outputs together."""
    parts = watched.parts[learned:]
    features, wanted = (np.stack([part[k] for part in parts]) for k in (0, 1))
    said, state = [], None
    for row in torch.from_numpy(features).unbind(dim=1):
        commands, state = decide(row, state)
        said.append(commands.numpy())
    decoded = np.stack(said, axis=1)

    def score(drawn: Sequence[NDArray[np.int64]]) -> dict[str, float]:
        own, right = decoded[drawn[0]].reshape(-1, 2), wanted[drawn[0]].reshape(-1, 2)
        return {"mse": float(np.square(own - right).mean()), "r": mean_pearson_r(own, right)}

    return with_interval(score([np.arange(len(parts))]), block_bootstrap(score, [len(parts)], seed))


def in_loop(decide: Decide, loop: ClosedLoop, seed: int) -> tuple[Scored, Array]:
    """Scores of the people who reach with it, and how long each took ``(person,)`` (s)."""
    told = figures_of(record(loop.env, decoded_steps(loop, decide, seed), 1).episodes, loop.env, 1)
    people = loop.env.num_envs
    parts = [tabled(told[name], people) for name in PARTS]

    def score(drawn: Sequence[NDArray[np.int64]]) -> dict[str, float]:
        told = scores([part.columns(drawn[0]) for part in parts], None)
        return {name: told[name] for name in ("restricted_time", SUCCESS, "throughput")}

    scored = with_interval(score([np.arange(people)]), block_bootstrap(score, [people], seed))
    return scored, parts[1].columns()["seconds"]


def with_interval(values: dict[str, float], intervals: dict[str, tuple[float, float]]) -> Scored:
    return {name: {"value": value, "interval": intervals[name]} for name, value in values.items()}


def best(settings: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The time constant that each score is best at."""
    low = ("mse", "restricted_time")
    return {
        name: min(settings, key=lambda s: s["scores"][name]["value"] * (1 if name in low else -1))["smoothing"]
        for name in settings[0]["scores"]
    }


def draw(settings: Sequence[dict[str, Any]], path: Path) -> None:
    """Offline error and time in the loop above, correlation and throughput below, over the time constant."""
    panels = (
        ("mse", "mean squared error (cm²/s²)", 1e4, "restricted_time", "time to target (s)"),
        ("r", "Pearson's r", 1.0, "throughput", "throughput (bit/s)"),
    )
    constants = 1000 * np.array([s["smoothing"] for s in settings])
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), dpi=150, layout="constrained")
    for left, (offline_name, offline_label, unit, loop_name, loop_label) in zip(axes, panels, strict=True):
        right = left.twinx()
        drawn = ((left, offline_name, offline_label, unit, "#1d4ed8"), (right, loop_name, loop_label, 1.0, "#c2410c"))
        for side, name, label, factor, colour in drawn:
            values = factor * np.array([s["scores"][name]["value"] for s in settings])
            low, high = factor * np.array([s["scores"][name]["interval"] for s in settings]).T
            side.plot(constants, values, "o-", color=colour, ms=4)
            side.fill_between(constants, low, high, color=colour, alpha=0.15, lw=0)
            at = int(values.argmin() if name in ("mse", "restricted_time") else values.argmax())
            side.plot(constants[at], values[at], "o", color=colour, ms=11, mfc="none", mew=2)
            side.set_ylabel(label, color=colour)
            side.tick_params(axis="y", labelcolor=colour)
        left.set_xlabel("time constant of the smoothing (ms)")
    figure.suptitle("blue: offline; orange: in the loop; rings: best", fontsize="medium")
    figure.savefig(path)
    plt.close(figure)


if __name__ == "__main__":
    main()
