"""How fast training through the limb is, beside MotorNet: `python scripts/benchmarks/bptt.py --json F`.

Both do the same work in one process, in turn: a planar arm with six Hill-type muscles reaches from anywhere to
anywhere, 100 control steps of 10 ms, one Euler step each; a GRU of 64 units sees the target, the hand, and length and
velocity of the muscles, and excites them; the loss is MotorNet's examples' (L1 distance of hand and target over a whole
episode, and squared activation); Adam, gradients clipped at 1. Ours is the project's own arm, the one that its
environments run. Needs MotorNet (`pip install motorctl[bench]`). F gets:

ratio.batch_N            environment steps per second of full training iterations (forward, backward, update) over
                         MotorNet's, compiled; median over pairs in turn
eager_ratio.batch_N      the same without compiling
two_substeps_ratio.batch_N    compiled, with two physics steps of 5 ms a control step: with one explicit step of 10 ms
                         our arm does not learn, as its muscles damp too strongly for so long a step (with MuJoCo's
                         implicit step of 10 ms it does, in more iterations)
steps_per_second.NAME.batch_N    the medians themselves, of `motornet`, `ours`, `eager` and `two_substeps`
compile_seconds          from a model to the first compiled iteration's end
time_to_quality.seconds  wall time, compiling included, until the final distance of hand and target, averaged over the
                         latest 20 batches of 64, is at most 2 cm; ours with two substeps
time_to_quality.motornet_seconds, .ratio    the same of MotorNet, and theirs over ours: lower bounds if
                         .motornet_reached is false; .reached says the same of ours
matmul_fraction.batch_1024    the GRU's own floating-point operations a second, over what this machine does in a large
                         matrix product
memory_mib.STEPS.kept, .checkpointed    peak of a process that takes the gradients of an episode of so many steps, 32
                         lanes, with all activations kept or checkpointed every 50 steps; .kept_eager,
                         .checkpointed_eager (not of 5000 steps, which takes minutes) without compiling

`--parts speed quality memory` chooses among them; F is written after each. With `--torch-compile`,
`torch_compile_ratio.batch_N` and `torch_compile_seconds` say the same of the world's control step compiled by
torch.compile. With `--device cuda`, where that is what `ours` is, the table of ratios goes to batches of 65536, and
nothing else is measured.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from motorctl.agents import ControllerConfig, RecurrentController
from motorctl.dynamics import LimbState, TorchLimb
from motorctl.dynamics.compiled import Episode, compile_rollout, torch_compiled
from motorctl.dynamics.rollout import roll_out
from motorctl.envs.limb import MUSCLES, load

STEPS, PERIOD, UNITS, CLIP, ACTIVITY, LEARNING_RATE = 100, 0.01, 64, 1.0, 0.02, 1e-3
BATCHES = {"cpu": (32, 256, 1024), "cuda": (32, 256, 1024, 8192, 65536)}
POSTURES = ((0.1745, 2.0944), (0.1745, 2.3562))
"""Of shoulder and elbow, rad, where reaches start and end: our arm's ligaments and MotorNet's stops are beyond."""
QUALITY, WINDOW, QUALITY_BATCH = 0.02, 20, 64  # m, batches, reaches

CLOCKS: dict[str, Callable[[], float]] = {
    "wall": time.perf_counter,
    "processor": lambda: time.process_time() + sum(os.times()[2:4]),
}
"""Seconds; of the processor, those of all threads and of the compiler."""

Iteration = Callable[[int], float]
"""Trains on a batch of so many reaches; gives the mean distance of hand and target at their end, m."""


def main() -> None:
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("--json", type=Path, metavar="F", help="write the figures here; else only print them")
    parser.add_argument("--rounds", type=int, default=7, help="pairs of measurements (default 7)")
    parser.add_argument("--threads", type=int, default=2, help="of torch (default 2)")
    parser.add_argument(
        "--patience", type=float, default=400, help="longest time to quality of MotorNet, s (default 400)"
    )
    parser.add_argument("--device", choices=list(BATCHES), default="cpu")
    parser.add_argument("--torch-compile", action="store_true", help="measure torch.compile too, on the CPU")
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS), help="what to measure")
    parser.add_argument(
        "--clock", choices=list(CLOCKS), default="wall", help="processor: where other work would falsify wall time"
    )
    parser.add_argument("--memory-of", nargs=3, metavar=("STEPS", "CHUNK", "HOW"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        steps, chunk, how = options.memory_of
        print(episode_memory(int(steps), int(chunk), how == "eager"))
        return
    if set(options.parts) - {"memory"} and importlib.util.find_spec("motornet") is None:
        sys.exit("MotorNet is not installed. Install it with: pip install 'motorctl[bench]'")
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit("torch finds no GPU. Leave out --device cuda.")
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    torch.optim.Adam([nn.Parameter(torch.zeros(1))])  # loads torch._dynamo, which costs both sides the same
    machine = {"torch": torch.__version__, "python": platform.python_version(), "cpu": platform.machine()}
    figures: dict[str, Any] = {
        "machine": {**machine, "threads": options.threads, "clock": options.clock, "device": options.device}
    }
    for part in options.parts if options.device == "cpu" else ["speed"]:
        figures |= PARTS[part](options)
        if options.json:  # what is measured so far
            options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=2))


def compare_all_speeds(options: argparse.Namespace) -> dict[str, Any]:
    """Ratios, and on a CPU the share of what it could do at most."""
    figures = compare_speed(options.rounds, options.device, options.torch_compile, CLOCKS[options.clock])
    if options.device == "cpu":
        fastest = figures["steps_per_second"]["ours"]["batch_1024"]
        figures["matmul_fraction"] = {"batch_1024": fastest * gru_operations() / matmul_rate(CLOCKS[options.clock])}
    return figures


PARTS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "speed": compare_all_speeds,
    "quality": lambda options: {"time_to_quality": compare_quality(options.patience, CLOCKS[options.clock])},
    "memory": lambda options: {"memory_mib": compare_memory()},
}


def compare_speed(rounds: int, device: str, torch_too: bool, clock: Callable[[], float]) -> dict[str, Any]:
    """Iterations of each in turn, about half a second at a time."""
    ours, seconds = timed_start(partial(our_training, device), BATCHES[device][0], clock)
    figures: dict[str, Any] = {"compile_seconds": seconds}
    runs = {
        "motornet": motornet_training(device),
        "ours": ours,
        "eager": our_training(device, roll_out_in),
        "two_substeps": our_training(device, substeps=2),
    }
    if torch_too:
        start = partial(our_training, device, torch_compiled)
        runs["torch_compile"], figures["torch_compile_seconds"] = timed_start(start, BATCHES[device][0], clock)
    speeds: dict[str, dict[str, float]] = {name: {} for name in runs}
    ratios: dict[str, dict[str, float]] = {name: {} for name in runs}
    for batch in BATCHES[device]:
        counts = {name: _how_many(run, batch, clock) for name, run in runs.items()}
        turns = [{name: _seconds(run, batch, counts[name], clock) for name, run in runs.items()} for _ in range(rounds)]
        for name in runs:
            speeds[name][f"batch_{batch}"] = batch * STEPS / float(np.median([s[name] for s in turns]))
            ratios[name][f"batch_{batch}"] = float(np.median([s["motornet"] / s[name] for s in turns]))
    ours_are = {("ratio" if name == "ours" else f"{name}_ratio"): ratios[name] for name in runs if name != "motornet"}
    return ours_are | {"steps_per_second": speeds} | figures


def timed_start(start: Callable[[], Iteration], batch: int, clock: Callable[[], float]) -> tuple[Iteration, float]:
    """What trains, and how long it took from a model to the end of the first iteration (s)."""
    started = clock()
    iteration = start()
    iteration(batch)
    return iteration, clock() - started


def _how_many(run: Iteration, batch: int, clock: Callable[[], float]) -> int:
    run(batch)  # the first one allocates
    return max(1, int(0.5 / max(_seconds(run, batch, 1, clock), 1e-3)))


def _seconds(run: Iteration, batch: int, count: int, clock: Callable[[], float]) -> float:
    """Of one iteration, over ``count``."""
    started = clock()
    for _ in range(count):
        run(batch)
    return (clock() - started) / count


def compare_quality(patience: float, clock: Callable[[], float]) -> dict[str, float | bool]:
    """Both learn until they are good enough, at the same batch size and learning rate."""
    ours, our_reached, our_batches = _time_to_quality(partial(our_training, "cpu", substeps=2), patience, clock)
    theirs, reached, batches = _time_to_quality(partial(motornet_training, "cpu"), patience, clock)
    return {
        "seconds": ours,
        "reached": our_reached,
        "batches": our_batches,
        "motornet_seconds": theirs,
        "motornet_batches": batches,
        "motornet_reached": reached,
        "ratio": theirs / ours,
    }


def _time_to_quality(
    training: Callable[[], Iteration], patience: float, clock: Callable[[], float]
) -> tuple[float, bool, int]:
    torch.manual_seed(1)
    started, latest, count = clock(), deque[float](maxlen=WINDOW), 0
    iteration = training()
    while clock() - started < patience:
        latest.append(iteration(QUALITY_BATCH))
        count += 1
        if len(latest) == WINDOW and np.mean(latest) <= QUALITY:
            return clock() - started, True, count
    return clock() - started, False, count


# ---- ours


class Reach:
    """The arm and its task: state is (angles, velocities, activations), inputs are the target."""

    def __init__(self, device: str, substeps: int = 1) -> None:
        model = load("arm", MUSCLES)
        model.opt.timestep = PERIOD / substeps
        self.limb = TorchLimb.from_model(model, sites=["hand"], device=device)
        self.substeps = substeps
        (low, high), gain = model.actuator_lengthrange.T, model.actuator_gainprm.T
        optimal = (high - low) / (gain[1] - gain[0])  # fibre length as mju_muscleGain has it
        as_tensor = partial(torch.tensor, dtype=torch.float32, device=device)
        self.tendon, self.optimal, self.fastest = (
            as_tensor(x) for x in (low - gain[0] * optimal, optimal, optimal * gain[6])
        )
        self.range = as_tensor(POSTURES)

    def observe(self, state: Tensor, inputs: Tensor) -> Tensor:
        limb = LimbState(*torch.split(state, [2, 2, 6], dim=1))
        length, speed = self.limb.actuator_lengths(limb)
        fibre = ((length - self.tendon) / self.optimal, speed / self.fastest)
        return torch.cat([inputs, self.limb.site_positions(limb)[:, 0, :2], *fibre], dim=1)

    def advance(self, state: Tensor, command: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
        limb, excitation = LimbState(*torch.split(state, [2, 2, 6], dim=1)), torch.sigmoid(command)
        for _ in range(self.substeps):
            limb = self.limb.step(limb, excitation)
        return torch.cat(limb, dim=1), torch.cat([self.limb.site_positions(limb)[:, 0, :2], limb.activation], dim=1)

    def draw(self, batch: int) -> tuple[Tensor, Tensor]:
        """States at rest anywhere, and targets ``(batch, 2)`` anywhere that the hand can be."""
        low, high = self.range.T
        angles = low + (high - low) * torch.rand(2, batch, 2, device=self.range.device)
        rest = torch.zeros(2, batch, 8, device=self.range.device)
        start, end = torch.cat([angles, rest], dim=2)
        return start, self.limb.site_positions(LimbState(*torch.split(end, [2, 2, 6], dim=1)))[:, 0, :2]


def roll_out_in(controller: RecurrentController, world: Reach, *example: Tensor) -> Episode:
    """Without compiling, called as what compiles."""
    return partial(roll_out, controller, world)


def our_training(device: str, compiler: Any = compile_rollout, substeps: int = 1) -> Iteration:
    world, controller = Reach(device, substeps), our_controller(device)
    optimizer = torch.optim.Adam(controller.parameters(), LEARNING_RATE)
    state, target = world.draw(1)
    inputs = target[:, None].expand(-1, STEPS, -1)
    run = compiler(controller, world, state, inputs)

    def iteration(batch: int) -> float:
        state, target = world.draw(batch)
        rollout = run(state, target[:, None].expand(-1, STEPS, -1))
        hand, activation = torch.split(rollout.outputs, [2, 6], dim=2)
        return learn(controller, optimizer, hand, target, activation)

    return iteration


def our_controller(device: str) -> RecurrentController:
    """Starts out as MotorNet's does."""
    controller = RecurrentController(ControllerConfig("gru", (UNITS,)), 16, 6).to(device)
    layer = controller.layers[0]
    nn.init.xavier_uniform_(layer.get_parameter("weight_ih_l0"))
    nn.init.orthogonal_(layer.get_parameter("weight_hh_l0"))
    nn.init.zeros_(layer.get_parameter("bias_ih_l0"))
    nn.init.zeros_(layer.get_parameter("bias_hh_l0"))
    nn.init.xavier_uniform_(controller.readout.weight)
    nn.init.constant_(controller.readout.bias, -5.0)
    return controller


