"""Environments by id, with errors that a user can act on."""

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from motorctl.errors import ConfigurationError

Env = gymnasium.Env[NDArray[np.float32], NDArray[np.float32]]

NAMESPACE = "motorctl/"


def env_ids() -> list[str]:
    """The ids of all environments of this package, in order."""
    return sorted(id_ for id_ in gymnasium.registry if id_.startswith(NAMESPACE))


def make_env(id_: str, **options: Any) -> Env:
    """`gymnasium.make` of one of :func:`env_ids`, without Gymnasium's checks in every step.

    Raises:
        ConfigurationError: there is no such environment, or an option has a value that cannot be used.
    """
    if id_ not in env_ids():
        raise ConfigurationError(f"There is no environment '{id_}'.", f"Choose one of {', '.join(env_ids())}.")
    env: Env = gymnasium.make(id_, disable_env_checker=True, **options)
    return env
