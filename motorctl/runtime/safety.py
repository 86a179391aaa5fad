"""Safety has the last word: a watchdog over what is heard and decoded, between the controller and the limb.

What counts is how old the newest sample is, not whether something is connected. After a moment of silence the last
command is held, then it fades to neutral, then the limb is stopped; what comes back is heard for a while before it may
move the limb again, with filters and hidden state made anew. A command that is not finite counts as silence.

::

    idle --heard--> armed --settled--> running --quiet--> holding --quiet for long--> stopped
                      ^                   ^------heard-------'                           |
                      '---------------------------heard----------------------------------'

An operator may hold, stop and start at any time; after a stop only a start goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from motorctl.errors import ConfigurationError, check_positive
from motorctl.runtime.limits import Given, Limits

Array = NDArray[np.float64]

Request = Literal["start", "hold", "stop"]
"""What an operator may ask for."""


class Phase(StrEnum):
    """What the limb is allowed."""

    IDLE = "idle"
    """Nothing is heard yet: neutral."""
    ARMED = "armed"
    """Samples come, filters fill: neutral."""
    RUNNING = "running"
    """The controller moves the limb."""
    HOLDING = "holding"
    """Quiet: the last command, then less and less of it. Held by the operator: neutral."""
    STOPPED = "stopped"
    """Quiet for long, or stopped by the operator: neutral."""


@dataclass(frozen=True)
class SafetyConfig:
    """When the limb is held and stopped, and how fast a command may change."""

    hold_after: float = 0.1
    """Age of the newest sample from which on the last command is held (s)."""
    fade_after: float = 0.25
    """Age from which on it fades (s)."""
    fade: float = 0.25
    """How long it takes to be neutral then (s)."""
    stop_after: float = 1.0
    """Age at which the limb is stopped, and filters and hidden state are forgotten (s)."""
    settle: float = 0.5
    """How long samples must come without a break before the limb moves (s)."""
    rate: float = 20.0
    """Most that a command may change in a second, in parts of its range."""
    acceleration: float = 1000.0
    """Most that this rate may change in a second, in parts of its range per second."""
    workspace: tuple[float, ...] = ()
    """Box that the hand is not commanded out of: lowest and highest x, then y (then z), m from the shoulder. For a
    command that is a velocity; without one, the limb's own reach alone bounds it."""

    def __post_init__(self) -> None:
        for name in ("hold_after", "fade_after", "fade", "stop_after", "rate", "acceleration"):
            check_positive(name, getattr(self, name))
        ends = self.workspace
        if not all(np.isfinite(ends)) or not all(a < b for a, b in zip(ends[::2], ends[1::2], strict=False)):
            raise ConfigurationError(
                f"The workspace {' '.join(f'{end:g}' for end in ends)} is no box.",
                "Give lowest and highest x, then y, m, such as -0.2 0.2 0.3 0.6.",
            )
        if not 0 <= self.settle < float("inf"):
            raise ConfigurationError(f"settle is {self.settle:g}.", "Give 0 s or more.")
        if not self.hold_after <= self.fade_after <= self.stop_after:
            raise ConfigurationError(
                f"hold_after, fade_after and stop_after are {self.hold_after:g}, {self.fade_after:g} and "
                f"{self.stop_after:g} s.",
                "Let each be at least as long as the one before.",
            )

    def limits(self, low: Array, high: Array, period: float) -> Limits:
        """Of a command in ``low (size,)`` to ``high (size,)`` that is given every ``period`` s."""
        width = high - low
        return Limits(low, high, width * self.rate * period, width * self.acceleration * period**2)


UNHEARD = "nothing is heard yet"
"""Cause of the first phase."""
CAUTIOUS = SafetyConfig()
"""What holds where nothing else is said."""


class SafetyState(NamedTuple):
    """What safety remembers from step to step."""

    phase: Phase
    cause: str  # of the phase, in a few words
    given: Given
    usable_since: float  # s: samples and commands have been usable without a break since then; inf when they are not
    usable_until: float  # s: when the newest usable sample was measured
    wanted: Array  # the last usable command
    latched: Request  # what the operator last asked for
    asked: str  # why, in a few words