def learn(network: nn.Module, optimizer: Any, hand: Tensor, target: Tensor, activation: Tensor) -> float:
    """An update, for the hand's way ``(batch, time, 2)`` and activations ``(batch, time, muscle)``."""
    loss = (hand - target[:, None]).abs().sum(-1).mean() + ACTIVITY * activation.square().mean()
    optimizer.zero_grad()
    torch.autograd.backward(loss)
    nn.utils.clip_grad_norm_(network.parameters(), CLIP)
    optimizer.step()
    return float((hand[:, -1] - target).detach().square().sum(-1).sqrt().mean())


# ---- theirs


def motornet_training(device: str) -> Iteration:
    """As in MotorNet's examples."""
    motornet = importlib.import_module("motornet")
    low, high = zip(*POSTURES, strict=True)
    muscle = motornet.muscle.RigidTendonHillMuscle()
    arm = motornet.effector.RigidTendonArm26(muscle, timestep=PERIOD, pos_lower_bound=low, pos_upper_bound=high)
    env = motornet.environment.RandomTargetReach(effector=arm, max_ep_duration=STEPS * PERIOD).to(device)
    policy = motornet.policy.PolicyGRU(env.observation_space.shape[0], UNITS, env.n_muscles, device=device)
    optimizer = torch.optim.Adam(policy.parameters(), LEARNING_RATE)

    def iteration(batch: int) -> float:
        hidden = policy.init_hidden(batch)
        seen, info = env.reset(options={"batch_size": batch})
        hands, activations = [], []
        for _ in range(STEPS):
            action, hidden = policy(seen, hidden)
            seen, _, _, _, info = env.step(action=action)
            hands.append(info["states"]["fingertip"])
            activations.append(info["states"]["muscle"][:, 0])
        return learn(policy, optimizer, torch.stack(hands, 1), info["goal"], torch.stack(activations, 1))

    return iteration


