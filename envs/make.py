"""Environments by id, with errors that a user can act on."""

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from motorctl.errors import ConfigurationError

from .registry import DEFINITIONS, NAMESPACE
from .vector import VectorEnvironment

Env = gymnasium.Env[NDArray[np.float32], NDArray[np.float32]]


def env_ids() -> list[str]:
    """The ids of all environments of this package, in order."""
    return sorted(f"{NAMESPACE}{name}-v0" for name in DEFINITIONS)


def env_commands(id_: str) -> tuple[str, ...]:
    """The commands that an environment takes, the default first.

    Raises:
        ConfigurationError: there is no such environment.
    """
    check_id(id_, env_ids())
    return DEFINITIONS[id_.removeprefix(NAMESPACE).removesuffix("-v0")].commands


def eeg_ids() -> list[str]:
    """The ids of the same environments with the EEG of somebody who watches as the observation, see `eeg`."""
    return [id_.replace("-v0", "EEG-v0") for id_ in env_ids()]


def time_limit(id_: str) -> float:
    """Length of an episode of one of :func:`env_ids` at most, unless another is asked for (s).

    Raises:
        ConfigurationError: there is no such environment.
    """
    check_id(id_, env_ids())
    return DEFINITIONS[id_.removeprefix(NAMESPACE).removesuffix("-v0")].time_limit


def make_env(id_: str, **options: Any) -> Env:
    """`gymnasium.make` of one of :func:`env_ids` or :func:`eeg_ids`, without Gymnasium's checks in every step.

    Raises:
        ConfigurationError: there is no such environment, or an option has a value that cannot be used.
    """
    check_id(id_, env_ids() + eeg_ids())
    env: Env = gymnasium.make(id_, disable_env_checker=True, **options)
    return env


def make_vec(id_: str, num_envs: int, num_threads: int | None = None, **options: Any) -> VectorEnvironment:
    """`num_envs` environments of one of :func:`env_ids`, stepped together; see :class:`VectorEnvironment`.

    Raises:
        ConfigurationError: there is no such environment, or an option has a value that cannot be used.
    """
    check_id(id_, env_ids())
    env = gymnasium.make_vec(id_, num_envs, vectorization_mode="vector_entry_point", num_threads=num_threads, **options)
    assert isinstance(env, VectorEnvironment)
    return env


def check_id(id_: str, known: list[str]) -> None:
    """Say that an environment must be one of a few.

    Raises:
        ConfigurationError: it is not.
    """
    if id_ not in known:
        raise ConfigurationError(f"There is no environment '{id_}' here.", f"Choose one of {', '.join(env_ids())}.")