def first_state(size: int, now: float) -> SafetyState:
    """Nothing is heard yet, and the operator means to start."""
    neutral = np.zeros(size)
    given = Given(neutral, neutral)
    return SafetyState(Phase.IDLE, UNHEARD, given, float("inf"), now, neutral, "start", "")


def late(config: SafetyConfig, lateness: float) -> str:
    """What is wrong with samples that are ``lateness`` s old when they come; nothing, if they can move the limb."""
    if lateness <= config.hold_after:
        return ""
    return f"samples come more than {config.hold_after:g} s late; if the device is as slow, raise --safety.hold-after"


def advance(
    config: SafetyConfig,
    limits: Limits,
    state: SafetyState,
    wanted: NDArray[np.floating],
    newest: float,
    now: float,
    request: Request | None = None,
    asked: str = "",
    trouble: str = "",
) -> SafetyState:
    """One control step.

    Args:
        config: when to hold and to stop.
        limits: of the command, whose neutral value is 0.
        state: of the step before.
        wanted: ``(size,)`` what the controller commands.
        newest: when the newest usable sample was measured (s).
        now: on the same clock.
        request: what the operator has asked for since the step before.
        asked: why, where it was not the operator's own wish.
        trouble: why no sample comes, in one line, if that is known.

    Returns:
        The new state; ``given.command`` is what the limb is told.
    """
    fresh, held = now - newest <= config.hold_after, state.phase is Phase.HOLDING and state.latched == "hold"
    since, until, usable = float("inf"), state.usable_until, state.wanted
    if fresh and np.isfinite(wanted).all():
        since, until, usable = min(state.usable_since, now), newest, wanted.astype(float)
    asks = (request, asked) if request else (state.latched, state.asked)
    state = SafetyState(state.phase, state.cause, state.given, since, until, usable, *asks)
    quiet = now - state.usable_until
    reason = "the controller's output is not finite" if fresh else trouble or f"no sample for {now - newest:.2f} s"
    phase, cause = _next_phase(config, state, held, quiet, now, reason)
    if phase is state.phase is not Phase.RUNNING and state.latched == "start" and not (trouble or request):
        cause = state.cause  # the first, while it lasts
    return SafetyState(phase, cause, _command(config, limits, state, phase, quiet), since, until, usable, *asks)


def _next_phase(
    config: SafetyConfig, state: SafetyState, held: bool, quiet: float, now: float, reason: str
) -> tuple[Phase, str]:
    """The phase, and its cause; ``held`` if the operator held the limb till now."""
    usable = np.isfinite(state.usable_since)
    if state.latched == "stop":
        return Phase.STOPPED, state.asked or "stopped by the operator"
    if state.latched == "hold":
        return Phase.HOLDING, state.asked or "held by the operator"
    if state.phase is Phase.RUNNING or (state.phase is Phase.HOLDING and not held):
        if usable:
            return Phase.RUNNING, ""
        return (Phase.HOLDING, reason) if quiet < config.stop_after else (Phase.STOPPED, reason)
    if not usable:
        return (state.phase if state.phase is Phase.STOPPED else Phase.IDLE), reason
    settled = now - state.usable_since >= config.settle
    return (Phase.RUNNING, "") if settled else (Phase.ARMED, "samples come, filters fill")


def _command(config: SafetyConfig, limits: Limits, state: SafetyState, phase: Phase, quiet: float) -> Given:
    """What the limb is told."""
    if phase is Phase.RUNNING:
        return limits.approach(state.wanted, state.given)
    neutral = np.zeros_like(state.wanted)
    if state.latched == "stop":  # at once, whatever the limits of change
        return Given(neutral, neutral)
    if phase is Phase.HOLDING and state.latched == "start":
        left = 1 - np.clip((quiet - config.fade_after) / config.fade, 0, 1)
        return limits.approach(state.wanted * left, state.given)
    return limits.approach(neutral, state.given)
