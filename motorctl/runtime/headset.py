"""``motorctl headset``: EEG over LSL, of a recording, of a simulated person, or of a board that BrainFlow drives."""

from __future__ import annotations

import signal
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from motorctl.errors import ConfigurationError, StreamError, check_positive, check_seed
from motorctl.person.brain import make_brain
from motorctl.person.cued import CuedUser
from motorctl.person.imagery import ELECTRODES, imagine
from motorctl.person.movements import MOVEMENTS
from motorctl.person.person import Person
from motorctl.person.user import User
from motorctl.signals.board import open_board, stream_board
from motorctl.signals.faults import Fault, Faults, open_sink
from motorctl.signals.headset import play_recording, say, stream_chunks
from motorctl.signals.lsl import LSLSource, find_stream, hush, open_markers
from motorctl.signals.recording import read_recording, say_notes
from motorctl.threads import one_thread
from motorctl.training.calibrated import CUE, PAUSE


@dataclass(frozen=True)
class HeadsetConfig:
    """Stream EEG over LSL in real time, as a headset would, until Ctrl-C: a recording, a simulated person, a board."""

    recording: Path | None = None
    """Recording to play, its annotations as a marker stream; without it, a simulated person wears the headset."""
    brain: Literal["ideal", "realistic", "hard"] = "ideal"
    """How hard the simulated person's EEG is to read."""
    steer: Literal["reach", "imagery", "cues"] = "reach"
    """What the simulated person intends in order to steer: to move the right hand, or, as people do whose EEG moves a
    cursor, movements of hands, feet and tongue that are only imagined; or the movement that the run's cues name (rest,
    left, right, feet, fists, tongue). Who imagines has more electrodes."""
    board: str | None = None
    """Board to stream instead, of those that BrainFlow drives: synthetic, cyton, muse-2, ..."""
    name: str | None = None
    """Name of the stream; by default the recording's, motorctl-person, or the board's."""
    speed: float = 1.0
    """Recorded seconds that pass in a second."""
    loop: bool = False
    """Begin again at the end of the recording."""
    start: float = 0.0
    """Where in the recording to begin (s)."""
    unit: str | None = None
    """Unit of the recording's EEG (V, mV, µV, uV, nV), where the file says none or a wrong one."""
    limb_stream: str = "motorctl-limb"
    """LSL stream on which the simulated person sees hand and target, and beside it the cues; 'motorctl live' and
    'motorctl calibrate' send it."""
    control_rate: float = 50.0
    """How often the simulated person's intention changes (Hz)."""
    serial_port: str = ""
    """Serial port of the board's dongle (/dev/ttyUSB0, COM3)."""
    mac_address: str = ""
    """Bluetooth address of the board."""
    fault: tuple[Fault, ...] = ()
    """What is to go wrong now and then; jitter is there all the time."""
    fault_every: float = 10.0
    """Mean time between two faults (s)."""
    seed: int = 0
    """Seed of the simulated person's brain, and of the faults."""


def headset(config: HeadsetConfig) -> None:
    """Run the command until the recording ends or Ctrl-C or a termination signal comes.

    Raises:
        RecordingError: the recording cannot be read.
        ConfigurationError: an option has a value that cannot be used.
    """
    hush()
    check_seed(config.seed)
    check_positive("control_rate", config.control_rate)
    if config.recording and config.board:
        raise ConfigurationError("Both --recording and --board are given.", "Choose one.")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    faults = Faults(config.fault, config.fault_every, config.seed)
    if config.recording:
        recording = read_recording(config.recording, config.unit)
        say_notes(recording)
        play_recording(
            recording,
            config.name,
            speed=config.speed,
            loop=config.loop,
            start=config.start,
            faults=faults,
            stop=stop,
        )
    elif config.board:
        relay(config.board, config, faults, stop)
    else:
        wear(simulated_person(config), config, faults, stop)


def relay(board_name: str, config: HeadsetConfig, faults: Faults, stop: threading.Event) -> None:
    """Stream the EEG of a board, until ``stop`` is set."""
    with open_board(board_name, config.serial_port, config.mac_address) as (board, info):
        info = replace(info, name=config.name or info.name)
        with open_sink(info, faults, 1.0, say) as sink:
            say(f"Streaming {info.name}: {len(info.channels)} channels at {info.rate:g} Hz; Ctrl-C stops.")
            stream_board(board, sink.send, stop)


def simulated_person(config: HeadsetConfig) -> Person:
    """Who wears the headset where neither a recording nor a board is given."""
    if config.steer == "reach":
        return Person(User(config.control_rate), make_brain(config.brain), config.seed)
    brain = make_brain(config.brain, ELECTRODES)
    if config.steer == "imagery":
        return Person(User(config.control_rate), brain, config.seed, imagine)
    return Person(CuedUser(config.control_rate), brain, config.seed)


def wear(person: Person, config: HeadsetConfig, faults: Faults, stop: threading.Event) -> None:
    """Stream the EEG of a person who watches the limb, until ``stop`` is set."""
    info = replace(person.brain.info, name=config.name or person.brain.info.name, source_id="")
    person.next_samples(1)  # the first takes long: the head is computed
    with open_sink(info, faults, 1.0, say) as sink, one_thread():
        attend = hear if config.steer == "cues" else watch
        threading.Thread(target=attend, args=(person, config.limb_stream, stop), daemon=True).start()
        say(f"Streaming {info.name}: {len(info.channels)} channels at {info.rate:g} Hz, watching {config.limb_stream}.")
        stream_chunks(sink.send, info.rate, person.next_samples, stop=stop)


def watch(person: Person, limb_stream: str, stop: threading.Event) -> None:
    """Show the person the newest hand and target on the stream, from when it appears until ``stop`` is set."""
    while not stop.is_set():
        try:
            with LSLSource(find_stream(name=limb_stream, timeout=1.0)) as source:
                columns = [source.info.labels.index(f"{what}_{axis}") for what in ("hand", "target") for axis in "xy"]
                while not stop.is_set():
                    chunk = source.read(0.1)
                    if len(chunk):
                        newest = chunk.samples[-1, columns].astype(float)
                        person.see(newest[:2], newest[2:])
        except (StreamError, ValueError):  # not there yet, or another one now
            continue


def hear(person: Person, limb_stream: str, stop: threading.Event) -> None:
    """Show the person the newest cue among the events beside the stream, from when it appears until ``stop`` is set;
    what names no movement asks for none."""
    while not stop.is_set():
        try:
            with open_markers(f"{limb_stream} events", timeout=1.0) as events:
                while not stop.is_set():
                    for _, text in events.read(0.1):
                        if text == PAUSE or text.startswith(CUE):
                            person.see(np.array([float(text == CUE + movement) for movement in MOVEMENTS]))
        except StreamError:  # not there yet, or another one now
            continue
