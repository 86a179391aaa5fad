"""``motorctl headset``: a headset that is not there, playing a recording or worn by a simulated person."""

from __future__ import annotations

import signal
import threading
from dataclasses import dataclass, replace
from pathlib import Path

from motorctl.errors import StreamError
from motorctl.person.brain import Brain
from motorctl.person.person import Person
from motorctl.person.user import User
from motorctl.signals.headset import play_recording, stream_chunks
from motorctl.signals.lsl import LSLSource, find_stream, hush, signal_outlet
from motorctl.signals.recording import read_recording


@dataclass(frozen=True)
class HeadsetConfig:
    """Stream EEG over LSL in real time, as a headset would, until Ctrl-C: a recording, or a simulated person."""

    recording: Path | None = None
    """EDF+ file to play, its annotations as a marker stream; without it, a simulated person wears the headset."""
    name: str | None = None
    """Name of the stream; by default the recording's, or motorctl-person."""
    speed: float = 1.0
    """Recorded seconds that pass in a second."""
    loop: bool = False
    """Begin again at the end of the recording."""
    start: float = 0.0
    """Where in the recording to begin (s)."""
    unit: str | None = None
    """Unit of the recording's EEG (V, mV, µV, uV, nV), where the file says none or a wrong one."""
    limb_stream: str = "motorctl-limb"
    """LSL stream on which the simulated person sees hand and target; 'motorctl live' sends it."""
    control_rate: float = 50.0
    """How often the simulated person's intention changes (Hz)."""
    seed: int = 0
    """Seed of the simulated person's brain."""


def headset(config: HeadsetConfig) -> None:
    """Run the command until the recording ends or Ctrl-C or a termination signal comes.

    Raises:
        RecordingError: the recording cannot be read.
        ConfigurationError: an option has a value that cannot be used.
    """
    hush()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if config.recording:
        recording = read_recording(config.recording, config.unit)
        play_recording(recording, config.name, speed=config.speed, loop=config.loop, start=config.start, stop=stop)
    else:
        wear(Person(User(config.control_rate), Brain(), config.seed), config, stop)


def wear(person: Person, config: HeadsetConfig, stop: threading.Event) -> None:
    """Stream the EEG of a person who watches the limb, until ``stop`` is set."""
    info = replace(person.brain.info, name=config.name or person.brain.info.name, source_id="")
    outlet = signal_outlet(info)
    threading.Thread(target=watch, args=(person, config.limb_stream, stop), daemon=True).start()
    print(f"Streaming {info.name}: {len(info.channels)} channels at {info.rate:g} Hz, watching {config.limb_stream}.")
    stream_chunks(outlet, info.rate, person.next_samples, stop=stop)


def watch(person: Person, limb_stream: str, stop: threading.Event) -> None:
    """Show the person the newest hand and target on the stream, from when it appears until ``stop`` is set."""
    while not stop.is_set():
        try:
            source = LSLSource(find_stream(name=limb_stream, timeout=1.0))
        except StreamError:  # not there yet
            continue
        with source:
            while not stop.is_set():
                chunk = source.read(0.1)
                if len(chunk):
                    newest = chunk.samples[-1].astype(float)
                    person.see(newest[0:2], newest[4:6])
