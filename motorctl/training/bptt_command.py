"""``motorctl train bptt``: train a controller through the limb, with no expert, and try it in MuJoCo."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from motorctl.agents import ControllerConfig, RecurrentController
from motorctl.envs import Environment, describe_env, expert, make_vec
from motorctl.errors import ConfigurationError, check_positive, check_seed
from motorctl.evaluation.closed_loop import ClosedLoop, run_closed_loop
from motorctl.evaluation.episodes import Episode, run_episodes, summarize_episodes
from motorctl.person.brain import make_brain
from motorctl.person.user import User
from motorctl.runs import check_json_path, open_run_folder, plain, write_json
from motorctl.runtime.simulate import parse_options
from motorctl.signals.pipeline import PipelineConfig
from motorctl.training.bptt import (
    BPTTConfig,
    check_bptt,
    limb_practice,
    practised_success,
    start_at_rest,
    train_through_limb,
)
from motorctl.training.bptt_eeg import Watcher, fitted_pipeline, watched_practice
from motorctl.training.bptt_losses import TaskLoss, check_task_loss, total_loss
from motorctl.training.checkpoint import Checkpoint, save_checkpoint
from motorctl.training.led_world import LedWorld
from motorctl.training.limb_world import LimbWorld, Load, reaching_environment
from motorctl.training.policy import StoredPolicy, policy_for, save_policy
from motorctl.training.progress import progress_bar
from motorctl.training.resume import Epoch, Resume
from motorctl.training.steering import SLOW_POTENTIALS, way_to_steer
from motorctl.training.tensorboard import check_tensorboard, tensorboard_log

PROGRESS = "training.safetensors"
"""In the run folder: where training is."""
BESIDE = "out", "json", "resume", "tensorboard", "episodes"
"""Options that training does not depend on."""
SEEN_BY = "control_rate", "delay", "noise"
"""Options of every environment that say what is observed, stored with a policy even where they are the defaults."""
BATCH = 256
"""Most episodes that are tried at once."""
SCALED_ON, SCALE_SEED = 64, 2**31
"""Episodes that observations are standardised on, and the seed of the first."""


@dataclass(frozen=True)
class TrainBPTT:
    """Train a recurrent controller by backpropagation through the limb, and try it in the environment."""

    env: str = "motorctl/ArmReach-v0"
    """Environment, one whose task is to bring the hand to a target: ArmReach, ArmCenterOut, ArmForceField, ArmTrack,
    Arm3dReach."""
    command: str | None = None
    """What the controller gives: the environment's first command if not given. 'velocity' needs --brain."""
    options: tuple[str, ...] = ()
    """Options of the environment as NAME=VALUE, such as delay=0.1 noise=0.002; 'motorctl envs --env ID' lists them; all
    but randomize."""
    brain: Literal["none", "ideal", "realistic", "hard"] = "none"
    """Whose EEG the controller reads: that of a simulated person who watches. 'none': it sees what the environment lets
    observe, proprioception and target."""
    feedback: bool = True
    """With a brain: whether gradients also go through what the person sees and corrects."""
    load: float = 0.0
    """Largest force of a push against the hand, one an episode, its time and direction drawn (N)."""
    load_seconds: float = 0.1
    """How long a push lasts (s)."""
    controller: ControllerConfig = field(default_factory=ControllerConfig)
    """The recurrent network."""
    training: BPTTConfig = field(default_factory=BPTTConfig)
    """How it is trained."""
    loss: TaskLoss = field(default_factory=TaskLoss)
    """What a movement costs."""
    pipeline: PipelineConfig = SLOW_POTENTIALS
    """With a brain: from EEG to features. By default slow potentials for the ideal brain, and for the others, who steer
    by imagery, what shows that; in either case at the environment's control rate."""
    episodes: int = 500
    """Episodes that it is tried in, in the environment and on the twin."""
    seed: int = 0
    """Seed of everything random; the episodes that it is tried in have the seeds from this one on."""
    out: Path | None = None
    """Run folder to write; by default a new one under runs/."""
    resume: bool = False
    """Go on with the training in --out that was stopped, to the same numbers."""
    tensorboard: bool = False
    """Write learning curves for TensorBoard into the run folder (extra 'tensorboard')."""
    json: Path | None = None
    """File for the results as JSON, the same as summary.json in the run folder."""


