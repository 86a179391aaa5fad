"""Domain randomisation: limbs that differ from episode to episode (Tobin et al., IROS 2017; Peng et al., ICRA 2018)."""

from collections.abc import Mapping
from typing import Any

import mujoco
import numpy as np

from motorctl.errors import ConfigurationError

from .simulation import Row, Simulation

PARAMETERS = ("body_mass", "strength")


class Randomization:
    """Scales parameters of the model, drawn uniformly for every episode of every environment.

    `body_mass` scales the masses and the inertias of all bodies, `strength` the forces of all muscles or motors. A
    controller that knows the model, such as that of the command `velocity`, goes on believing in the model as it is.
    """

    def __init__(self, simulation: Simulation, ranges: Mapping[str, tuple[float, float]]) -> None:
        """Prepare it.

        Args:
            simulation: whose models' fields are written.
            ranges: the least and the largest scale of each parameter.

        Raises:
            ConfigurationError: an unknown parameter, or a range that is none.
        """
        for name, range_ in ranges.items():
            if name not in PARAMETERS or len(range_) != 2 or not 0 < range_[0] <= range_[1] < np.inf:
                raise ConfigurationError(
                    f"randomize holds {name!r}: {range_!r}.",
                    f"Give lowest and highest scale, above 0, of {' or '.join(PARAMETERS)}.",
                )
        model = simulation.model
        # of a muscle's numbers, one is a force; all of a motor's are
        muscle = (model.actuator_gaintype == mujoco.mjtGain.mjGAIN_MUSCLE)[:, None]
        force = ~muscle | (np.arange(model.actuator_gainprm.shape[1]) == 2)
        fields: dict[str, dict[str, Any]] = {
            "body_mass": {"body_mass": True, "body_inertia": True},
            "strength": {"actuator_gainprm": force, "actuator_biasprm": force},
        }
        self._parameters = [(name, ranges[name], fields[name]) for name in PARAMETERS if name in ranges]
        used = [field for _, _, where in self._parameters for field in where]
        self._nominal = {field: getattr(model, field).copy() for field in used}
        self._live = {field: simulation.field(field) for field in used}
        self.scales = {name: np.ones(simulation.shape) for name, _, _ in self._parameters}
        """The scales (...) of the present episodes, by parameter."""

    def draw(self, row: Row, random: np.random.Generator) -> None:
        """Draw the parameters of one environment; call `Simulation.set_constants` when all are drawn."""
        for name, range_, fields in self._parameters:
            self.scales[name][row] = scale = random.uniform(*range_)
            for field, where in fields.items():
                self._live[field][row] = self._nominal[field] * np.where(where, scale, 1.0)
