"""Decoded classes as a command: which movement is done, or which way the hand goes.

A single row of features is a poor witness, so the probabilities of rows are averaged over the last second or so, and a
class is taken up when it is probable enough; until another is, it goes on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from motorctl.agents import Stepper
from motorctl.envs import Env
from motorctl.errors import ConfigurationError, check_positive
from motorctl.runtime.loop import Step, command_range
from motorctl.signals.lsl import MarkerInlet
from motorctl.training.checkpoint import Checkpoint
from motorctl.training.csp import PatternState, SpatialPatterns
from motorctl.training.cues import DIRECTIONS
from motorctl.training.trials import class_names

Array = NDArray[np.float64]

REST = "rest"
"""Does nothing: the neutral command."""
RATE = 50.0
"""Control steps a second: rows of a class are rarer."""


@dataclass(frozen=True)
class ClassControl:
    """What decoded classes do, where the controller tells classes apart."""

    meaning: tuple[str, ...] = ()
    """Which class does what, such as fists=walk feet=rest; by default a class does what it is called. There are what
    the environment's command 'class' takes, for a velocity left, right, forward and back, and everywhere rest."""
    memory: float = 1.0
    """Time constant of the running mean of the probabilities (s)."""
    confidence: float = 0.6
    """Probability from which on a class is taken up, above 0 and below 1; 0.5 or less of two classes takes the more
    probable one at once."""
    speed: float = 0.15
    """Speed of the hand, for a velocity (m/s)."""

    def __post_init__(self) -> None:
        check_positive("classes.memory", self.memory)
        check_positive("classes.speed", self.speed)
        if not 0 < self.confidence < 1:
            raise ConfigurationError(
                f"classes.confidence is {self.confidence:g}.", "Give a probability above 0 and below 1, such as 0.6."
            )


def commands_of(control: ClassControl, names: tuple[str, ...], env: Env) -> Array:
    """The command of each class, ``(class, size)`` in physical units.

    Raises:
        ConfigurationError: a class means nothing that the environment can do, or the command takes no classes.
    """
    known = meanings(control, env)
    said = dict(text.partition("=")[::2] for text in control.meaning)
    if odd := [name for name in said if name not in names]:
        raise ConfigurationError(
            f"There is no class {', '.join(odd)}; the controller tells {', '.join(names)}.",
            "Write CLASS=MOVEMENT for some of them.",
        )
    does = [said.get(name, name) for name in names]
    if lost := [(name, what) for name, what in zip(names, does, strict=True) if what not in known]:
        example = " ".join(f"{name}={what}" for name, what in zip(names, known, strict=False))
        raise ConfigurationError(
            f"Nothing is done by {', '.join(what for _, what in lost)}; there are {', '.join(known)}.",
            f"Say what each class does, for example --classes.meaning {example}.",
        )
    return np.array([known[what] for what in does])


def meanings(control: ClassControl, env: Env) -> dict[str, Array]:
    """Commands ``(size,)`` by name.

    Raises:
        ConfigurationError: the command takes no classes.
    """
    components = env.get_wrapper_attr("limb").command.components
    kind, size = env.get_wrapper_attr("command"), len(components)
    if kind == "class":
        own = {name: row for (name, _), row in zip(components, np.eye(size), strict=True)}
    elif kind == "velocity":
        _, high = command_range(env)
        speed = min(control.speed, float(high.min()))
        own = {name: speed * np.pad(np.array(way), (0, size - 2)) for name, way in DIRECTIONS.items()}
    else:
        raise ConfigurationError(
            f"Classes cannot command '{kind}'.", "Choose an environment that takes 'class' or 'velocity'."
        )
    return own | {REST: np.zeros(size)}


class ClassState(NamedTuple):
    """What the decoder remembers.

    Args:
        network: hidden state.
        patterns: of the spatial patterns, where there are any.
        mean: ``(class,)`` running mean of the probabilities; NaN before the first row.
        taken: the class that is done; -1 before any was.
    """

    network: Any
    patterns: PatternState | None
    mean: Array
    taken: int


