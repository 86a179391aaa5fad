"""How fast environments step: `python scripts/benchmarks/envs.py --json F`.

F gets, for every registered environment with its default command, control steps a second, medians of several rounds:

single          one environment, as gymnasium.make gives it
vec_1           motorctl's vector environment of 1, 64 and 1024, steps of all its environments together,
vec_64          on all CPUs
vec_1024
sync_64         gymnasium.vector.SyncVectorEnv of 64 single ones
raw_step        MuJoCo alone: mj_step, as many times as a control step has physics steps, with the same actions
raw_batch_1024  MuJoCo alone: mujoco.batch.Batch.step of 1024, on all CPUs, likewise, each reset once an episode

`raw_batch_1024` brings positions and velocities up to date after the step, as the environment has to
(stage=mjSTAGE_VEL), and is timed in turns with `vec_1024`, so that other work on the machine slows both. Random
actions, the same for all, each held for ten control steps; episodes that end are started anew, within the time.

peers.reacher_v5 is Gymnasium's Reacher-v5 (a planar arm with two motors), as gymnasium.make gives it, timed in turns
with `single` of ArmReach-v0; null if its requirements (gymnasium[mujoco]) are not installed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gymnasium
import mujoco
import numpy as np
from gymnasium.vector import SyncVectorEnv
from mujoco.batch import Batch
from numpy.typing import NDArray

from motorctl.envs import Environment, describe_env, env_ids, make_vec

BATCH = 1024
HELD = 10
"""Control steps that an action is held for."""

Stepper = Callable[[], None]


def main() -> None:
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("--json", type=Path, metavar="F", help="write the figures here; else only print them")
    parser.add_argument("--rounds", type=int, default=9, help="of which the median is taken (default 9)")
    parser.add_argument("--seconds", type=float, default=0.2, help="of each round, about (default 0.2)")
    parser.add_argument("--only", default="", metavar="NAME", help="only environments with NAME in their id")
    options = parser.parse_args()
    figures: dict[str, Any] = {"peers": {"reacher_v5": None}}
    for id_ in env_ids():
        if options.only in id_:
            timed = environments(id_) | (reacher() if id_ == "motorctl/ArmReach-v0" else {})
            rates = measure(timed, options.rounds, options.seconds)
            if "reacher_v5" in rates:
                figures["peers"]["reacher_v5"] = rates.pop("reacher_v5")
            figures[id_.split("/")[1]] = rates
    figures["machine"] = {"mujoco": mujoco.__version__, "gymnasium": gymnasium.__version__, "cpus": os.cpu_count()}
    figures["machine"]["python"] = platform.python_version()
    text = json.dumps(figures, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


def environments(id_: str) -> dict[str, tuple[int, Stepper]]:
    """What is timed of one environment: how many environments are stepped at once, and the step."""
    env = gymnasium.make(id_).unwrapped
    assert isinstance(env, Environment)
    model, substeps = env.limb.model, round(1 / env.control_rate / env.limb.model.opt.timestep)
    time_limit = describe_env(id_)["time_limit"]
    timed: dict[str, tuple[int, Stepper]] = {"single": (1, single(gymnasium.make(id_)))}
    for count in (1, 64, BATCH):
        timed[f"vec_{count}"] = (count, vector(make_vec(id_, count)))
    timed[f"raw_batch_{BATCH}"] = (BATCH, raw_batch(model, substeps, round(time_limit * env.control_rate)))
    timed["sync_64"] = (64, vector(SyncVectorEnv([lambda: gymnasium.make(id_) for _ in range(64)])))
    timed["raw_step"] = (1, raw_step(model, substeps))
    return timed


def measure(timed: Mapping[str, tuple[int, Stepper]], rounds: int, seconds: float) -> dict[str, float]:
    """Steps a second of each, in the median; all take turns."""
    repeats = {name: max(1, round(seconds / duration(step, 3))) for name, (_, step) in timed.items()}
    rates: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(rounds):
        for name, (count, step) in timed.items():
            rates[name].append(count / duration(step, repeats[name]))
    return {name: round(statistics.median(each), 1) for name, each in rates.items()}


def duration(step: Stepper, repeats: int) -> float:
    """Seconds a step, in the mean of some."""
    start = time.perf_counter()
    for _ in range(repeats):
        step()
    return (time.perf_counter() - start) / repeats


def reacher() -> dict[str, tuple[int, Stepper]]:
    """Gymnasium's arm, if it is installed."""
    try:
        return {"reacher_v5": (1, single(gymnasium.make("Reacher-v5")))}
    except ImportError:
        return {}


def held(shape: tuple[int, ...]) -> Callable[[], NDArray[np.float32]]:
    """Random actions, each given ten times."""
    table = np.random.default_rng(0).uniform(-1.0, 1.0, (32, *shape)).astype(np.float32)
    calls = 0

    def next_() -> NDArray[np.float32]:
        nonlocal calls
        calls += 1
        action: NDArray[np.float32] = table[calls // HELD % len(table)]
        return action

    return next_


def single(env: gymnasium.Env[Any, Any]) -> Stepper:
    assert env.action_space.shape is not None
    action = held(env.action_space.shape)
    env.reset(seed=0)

    def step() -> None:
        _, _, terminated, truncated, _ = env.step(action())
        if terminated or truncated:
            env.reset()

    return step


def vector(env: gymnasium.vector.VectorEnv[Any, Any, Any]) -> Stepper:
    assert env.action_space.shape is not None
    action = held(env.action_space.shape)
    env.reset(seed=0)

    def step() -> None:
        env.step(action())

    return step


def raw_step(model: mujoco.MjModel, substeps: int) -> Stepper:
    data, scale = mujoco.MjData(model), Controls(model)
    mujoco.mj_resetDataKeyframe(model, data, 0)
    action = held((model.nu,))

    def step() -> None:
        data.ctrl = scale(action())
        mujoco.mj_step(model, data, nstep=substeps)

    return step


def raw_batch(model: mujoco.MjModel, substeps: int, episode: int) -> Stepper:
    batch, scale = Batch(model, nsim=BATCH, persistent=True), Controls(model)
    batch.reset(keyframe=0)
    batch.bind("sensordata")
    control, action = batch.bind("ctrl"), held((BATCH, model.nu))
    turn = np.arange(BATCH, dtype=np.int32) % episode
    calls = 0

    def step() -> None:
        nonlocal calls
        calls += 1
        if (over := np.flatnonzero(turn == calls % episode).astype(np.int32)).size:
            batch.reset(over, keyframe=0)
        control[:] = scale(action())
        batch.step(nstep=substeps, stage=mujoco.mjtStage.mjSTAGE_VEL.value)

    return step


class Controls:
    """Actions to controls, over the whole control range."""

    def __init__(self, model: mujoco.MjModel) -> None:
        self.low, self.high = model.actuator_ctrlrange.T.copy()

    def __call__(self, action: NDArray[np.float32]) -> NDArray[np.float64]:
        scaled: NDArray[np.float64] = self.low + (action + 1.0) / 2 * (self.high - self.low)
        return scaled


if __name__ == "__main__":
    main()
