"""A decoder that adapts to its user in the closed loop: which rows it learns from, and what was intended in them.

What somebody intended is not what the decoder gave, nor what the limb was told: with assistance the latter is the
expert's in part, and a decoder that learned it would learn from its helper, or from itself. It is taken to be what the
expert commands at the hand and the target that the user saw, one visual delay before; inside the target nothing. That
is ReFIT's intention (Gilja et al. 2012, Nat. Neurosci. 15(12):1752-1757) with the expert's speed, since a read-out that
is regressed on its own speed slows down from update to update. It holds whoever moved the hand there. Rows tell nothing
while the limb is held or stopped, just after a target has changed, which users take a while to answer, and while the
expert does more than half, as then nobody has to try.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from motorctl.agents import Stepper
from motorctl.envs import Env
from motorctl.errors import ConfigurationError, check_positive
from motorctl.person.user import User
from motorctl.runtime.learner import Learner
from motorctl.runtime.loop import Step
from motorctl.runtime.operator import Operator
from motorctl.runtime.safety import Phase
from motorctl.training.checkpoint import Checkpoint, save_checkpoint
from motorctl.training.decoder_adaptation import (
    Intercept,
    RecursiveLeastSquares,
    Rule,
    SmoothBatch,
    readouts,
    with_readout,
)
from motorctl.training.steering import REACHING, WAYS

Array = NDArray[np.floating]

REACTION = 0.3
"""How long a user takes to answer a new target (s): about 0.3 s to choose (Luce 1986, Response Times, Oxford)."""
MOST_ASSIST = 0.5
"""Share of the expert above which nothing is learned."""


@dataclass(frozen=True)
class LearningConfig:
    """How the read-out follows its user."""

    rule: Literal["rls", "smooth-batch", "intercept"] = "rls"
    """Recursive least squares, after each trial, SmoothBatch, once in a while (Orsborn et al. 2012), or the bias alone,
    after each trial (Wolpaw & McFarland 2004)."""
    half_life: float = 120.0
    """Of rls and smooth-batch: time after which a row counts half, or half of the first read-out is left (s)."""
    batch: float = 30.0
    """How often SmoothBatch changes the read-out (s)."""
    bound: float = 1.0
    """Farthest that the read-out may come from the first, as a share of its size."""

    def __post_init__(self) -> None:
        for name in ("half_life", "batch", "bound"):
            check_positive(f"learning.{name}", getattr(self, name))

    def made(self) -> Rule[Any]:
        """The rule."""
        if self.rule == "rls":
            return RecursiveLeastSquares(half_life=self.half_life)
        if self.rule == "intercept":
            return Intercept()
        return SmoothBatch(batch=self.batch, half_life=self.half_life)


class AdaptiveDecoder:
    """A controller whose read-out is exchanged between two steps whenever a new one has been learned. ``with`` ends the
    learning.

    Args:
        checkpoint: gives velocities of a hand.
        config: how it learns.
    """

    def __init__(self, checkpoint: Checkpoint, config: LearningConfig) -> None:
        self._stepper = Stepper(checkpoint.controller)
        self._units: Array | None = None
        self.first = readouts(checkpoint.controller, 1)[0].double().numpy()
        self.readout: Array = self.first
        self.learner = Learner(self.first, config.made(), checkpoint.pipeline.config.rate, config.bound)

    def initial_state(self) -> Any:
        """As the controller's."""
        self._units = None
        return self._stepper.initial_state()

    def step(self, features: NDArray[np.float32], state: Any) -> tuple[Array, Any]:
        """As the controller's, by the newest read-out."""
        if (readout := self.learner.newest()) is not None:
            self.readout = readout
            weights = readout.astype(self._stepper.readout[0].dtype)
            self._stepper.readout = weights[:, :-1], weights[:, -1]
        self._units, state = self._stepper.units(features, state)
        weight, bias = self._stepper.readout
        return weight @ self._units + bias, state

    def prepare(self, state: Any) -> None:
        """As the controller's."""
        self._stepper.prepare(state)

    def newest_units(self) -> Array | None:
        """What the last row was read out of, once."""
        units, self._units = self._units, None
        return units

    @property
    def change(self) -> float:
        """How far the read-out has come, as a share of its first size."""
        return float(np.linalg.norm(self.readout - self.first) / np.linalg.norm(self.first))