class ClassDecoder:
    """A controller that tells classes, as the loop wants it: from a row of features to a command.

    ``restart`` and ``average`` serve trials: the mean probabilities ``(class,)`` of the rows since, from the network's
    initial state on, which is how recordings are scored (:func:`motorctl.training.classes.trial_probabilities`).

    Args:
        checkpoint: of ``motorctl train classify``.
        control: how classes are taken up.
        commands: ``(class, size)`` what each does (:func:`commands_of`).
    """

    def __init__(self, checkpoint: Checkpoint, control: ClassControl, commands: Array) -> None:
        self._stepper, self._commands, self._confidence = Stepper(checkpoint.controller), commands, control.confidence
        self._patterns: SpatialPatterns | None = checkpoint.patterns
        self.rate = self._patterns.rate if self._patterns else checkpoint.pipeline.config.rate
        self._keep = math.exp(-1 / (control.memory * self.rate))
        self.next_in = 1 / self.rate  # from the newest row of the pipeline to the network's next (s)
        self._restart, self._sum, self._rows = False, np.zeros(len(commands)), 0

    def initial_state(self) -> ClassState:
        """Nothing was seen, nothing is done."""
        patterns = self._patterns.initial_state() if self._patterns else None
        return ClassState(self._stepper.initial_state(), patterns, np.full(len(self._commands), np.nan), -1)

    def step(self, features: NDArray[np.float32], state: ClassState) -> tuple[Array, ClassState]:
        """The command ``(size,)`` after one row of the pipeline's features ``(feature,)``."""
        network, patterns = state.network, state.patterns
        if self._patterns and patterns:
            row, patterns = self._patterns.step(features, patterns)
            self.next_in = self._patterns.next_in(patterns)
            if row is None:  # rows of the pipeline are samples, of which several make a row for the network
                return self._command(state.taken), state._replace(patterns=patterns)
            features = row
        if self._restart:
            self._restart, self._sum, self._rows = False, np.zeros(len(self._commands)), 0
            network = self._stepper.initial_state()
        logits, network = self._stepper.step(features, network)
        probabilities = softmax(logits)
        self._sum, self._rows = self._sum + probabilities, self._rows + 1
        mean = (
            probabilities if np.isnan(state.mean).any() else probabilities + self._keep * (state.mean - probabilities)
        )
        best = int(mean.argmax())
        taken = best if mean[best] >= self._confidence else state.taken
        return self._command(taken), ClassState(network, patterns, mean, taken)

    def prepare(self, state: ClassState) -> None:
        """Work out what of the next step does not wait for its row."""
        self._stepper.prepare(state.network)

    def restart(self) -> None:
        """With the next row, a trial begins."""
        self._restart = True

    @property
    def restarting(self) -> bool:
        """Whether one does."""
        return self._restart

    @property
    def average(self) -> Array | None:
        """``(class,)``; None before the first row of a trial."""
        return self._sum / self._rows if self._rows and not self._restart else None

    def _command(self, taken: int) -> Array:
        return self._commands[taken] if taken >= 0 else np.zeros(self._commands.shape[1])


def softmax(logits: NDArray[np.floating]) -> Array:
    """Probabilities ``(class,)``; NaN where the network's output is not finite."""
    with np.errstate(invalid="ignore"):
        powers = np.exp(np.asarray(logits, float) - np.max(logits))
    return np.asarray(powers / powers.sum())


class ClassResult(NamedTuple):
    """What was decoded while a cue lasted.

    Args:
        text: the marker.
        asked: the class that it asks for.
        decoded: the class that was most probable.
        probability: its mean probability.
    """

    text: str
    asked: str
    decoded: str
    probability: float


class CuedClasses:
    """Trials that begin with markers: what the controller says of each is kept, and the limb goes on as it does.

    A trial is the stretch that the controller was trained on: from ``window[0]`` s after its marker to ``window[1]`` or
    the next marker; the network starts with it, as it did in training, so that a recording that is played scores as it
    does offline.

    Args:
        markers: subscribed.
        cues: marker to class.
        window: of a trial (s).
        decoder: that drives the limb.
        report: told of every cue that has ended.
    """

    def __init__(
        self,
        markers: MarkerInlet,
        cues: Mapping[str, str],
        window: tuple[float, float],
        decoder: ClassDecoder,
        report: Callable[[ClassResult], None],
    ) -> None:
        self._markers, self._cues, self._window, self._decoder, self._report = markers, cues, window, decoder, report
        self._names = class_names(cues)
        self._cue: tuple[float, str] | None = None
        self._begun = False
        self.results: list[ClassResult] = []

    def __call__(self, step: Step) -> dict[str, Any] | None:
        """A trial of the environment goes on till its own end."""
        next_row = step.time - step.newest_age + self._decoder.next_in
        for onset, text in self._markers.read():
            self._end()
            self._cue, self._begun = ((onset, text) if text in self._cues else None), False
        if self._cue and next_row >= self._cue[0] + self._window[1]:
            self._end()
            self._cue = None
        elif self._cue and not self._begun and next_row >= self._cue[0] + self._window[0]:
            self._decoder.restart()
            self._begun = True
        return {"keep_limb": True} if step.outcome else None

    def _end(self) -> None:
        average = self._decoder.average
        if self._cue and self._begun and average is not None:
            best, text = int(average.argmax()), self._cue[1]
            self.results.append(ClassResult(text, self._cues[text], self._names[best], float(average[best])))
            self._report(self.results[-1])
