"""Limbs and tasks as Gymnasium environments; importing this registers `motorctl/ArmReach-v0`."""

import gymnasium

from .environment import ActionError, ArmReach
from .make import Env, env_ids, make_env
from .muscles import Muscles, share
from .reach import Reach
from .rendering import RenderingError
from .rewards import tolerance
from .velocity import VelocityController

__all__ = [
    "ActionError",
    "ArmReach",
    "Env",
    "Muscles",
    "Reach",
    "RenderingError",
    "VelocityController",
    "env_ids",
    "make_env",
    "share",
    "tolerance",
]

if "motorctl/ArmReach-v0" not in gymnasium.registry:
    gymnasium.register("motorctl/ArmReach-v0", entry_point="motorctl.envs:ArmReach")