def train_bptt(config: TrainBPTT) -> None:
    """Run the command.

    Raises:
        ConfigurationError: an option has a value that cannot be used.
        CheckpointError: what --resume goes on from is damaged.
    """
    started = time.perf_counter()
    console = Console()
    options = check(config)
    env = reaching_environment(config.env, options)
    options["command"] = env.command
    world = make_world(config, env, options)
    folder = open_run_folder(config.out, "train bptt", config)
    stored = folder / PROGRESS
    if not config.resume:
        stored.unlink(missing_ok=True)

    with console.status("preparing") if console.is_terminal else nullcontext():
        trained = prepare(config, world, options)
    log = tensorboard_log(folder / "tensorboard") if config.tensorboard else nullcontext(lambda epoch: None)
    with log as written, progress_bar(console, "training", config.training.iterations) as progress:

        def told(iteration: Epoch) -> None:
            written(iteration)
            progress(iteration.number, iteration.loss)

        resume = Resume(stored, identity(config))
        losses = train_through_limb(
            lambda steps, seed: total_loss(trained.practice(steps, seed), config.loss, world.period),
            trained.controller,
            config.training,
            world.period,
            config.seed,
            told,
            resume,
        )
    trained_seconds = time.perf_counter() - started
    trained.controller.cpu()

    results: dict[str, Any] = {"env": config.env, "command": env.command, "brain": config.brain, "seed": config.seed}
    episodes = try_in_environment(config, trained, options)
    results |= summarize_episodes(episodes)
    if isinstance(world, LimbWorld) and config.brain == "none":
        limit = options.get("time_limit") or describe_env(config.env)["common_options"]["time_limit"]["default"]
        unloaded = LimbWorld(env, options)
        unloaded.mean, unloaded.deviation = trained.mean, trained.deviation
        twin = practised_success(unloaded, trained.controller, config.episodes, config.seed, limit)
        results |= {"twin_success_rate": float(twin.mean())}
        results |= {"difference_points": 100 * abs(results["success_rate"] - results["twin_success_rate"])}
    results |= {"loss": losses[-1], "train_seconds": trained_seconds, "seconds": time.perf_counter() - started}
    store(config, trained, options, plain({"config": asdict(config), "losses": losses} | results), folder)
    for path in filter(None, (folder / "summary.json", config.json)):
        write_json(path, results)
    console.print(results_table(results))
    console.print(f"The controller and summary.json are in {folder}.", highlight=False, soft_wrap=True)


@dataclass
class Trained:
    """What is being trained, and what it sees.

    Args:
        controller: the network.
        practice: its episodes.
        watcher: the person whose EEG it reads; None where it sees what the environment lets observe.
        mean, deviation: ``(observation,)`` by which that is standardised.
    """

    controller: RecurrentController
    practice: Callable[..., Any]
    watcher: Watcher | None = None
    mean: torch.Tensor = torch.empty(0)
    deviation: torch.Tensor = torch.empty(0)


def check(config: TrainBPTT) -> dict[str, Any]:
    """Say before any work what cannot be used; returns the environment's options.

    Raises:
        ConfigurationError: an option has a value that cannot be used.
    """
    check_json_path(config.json)
    check_seed(config.seed)
    for name, value in (("checkpoint", 0), ("device", "cpu")):
        if config.brain != "none" and getattr(config.training, name) != value:
            raise ConfigurationError(
                f"The EEG of a person is made on the CPU and kept whole: {name} has to be {value}.",
                f"Leave out --training.{name}.",
            )
    check_bptt(config.training)
    check_task_loss(config.loss)
    for name in ("episodes", "load_seconds"):
        check_positive(name, getattr(config, name))
    if not 0 <= config.load < float("inf"):
        raise ConfigurationError(f"load is {config.load:g}.", "Give 0 or a number above 0.")
    if config.controller.bidirectional:
        raise ConfigurationError("A network that reads both ways is not causal.", "Leave out bidirectional.")
    if config.resume and config.out is None:
        raise ConfigurationError("--resume does not say which training to go on with.", "Name its folder with --out.")
    if config.resume and config.out and not (config.out / PROGRESS).exists():
        raise ConfigurationError(f"There is no training to go on with in {config.out}.", "Leave out --resume.")
    if config.tensorboard:
        check_tensorboard()
    described = describe_env(config.env)
    defaults = {name: described["common_options"][name]["default"] for name in SEEN_BY}
    return defaults | parse_options(config.options, described) | {"command": config.command}


def make_world(config: TrainBPTT, env: Environment, options: dict[str, Any]) -> LimbWorld | LedWorld:
    """The limb that gradients pass through.

    Raises:
        ConfigurationError: there is none for this environment, command or brain.
    """
    if env.command == "velocity":
        if config.brain == "none":
            raise ConfigurationError(
                "The command 'velocity' is for a person's EEG: behind it is a controller that already knows the limb.",
                "Add --brain ideal, or use another --command.",
            )
        if config.load:
            raise ConfigurationError("A limb that a velocity leads takes no load.", "Leave out --load.")
        return LedWorld(env)
    load = Load(config.load, config.load_seconds) if config.load else None
    return LimbWorld(env, options, load, config.training.device)


