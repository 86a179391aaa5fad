"""Two classic findings on reaching, from a network that was trained through the limb and never saw an expert:
`python scripts/figures/bptt.py --out docs` writes bptt.png and bptt.json, the figures of docs/bptt.md.

center-out  A network learns to reach eight targets and to return; what it observes is 60 ms late. Its paths are
            straight, its speed has one peak (Morasso 1981, Exp. Brain Res. 42:223-227).
curl field  It goes on learning in a force across the velocity of the hand. At first its paths are bent, later less; and
            when the field is gone they are bent the other way: it has learned a model of the field (Shadmehr &
            Mussa-Ivaldi 1994, J. Neurosci. 14:3208-3224).

The twin is what it learns on, MuJoCo is where it is tried.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import torch
from numpy.typing import NDArray

from motorctl.agents import ControllerConfig, RecurrentController
from motorctl.envs import make_vec
from motorctl.evaluation.episodes import Episode, run_episodes
from motorctl.runs import write_json
from motorctl.training.bptt import BPTTConfig, limb_practice, start_at_rest, train_through_limb
from motorctl.training.bptt_command import observed_scale
from motorctl.training.bptt_losses import TaskLoss, total_loss
from motorctl.training.limb_world import LimbWorld, Load, reaching_environment
from motorctl.training.policy import StoredPolicy, policy_for
from motorctl.training.resume import Epoch

Array = NDArray[np.floating[Any]]

ENVIRONMENT, FIELD, DELAY = "motorctl/ArmForceField-v0", 13.0, 0.06
"""b of the field, N·s/m (Thoroughman & Shadmehr 2000, Nature 407:742-747); delay of all that is observed, s."""
EPISODES = 64
"""Reaches, about eight in each direction, that each figure is the mean of."""
LOSS = TaskLoss()
LOAD = Load(10.0, 0.1)
"""Pushes in practice, so that it learns to correct; none where it is tried."""
BASELINE = BPTTConfig(iterations=500, horizon=1.6)
ADAPTATION = BPTTConfig(iterations=160, learning_rate=1e-3, first_horizon=1.6, horizon=1.6)
TRIED = (5, 10, 20, 40, 80, 160)
"""Iterations of adaptation after which the network is tried, with the field and without."""
WINDOW, PERIOD = 0.4, 0.02
"""What of a reach is looked at, s, before much is corrected; and the control period, s."""
SEEN = "shown", "target"
COLOURS = {"before": "0.3", "early": "#c2410c", "late": "#1b7f5c", "after-effect": "#3b5bdb"}


def main() -> None:
    """Train, try, write, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs"), help="folder for bptt.png and bptt.json")
    parser.add_argument("--seed", type=int, default=0, help="of everything random")
    asked = parser.parse_args()

    torch.manual_seed(asked.seed)
    mean, deviation = observed_scale(ENVIRONMENT, options(0.0))
    stored = StoredPolicy(
        RecurrentController(ControllerConfig(), len(mean), 6), mean, deviation, ENVIRONMENT, options(0.0)
    )
    start_at_rest(stored.controller, world_of(stored, 0.0))
    practise(stored, 0.0, BASELINE, asked.seed)
    trials = {"before": attempt(stored, 0.0), "early": attempt(stored, FIELD)}
    curve = [(0, trials["early"], trials["before"])]

    def told(iteration: Epoch) -> None:
        if iteration.number in TRIED:
            curve.append((iteration.number, attempt(stored, FIELD), attempt(stored, 0.0)))

    practise(stored, FIELD, ADAPTATION, asked.seed + 1, told)
    _, trials["late"], trials["after-effect"] = curve[-1]
    table = {name: figures(episodes) for name, episodes in trials.items()}
    course = [
        {"iterations": count, **{name: figures(e)["deviation_mm"] for name, e in (("field", on), ("without", off))}}
        for count, on, off in curve
    ]
    write_json(asked.out / "bptt.json", {"conditions": table, "course": course})
    draw(trials, course, asked.out / "bptt.png")
    for name, row in table.items():
        print(name, {what: round(value, 3) for what, value in row.items()})


def options(field: float) -> dict[str, Any]:
    """Of the environment; the field is always on."""
    return {"strength": field, "block_trials": 0, "delay": DELAY}


def world_of(stored: StoredPolicy, field: float) -> LimbWorld:
    """Where it learns."""
    world = LimbWorld(reaching_environment(ENVIRONMENT, options(field)), options(field), LOAD)
    world.mean, world.deviation = stored.mean, stored.deviation
    return world


def practise(
    stored: StoredPolicy, field: float, config: BPTTConfig, seed: int, told: Any = lambda iteration: None
) -> None:
    """Train the network in a field."""
    world = world_of(stored, field)
    practice = limb_practice(world, stored.controller, config.batch)
    train_through_limb(
        lambda steps, own: total_loss(practice(steps, own), LOSS, world.period),
        *(stored.controller, config, world.period, seed, told),
    )


