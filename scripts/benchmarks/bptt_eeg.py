"""What backpropagation through person, decoder and limb buys over imitation, at equal data:
`python scripts/benchmarks/bptt_eeg.py --json F`.

Three ways to train the same network, with as many updates on as many seconds of EEG of as many simulated people, who
steer as their brain allows (`motorctl.training.steering`):

imitation        the expert moves the hand, now and then off its path (Laskey et al. 2017, CoRL), a person watches; the
                 network learns the command that the expert would give to what the person had seen
bptt             the network moves the hand, a person watches, and the loss is what the movement cost
bptt_no_feedback the same, but no gradient goes through what the person sees

Each is tried in MuJoCo with the person in the loop, in sessions and on targets that it has not seen. Keys:
`<method>.success_rate`, `.low`, `.high` (mean over seeds, 95 % interval by Student's t), `.per_seed`, `.seconds`,
`.error_mm`; `bptt_less_imitation.mean`, `.low`, `.high` of the differences seed by seed, and so of every two;
`networks`, each as it was tried. F is written network by network, and the same command goes on with it.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import t as student
from torch import Tensor

from motorctl.agents import RecurrentController
from motorctl.envs import expert, make_vec
from motorctl.evaluation.closed_loop import SETTLING, ClosedLoop, run_closed_loop
from motorctl.evaluation.episodes import summarize_episodes
from motorctl.person.brain import make_brain
from motorctl.person.person import samples_per_step
from motorctl.person.user import User
from motorctl.runs import plain, write_json
from motorctl.signals.batch_pipeline import BatchPipeline
from motorctl.threads import one_thread
from motorctl.training.bptt import BPTTConfig, train_through_limb
from motorctl.training.bptt_eeg import Watcher, fitted_pipeline, given_off, watched_practice
from motorctl.training.bptt_losses import TaskLoss, total_loss
from motorctl.training.led_world import LedWorld
from motorctl.training.limb_world import LimbWorld, reaching_environment
from motorctl.training.steering import Way, way_to_steer

ENVIRONMENT = "motorctl/ArmReach-v0"
LOSS = TaskLoss(effort=0.01, jerk=0.0, hidden=0.0, hidden_change=0.0)
PUSH, PUSH_SECONDS = 0.2, 0.4
"""Standard deviation of what is added to the expert's actions, and how long it lasts (s)."""
METHODS = "imitation", "bptt_no_feedback", "bptt"
BESIDE = "json", "seeds", "methods"
"""Options that a network does not depend on."""

Cost = Callable[[int, int], Tensor]