# ---- limits


def gru_operations() -> float:
    """Floating-point operations of the GRU's products for a lane's control step, forwards and twice that backwards."""
    return 3 * 2 * 3 * UNITS * (16 + UNITS)


def matmul_rate(clock: Callable[[], float]) -> float:
    """Floating-point operations a second of a product of matrices of 1024 x 1024."""
    a, b = torch.randn(2, 1024, 1024)
    torch.mm(a, b)
    seconds = []
    for _ in range(15):
        started = clock()
        for _ in range(5):
            torch.mm(a, b)
        seconds.append((clock() - started) / 5)
    return float(2 * 1024**3 / np.median(seconds))


def compare_memory() -> dict[str, dict[str, float]]:
    """Each in a process of its own."""
    figures: dict[str, dict[str, float]] = {}
    ways = {"kept": ("0", "compiled"), "checkpointed": ("50", "compiled")}
    ways |= {"kept_eager": ("0", "eager"), "checkpointed_eager": ("50", "eager")}
    for steps in (100, 1000, 5000):
        figures[str(steps)] = {}
        for name, (chunk, how) in ways.items():
            if how == "eager" and steps > 1000:
                continue
            command = [sys.executable, __file__, "--memory-of", str(steps), chunk, how]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            figures[str(steps)][name] = float(done.stdout)
    return figures


def episode_memory(steps: int, chunk: int, eager: bool) -> float:
    """Peak memory in MiB of a process that computes the gradients of an episode of 32 lanes."""
    torch.set_num_threads(1)
    world, controller = Reach("cpu"), our_controller("cpu")
    state, target = world.draw(32)
    inputs = target[:, None].expand(-1, steps, -1)
    run = (roll_out_in if eager else compile_rollout)(controller, world, state, inputs)
    rollout = run(state, inputs, checkpoint=chunk)
    torch.autograd.backward(rollout.outputs.square().mean())
    status = Path("/proc/self/status")
    if status.exists():  # on Linux getrusage counts what the parent had when it started this process
        return float(status.read_text().partition("VmHWM:")[2].split()[0]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB, on a Mac bytes
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


if __name__ == "__main__":
    main()
