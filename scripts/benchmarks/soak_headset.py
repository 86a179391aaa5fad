"""The headset of `soak.py`: noise in real time with every fault there is, each sample written down before it is sent.

`python scripts/benchmarks/soak_headset.py NAME SEED LOG LABEL...`; it imports little, so that it is soon back after it
was killed.
"""

from __future__ import annotations

import os
import sys
from typing import Any, get_args

import numpy as np
import pylsl  # type: ignore[import-untyped]
from numpy.typing import NDArray

from motorctl.signals.faults import Fault, Faults, FaultySink
from motorctl.signals.headset import stream_chunks
from motorctl.signals.lsl import LSLSink
from motorctl.signals.stream import Channel, StreamInfo

RATE = 250.0
EVERY = 4.0
"""Mean time between two faults (s)."""
CALM = 0
"""Seed of a headset without faults."""
SENT = np.dtype([("pushed", "f8"), ("stamp", "f8"), ("usable", "?")])
"""What is written down of a sample: when it was sent (s), its stamp, and whether the loop may use it."""


def main(name: str, seed: int, log: str, labels: list[str]) -> None:
    info = StreamInfo(name, "EEG", RATE, tuple(map(Channel, labels)), f"id-{name}")
    rng, file = np.random.default_rng(seed), os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    class Written(LSLSink):
        """Writes down what it sends."""

        def __init__(self, described: StreamInfo, speed: float) -> None:
            super().__init__(described, speed)
            self._right = (described.name, described.rate, described.channels) == (info.name, info.rate, info.channels)

        def send(self, samples: NDArray[np.float32], times: NDArray[np.float64]) -> None:
            rows = np.empty(len(times), SENT)
            rows["pushed"], rows["stamp"] = pylsl.local_clock(), times
            rows["usable"] = self._right & (2 * np.isfinite(samples).sum(axis=1) >= len(labels))
            os.write(file, rows.tobytes())
            super().send(samples, times)

    def noise(count: int) -> NDArray[np.float32]:
        return rng.normal(0, 10, (count, len(labels))).astype(np.float32)

    kinds: tuple[Any, ...] = () if seed == CALM else get_args(Fault)
    with FaultySink(info, Faults(kinds, EVERY, seed), 1.0, lambda line: print(line, flush=True), Written) as sink:
        stream_chunks(sink.send, info.rate, noise)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:])