def main() -> None:
    """Train every way with every seed, try, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True, help="file for the results")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--iterations", type=int, default=150)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--horizon", type=float, default=1.6, help="length of the last episodes (s)")
    parser.add_argument("--episodes", type=int, default=200, help="in MuJoCo, for each network")
    parser.add_argument("--time-limit", type=float, default=4.0, help="of these (s)")
    parser.add_argument("--command", choices=("velocity", "muscles"), default="velocity")
    parser.add_argument("--brain", choices=("ideal", "realistic", "hard"), default="ideal")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    asked = parser.parse_args()

    options = plain({name: value for name, value in vars(asked).items() if name not in BESIDE})
    before = json.loads(asked.json.read_text(encoding="utf-8")) if asked.json.exists() else {}
    networks: dict[str, Any] = before["networks"] if before.get("options") == options else {}
    for seed in range(asked.seeds):
        for method in asked.methods:
            name = f"{method}, seed {seed}"
            if name in networks:
                continue
            networks[name] = row = plain(trained_and_tried(method, seed, asked))
            write_json(asked.json, {"options": options} | summary(networks, asked) | {"networks": networks})
            print(f"{name}: success {row['success_rate']:.3f} in {row['seconds']:.0f} s", flush=True)


def summary(networks: dict[str, Any], asked: argparse.Namespace) -> dict[str, Any]:
    """What is known so far."""
    rows = {m: {s: row for s in range(asked.seeds) if (row := networks.get(f"{m}, seed {s}"))} for m in asked.methods}
    results: dict[str, Any] = {}
    for method, own in rows.items():
        if own:
            results[method] = interval([row["success_rate"] for row in own.values()], "success_rate")
            results[method] |= {"error_mm": float(np.mean([1000 * row["metrics"]["error"] for row in own.values()]))}
            results[method] |= {"seconds": float(np.median([row["seconds"] for row in own.values()]))}
    for one, other in combinations((m for m in METHODS[::-1] if rows.get(m)), 2):
        pairs = [(rows[one][s]["success_rate"], rows[other][s]["success_rate"]) for s in rows[one] if s in rows[other]]
        if pairs:
            results[f"{one}_less_{other}"] = interval([a - b for a, b in pairs], "mean")
    return results


def interval(values: list[float], name: str) -> dict[str, Any]:
    """Mean of a few runs with its 95 % interval."""
    mean = float(np.mean(values))
    half = (
        float(student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5) if values[1:] else None
    )
    low, high = (None, None) if half is None else (mean - half, mean + half)
    return {name: mean, "low": low, "high": high, "per_seed": values}


def trained_and_tried(method: str, seed: int, asked: argparse.Namespace) -> dict[str, Any]:
    """One network, and how it does in MuJoCo."""
    started, way = time.perf_counter(), way_to_steer(asked.brain)
    options = {"command": asked.command, "control_rate": way.pipeline.rate}
    env = reaching_environment(ENVIRONMENT, options)
    world = LedWorld(env) if asked.command == "velocity" else LimbWorld(env, options)
    user, brain = User(env.control_rate), make_brain(asked.brain, way.electrodes)
    pipeline = fitted_pipeline(way.pipeline, world.task, user, brain, seed, way.imagine)
    watcher = Watcher(user, brain, pipeline, method == "bptt", way.imagine)
    torch.manual_seed(seed)
    scale = user.max_speed if asked.command == "velocity" else 1.0
    controller = RecurrentController(way.controller, len(pipeline.names), len(world.most), scale)
    config = BPTTConfig(asked.iterations, asked.batch, first_horizon=0.6, horizon=asked.horizon)
    if method == "imitation":
        cost = imitation_cost(world, watcher, controller, asked.batch, options, way)
    else:
        practice = watched_practice(world, watcher, controller, asked.batch)

        def cost(steps: int, own: int) -> Tensor:
            return total_loss(practice(steps, own), LOSS, world.period)

    train_through_limb(cost, controller, config, world.period, seed)
    if method == "imitation":
        controller.scale *= way.gain  # the expert's command is too much for a loop that is slow to notice
    many = make_vec(ENVIRONMENT, asked.episodes, 1, **options, time_limit=asked.time_limit)
    loop = ClosedLoop(many, user, brain, pipeline, way.imagine)
    tried = summarize_episodes(run_closed_loop(loop, controller, seed))
    return tried | {"seconds": time.perf_counter() - started}


def imitation_cost(
    world: LimbWorld | LedWorld,
    watcher: Watcher,
    controller: RecurrentController,
    batch: int,
    options: dict[str, Any],
    way: Way,
) -> Cost:
    """Squared error of the network's command and the expert's, in units of the network's scale. The hand of those who
    steer by imagery is slow (:data:`~motorctl.training.steering.SLOW_HAND`)."""
    many = make_vec(ENVIRONMENT, batch, 1, **options)
    act, pipeline = expert(many), BatchPipeline(watcher.pipeline)
    if options["command"] == "velocity":
        act = lambda info: many.to_action(way.expert(info["shown_position"], info["target_position"]))  # noqa: E731
    user, brain = watcher.user, watcher.brain
    samples, late = samples_per_step(user.rate, brain), user.delay_steps
    decay = np.exp(-1 / (PUSH_SECONDS * user.rate))

    def cost(steps: int, seed: int) -> Tensor:
        rng = np.random.default_rng(seed)
        _, info = many.reset(seed=seed)
        seen, push = user.initial_state(seed), np.zeros((batch, many.limb.command.size))
        actions, intentions = [], []
        for _ in range(steps):
            hand, target = (torch.from_numpy(info[f"{what}_position"]).float() for what in ("shown", "target"))
            intention, seen = user.intend(hand, target, seen)
            intentions.append(intention)
            actions.append(act(info))
            push = decay * push + (1 - decay**2) ** 0.5 * PUSH * rng.standard_normal(push.shape)
            _, _, _, _, info = many.step(way.hand_speed * (actions[-1] + push))
        rest = torch.zeros(batch, round(SETTLING * user.rate) * samples, 2)
        eeg, alive = brain.emit(rest, brain.initial_state(batch, seed))
        _, filled = pipeline.process(eeg)
        eeg, _ = given_off(brain, user, torch.stack(intentions, dim=1), alive, watcher.imagine)
        features, _ = pipeline.process(eeg, filled)
        commands, _ = controller(features[:, -steps:], controller.initial_state(batch))
        shares = (torch.from_numpy(np.stack(actions, axis=1)).float() + 1) / 2
        wanted = world.least + shares * (world.most - world.least)
        error = (commands[:, late:] - wanted[:, : steps - late]) / controller.scale
        loss: Tensor = error.square().mean()
        return loss

    return cost


if __name__ == "__main__":
    with one_thread():
        main()
