"""What the loop says over LSL: where the limb is and is told to go, how fast all was, what is allowed, what happened.

Every stream's ``desc/motorctl`` tells what the run is, so that a client which joins late knows all: :func:`describe`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from operator import attrgetter
from typing import Any, NamedTuple
from xml.etree import ElementTree

import mujoco
import numpy as np
import pylsl  # type: ignore[import-untyped]
from numpy.typing import ArrayLike

from motorctl.envs import UNITS, Env, joint_names
from motorctl.runtime.loop import Step, command_range
from motorctl.runtime.safety import CAUTIOUS, UNHEARD, Phase, SafetyConfig
from motorctl.signals.lsl import marker_outlet, signal_outlet
from motorctl.signals.stream import Channel, StreamInfo

TIMING = tuple(
    Channel(name, unit, "Timing")
    for name, unit in (
        *((name, "s") for name in ("newest_age", "oldest_age", "delay", "compute", "slack")),
        ("missed", "deadlines"),
    )
)
STATUS = tuple(Channel(name, "", "Status") for name in ("phase", "assist", "trial", "targets", "reached", "gated"))
STATUS_PERIOD = 0.5
"""Longest time between two samples of the status (s)."""
PHASES = tuple(phase.value for phase in Phase)
"""What the numbers of the status stream's phase mean."""
ALSO_SAID = ("hand_position", "hand_velocity", "joint_velocities", "activation")
"""Senses that have a place of their own among the channels, or none."""


class Part(NamedTuple):
    """Channels that belong together, and where a step has their values."""

    channels: tuple[Channel, ...]
    of: Callable[[Step], ArrayLike]


def limb_parts(env: Env) -> list[Part]:
    """What the stream of a limb tells, in order: ``hand``, ``hand_velocity`` and ``target`` where the environment has
    them, ``command`` (what the limb was told), ``wanted`` (what was decoded), ``intended`` (what the expert would have
    commanded), the joints, named as in the MJCF, and what else is sensed and asked for.
    """
    limb = env.get_wrapper_attr("limb")
    _, info = env.reset(seed=0)
    named = {"hand_position": "hand", "hand_velocity": "hand_velocity", "target_position": "target"}
    parts = [_spread(label, name, np.size(info[name])) for name, label in named.items() if name in info]
    for what in ("command", "wanted", "intended"):
        channels = (Channel(f"{what}_{name}", unit, "MoCap") for name, unit in limb.command.components)
        parts.append(Part(tuple(channels), attrgetter(what)))
    for name, sense in limb.senses.items():
        if sense.field == "qpos":
            parts.append(_joints(limb, name))
        elif name not in ALSO_SAID:
            parts.append(_spread(name, name, np.size(info[name])))
    asked = [name for name, value in info.items() if name not in limb.senses and _is_number(value)]
    return parts + [_spread(name, name, 1) for name in asked]


