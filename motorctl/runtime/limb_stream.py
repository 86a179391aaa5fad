"""Hand and target as an LSL stream, so that the person on the other side can see what the loop does."""

from __future__ import annotations

import numpy as np
from pylsl import StreamOutlet  # type: ignore[import-untyped]

from motorctl.runtime.loop import Step
from motorctl.signals.lsl import signal_outlet
from motorctl.signals.stream import Channel, StreamInfo

CHANNELS = tuple(
    Channel(f"{what}_{axis}", unit, "MoCap")
    for what, unit in (("hand", "m"), ("hand_velocity", "m/s"), ("target", "m"), ("command", "m/s"))
    for axis in "xy"
)


def limb_outlet(name: str, rate: float) -> StreamOutlet:
    """An outlet of type ``MoCap`` with :data:`CHANNELS`, ``rate`` times a second."""
    return signal_outlet(StreamInfo(name, "MoCap", rate, CHANNELS))


def limb_sample(step: Step) -> list[float]:
    """A step as one sample of the stream."""
    return [float(x) for x in np.concatenate([step.hand, step.hand_velocity, step.target, step.command])]
