"""A headset that is not there: a recording, or any other giver of samples, sent over LSL in real time."""

from __future__ import annotations

import math
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pylsl  # type: ignore[import-untyped]
from numpy.typing import NDArray

from motorctl.errors import ConfigurationError
from motorctl.signals.faults import NO_FAULTS, Faults, open_sink
from motorctl.signals.lsl import marker_outlet
from motorctl.signals.recording import Recording

CHUNK_SECONDS = 0.008  # as Bluetooth and USB amplifiers send

Send = Callable[[NDArray[np.float32], NDArray[np.float64]], None]
NextChunk = Callable[[int], NDArray[np.float32]]
OnChunk = Callable[[int, NDArray[np.float64]], None]


def say(line: str) -> None:
    """Print at once, also where nobody watches but a file or another process."""
    print(line, flush=True)


def stream_chunks(
    send: Send,
    rate: float,
    next_chunk: NextChunk,
    *,
    chunk_seconds: float = CHUNK_SECONDS,
    stop: threading.Event | None = None,
    on_chunk: OnChunk | None = None,
) -> None:
    """Send samples in real time, each stamped with the ``local_clock()`` at which it is due.

    Sample ``k`` is due ``k / rate`` seconds after the first, so that errors of waiting do not add up; after a stall the
    samples that are due go out at once, like those of a device that was buffered.

    Args:
        send: called with samples and their stamps: :meth:`motorctl.signals.lsl.LSLSink.send`.
        rate: samples a second.
        next_chunk: called with ``n`` when the last of ``n`` samples is due; gives up to ``n`` as ``(time, channel)``
            float32, none at the end. NaN is a value that is missing; a sample of nothing but NaN is not sent.
        chunk_seconds: how much is sent at once, at least one sample.
        stop: ends it when set, within a chunk.
        on_chunk: called after each chunk with how many samples went before, and the stamps ``(time,)`` of its own.
    """
    stop = stop or threading.Event()
    count = max(1, round(rate * chunk_seconds))
    sent = 0
    begin = pylsl.local_clock()
    while not stop.wait(max(0.0, begin + (sent + count - 1) / rate - pylsl.local_clock())):
        samples = next_chunk(count)
        if not len(samples):
            break
        times = begin + np.arange(sent, sent + len(samples)) / rate
        send(samples, times)
        if on_chunk:
            on_chunk(sent, times)
        sent += len(samples)


def play_recording(
    recording: Recording,
    name: str | None = None,
    *,
    speed: float = 1.0,
    loop: bool = False,
    start: float = 0.0,
    faults: Faults = NO_FAULTS,
    stop: threading.Event | None = None,
    announce: Callable[[str], None] = say,
    on_progress: Callable[[float], None] | None = None,
) -> None:
    """Play a recording as the stream of a headset, and its annotations as the markers ``<name> markers``.

    The nominal rate stays the recording's at any speed, since a decoder trained at that rate is to accept the stream;
    samples and stamps come ``speed`` times as fast. What was never measured is not sent, and the padding at the end
    of a file ends it.

    Args:
        recording: from :func:`motorctl.signals.recording.read_recording`.
        name: the stream's name; the recording's if not given.
        speed: how many recorded seconds pass in a second.
        loop: begin again at ``start`` after the end, without a break, until stopped.
        start: recorded second to begin at.
        faults: what goes wrong; the markers are spared.
        stop: ends the playback when set.
        announce: told one line when the streams are visible.
        on_progress: told the recorded seconds played so far, after each chunk.

    Raises:
        ConfigurationError: if ``speed`` is not above 0, or ``start`` not within the recording.
    """
    part = _played_part(recording, start, speed)
    info = replace(part.info, name=name or part.info.name)
    markers = marker_outlet(f"{info.name} markers")
    send_markers = _marker_sender(part, markers, speed)

    def on_chunk(first: int, times: NDArray[np.float64]) -> None:
        send_markers(first, times)
        if on_progress:
            on_progress((first + len(times)) / info.rate)

    with open_sink(info, faults, speed, announce) as sink:
        announce(_announcement(part, info.name, speed, loop))
        stream_chunks(sink.send, info.rate * speed, _giver(part, loop), stop=stop, on_chunk=on_chunk)


def _played_part(recording: Recording, start: float, speed: float) -> Recording:
    """From ``start`` to the last sample that was measured."""
    rate = recording.info.rate
    if not (speed > 0 and math.isfinite(speed)):
        raise ConfigurationError(f"--speed {speed:g} cannot be played.", "Give a number above 0; 1 is real time.")
    end = (np.flatnonzero(recording.mask.any(axis=1))[-1] + 1) / rate
    if not 0 <= start <= end - 1 / rate:
        raise ConfigurationError(
            f"--start {start:g} is not within '{recording.path.name}', which lasts {end:g} s.",
            "Give the recorded second to begin at.",
        )
    return recording.between(start, float(end))


def _announcement(part: Recording, name: str, speed: float, loop: bool) -> str:
    times = f", {speed:g} times as fast" if speed != 1 else ""
    length = f"{part.duration:g} s{times}{', over and over' if loop else ''}"
    return (
        f"Streaming {name}: {len(part.info.channels)} channels at {part.info.rate:g} Hz, {length}, "
        f"and {len(part.annotations)} markers as '{name} markers'; Ctrl-C stops."
    )


def _giver(part: Recording, loop: bool) -> NextChunk:
    """Gives the samples in order, over and over with ``loop``, NaN where nothing was measured."""
    samples = np.where(part.mask, part.samples, np.float32(np.nan))
    given = 0

    def next_chunk(count: int) -> NDArray[np.float32]:
        nonlocal given
        rows = np.arange(given, given + count)
        given += count
        return samples[rows % len(samples)] if loop else samples[rows[rows < len(samples)]]

    return next_chunk


def _marker_sender(part: Recording, outlet: pylsl.StreamOutlet, speed: float) -> OnChunk:
    """Sends the annotations that begin at the samples of a chunk or before the next, stamped with their onset."""
    rate = part.info.rate
    beginning = defaultdict(list)
    for annotation in part.annotations:
        beginning[min(int(annotation.onset * rate), len(part) - 1)].append(annotation)

    def send(first: int, times: NDArray[np.float64]) -> None:
        for index, time in enumerate(times.tolist(), first):
            row = index % len(part)
            for annotation in beginning.get(row, ()):
                outlet.push_sample([annotation.text], time + (annotation.onset - row / rate) / speed)

    return send
