"""What the decisions of a run rested on, sent over LSL and recorded, so that the run can be replayed.

Which samples had arrived at a decision, and when it was made, no other stream tells; the rest follows from them, from
what the operator asked for, and from the configuration.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pylsl  # type: ignore[import-untyped]

from motorctl.runs import plain
from motorctl.runtime.class_control import ClassDecoder
from motorctl.runtime.limb_stream import LoopStreams
from motorctl.runtime.loop import Decoder, Step, Trials
from motorctl.runtime.operator import Operator
from motorctl.runtime.reader import Reader
from motorctl.signals.lsl import signal_outlet
from motorctl.signals.stream import Channel, Chunk, StreamInfo

HEARD, DECISIONS = "heard", "decisions"
"""What the streams are called, behind the name of the limb's."""
ASKED, TRIAL, RESTART = "asked: ", "trial: ", "restart"
"""How events begin that tell what the operator asked for, the options of a new trial, and that a decoder of classes
begins anew."""
READ = Channel("read", "", "MISC")
"""1 with the first row of each chunk that the source gave, else 0."""
DECISION = (Channel("ready", "s", "Timing"), Channel("rows", "samples", "Timing"), Channel("assist", "", "Timing"))
"""When the decision was made, how many rows of ``NAME heard`` had come for it since the one before, and the share of
the expert in it."""


class Tape:
    """A sink of the loop's steps that sends on what each decision rested on.

    ==================  ===============================================================================================
    ``NAME heard``      the EEG as the loop has heard it, in µV on this machine's clock, NaN where nothing was measured
    ``NAME decisions``  every step: :data:`DECISION`, stamped with its command's time
    ``NAME events``     of :class:`~motorctl.runtime.limb_stream.LoopStreams`: ``asked: stop``, ``trial: {...}``
    ==================  ===============================================================================================

    Args:
        streams: of the same run.
        reader: of the run.
        operator: of the run.
        run: its configuration, plain JSON types, for the description of both streams; with ``seed``.
    """

    def __init__(self, streams: LoopStreams, reader: Reader, operator: Operator, run: dict[str, Any]) -> None:
        name, info = streams.names[0], reader.source.info
        said = streams.description | {"run": plain(run), "stream": info.to_dict()}
        self.names = f"{name} {HEARD}", f"{name} {DECISIONS}"
        self._streams, self._reader, self._operator = streams, reader, operator
        heard = StreamInfo(self.names[0], "Heard", info.rate, (*info.channels, READ))
        decisions = StreamInfo(self.names[1], "Decisions", said["control_rate"], DECISION)
        self._heard = signal_outlet(heard, metadata=said)
        self._decisions = signal_outlet(decisions, metadata=said, value_format=pylsl.cf_double64)

    def __call__(self, step: Step) -> None:
        """Send what a step rested on."""
        heard = self._reader.heard
        ready = step.time - step.compute
        self._decisions.push_sample([ready, float(sum(map(len, heard))), step.assist], step.time)
        for chunk in heard:
            self._heard.push_chunk(with_first(chunk), chunk.times.tolist())
        request, why = self._operator.taken
        if request:
            self._streams.say(f"{ASKED}{request}" + f", {why}" * bool(why), step.time)

    def told(self, trials: Trials, decoder: Decoder | None) -> Trials:
        """As ``trials``, with an event for each new one, and for each restart of the decoder that it brings about."""

        def ask(step: Step) -> dict[str, Any] | None:
            if (options := trials(step)) is not None:
                listed = {name: np.asarray(value).tolist() for name, value in options.items()}
                self._streams.say(TRIAL + json.dumps(listed), step.time)
            if isinstance(decoder, ClassDecoder) and decoder.restarting:
                self._streams.say(RESTART, step.time)
            return options

        return ask


def with_first(chunk: Chunk) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Rows ``(time, channel + 1)`` of :data:`HEARD`."""
    rows = np.zeros((len(chunk), chunk.samples.shape[1] + 1), np.float32)
    rows[:, :-1] = np.where(chunk.mask, chunk.samples, np.nan)
    rows[0, -1] = 1
    return rows
