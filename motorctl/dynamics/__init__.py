"""The differentiable twin of a limb, and MuJoCo's own step with gradients."""

from .limb import LimbDynamics, LimbState
from .mujoco_step import MujocoStep, limb_dynamics
from .twin import TorchLimb

__all__ = ["LimbDynamics", "LimbState", "MujocoStep", "TorchLimb", "limb_dynamics"]
