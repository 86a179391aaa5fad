"""Writes docs/environments.md, what there is to know of every environment: `python scripts/figures/gallery.py`.

The tables say what the code says, `motorctl.envs.describe_env`. The pictures, docs/pictures/*.png, are taken while the
expert is at it, and need OpenGL: `--no-pictures` leaves those that are there.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from PIL import Image

from motorctl.envs import describe_env, env_ids, expert, make_env, make_vec
from motorctl.evaluation.episodes import run_episodes, summarize_episodes
from motorctl.evaluation.figures import picture
from motorctl.runtime.simulate import random_policy

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE, PICTURES = DOCS / "environments.md", DOCS / "pictures"
EPISODES = 100
SIZE = 400
"""Of the pictures, pixels."""
DISTURBED: dict[str, dict[str, Any]] = {"ArmForceField": {"block_trials": 0}, "ArmRotation": {"block_trials": 0}}
"""Options that have the disturbance on from the first trial."""
MOMENTS = {"ArmReach": (1, 0.14), "ArmCenterOut": (8, 0.32), "ArmTrack": (0, 3.60), "ArmForceField": (8, 0.42)}
MOMENTS |= {"ArmRotation": (7, 0.36), "LegGait": (1, 2.30), "Arm3dReach": (0, 0.14), "HandGrasp": (0, 1.30)}
"""Seed of the episode that a picture is of, and when it is taken, s: muscles at work, the target still ahead."""
CROPS = {"top": (96, 100, 528, 532)}
"""Left, top, right and bottom of what is shown, pixels, of cameras whose pictures are wide of the limb."""

START = """# The environments

Written by `scripts/figures/gallery.py` from the code; run it again when an environment changes.

An environment is a limb and a task: `gymnasium.make("motorctl.envs:motorctl/ArmReach-v0", command="muscles")`, or many
at once, `motorctl.envs.make_vec("motorctl/ArmReach-v0", 64)`. `command` says what an action means; actions are
`Box(-1, 1)`, and `env.unwrapped.to_action(command)` makes them from excitations, N·m or m/s. An observation begins with
the limb's own senses, then comes what the task shows, and last the activation of the muscles; `env.unwrapped.observed`
tells where each is, and values beyond the range are clipped. The tables of observations are those of the default
command, the first. Names in these tables are those of `motorctl.envs` and its modules. The reward is the sum of its
terms, which are in `info["reward_terms"]`. When an episode ends, `info` has its `reason`, `success` and `metrics`.
Positions are in m.

`motorctl simulate --env ID` runs an environment with its expert, a controller that sees everything.

Each also exists as `motorctl/<name>EEG-v0`, whose observation is the EEG of a simulated user who looks at the task:
`gymnasium.make("motorctl.envs:motorctl/ArmReachEEG-v0", brain="realistic", observe="features", proprioception=True)`;
`motorctl.envs.eeg.EEGEnvironment` tells its options.
"""


def main() -> None:
    """Write the page, and the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", action=argparse.BooleanOptionalAction, default=True, help="take them anew")
    if parser.parse_args().pictures:
        PICTURES.mkdir(parents=True, exist_ok=True)
        for id_ in env_ids():
            take_picture(id_)
    PAGE.write_text(tables() + successes(), encoding="utf-8")
    print(f"Wrote {PAGE}.")


def tables() -> str:
    """The page but for how well the experts do."""
    described = {name_of(id_): describe_env(id_) for id_ in env_ids()}
    links = [(f"[{name}](#{name.lower()})", d["summary"], ", ".join(d["actions"])) for name, d in described.items()]
    common = next(iter(described.values()))["common_options"]
    parts = [
        START,
        table(("environment", "task", "commands"), links),
        "Options of every environment, besides `command`:\n",
        table(
            ("option", "default", "meaning"),
            options(common | {"time_limit": {**common["time_limit"], "default": None}}),
        ),
        *(section(name, d) for name, d in described.items()),
    ]
    return "\n".join(parts)