def attempt(stored: StoredPolicy, field: float) -> list[Episode]:
    """Reaches in MuJoCo in a field, all of them with their paths."""
    return run_episodes(make_vec(ENVIRONMENT, EPISODES, 1, **options(field)), policy_for(stored, EPISODES), seed=0)


def figures(episodes: list[Episode]) -> dict[str, float]:
    """Means over reaches: the share of trials that end well, and the shape of path and speed on the way out."""
    shapes = ways_out(episodes)
    means = {name: float(np.mean([shape[name] for shape in shapes])) for name in SHAPE}
    return {"success": float(np.mean([episode.success for episode in episodes]))} | means


SHAPE = "deviation_mm", "straightness", "peak_speed", "peak_at", "speed_peaks"


def ways_out(episodes: list[Episode]) -> list[dict[str, Any]]:
    """Of every reach whose outer target was shown, the first `WINDOW` seconds from then on.

    `deviation_mm` is the largest distance from the straight line between center and target, positive to the right;
    `straightness` the same as a share of the line, without its sign; `peak_at` the share of the movement's time at
    which it is fastest, from the time its speed is over a twentieth of its peak until it is not; `speed_peaks` how many
    maxima above a tenth of the largest the speed has meanwhile.
    """
    found = []
    for episode in episodes:
        hand, target = (episode.traces[f"{what}_position"] - episode.traces["target_position"][0] for what in SEEN)
        rows = np.flatnonzero(target.any(axis=1))
        if len(rows) > WINDOW / PERIOD:
            found.append(way_out(hand[rows], target[rows[0]]))
    return found


def way_out(hand: Array, goal: Array) -> dict[str, Any]:
    """As `ways_out`, of one."""
    hand, line = hand[: round(WINDOW / PERIOD) + 1], goal / np.linalg.norm(goal)
    across = line[1] * hand[:, 0] - line[0] * hand[:, 1]
    deviation = float(across[np.abs(across).argmax()])
    speed = np.linalg.norm(np.diff(hand, axis=0), axis=1) / PERIOD
    fastest, slow = int(speed.argmax()), speed < 0.05 * speed.max()
    first = int(np.flatnonzero(slow[:fastest]).max(initial=-1)) + 1
    last = fastest + int(np.flatnonzero(np.append(slow[fastest:], True))[0])
    moved = np.concatenate([[0.0], speed[first:last], [0.0]])
    inner = moved[1:-1]
    peaks = (inner > moved[:-2]) & (inner >= moved[2:]) & (inner > 0.1 * moved.max())
    return {
        "deviation_mm": 1000 * deviation,
        "straightness": abs(deviation) / float(np.linalg.norm(goal)),
        "peak_speed": float(speed.max()),
        "peak_at": (fastest - first + 0.5) / len(inner),
        "speed_peaks": int(peaks.sum()),
        "hand": hand,
        "speed": inner,
    }


def draw(trials: dict[str, list[Episode]], course: list[dict[str, float]], path: Path) -> None:
    """Paths in the four conditions, speed profiles, and how the deviation changes with practice."""
    matplotlib.use("Agg")
    figure, axes = plt.subplots(1, 6, figsize=(17, 3.4), layout="constrained", width_ratios=(1, 1, 1, 1, 1.2, 1.2))
    for axis, (name, episodes) in zip(axes, trials.items(), strict=False):
        for shape in ways_out(episodes):
            axis.plot(*(100 * shape["hand"].T), color=COLOURS[name], lw=0.8, alpha=0.7)
        field = "field" if name in ("early", "late") else "no field"
        axis.set(title=f"{name} ({field})", aspect="equal", xlim=(-17, 17), ylim=(-17, 17), xlabel="x (cm)")
    axes[0].set_ylabel("y (cm)")
    for name in ("before", "late"):
        shapes = ways_out(trials[name])
        share = np.linspace(0, 1, 50)
        rows = [np.interp(share, np.linspace(0, 1, len(s["speed"])), s["speed"] / s["speed"].max()) for s in shapes]
        axes[4].plot(share, np.mean(rows, axis=0), color=COLOURS[name], label=name)
    axes[4].plot(share, 16 * (share * (1 - share)) ** 2, color="0.6", ls=":", label="minimum jerk")
    axes[4].set(title="speed on the way out", xlabel="share of the movement's time", ylabel="share of peak speed")
    axes[4].legend(frameon=False, fontsize=8)
    counts = [row["iterations"] for row in course]
    for name, colour in (("field", COLOURS["late"]), ("without", COLOURS["after-effect"])):
        axes[5].plot(
            counts, [row[name] for row in course], "o-", color=colour, ms=3, label=name.replace("out", "out field")
        )
    axes[5].axhline(0, color="0.7", lw=0.8)
    axes[5].set(title="deviation, positive to the right", xlabel="iterations in the field", ylabel="mm")
    axes[5].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main()