def prepare(config: TrainBPTT, world: LimbWorld | LedWorld, options: dict[str, Any]) -> Trained:
    """The untrained controller, at rest or nearly so, and its episodes."""
    torch.manual_seed(config.seed)
    size, training = len(world.most), config.training
    if config.brain == "none":
        assert isinstance(world, LimbWorld)
        scale = observed_scale(config.env, options)
        world.mean, world.deviation = (values.to(world.device) for values in scale)
        controller = RecurrentController(config.controller, len(world.mean), size).to(world.device)
        start_at_rest(controller, world)
        practice = limb_practice(world, controller, training.batch, training.checkpoint)
        return Trained(controller, practice, None, *scale)
    way = way_to_steer(config.brain)
    user, brain = User(1 / world.period), make_brain(config.brain, way.electrodes)
    asked = way.pipeline if config.pipeline == SLOW_POTENTIALS else config.pipeline
    pipeline = fitted_pipeline(replace(asked, rate=user.rate), world.task, user, brain, config.seed, way.imagine)
    watcher = Watcher(user, brain, pipeline, config.feedback, way.imagine)
    largest = user.max_speed if isinstance(world, LedWorld) else float(world.most.max())
    controller = RecurrentController(config.controller, len(pipeline.names), size, largest)
    return Trained(controller, watched_practice(world, watcher, controller, training.batch), watcher)


def observed_scale(env: str, options: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation of what is observed while the environment's expert acts; its actions are not used."""
    many = make_vec(env, SCALED_ON, 1, **options)
    observation, info = many.reset(seed=SCALE_SEED)
    act, rows = expert(many), [observation]
    for _ in range(round(2 * many.control_rate)):
        observation, _, _, _, info = many.step(act(info))
        rows.append(observation)
    seen = np.concatenate(rows)
    return torch.from_numpy(seen.mean(axis=0)), torch.from_numpy(np.maximum(seen.std(axis=0), 1e-2))


def try_in_environment(config: TrainBPTT, trained: Trained, options: dict[str, Any]) -> list[Episode]:
    """Episodes in MuJoCo, each with the seed after that of the one before."""
    episodes: list[Episode] = []
    for done in range(0, config.episodes, BATCH):
        count = min(BATCH, config.episodes - done)
        many = make_vec(config.env, count, 1, **options)
        if trained.watcher:
            person = trained.watcher
            loop = ClosedLoop(many, person.user, person.brain, person.pipeline, person.imagine)
            episodes += run_closed_loop(loop, trained.controller, config.seed + done)
        else:
            policy = policy_for(stored_policy(config, trained, options, {}), count)
            episodes += run_episodes(many, policy, config.seed + done, traced=0)
    return episodes


def stored_policy(config: TrainBPTT, trained: Trained, options: dict[str, Any], history: Any) -> StoredPolicy:
    """The controller that sees observations, as it is stored."""
    return StoredPolicy(trained.controller, trained.mean, trained.deviation, config.env, options, history)


def store(config: TrainBPTT, trained: Trained, options: dict[str, Any], history: Any, folder: Path) -> None:
    """Write the controller: with its pipeline, or as a policy of the environment."""
    if trained.watcher:
        pipeline, command = trained.watcher.pipeline, options["command"]
        steer = way_to_steer(config.brain).name
        save_checkpoint(
            Checkpoint(trained.controller, pipeline, command, config.env, steer=steer, history=history), folder
        )
    else:
        save_policy(stored_policy(config, trained, options, history), folder)


def identity(config: TrainBPTT) -> str:
    """What training depends on: two runs of one identity have the same numbers."""
    asked = plain(asdict(config))
    return json.dumps({name: value for name, value in asked.items() if name not in BESIDE})


def results_table(results: dict[str, Any]) -> Table:
    """For the console."""
    table = Table(title=f"{results['env']}, command {results['command']}, brain {results['brain']}", show_header=False)
    share, low, high = (100 * results[key] for key in ("success_rate", "low", "high"))
    table.add_row("success in MuJoCo", f"{share:.1f} % of {results['episodes']} episodes ({low:.0f}-{high:.0f} %)")
    if "twin_success_rate" in results:
        table.add_row("success on the twin", f"{100 * results['twin_success_rate']:.1f} %")
    for name, value in results["metrics"].items():
        table.add_row(f"mean {name.replace('_', ' ')}", "-" if value is None else f"{value:.3f}")
    table.add_row("loss", f"{results['loss']:.4f}")
    table.add_row("training", f"{results['train_seconds']:.0f} s")
    return table
