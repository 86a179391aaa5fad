"""``motorctl train simulated``: learn from simulated people what an expert would do, then act and learn on."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from rich.console import Console
from torch import Tensor

from motorctl.agents import RecurrentController
from motorctl.envs import make_env, make_vec, time_limit
from motorctl.errors import ConfigurationError, check_positive, check_seed
from motorctl.evaluation.closed_loop import ClosedLoop, Decide, one_row, run_closed_loop
from motorctl.evaluation.episodes import Episode, summarize_episodes
from motorctl.evaluation.metrics import mean_pearson_r
from motorctl.person.brain import make_brain
from motorctl.person.user import User
from motorctl.runs import check_json_path, open_run_folder, plain, write_json
from motorctl.runtime.report import number, percent, print_table
from motorctl.signals.pipeline import Pipeline
from motorctl.training.checkpoint import Checkpoint, save_checkpoint
from motorctl.training.dagger import DaggerConfig, check_dagger, dagger, watch
from motorctl.training.imitation import Progress, check_imitation, decode, train
from motorctl.training.progress import progress_bar
from motorctl.training.sequence import Sequence
from motorctl.training.steering import way_to_steer

PUBLISHED_LIMIT = 10.0
"""Time that people had to reach a target by EEG in two dimensions (s; Wolpaw & McFarland 2004, PNAS
101(51):17849-17854): their 70 to 92 % are to be compared with success within it, not within the environment's own."""

OTHERS = 1_000_000
"""Added to the seed, once for those who act and twice for those who test: other people than are learned from."""


@dataclass(frozen=True)
class SimulatedImitation:
    """Train a recurrent controller on simulated people and try it on others, in the closed loop."""

    env: str = "motorctl/ArmReach-v0"
    """Environment to learn and to test on: one whose hand is to be brought to a target."""
    brain: Literal["ideal", "realistic", "hard"] = "realistic"
    """How hard the people's EEG is to read."""
    sessions: int = 64
    """People who watch the expert, a session each; one more is held back to score the decoder on."""
    seconds: float = 60.0
    """How long each session is (s)."""
    dagger: int = 0
    """Rounds in which the controller acts and the expert says what it should have done; 0: behaviour cloning."""
    acting: DaggerConfig = field(default_factory=DaggerConfig)
    """What happens in such a round; as many people act as have watched."""
    people: int = 64
    """Other people who test the controller, one reach each."""
    out: Path | None = None
    """Run folder to write; by default a new one under runs/."""
    json: Path | None = None
    """File for the results as JSON, the same as summary.json in the run folder."""
    seed: int = 0
    """Seed of everything random."""


@dataclass(frozen=True)
class Cloned:
    """What behaviour cloning leaves.

    Args:
        checkpoint: the controller; its commands are still those of the expert (:func:`ready` for use).
        sequences: what it was trained on.
        offline_r: correlation with the intention of a person who was held back.
        losses: of every epoch.
        eeg_per_second: seconds of EEG that were made a second, features included.
    """

    checkpoint: Checkpoint
    sequences: list[Sequence]
    offline_r: float
    losses: list[float]
    eeg_per_second: float


def train_on_simulated_people(config: SimulatedImitation) -> None:
    """Run the command: clone, act, test, store, print.

    Raises:
        ConfigurationError: an option has a value that cannot be used.
    """
    console, started = Console(), time.perf_counter()
    check_json_path(config.json)
    check_options(config)
    make_env(config.env, command="velocity").close()
    folder = open_run_folder(config.out, "train simulated", config)
    cloned, losses = learn(config, console)
    checkpoint, trained = ready(cloned.checkpoint, config.brain), time.perf_counter()
    with console.status(f"{config.people} others try it"):
        results = try_out(checkpoint, config.brain, config.people, config.seed)
    results |= {
        "offline_pearson_r": cloned.offline_r,
        "eeg_seconds_per_second": cloned.eeg_per_second,
        "train_seconds": trained - started,
        "seed": config.seed,
    }
    history = {"config": plain(asdict(config)), "data": "simulated", "loss": losses} | plain(results)
    save_checkpoint(replace(checkpoint, history=history), folder)
    for path in filter(None, (folder / "summary.json", config.json)):
        write_json(path, results)
    own, published = results["success"], results["success_10_s"]
    rows = [
        (f"{name}, {what}", f"{percent(found['success_rate'])} ({percent(found['low'])} to {percent(found['high'])})")
        for name, of_limit in (("in time", own), (f"within {PUBLISHED_LIMIT:g} s", published))
        for what, found in of_limit.items()
    ]
    rows.append(("decoded and intended velocity, offline", f"r = {number(cloned.offline_r, '')}"))
    rows.append(("EEG made", f"{cloned.eeg_per_second:.0f} s a second"))
    print_table(console, f"{config.brain} brain on {config.env}, seed {config.seed}", rows)
    console.print(f"Controller and summary.json are in {folder}.")


def check_options(config: SimulatedImitation) -> None:
    """Say what cannot be done, before anything long begins.

    Raises:
        ConfigurationError: a number is out of its range.
    """
    check_seed(config.seed + 2 * OTHERS)
    for name in ("sessions", "seconds"):
        check_positive(name, getattr(config, name))
    if config.people < 2:
        raise ConfigurationError(f"people is {config.people}.", "Give 2 or more: chance needs somebody else's EEG.")
    check_dagger(config.dagger, config.acting)
    check_imitation(config.acting.training)


