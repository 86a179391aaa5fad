"""What the loop says over LSL: where the limb is and is told to go, how fast all was, and what happened."""

from __future__ import annotations

import numpy as np
from pylsl import StreamOutlet  # type: ignore[import-untyped]

from motorctl.runtime.loop import Step
from motorctl.runtime.safety import Phase
from motorctl.signals.lsl import marker_outlet, signal_outlet
from motorctl.signals.stream import Channel, StreamInfo

CHANNELS = tuple(
    Channel(f"{what}_{axis}", unit, "MoCap")
    for what, unit in (("hand", "m"), ("hand_velocity", "m/s"), ("target", "m"), ("command", "m/s"), ("wanted", "m/s"))
    for axis in "xy"
)
TIMING = tuple(Channel(name, "s", "Timing") for name in ("latency", "compute", "slack"))


def limb_outlet(name: str, rate: float) -> StreamOutlet:
    """An outlet of type ``MoCap`` with :data:`CHANNELS`, ``rate`` times a second: ``wanted`` is what was decoded,
    ``command`` what the limb was told."""
    return signal_outlet(StreamInfo(name, "MoCap", rate, CHANNELS))


class LoopStreams:
    """A sink of the loop's steps that sends them on, stamped with the time of their command.

    Beside the limb's stream NAME there are ``NAME timing``, with :data:`TIMING` of every step (latency is NaN unless
    the controller moves the limb), and ``NAME events``, markers such as ``running``, ``holding: no sample for 0.11 s``
    and ``reached``.

    Args:
        limb: from :func:`limb_outlet`.
    """

    def __init__(self, limb: StreamOutlet) -> None:
        info = limb.get_info()
        name, rate = info.name(), info.nominal_srate()
        self.names = name, f"{name} timing", f"{name} events"
        self._limb = limb
        self._timing = signal_outlet(StreamInfo(self.names[1], "Timing", rate, TIMING))
        self._events = marker_outlet(self.names[2])
        self._phase = Phase.IDLE

    def __call__(self, step: Step) -> None:
        """Send a step."""
        moved = np.concatenate([step.hand, step.hand_velocity, step.target, step.command, step.wanted])
        self._limb.push_sample(moved.tolist(), step.time)
        self._timing.push_sample([step.latency, step.compute, step.slack], step.time)
        if step.phase is not self._phase:
            self._phase = step.phase
            self._events.push_sample([f"{step.phase}: {step.cause}" if step.cause else step.phase.value], step.time)
        if step.outcome:
            self._events.push_sample([step.outcome], step.time)