def section(name: str, d: dict[str, Any]) -> str:
    """All of one environment."""
    named = [f"{what}: {', '.join(d[what])}." for what in ("joints", "muscles") if d[what]]
    actions = [(f"`{command}`", action["size"], action["meaning"]) for command, action in d["actions"].items()]
    observation = [
        (row["index"], f"`{row['name']}`", row["unit"], f"{row['low']} to {row['high']}") for row in d["observation"]
    ]
    parts = [
        f"## {name}\n",
        f'<img src="pictures/{name}.png" width="{SIZE}" alt="{name} with its expert">\n',
        f"`{d['id']}`. **{d['summary']}** {d['limb']}\n",
        f"{d['task']}\n",
        table(("command", "size of the action", "an action is"), actions),
        table(("index", "observation", "unit", "range"), observation),
        " ".join(sentence.capitalize().replace("_", " ") for sentence in named) + "\n",
        table(("term of the reward", "value"), [(f"`{term}`", said) for term, said in d["reward"].items()]),
        table(("option", "default", "meaning"), options(d["options"])),
        table(("option of `reset`", "meaning"), [(f"`{option}`", said) for option, said in d["reset_options"].items()]),
        f"Metrics: {d['metrics_text']}\n",
        f"An episode ends by: {', '.join(d['reasons'])}. Time limit {d['time_limit']:g} s.\n",
    ]
    return "\n".join(parts)


def options(described: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Rows of their table."""
    for name, option in described.items():
        yield f"`{name}`", "" if option["default"] is None else f"`{option['default']!r}`", option["meaning"]


def successes() -> str:
    """How often the experts succeed, and random actions."""
    rows = []
    for id_ in env_ids():
        name, seeds = name_of(id_), range(EPISODES)
        given = DISTURBED.get(name, {})
        told = ", ".join(f"`{option}={value}`" for option, value in given.items())
        for command, action in describe_env(id_)["actions"].items():
            env = make_vec(id_, EPISODES, command=command, **given)
            done, drawn = (
                summarize_episodes(run_episodes(env, policy, seeds[0], traced=0))
                for policy in (expert(env), random_policy(seeds, action["size"]))
            )
            seconds = f"{done['mean_seconds']:.2f} s"
            rows.append((name, f"`{command}`", told, interval(done), seconds, interval(drawn)))
            print(*rows[-1], flush=True)
    header = ("environment", "command", "options", "expert", "mean duration", "random actions")
    return "\n".join(
        [
            "\n## How well the experts do\n",
            f"Success in {EPISODES} episodes, seeds 0 to {EPISODES - 1}, with its 95 % interval (Wilson 1927).\n",
            table(header, rows),
        ]
    )


def interval(summary: dict[str, Any]) -> str:
    """The success rate with its interval."""
    rate, low, high = (f"{100 * summary[key]:.0f}" for key in ("success_rate", "low", "high"))
    return f"{rate} % ({low} to {high} %)"


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """In Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def take_picture(id_: str) -> None:
    """Of the expert under the first command."""
    name = name_of(id_)
    seed, seconds = MOMENTS[name]
    with closing(make_env(id_, render_mode="rgb_array", **DISTURBED.get(name, {}))) as env:
        _, info = env.reset(seed=seed)
        policy = expert(env)
        for _ in range(round(seconds * env.get_wrapper_attr("control_rate"))):
            *_, info = env.step(policy(info))
        image = Image.fromarray(picture(env)).crop(CROPS.get(env.get_wrapper_attr("limb").camera))
    image = image.resize((SIZE, SIZE), Image.Resampling.LANCZOS)
    image.quantize(256, Image.Quantize.MEDIANCUT, kmeans=2).save(PICTURES / f"{name}.png", optimize=True)


def name_of(id_: str) -> str:
    """The id without namespace and version."""
    return id_.split("/")[1].removesuffix("-v0")


if __name__ == "__main__":
    main()