def learn(config: SimulatedImitation, console: Console) -> tuple[Cloned, list[float]]:
    """Clone, then as many rounds of DAgger as are asked for; also all losses."""
    cloned = clone(config, console)
    losses = list(cloned.losses)
    if config.dagger:
        loop = make_loop(
            cloned.checkpoint.pipeline, config.env, config.brain, config.sessions, time_limit=PUBLISHED_LIMIT
        )
        gain, people = way_to_steer(config.brain).gain, config.seed + OTHERS
        arguments = (config.dagger, config.acting, people, gain)
        with progress_bar(console, "acting, training on", config.dagger) as progress:
            rounds = dagger(cloned.checkpoint.controller, loop, cloned.sequences, *arguments)
            for done, of_round in enumerate(rounds, start=1):
                losses += of_round
                progress(done, of_round[-1])
    return cloned, losses


def clone(config: SimulatedImitation, console: Console) -> Cloned:
    """A controller that gives, from the EEG of people who watch the expert, the expert's command that they saw."""
    way = way_to_steer(config.brain)
    started, count = time.perf_counter(), config.sessions + 1
    unfitted = Pipeline(way.pipeline, make_brain(config.brain, way.electrodes).info)
    loop = make_loop(unfitted, config.env, config.brain, count, time_limit=PUBLISHED_LIMIT)
    with console.status(f"{count} people watch an expert for {config.seconds:g} s"):
        raw, intentions = watch(loop, config.seconds, config.seed, way.hand_speed)
    eeg_per_second = count * config.seconds / (time.perf_counter() - started)
    with progress_bar(console, "training", way.training.epochs) as progress:
        checkpoint, losses = imitate(raw[:-1], unfitted, config.env, config.brain, config.seed, progress)
    sequences = [scaled(checkpoint.pipeline, sequence) for sequence in raw]
    offline_r = mean_pearson_r(decode(checkpoint.controller, sequences[-1].features.values), intentions[-1])
    return Cloned(checkpoint, sequences[:-1], offline_r, losses, eeg_per_second)


def imitate(
    sequences: list[Sequence],
    unfitted: Pipeline,
    env: str,
    brain: str,
    seed: int,
    progress: Progress = lambda epoch, loss: None,
) -> tuple[Checkpoint, list[float]]:
    """A new controller trained on sequences of the pipeline without a scaling, and the losses of its epochs."""
    way, pipeline = way_to_steer(brain), unfitted.fit([sequence.features for sequence in sequences])
    torch.manual_seed(seed)
    controller = RecurrentController(way.controller, len(pipeline.names), 2, scale=User.max_speed)
    losses = train(controller, [scaled(pipeline, s) for s in sequences], way.training, pipeline.config.rate, progress)
    return Checkpoint(controller, pipeline, "velocity", env, steer=way.name), losses


def scaled(pipeline: Pipeline, sequence: Sequence) -> Sequence:
    """The sequence with its features scaled."""
    return sequence.with_features(pipeline.scale(sequence.features))


def ready(checkpoint: Checkpoint, brain: str) -> Checkpoint:
    """A controller for use in the loop, whose commands have the loop's gain; changes the one that is given."""
    checkpoint.controller.scale *= way_to_steer(brain).gain
    return checkpoint


def make_loop(pipeline: Pipeline, env: str, brain: str, people: int, **options: Any) -> ClosedLoop:
    """So many people of that brain in front of an environment with ``options``, steering as the brain allows."""
    way, rate = way_to_steer(brain), pipeline.config.rate
    limbs = make_vec(env, people, num_threads=1, command="velocity", control_rate=rate, **options)
    return ClosedLoop(limbs, User(rate), make_brain(brain, way.electrodes), pipeline, way.imagine)


def try_out(
    checkpoint: Checkpoint,
    brain: str,
    people: int,
    seed: int,
) -> dict[str, Any]:
    """Success with its interval, within the environment's time limit (``success``) and within the one that people had
    (``success_10_s``): of the controller, and by chance, of the same controller given the EEG of somebody else."""
    results: dict[str, Any] = {"success": {}, "success_10_s": {}}
    decide = one_row(checkpoint.controller)
    loop = make_loop(checkpoint.pipeline, checkpoint.environment, brain, people, time_limit=PUBLISHED_LIMIT)
    own = time_limit(checkpoint.environment)
    for what, decider in (("controller", decide), ("chance", of_another(decide))):
        episodes = run_closed_loop(loop, decider, seed + 2 * OTHERS)
        results["success_10_s"][what] = summarize_episodes(episodes)
        results["success"][what] = summarize_episodes([within(own, episode) for episode in episodes])
    return results


def within(limit: float, episode: Episode) -> Episode:
    """An episode as it would have been judged with a shorter time limit (s): what came later did not happen."""
    if episode.seconds <= limit:
        return episode
    late = dict.fromkeys(episode.metrics, float("nan"))
    return replace(episode, reason="time limit", success=False, seconds=limit, metrics=late)


def of_another(decide: Decide) -> Decide:
    """The same decisions, on the features of the person beside: as many and as large, but nobody's answer."""

    def deaf(features: Tensor, state: Any) -> tuple[Tensor, Any]:
        return decide(features.roll(1, dims=0), state)

    return deaf
