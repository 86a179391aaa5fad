"""``motorctl demo``: the whole loop on a simulated person, with no hardware and no download.

Simulated people watch an expert; a GRU learns from their EEG to give the expert's commands; then another one wears a
synthetic headset, in a process of its own, and moves the arm over Lab Streaming Layer in real time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from pylsl import local_clock  # type: ignore[import-untyped]
from rich.console import Console

from motorctl.envs import RenderingError, make_env
from motorctl.errors import StreamError, check_positive, check_seed
from motorctl.evaluation.figures import draw_hand_paths, write_video
from motorctl.runs import check_json_path, open_run_folder, plain, write_json
from motorctl.runtime.limb_stream import LoopStreams
from motorctl.runtime.loop import Step
from motorctl.runtime.reader import Reader
from motorctl.runtime.real_time import run_live
from motorctl.runtime.report import number, percent, print_table, summary_rows
from motorctl.runtime.shuffled import shuffled_success_rate
from motorctl.runtime.summary import Summary, summarize
from motorctl.signals.lsl import LSLSource, find_stream, hush
from motorctl.training.checkpoint import Checkpoint, save_checkpoint
from motorctl.training.progress import progress_bar
from motorctl.training.simulated import SimulatedImitation, learn, ready
from motorctl.training.steering import way_to_steer

ENVIRONMENT = "motorctl/ArmReach-v0"
SESSIONS, SESSION_SECONDS = {"ideal": 12, "realistic": 32, "hard": 32}, 60.0
"""Simulated people of each brain to learn from, and how long each watches (s); one more is held back to score the
decoder on."""
ROUNDS = {"ideal": 0, "realistic": 1, "hard": 1}
"""Rounds in which the controller acts and learns from that."""

EXPECTED = {
    "ideal": "The ideal brain shows an intended velocity as no EEG does: expect nearly every target to be reached, "
    "which says that the loop works, not how a person would do.",
    "realistic": "The realistic brain is about as hard to read as a person's, whose rhythms tell little in half a "
    "second: expect about 30 % of the targets in the environment's 4 s (7 % with the EEG of somebody else). Given 10 s "
    "it would be about 63 %; four people who had trained reached 70 to 92 % in that time (Wolpaw & McFarland 2004).",
    "hard": "The hard brain is a person with weak rhythms in a badly fitted cap: expect little more than chance.",
}
"""What to say of each brain before the loop starts."""

NOTICED = 0.05
"""Share of a run that the limb may be held or stopped before the table is not to be believed."""

VIDEO_SECONDS = 10.0
"""How much of the run the video shows (s): without a graphics card a picture takes 0.1 s to draw."""


@dataclass(frozen=True)
class DemoConfig:
    """Close the loop on a simulated person: make EEG, train a GRU for about a minute, move the arm in real time."""

    seconds: float = 20.0
    """How long the closed loop runs (s)."""
    seed: int = 0
    """Seed of everything random: brain, targets, training."""
    out: Path | None = None
    """Run folder to write; by default a new one under runs/."""
    json: Path | None = None
    """File for the results as JSON, the same as summary.json in the run folder."""
    video: bool = True
    """Draw a video of the run's first 10 s, where OpenGL is there."""
    brain: Literal["ideal", "realistic", "hard"] = "realistic"
    """How hard the person's EEG is to read: ``ideal`` shows the ceiling."""


