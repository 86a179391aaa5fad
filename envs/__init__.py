"""Limbs and tasks as Gymnasium environments; importing this registers them, see `env_ids`."""

from .adaptation import ForceField, Rotation, force_field, rotation
from .arm import COMMANDS, arm
from .arm3d import COMMANDS as ARM3D_COMMANDS
from .arm3d import arm3d, arm3d_expert
from .center_out import CenterOut, center_out
from .description import UNITS, describe_env, joint_names
from .environment import Environment
from .episodes import ActionError
from .experts import arm_expert
from .gait import gait, gait_expert
from .grasp import Grasp, grasp, grasp_expert
from .hand import COMMANDS as HAND_COMMANDS
from .hand import hand
from .leg import COMMANDS as LEG_COMMANDS
from .leg import leg
from .make import Env, eeg_ids, env_commands, env_ids, make_env, make_vec, time_limit
from .muscles import Muscles, share
from .reach import Reach, reach
from .registry import Definition, Policy, expert, register
from .rendering import RenderingError
from .rewards import tolerance
from .track import Track, track
from .vector import VectorEnvironment
from .velocity import VelocityController

__all__ = [
    "UNITS",
    "ActionError",
    "CenterOut",
    "Env",
    "Environment",
    "ForceField",
    "Grasp",
    "Muscles",
    "Policy",
    "Reach",
    "RenderingError",
    "Rotation",
    "Track",
    "VectorEnvironment",
    "VelocityController",
    "describe_env",
    "eeg_ids",
    "env_commands",
    "env_ids",
    "expert",
    "joint_names",
    "make_env",
    "make_vec",
    "share",
    "time_limit",
    "tolerance",
]

# summary, limb, commands, task, time limit (s), expert, what is imagined for each class
register(
    "ArmReach",
    Definition("Bring the hand into a target and keep it there.", arm, COMMANDS, reach, 4.0, arm_expert),
)
register(
    "ArmCenterOut",
    Definition("Reach one of eight targets from the center and return.", arm, COMMANDS, center_out, 8.0, arm_expert),
)
register(
    "ArmTrack",
    Definition("Keep the hand on a target that moves unpredictably.", arm, COMMANDS, track, 20.0, arm_expert),
)
register(
    "ArmForceField",
    Definition("Center-out in a force field that comes and goes.", arm, COMMANDS, force_field, 8.0, arm_expert),
)
register(
    "ArmRotation",
    Definition("Center-out with a rotated view that comes and goes.", arm, COMMANDS, rotation, 8.0, arm_expert),
)
register(
    "LegGait",
    Definition(
        "Stand, walk, run or jump as asked, as people do.",
        leg,
        LEG_COMMANDS,
        gait,
        8.0,
        gait_expert,
        ("movement", ("rest", "feet", "fists", "tongue")),
    ),
)
register(
    "Arm3dReach",
    Definition("Bring the hand into a target in space.", arm3d, ARM3D_COMMANDS, reach, 4.0, arm3d_expert),
)
register(
    "HandGrasp",
    Definition(
        "Grasp and lift an object, then put it down.",
        hand,
        HAND_COMMANDS,
        grasp,
        6.0,
        grasp_expert,
        ("cue", ("rest", "right")),
    ),
)
