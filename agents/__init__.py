"""Controllers: recurrent networks, linear filters, and the experts they learn from."""

from .cells import CELLS, NONLINEARITIES
from .classes import ClassHead, LabelHead, last_row, mean_row
from .convolution import CausalConvolution, Dense
from .decoder import ATTENTIONS, DecoderHead
from .expert import minimum_jerk_velocity, reach_velocity
from .heads import CommandHead, ForecastHead, Gaussian, GaussianHead, MultiTaskHead
from .linear import KalmanController, LinearController, WienerController
from .modalities import Modalities
from .recurrent import ControllerConfig, RecurrentController, RecurrentCore
from .stage import Network, Stage, State, detach
from .stepping import Stepper, StepState, from_torch
from .timescales import TwoTimeScales

__all__ = [
    "ATTENTIONS",
    "CELLS",
    "NONLINEARITIES",
    "CausalConvolution",
    "ClassHead",
    "CommandHead",
    "ControllerConfig",
    "DecoderHead",
    "Dense",
    "ForecastHead",
    "Gaussian",
    "GaussianHead",
    "KalmanController",
    "LabelHead",
    "LinearController",
    "Modalities",
    "MultiTaskHead",
    "Network",
    "RecurrentController",
    "RecurrentCore",
    "Stage",
    "State",
    "StepState",
    "Stepper",
    "TwoTimeScales",
    "WienerController",
    "detach",
    "from_torch",
    "last_row",
    "mean_row",
    "minimum_jerk_velocity",
    "reach_velocity",
]
