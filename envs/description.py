"""Environments put into words, for tables."""

import inspect
from typing import Any

from .make import make_env
from .registry import DEFINITIONS


def describe_env(id_: str) -> dict[str, Any]:
    """All there is to know of an environment before it is used, as plain JSON types.

    Returns:
        `id`, `summary` (a line), `commands` (size of the action by command), `command` (the first of them), `observation`
        (under that command: rows of `index`, `name`, `width`, `low`, `high`), `options` of the task and their defaults,
        `reset_options`, `reasons` why an episode ends, `time_limit` in s and `camera`.

    Raises:
        ConfigurationError: there is no such environment.
    """
    env: Any = make_env(id_).unwrapped
    definition = DEFINITIONS[env.name]
    space, task = env.observation_space, env.task
    rows = []
    for name, where in env.observed.items():
        first, width = where.start, where.stop - where.start
        rows.append(
            {
                "index": f"{first}" if width == 1 else f"{first}-{where.stop - 1}",
                "name": name,
                "width": width,
                "low": f"{space.low[where].min():.3g}",
                "high": f"{space.high[where].max():.3g}",
            }
        )
    parameters = list(inspect.signature(definition.task).parameters.values())[2:]
    return {
        "id": id_,
        "summary": (inspect.getdoc(type(task)) or "").split("\n\n")[0].replace("\n", " "),
        "commands": {
            command: definition.limb(command, 1 / env.control_rate).command.size for command in definition.commands
        },
        "command": env.command,
        "observation": rows,
        "options": {parameter.name: parameter.default for parameter in parameters},
        "reset_options": ["keep_limb", *task.options],
        "reasons": [*task.reasons, "time limit", "unstable"],
        "time_limit": definition.time_limit,
        "camera": env.limb.camera,
    }

