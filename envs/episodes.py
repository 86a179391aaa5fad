"""What one environment and a vector of them share: a limb, a task, and the episodes that they make.

Arrays have the leading axes of the simulation: none for one environment, (count,) for many.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Space
from mujoco.batch import MODEL_FIELDS
from numpy.typing import ArrayLike, NDArray

from motorctl.errors import ConfigurationError, MotorctlError, check_positive

from .limb import REST, Limb
from .perception import Observation, Perception
from .randomization import Randomization
from .registry import DEFINITIONS
from .simulation import Row, Simulation
from .task import State

Array = NDArray[np.float64]
Outcome = tuple[Observation, Any, Any, dict[str, Any]]
"""Observation (..., width), reward (...), end (...) and info; the end is an index into `Episodes.reasons`."""

GOES_ON, TIME_LIMIT = 0, 1
"""Indices of the first two of `Episodes.reasons`; the task's own follow, the last is "unstable"."""


class ActionError(MotorctlError, ValueError):
    """An action has the wrong shape, or holds NaN or infinity."""


class Episodes:
    """Steps and resets one environment or many."""

    def __init__(
        self,
        simulate: Callable[[Limb], Simulation],
        name: str,
        command: str | None = None,
        control_rate: float = 50.0,
        time_limit: float | None = None,
        delay: float = 0.0,
        noise: float = 0.0,
        randomize: Mapping[str, tuple[float, float]] | None = None,
        **options: Any,
    ) -> None:
        """Build them; `simulate` makes the simulation of a limb, `Environment` tells the rest.

        Raises:
            ConfigurationError: an option has a value that cannot be used.
        """
        choose("name", name, tuple(DEFINITIONS))
        definition = DEFINITIONS[name]
        command = definition.commands[0] if command is None else command
        time_limit = definition.time_limit if time_limit is None else time_limit
        choose("command", command, definition.commands)
        for option in options:
            choose("An option", option, ("command", *OPTIONS, *definition.task_options))
        check_positive("control_rate", control_rate)
        check_positive("time_limit", time_limit)
        for option, value in (("delay", delay), ("noise", noise)):
            if value != 0:
                check_positive(option, value)

        self.command = command
        self.limb = definition.limb(command, 1 / control_rate)
        self._substeps = _substeps(control_rate, 1 / self.limb.model.opt.timestep)
        self._period = 1 / control_rate
        self.task = definition.task(self.limb, self._period, **options)
        self.simulation = simulate(self.limb)
        self.senses = self.limb.views(self.simulation)
        self._randomization = Randomization(self.simulation, randomize) if randomize else None

        shape = self.simulation.shape
        self._alone = shape == ()
        self._control = self.simulation.field("ctrl")
        self._memory = np.array(self.limb.command.start(self.senses))
        self._action_shape = (*shape, self.limb.command.size)
        self._least, self._most = -np.ones(self._action_shape), np.ones(self._action_shape)
        self.reasons = ("", "time limit", *self.task.reasons, "unstable")
        self._steps_allowed = max(1, round(time_limit * control_rate))
        self._started = np.zeros(shape, bool)
        self._usable = np.zeros(shape, bool)  # a limb that a reset can keep
        self.state: State = {}

        bounds = self._bounds()
        ends = np.cumsum([low.size for low, _ in bounds.values()]).tolist()
        self.observed = {
            what: slice(end - low.size, end) for end, (what, (low, _)) in zip(ends, bounds.items(), strict=True)
        }
        """Where in an observation everything is."""
        self._low, self._high = (np.concatenate(side).astype(np.float32) for side in zip(*bounds.values(), strict=True))
        self._body = [self.senses[what] for what in self.limb.observed]
        self._muscles = [self.senses["activation"]]
        late, deviation = round(delay * control_rate), np.float32(noise / 2) * (self._high - self._low)
        self._perception = Perception(shape, deviation, late) if late or noise else None

    @property
    def action_space(self) -> Space[NDArray[np.float32]]:
        """Of one environment."""
        return Box(-1.0, 1.0, (self.limb.command.size,), np.float32)

    @property
    def observation_space(self) -> Space[Observation]:
        """Of one environment."""
        return Box(self._low, self._high, dtype=np.float32)

    def to_action(self, command: ArrayLike) -> NDArray[np.float32]:
        """The action (..., size) of a command in physical units, clipped.

        Raises:
            ActionError: as `step`.
        """
        return self._checked(self.limb.command.to_action(np.asarray(command, float))).astype(np.float32)

    def reset(
        self,
        rows: Iterable[Row],
        random: Callable[[Row], np.random.Generator],
        options: Mapping[str, Any] | None = None,
        session: bool = False,
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode of some environments; observation and info are those of all.

        Args:
            rows: which.
            random: gives the generator of each.
            options: `keep_limb`, and those of the task.
            session: True if the tasks are to forget the episodes before.

        Raises:
            ConfigurationError: an unknown option, or one that cannot be used.
        """
        self._restart(list(rows), random, options or {}, session)
        return self._observe(), self._info()

    def step(
        self,
        action: ArrayLike,
        over: Sequence[Row] | None = None,
        random: Callable[[Row], np.random.Generator] | None = None,
    ) -> Outcome:
        """Hold commands for one control period.

        Args:
            action: (..., size); beyond -1 ... 1 it is clipped.
            over: environments whose episode has ended: they start the next one instead, without a reward.
            random: gives the generators of those.

        Raises:
            ActionError: the action has the wrong shape, or holds NaN or infinity.
        """
        control, self._memory = self.limb.command(self._checked(action), self._memory, self.simulation.data)
        self._control[...] = control
        force = self.task.force(self.state)
        if force is not None:
            assert self.limb.push is not None
            self.limb.push(self.simulation.data, force)
        self.simulation.step(self._substeps, over)
        steps = self.state["steps"] = self.state["steps"] + 1
        self.state["time"] = steps * self._period
        self.state = state = self.task.advance(self.state, self.senses)

        terms = self.task.reward(state, self.senses, (control * control).dot(self.limb.effort_weights))
        late = steps >= self._steps_allowed
        ended = self.task.end(state)
        end: Any
        if self._alone:  # plain Python is far quicker than NumPy on single numbers
            end = int(ended) + TIME_LIMIT if ended else int(late)
        else:
            end = np.where(ended, ended + TIME_LIMIT, late)
        unstable = self.simulation.unstable()
        if unstable is not None:
            end = np.where(unstable, len(self.reasons) - 1, end)
            terms = {**terms, "unstable": unstable * (steps - self._steps_allowed - 1.0)}
            self._usable &= ~unstable
        if over:
            assert random is not None
            end[list(over)] = GOES_ON
            terms = {name: _without(term, over) for name, term in terms.items()}
            self._restart(over, random, {}, False)
        return self._observe(), sum(terms.values()), end, {**self._info(), "reward_terms": terms}

    def refresh(self, rows: Iterable[Row]) -> None:
        """Go on from a state of the physics that was written from outside."""
        self.simulation.refresh(rows)
        self._begin_command(rows)

    def _begin_command(self, rows: Iterable[Row]) -> None:
        memory = self.limb.command.start(self.senses)
        for row in rows:
            self._memory[row] = memory[row]

    def _checked(self, action: ArrayLike) -> Array:
        values = np.asarray(action, dtype=float)
        if values.shape != self._action_shape:
            raise ActionError(
                f"A command '{self.command}' has shape {self._action_shape}, not {values.shape}.",
                "Give one number for each actuator or direction, in one row an environment.",
            )
        clipped: Array = np.minimum(np.maximum(values, self._least), self._most)
        # this product is the sum of their sizes, but for what is within: quicker than to look at each
        if not math.isfinite(np.vdot(values, clipped)):
            raise ActionError(
                "The command is not finite, it holds NaN or infinity.", "Check the controller that made it."
            )
        return clipped

    def _restart(
        self,
        rows: Sequence[Row],
        random: Callable[[Row], np.random.Generator],
        options: Mapping[str, Any],
        session: bool,
    ) -> None:
        for option in options:
            choose("A reset option", option, ("keep_limb", *self.task.options))
        keep = options.get("keep_limb", False)
        given = {name: value for name, value in options.items() if name != "keep_limb"}
        fresh = [row for row in rows if not (keep and self._usable[row])]
        if self._randomization is not None and fresh:
            for row in fresh:
                self._randomization.draw(row, random(row))
            self.simulation.set_constants(fresh)
        if fresh:
            self.simulation.reset(fresh, self.limb.model.key(REST).id)

        moved, written = set(fresh), set[str]()
        for row in rows:
            senses = {name: view[row] for name, view in self.senses.items()}
            previous = self._read(row) if self._started[row] and not session else None
            state = {**self.task.start(random(row), senses, previous, given), "steps": 0, "time": 0.0}
            for field, value in self.task.place(state).items() if row in moved else ():
                self.simulation.field(field)[row] = value
                written.add(field)
            self._write(row, state)
        if not MODEL_FIELDS.isdisjoint(written):
            self.simulation.set_constants(fresh)
        if written:
            self.simulation.refresh(fresh)
        self._begin_command(fresh)

        for row in rows:
            self._started[row] = self._usable[row] = True
        if self._perception is not None:
            present = self._present()
            for row in rows:
                self._perception.restart(row, random(row), present[row])

    def _read(self, row: Row) -> State:
        """The state of one environment."""
        return self.state if row == () else {name: values[row] for name, values in self.state.items()}

    def _write(self, row: Row, state: State) -> None:
        """Put the state of one environment among those of all."""
        for name, value in state.items():
            values = np.asarray(value)
            if row == ():
                self.state[name] = values.copy() if values.ndim else values.item()  # quicker than arrays of one
            else:
                if name not in self.state:
                    self.state[name] = np.zeros((*self.simulation.shape, *values.shape), values.dtype)
                self.state[name][row] = values

    def _present(self) -> Observation:
        parts = self._body + self.task.observe(self.state, self.senses) + self._muscles
        return self._clipped(np.concatenate(parts, axis=-1, dtype=np.float32))

    def _clipped(self, observation: Observation) -> Observation:
        np.maximum(observation, self._low, out=observation)
        return np.minimum(observation, self._high, out=observation)

    def _observe(self) -> Observation:
        present = self._present()
        return present if self._perception is None else self._clipped(self._perception(present, self.state["steps"]))

    def _info(self) -> dict[str, Any]:
        info = {name: view.copy() for name, view in self.senses.items()}
        info |= {name: np.array(value) for name, value in self.task.info(self.state, self.senses).items()}
        if self._randomization is not None:
            info |= {f"scale_{name}": scale.copy() for name, scale in self._randomization.scales.items()}
        return info

    def _bounds(self) -> dict[str, tuple[Array, Array]]:
        """Lowest and highest values (width,) in an observation, in its order."""
        bounds = {}
        for name in self.limb.observed:
            high = np.broadcast_to(self.limb.senses[name].high, self.senses[name].shape[-1:])
            bounds[name] = (-high, high)
        bounds |= self.task.observed()
        muscles = self.limb.model.na
        if muscles:
            bounds["activation"] = (np.zeros(muscles), np.ones(muscles))
        return bounds


OPTIONS = ("control_rate", "time_limit", "delay", "noise", "randomize")
"""Options that every environment has, besides `command`."""


def choose(name: str, value: object, allowed: tuple[object, ...]) -> None:
    """Say that something must be one of a few.

    Raises:
        ConfigurationError: it is not.
    """
    if value not in allowed:
        raise ConfigurationError(f"{name} is {value!r}.", f"Use one of {', '.join(map(repr, allowed))}.")


def _without(term: Array, rows: Sequence[Row]) -> Array:
    term = np.array(term)
    term[list(rows)] = 0.0
    return term


def _substeps(control_rate: float, physics_rate: float) -> int:
    """Physics steps in a control step."""
    steps = round(physics_rate / control_rate) if control_rate <= physics_rate * (1 + 1e-9) else 0
    if steps == 0 or not math.isclose(steps * control_rate, physics_rate):
        whole = [
            rate for rate in range(1, round(physics_rate) + 1) if math.isclose(physics_rate % rate, 0, abs_tol=1e-6)
        ]
        raise ConfigurationError(
            f"control_rate must divide the physics rate, {physics_rate:g} Hz; {control_rate!r} does not.",
            f"Use one of {', '.join(map(str, whole))} Hz.",
        )
    return steps
