"""Environments put into words, for tables: what the code itself says, values and docstrings."""

import inspect
import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from .environment import Environment
from .episodes import OPTIONS
from .limb import Limb
from .make import check_id, env_ids, make_env
from .registry import DEFINITIONS

UNITS = {
    "joint_angles": "rad",
    "joint_velocities": "rad/s",
    "hand_position": "m",
    "hand_velocity": "m/s",
    "target_position": "m",
    "height": "m",
    "touch": "",
    "object_position": "m",
    "object_velocity": "m/s",
    "object_axis": "",
    "hip_height": "m",
    "hip_velocity": "m/s",
    "belt_velocity": "m/s",
    "sole_heights": "m",
    "movement": "",
    "reference_angles": "rad",
    "reference_velocities": "rad/s",
    "phase": "",
    "activation": "",
}
"""Of what is observed; "" for numbers without one."""


def describe_env(id_: str) -> dict[str, Any]:
    """All there is to know of an environment before it is used, as plain JSON types.

    Returns:
        `id`; `summary`, a line; `limb` and `task`, a paragraph or more; `actions`, `size` and `meaning` by command;
        `command`, the first of them; `observation` under that command, rows of `index`, `name`, `width`, `unit`, `low`,
        `high`; `joints` and `muscles`, their names in order; `reward`, what its terms mean; `options` of the task and
        `common_options`, `default` and `meaning` by name; `reset_options`, what they mean; `reasons` why an episode
        ends; `metrics`, their names, and `metrics_text`, what they mean; `time_limit` in s.

    Raises:
        ConfigurationError: there is no such environment.
    """
    check_id(id_, env_ids())
    env: Any = make_env(id_).unwrapped
    env.reset(seed=0)
    info = env.step(np.zeros(env.action_space.shape))[-1]
    definition = DEFINITIONS[env.name]
    task = type(env.task)
    common = _options(Environment, OPTIONS)
    common["time_limit"]["default"] = definition.time_limit
    return {
        "id": id_,
        "summary": definition.summary,
        "limb": _text(definition.limb).partition("\n\n")[0].replace("\n", " "),
        "task": _text(task),
        "actions": _actions(definition.limb, definition.commands, 1 / env.control_rate),
        "command": env.command,
        "observation": _observation(env),
        "joints": joint_names(env.limb),
        "muscles": [
            env.limb.model.actuator(i).name
            for i in range(env.limb.model.nu)
            if env.limb.model.actuator_actadr[i] >= 0  # it has an activation
        ],
        "reward": {term: _line(task.reward, term) for term in info["reward_terms"]},
        "options": _options(definition.task, definition.task_options),
        "common_options": common,
        "reset_options": {"keep_limb": "True leaves the limb as it is"}
        | {option: _reset_option(task, option) for option in env.task.options},
        "reasons": [*env.task.reasons, "time limit", "unstable"],
        "metrics": list(env.task.metrics(env._episodes.state)),
        "metrics_text": " ".join(_text(task.metrics).split()),
        "time_limit": definition.time_limit,
    }


def joint_names(limb: Limb, sense: str = "joint_angles") -> list[str]:
    """Of the joints whose positions a sense tells, in their order."""
    addresses = range(limb.model.nq)[limb.senses[sense].index]
    return [limb.model.joint(j).name for j in range(limb.model.njnt) if limb.model.jnt_qposadr[j] in addresses]


def _actions(limb: Any, commands: Iterable[str], period: float) -> dict[str, Any]:
    """Size and meaning of an action; the latter is in the table of the limb's docstring, after its shape."""
    meanings: dict[str, str] = {}
    name = ""
    for first, said in re.findall(r"^\| *(.*?) *\| *(.*?) *\|$", _text(limb), re.M):
        name = first.strip("`") or name  # an empty cell goes on with the row before
        meanings[name] = f"{meanings.get(name, '')} {said}".strip()
    return {
        command: {
            "size": limb(command, period).command.size,
            "meaning": re.sub(r"^\(\d+,\) ", "", meanings.get(command, "")),
        }
        for command in commands
    }


def _observation(env: Any) -> list[dict[str, Any]]:
    space = env.observation_space
    return [
        {
            "index": f"{where.start}" if where.stop == where.start + 1 else f"{where.start}-{where.stop - 1}",
            "name": name,
            "width": where.stop - where.start,
            "unit": UNITS.get(name, ""),
            "low": f"{space.low[where].min():.3g}",
            "high": f"{space.high[where].max():.3g}",
        }
        for name, where in env.observed.items()
    ]


def _options(function: Any, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Default and meaning of arguments; the latter is in the section Args of the docstring."""
    parameters, meanings = inspect.signature(function).parameters, _arguments(function)
    return {name: {"default": parameters[name].default, "meaning": meanings.get(name, "")} for name in names}


def _arguments(function: Any) -> dict[str, str]:
    """What a docstring says of each argument; "as `other`" points to the task's function of that name."""
    text = _text(function.__init__ if inspect.isclass(function) else function)
    meanings: dict[str, str] = {}
    for names, said in re.findall(r"^ {4}(\w+(?:, \w+)*): (.*(?:\n {8}.*)*)", text.partition("Args:")[2], re.M):
        other = re.fullmatch(r"as `(\w+)`\.", said)
        told = next((_arguments(d.task) for d in DEFINITIONS.values() if other and d.task.__name__ == other[1]), {})
        meanings |= {name: told.get(name, " ".join(said.rstrip(".").split())) for name in names.split(", ")}
    return meanings


def _reset_option(task: type, option: str) -> str:
    """What is said of it in the docstring of the task, or of the task that it is made from."""
    texts = " ".join(" ".join(_text(base).split()) for base in task.__mro__)
    found = re.search(rf"takes the option `{option}`, ([^.]*)", texts)
    return found[1] if found else ""


def _line(function: Any, name: str) -> str:
    """What a docstring says on the line that begins with a name and two blanks or more."""
    found = re.search(rf"^ *{name} {{2,}}(.*)$", _text(function), re.M)
    return found[1] if found else ""


def _text(thing: Any) -> str:
    """A docstring; there is none in optimised Python."""
    return inspect.getdoc(thing) or ""
