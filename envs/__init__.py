"""Limbs and tasks as Gymnasium environments; importing this registers them, see `env_ids`."""

from .adaptation import ForceField, Rotation, force_field, rotation
from .arm import COMMANDS, arm
from .arm3d import COMMANDS as ARM3D_COMMANDS
from .arm3d import arm3d, arm3d_expert
from .center_out import CenterOut, center_out
from .description import describe_env
from .environment import Environment
from .episodes import ActionError
from .experts import arm_expert
from .gait import gait, gait_expert
from .grasp import Grasp, grasp, grasp_expert
from .hand import COMMANDS as HAND_COMMANDS
from .hand import hand
from .leg import COMMANDS as LEG_COMMANDS
from .leg import leg
from .make import Env, env_ids, make_env, make_vec
from .muscles import Muscles, share
from .reach import Reach, reach
from .registry import Definition, expert, register
from .rendering import RenderingError
from .rewards import tolerance
from .track import Track, track
from .vector import VectorEnvironment
from .velocity import VelocityController

__all__ = [
    "ActionError",
    "CenterOut",
    "Env",
    "Environment",
    "ForceField",
    "Grasp",
    "Muscles",
    "Reach",
    "RenderingError",
    "Rotation",
    "Track",
    "VectorEnvironment",
    "VelocityController",
    "describe_env",
    "env_ids",
    "expert",
    "make_env",
    "make_vec",
    "share",
    "tolerance",
]

register("ArmReach", Definition(arm, COMMANDS, reach, time_limit=4.0, expert=arm_expert))
register("ArmCenterOut", Definition(arm, COMMANDS, center_out, time_limit=8.0, expert=arm_expert))
register("ArmTrack", Definition(arm, COMMANDS, track, time_limit=20.0, expert=arm_expert))
register("ArmForceField", Definition(arm, COMMANDS, force_field, time_limit=8.0, expert=arm_expert))
register("ArmRotation", Definition(arm, COMMANDS, rotation, time_limit=8.0, expert=arm_expert))
register("LegGait", Definition(leg, LEG_COMMANDS, gait, time_limit=8.0, expert=gait_expert))
register("Arm3dReach", Definition(arm3d, ARM3D_COMMANDS, reach, time_limit=4.0, expert=arm3d_expert))
register("HandGrasp", Definition(hand, HAND_COMMANDS, grasp, time_limit=6.0, expert=grasp_expert))