def demo(config: DemoConfig) -> None:
    """Run the command.

    Raises:
        MotorctlError: something the user can cure, a full disk or a blocked network for example.
    """
    hush()
    console = Console()
    check_json_path(config.json)
    check_positive("seconds", config.seconds)
    check_seed(config.seed)
    way = way_to_steer(config.brain)
    env = make_env(ENVIRONMENT, command="velocity", control_rate=way.pipeline.rate)
    folder = open_run_folder(config.out, "demo", config)
    started = time.perf_counter()
    checkpoint, offline_r = train_on_simulation(config, console)
    train_seconds = time.perf_counter() - started
    save_checkpoint(checkpoint, folder)

    console.print(EXPECTED[config.brain])
    console.print(f"A synthetic headset starts in a process of its own; {config.seconds:g} s of closed loop follow.")
    name = f"motorctl-demo-{os.getpid()}"
    streams = LoopStreams(f"{name}-limb", env, delay=checkpoint.pipeline.delay)
    with person_in_headset(name, config):
        reader = Reader(LSLSource(find_stream(name=name, timeout=60.0)), checkpoint.pipeline, local_clock)
        if not streams.wait_for_watcher(30.0):
            raise StreamError(
                "The simulated person does not see the arm.", "Let UDP 16571 and TCP 16572-16604 through."
            )
        steps: list[Step] = []
        ended = str(run_live(checkpoint, reader, env, [streams, steps.append], config.seconds, config.seed, console))
    summary = summarize(steps)
    shuffled = shuffled_success_rate(steps, env, config.seed)
    results = asdict(summary) | {
        "brain": config.brain,
        "shuffled_success_rate": shuffled,
        "offline_pearson_r": offline_r,
        "train_seconds": train_seconds,
        "pipeline_delay_ms": 1e3 * checkpoint.pipeline.delay,
        "ended": ended,
        "seed": config.seed,
    }
    write_json(folder / "summary.json", results)
    if config.json:
        write_json(config.json, results)
    rows = summary_rows(summary)
    rows.insert(2, ("success rate, output shuffled in time", percent(shuffled)))
    rows.append(("decoded and intended velocity, offline", f"r = {number(offline_r, '')}"))
    rows.append(("pipeline delay", number(1e3 * checkpoint.pipeline.delay, "ms", 0)))
    rows.append(("training", number(train_seconds, "s", 0)))
    print_table(
        console, f"demo: {summary.seconds:.0f} s of closed loop, {config.brain} brain, seed {config.seed}", rows
    )
    if late := busy(summary):
        console.print(late)
    draw(steps, config.video and ended != "interrupted", config, folder, console)
    console.print(f"Everything is in {folder}.")


def train_on_simulation(config: DemoConfig, console: Console) -> tuple[Checkpoint, float]:
    """A controller trained on simulated people, and its correlation with the intention of one held back."""
    simulated = SimulatedImitation(
        env=ENVIRONMENT,
        brain=config.brain,
        sessions=SESSIONS[config.brain],
        seconds=SESSION_SECONDS,
        dagger=ROUNDS[config.brain],
        seed=config.seed,
    )
    cloned, losses = learn(simulated, console)
    history = {"config": plain(asdict(config)), "data": "simulated", "loss": losses}
    history["offline_pearson_r"] = cloned.offline_r
    return replace(ready(cloned.checkpoint, config.brain), history=history), cloned.offline_r


@contextmanager
def person_in_headset(name: str, config: DemoConfig) -> Iterator[None]:
    """A simulated person in a process of its own, streaming as ``name`` and watching ``<name>-limb``."""
    options = ["--name", name, "--limb-stream", f"{name}-limb"]
    way = way_to_steer(config.brain)
    options += ["--control-rate", str(way.pipeline.rate), "--seed", str(config.seed), "--brain", config.brain]
    options += ["--steer", "imagery" if way.imagine else "reach"]
    command = [sys.executable, "-m", "motorctl", "headset", *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        yield
    finally:
        failed = bool(process.poll())
        process.terminate()
        _, said = process.communicate(timeout=10)
        if failed:
            reason = said.decode(errors="replace").strip().splitlines()[-1:]
            raise StreamError(f"The synthetic headset failed: {''.join(reason)}", "Run 'motorctl headset' to see why.")


def busy(summary: Summary) -> str:
    """What to say of a run in which safety held the limb because the headset's samples came late; mostly nothing."""
    late = summary.phases["holding"] + summary.phases["stopped"]
    if late < NOTICED * summary.seconds:
        return ""
    return (
        f"For {late:.1f} s samples came too late to move the arm by them: this machine had other work to do than the "
        "headset and the loop, and what was reached is not what to expect. Run it again with nothing else running."
    )


def draw(steps: list[Step], video: bool, config: DemoConfig, folder: Path, console: Console) -> None:
    """The pictures: hand paths always, a video if wanted and where there is OpenGL."""
    rate = way_to_steer(config.brain).pipeline.rate
    env = make_env(ENVIRONMENT, command="velocity", control_rate=rate, render_mode="rgb_array")
    radius = env.get_wrapper_attr("task").target_radius
    draw_hand_paths(steps, radius, f"closed loop, seed {config.seed}", folder / "hand_paths.png")
    if video:
        try:
            shown = steps[: round(VIDEO_SECONDS * rate)]
            with progress_bar(console, "drawing", len(shown)) as progress:
                write_video(shown, env, folder / "video.mp4", progress)
        except RenderingError as error:
            console.print(f"No video. {error}")
    env.close()
