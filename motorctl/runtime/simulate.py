"""``motorctl simulate``: run an environment with its expert, say how well it did, and show it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import imageio_ffmpeg  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from motorctl.envs import Policy, RenderingError, VectorEnvironment, describe_env, expert, make_env, make_vec
from motorctl.errors import ConfigurationError, check_positive
from motorctl.evaluation.episodes import Episode, run_episodes, summarize_episodes
from motorctl.evaluation.figures import DRAWN, VIDEO_RATE, draw_episodes, picture
from motorctl.runs import check_json_path, open_run_folder, write_json
from motorctl.training.progress import progress_bar

BATCH = 256
"""Most episodes that run at once, so that memory does not grow with their number."""


@dataclass(frozen=True)
class Simulate:
    """Run an environment and say how well its controller did."""

    env: str = "motorctl/ArmReach-v0"
    """Environment, one of those that 'motorctl envs' lists."""
    controller: Literal["expert", "random"] = "expert"
    """Who acts: the expert, who sees everything, or nobody in particular, for comparison."""
    command: str | None = None
    """What an action means; the environment's first command if not given."""
    options: tuple[str, ...] = ()
    """Options of the environment as NAME=VALUE, such as delay=0.1; 'motorctl envs --env ID' lists them; all but
    randomize."""
    episodes: int = 20
    """How many."""
    seed: int = 0
    """Of the first episode; each has the next."""
    video_episodes: int = 1
    """How many of them the video shows; 0 for no video. A picture takes 0.1 s to draw without a graphics card."""
    out: Path | None = None
    """Run folder to write; by default a new one under runs/."""
    json: Path | None = None
    """File for the results as JSON."""


def simulate(config: Simulate) -> None:
    """Run the command: simulate, count, draw, film.

    Raises:
        ConfigurationError: there is no such environment, or an option has a value that cannot be used.
    """
    console = Console()
    check_json_path(config.json)
    check_positive("episodes", config.episodes)
    for name, number in (("seed", config.seed), ("video_episodes", config.video_episodes)):
        if number < 0:
            raise ConfigurationError(f"{name} is {number}.", "Give 0 or more.")
    options = parse_options(config.options, describe_env(config.env)) | {"command": config.command}
    env = make_vec(config.env, min(BATCH, config.episodes), **options)
    folder = open_run_folder(config.out, "simulate", config)

    episodes = run_all(env, config, console)
    results = {"env": config.env, "command": env.command, "controller": config.controller, "seed": config.seed}
    results |= summarize_episodes(episodes)
    results["per_episode"] = [{k: v for k, v in asdict(e).items() if k != "traces"} for e in episodes]
    for path in (folder / "summary.json", config.json):
        if path is not None:
            write_json(path, results)
    console.print(results_table(results))

    title = ", ".join((config.env, env.command, config.controller, *config.options))
    drawn = draw_episodes(episodes, env, title, folder / "episodes.png")
    some = "" if drawn == len(episodes) else f" (the first {drawn} episodes)"
    written = f"summary.json, episodes.png{some}"
    shown = episodes[: config.video_episodes]
    if shown:
        try:
            film(config, options, shown, folder / "episodes.mp4", console)
            written += f", episodes.mp4 (episode {1 if len(shown) == 1 else f'1-{len(shown)}'})"
        except RenderingError as error:
            console.print(f"No video: {' '.join(str(error).split())}", highlight=False, soft_wrap=True)
    console.print(f"In {folder}: {written}.", highlight=False, soft_wrap=True)


def parse_options(texts: Sequence[str], described: dict[str, Any]) -> dict[str, Any]:
    """``delay=0.1`` to ``{"delay": 0.1}``; a list is written with commas, as in ``movements=walking,running``.

    Raises:
        ConfigurationError: not of that form, an option that the environment does not have, or not a number.
    """
    known = described["common_options"] | described["options"]
    defaults = {name: option["default"] for name, option in known.items() if name != "randomize"}
    options: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or name not in defaults or name in options:
            raise ConfigurationError(
                f"Option '{text}' is not of the form NAME=VALUE, each name once.",
                f"{described['id']} has {', '.join(defaults)}.",
            )
        kind = type(defaults[name])
        try:
            options[name] = tuple(value.split(",")) if kind is tuple else kind(value)
        except ValueError:
            what = "a whole number" if kind is int else "a number"
            raise ConfigurationError(f"Option {name} is '{value}'.", f"Give {what}.") from None
    return options


def run_all(env: VectorEnvironment, config: Simulate, console: Console) -> list[Episode]:
    """All episodes, as many at once as there are environments; those that are drawn keep their traces."""
    episodes: list[Episode] = []
    with progress_bar(console, "episodes", config.episodes) as progress:

        def told(ended: int) -> None:
            progress(len(episodes) + ended)

        for done in range(0, config.episodes, env.num_envs):
            seed, count = config.seed + done, min(env.num_envs, config.episodes - done)
            seeds = range(seed, seed + env.num_envs)
            policy = expert(env) if config.controller == "expert" else random_policy(seeds, env.limb.command.size)
            episodes += run_episodes(env, policy, seed, count, max(0, DRAWN - done), told)
    return episodes


def random_policy(seeds: Iterable[int], size: int) -> Policy:
    """Actions drawn uniformly, those of an episode by its seed alone."""
    generators = [np.random.default_rng(seed) for seed in seeds]

    def policy(info: dict[str, Any]) -> NDArray[np.float32]:
        return np.array([generator.uniform(-1, 1, size) for generator in generators], np.float32)

    return policy


def film(config: Simulate, options: dict[str, Any], episodes: Sequence[Episode], path: Path, console: Console) -> None:
    """The first episodes again, seen by the limb's camera.

    Raises:
        RenderingError: there is no OpenGL.
    """
    with closing(make_env(config.env, render_mode="rgb_array", **options)) as env:
        rate = env.get_wrapper_attr("control_rate")
        every = max(1, round(rate / VIDEO_RATE))
        env.reset(seed=config.seed)
        height, width, _ = picture(env).shape
        steps = [round(episode.seconds * rate) for episode in episodes]
        with (
            closing(imageio_ffmpeg.write_frames(str(path), (width, height), fps=rate / every)) as writer,
            progress_bar(console, "video", sum(steps)) as progress,
        ):
            writer.send(None)
            for i in range(len(episodes)):
                seed = config.seed + i
                _, info = env.reset(seed=seed)
                size = env.get_wrapper_attr("limb").command.size
                policy = expert(env) if config.controller == "expert" else random_policy([seed], size)
                for step in range(steps[i]):
                    if step % every == 0:
                        writer.send(picture(env))
                    _, _, _, _, info = env.step(policy(info).reshape(size))
                    progress(sum(steps[:i]) + step + 1)


def results_table(results: dict[str, Any]) -> Table:
    """For the console."""
    table = Table(title=f"{results['env']}, command {results['command']}, {results['controller']}", show_header=False)
    share, low, high = (100 * results[key] for key in ("success_rate", "low", "high"))
    table.add_row("success", f"{share:.0f} % of {results['episodes']} episodes (95 % interval {low:.0f}-{high:.0f} %)")
    table.add_row("ended by", ", ".join(f"{reason} {count}" for reason, count in results["reasons"].items()))
    table.add_row("mean duration", f"{results['mean_seconds']:.2f} s")
    table.add_row("mean reward", f"{results['mean_reward']:.1f}")
    for name, value in results["metrics"].items():
        table.add_row(f"mean {name.replace('_', ' ')}", "-" if value is None else f"{value:.3f}")
    return table
