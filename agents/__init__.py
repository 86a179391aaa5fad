"""Controllers: recurrent networks and the experts they learn from."""

from .expert import minimum_jerk_velocity, reach_velocity
from .recurrent import CELLS, ControllerConfig, RecurrentController, State, detach

__all__ = [
    "CELLS",
    "ControllerConfig",
    "RecurrentController",
    "State",
    "detach",
    "minimum_jerk_velocity",
    "reach_velocity",
]