def _is_number(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.size == 1 and value.dtype.kind in "bif"


def _spread(label: str, name: str, width: int) -> Part:
    """Something of ``info``: as many channels as it has numbers."""
    spatial = name.endswith(("_position", "_velocity", "_axis"))
    axes = "xyz"[:width] if spatial else map(str, range(1, width + 1))
    labels = [f"{label}_{axis}" for axis in axes] if width > 1 else [label]
    return Part(tuple(Channel(text, UNITS.get(name, ""), "MoCap") for text in labels), lambda step: step.info[name])


def _joints(limb: Any, name: str) -> Part:
    """Positions of joints, which a picture of the limb is drawn from."""
    slide = limb.model.jnt_type == mujoco.mjtJoint.mjJNT_SLIDE
    joints = joint_names(limb, name)
    channels = (Channel(j, "m" if slide[limb.model.joint(j).id] else "rad", "MoCap") for j in joints)
    return Part(tuple(channels), lambda step: step.info[name])


def describe(env: Env, safety: SafetyConfig, controller: str, delay: float) -> dict[str, Any]:
    """What a run is, as plain JSON types.

    Returns:
        ``environment``, its id, and ``options``; ``control_rate`` (Hz); ``command``, its kind, and ``components``, name
        and unit of each number; ``low`` and ``high``, their range; ``safety``, as on the command line; ``phases``, in
        the order of their numbers; ``delay``, the pipeline's (s); ``controller``, its folder; ``version``.
    """
    assert env.spec
    low, high = command_range(env)
    return {
        "environment": env.spec.id,
        "options": {name: value for name, value in env.spec.kwargs.items() if name != "name"},
        "control_rate": env.get_wrapper_attr("control_rate"),
        "command": env.get_wrapper_attr("command"),
        "components": env.get_wrapper_attr("limb").command.components,
        "low": low.tolist(),
        "high": high.tolist(),
        "safety": asdict(safety),
        "phases": PHASES,
        "delay": delay,
        "controller": controller,
        "version": version("motorctl"),
    }


def read_description(info: pylsl.StreamInfo) -> dict[str, Any]:
    """What :func:`describe` gave, from an inlet's full ``info()``; empty if the stream is none of a run's."""
    said = ElementTree.fromstring(info.as_xml()).find("desc/motorctl")
    return {child.tag: json.loads(child.text or "null") for child in said} if said is not None else {}


class LoopStreams:
    """A sink of the loop's steps that sends them on, stamped with the time of their command.

    ======================  ============================================================================================
    ``NAME`` (MoCap)        every step: :func:`limb_parts`
    ``NAME timing``         every step: :data:`TIMING`; the ages are NaN before the first sample was used
    ``NAME status``         at every change and twice a second: :data:`STATUS`; ``targets`` and ``reached`` count trials
                            that the expert had no share in; ``gated`` is the share of all samples so far that was
                            missing or taken for an artefact
    ``NAME events``         markers: ``running``, ``holding: no sample for 0.11 s``, ``reached``, ``assist 0.5``
    ======================  ============================================================================================

    Args:
        name: of the first stream.
        env: that is moved.
        safety: its limits are told.
        controller: folder of the controller.
        delay: group delay of the pipeline (s).
        gated: asked for the share of gated samples.
    """

    def __init__(
        self,
        name: str,
        env: Env,
        safety: SafetyConfig = CAUTIOUS,
        controller: str = "",
        delay: float = 0.0,
        gated: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.names = name, f"{name} timing", f"{name} status", f"{name} events"
        said = self.description = describe(env, safety, controller, delay)
        rate = said["control_rate"]
        self._parts, self._delay, self._gated = limb_parts(env), delay, gated
        channels = tuple(channel for part in self._parts for channel in part.channels)
        self._limb = signal_outlet(StreamInfo(name, "MoCap", rate, channels), metadata=said)
        self._timing = signal_outlet(StreamInfo(self.names[1], "Timing", rate, TIMING), metadata=said)
        self._status = signal_outlet(StreamInfo(self.names[2], "Status", 0.0, STATUS), metadata=said)
        self._events = marker_outlet(self.names[3], metadata=said)
        self._phase, self._assist = (Phase.IDLE, UNHEARD), 0.0
        self._targets = self._reached = 0  # of trials without the expert's help
        self._helped = False
        self._said: tuple[object, ...] = ()
        self._due = -float("inf")

    def wait_for_watcher(self, timeout: float) -> bool:
        """Whether somebody subscribes to the limb's stream within ``timeout`` s."""
        return bool(self._limb.wait_for_consumers(timeout))

    def __call__(self, step: Step) -> None:
        """Send a step."""
        values = np.concatenate([np.ravel(part.of(step)) for part in self._parts])
        self._limb.push_sample(values.tolist(), step.time)
        timing = step.newest_age, step.oldest_age, self._delay, step.compute, step.slack, step.missed
        self._timing.push_sample(timing, step.time)
        for event in self._happened(step):
            self._events.push_sample([event], step.time)
        state = step.phase, step.assist, step.trial, self._targets, self._reached
        if state != self._said or step.time >= self._due:
            self._said, self._due = state, step.time + STATUS_PERIOD
            self._status.push_sample([PHASES.index(step.phase), *state[1:], self._gated()], step.time)

    def say(self, text: str, time: float) -> None:
        """One more event, such as ``cue: left``."""
        self._events.push_sample([text], time)

    def _happened(self, step: Step) -> list[str]:
        events = []
        if (step.phase, step.cause) != self._phase:
            self._phase = step.phase, step.cause
            events.append(f"{step.phase}: {step.cause}" if step.cause else step.phase.value)
        if step.assist != self._assist and round(step.assist, 1) != round(self._assist, 1):
            self._assist = step.assist
            events.append(f"assist {step.assist:.1f}")
        self._helped |= step.assist > 0
        if step.outcome:
            self._targets += not self._helped
            self._reached += step.success and not self._helped
            self._helped = False
            events.append(step.outcome)
        return events