class Pupil:
    """A decoder that is told after every step of the loop what its user intended, by :meth:`learn`, a sink.

    Args:
        checkpoint: what it was before.
        config: how it learns.
        env: whose hand it moves.
        operator: asked to stop the limb when the process that learns has died.
        decoder: that learns.
    """

    def __init__(
        self, checkpoint: Checkpoint, config: LearningConfig, env: Env, operator: Operator, decoder: AdaptiveDecoder
    ) -> None:
        way, rate = WAYS.get(checkpoint.steer, REACHING), env.get_wrapper_attr("control_rate")
        self.decoder = decoder
        self._checkpoint, self._config, self._operator = checkpoint, config, operator
        self._radius, self._expert, self._gain = env.get_wrapper_attr("task").target_radius, way.expert, way.gain
        self._seen: deque[tuple[Array, Array]] = deque(maxlen=round(User.delay * rate) + 1)
        self._wait = self._unanswered = round((User.delay + REACTION) * rate)
        self._target: Array | None = None
        self._anew = False
        self._told = False

    def learn(self, step: Step) -> None:
        """From a step, if it tells anything."""
        if self.decoder.learner.ended and not self._told:
            self._told = True
            self._operator.ask("stop", "the learner was killed")
        units = self.decoder.newest_units()
        hand, target = np.array(step.info["shown_position"]), np.array(step.info["target_position"])
        if self._target is None or not np.array_equal(target, self._target):
            self._unanswered, self._anew = self._wait, True
        self._target = target
        if step.phase is not Phase.RUNNING:  # what comes next begins anew
            self._seen.clear()
        elif (
            units is not None
            and len(self._seen) == self._seen.maxlen
            and not self._unanswered
            and step.assist <= MOST_ASSIST
            and np.isfinite(units).all()
        ):
            self.decoder.learner.learn(units, self.intended(*self._seen[0]), self._anew)
            self._anew = False
        self._unanswered = max(0, self._unanswered - 1)
        self._seen.append((hand, target))

    def intended(self, hand: Array, target: Array) -> Array:
        """The command ``(axis,)`` that a user is taken to intend who sees ``hand`` and ``target (axis,)`` (m)."""
        inside = np.linalg.norm(target - hand) <= self._radius
        return (
            np.zeros_like(hand)
            if inside
            else self._gain * np.asarray(self._expert(hand.astype(float), target.astype(float)))
        )

    def store(self, folder: Path, where_from: Path) -> dict[str, Any]:
        """Write the controller as it is now into a new folder; it tells that it came from ``where_from``. Returns what
        is told of it."""
        decoder, before = self.decoder, self._checkpoint
        told = {"from": str(where_from), "rows": decoder.learner.learned, "change": decoder.change}
        told |= {"learning": asdict(self._config)}
        history = {**before.history, "adapted_live": [*before.history.get("adapted_live", []), told]}
        controller = with_readout(before.controller, torch.from_numpy(decoder.readout).float())
        folder.mkdir(parents=True, exist_ok=True)
        save_checkpoint(replace(before, controller=controller, history=history), folder)
        return {**told, "folder": str(folder)}


@contextmanager
def adapting(checkpoint: Checkpoint, config: LearningConfig, env: Env, operator: Operator) -> Iterator[Pupil]:
    """While this lasts, a decoder learns what its user intends.

    Raises:
        ConfigurationError: the controller gives no velocity, or the environment's hand has no target.
    """
    if checkpoint.command != "velocity" or not hasattr(env.get_wrapper_attr("task"), "target_radius"):
        raise ConfigurationError(
            f"A controller that gives '{checkpoint.command}' in {checkpoint.environment} does not adapt: what users "
            "intend is known of a hand and its target alone.",
            "Leave out --adapt, or calibrate and train again.",
        )
    decoder = AdaptiveDecoder(checkpoint, config)
    with decoder.learner:
        yield Pupil(checkpoint, config, env, operator, decoder)
