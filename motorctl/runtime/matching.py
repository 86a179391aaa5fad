"""What goes with a stored controller: the environment that it moves, and how the loop steps it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motorctl.agents import Stepper
from motorctl.envs import Env, env_commands, make_env
from motorctl.errors import ConfigurationError
from motorctl.runtime.class_control import RATE, ClassControl, ClassDecoder, commands_of
from motorctl.runtime.loop import Decoder
from motorctl.training.checkpoint import Checkpoint
from motorctl.training.trials import class_names


def environment_for(checkpoint: Checkpoint, name: str | None = None, **options: Any) -> Env:
    """The environment that the controller moves, stepped as often as it decides; one that tells classes by its command
    of classes, or by a velocity.

    Args:
        checkpoint: of the controller.
        name: id of the environment; by default the one it was trained for.
        options: of the environment.

    Raises:
        ConfigurationError: none is known, or it does not take the controller's command.
    """
    name, rate = name or checkpoint.environment, checkpoint.pipeline.config.rate
    if not name:
        raise ConfigurationError(
            "The controller was trained for no environment.",
            "Name one with --environment, such as motorctl/LegGait-v0 or motorctl/HandGrasp-v0.",
        )
    if checkpoint.command != "class":
        return make_env(name, command=checkpoint.command, control_rate=rate, **options)
    command = "class" if "class" in env_commands(name) else "velocity"
    return make_env(name, command=command, control_rate=RATE, **options)


def decoder_for(checkpoint: Checkpoint, control: ClassControl, env: Env) -> Decoder:
    """The controller as the loop steps it.

    Raises:
        ConfigurationError: it tells classes that mean nothing to the environment.
    """
    if checkpoint.command != "class":
        return Stepper(checkpoint.controller)
    return ClassDecoder(checkpoint, control, np.array(list(commands_by_class(checkpoint, control, env).values())))


def commands_by_class(checkpoint: Checkpoint, control: ClassControl, env: Env) -> dict[str, NDArray[np.float64]]:
    """The command of each class by name, ``(size,)``; what a class does is said by ``control``, or else was said in the
    calibration that the controller comes from.

    Raises:
        ConfigurationError: a class means nothing to the environment.
    """
    meant = replace(control, meaning=control.meaning or tuple(checkpoint.history.get("meaning", ())))
    names = class_names(checkpoint.cues)
    return dict(zip(names, commands_of(meant, names, env), strict=True))
