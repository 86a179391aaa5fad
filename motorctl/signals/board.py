"""Boards that BrainFlow drives (OpenBCI, Muse, g.tec Unicorn and others), streamed over LSL."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
import pylsl  # type: ignore[import-untyped]
from numpy.typing import NDArray

from motorctl.errors import ConfigurationError, StreamError
from motorctl.signals.electrodes import clean_label
from motorctl.signals.stream import Channel, StreamInfo

if TYPE_CHECKING:
    from brainflow.board_shim import BoardShim  # type: ignore[import-untyped]

_POLL = 0.008  # s between looks at what the board has sent

Send = Callable[[NDArray[np.float32], NDArray[np.float64]], None]


@contextmanager
def open_board(name: str, serial_port: str = "", mac_address: str = "") -> Iterator[tuple[BoardShim, StreamInfo]]:
    """A board that sends, and its EEG as a stream.

    Args:
        name: of BrainFlow's ``BoardIds`` in small letters: ``synthetic``, ``cyton``, ``muse-2``, ``unicorn``.
        serial_port: of its dongle (``/dev/ttyUSB0``, ``COM3``), where it has one.
        mac_address: of a Bluetooth board, where more than one may be near.

    Raises:
        ConfigurationError: BrainFlow is not installed, or knows no such board, or none with EEG.
        StreamError: the board does not answer.
    """
    brainflow = _board_shim()
    names = {board.name.lower().removesuffix("_board").replace("_", "-"): board.value for board in brainflow.BoardIds}
    if name not in names:
        raise ConfigurationError(f"There is no board '{name}'.", f"Choose one of {', '.join(names)}.")
    brainflow.BoardShim.disable_board_logger()
    parameters = brainflow.BrainFlowInputParams()
    parameters.serial_port, parameters.mac_address = serial_port, mac_address
    try:
        info = board_info(name, names[name])
    except brainflow.BrainFlowError as error:
        raise ConfigurationError(
            f"BrainFlow knows of no EEG of '{name}' ({error}).", "Choose a board with EEG."
        ) from error
    board = brainflow.BoardShim(names[name], parameters)
    try:
        board.prepare_session()
        board.start_stream()
    except brainflow.BrainFlowError as error:
        raise StreamError(
            f"The board '{name}' does not answer ({error}).",
            "Switch it on, plug its dongle in, and name --serial-port or --mac-address if it needs one.",
        ) from error
    try:
        yield board, info
    finally:
        board.release_session()


def _board_shim() -> Any:
    """BrainFlow's module."""
    try:
        board_shim: Any = import_module("brainflow.board_shim")
    except ImportError as error:
        raise ConfigurationError("BrainFlow is not installed.", "pip install 'motorctl[headset]'") from error
    # It asks for the files of its own module. Before 3.12 Python knows those of packages only, and BrainFlow would fall
    # back on pkg_resources, which setuptools has no more.
    board_shim.files = lambda module: files("brainflow")
    return board_shim


def board_info(name: str, board_id: int) -> StreamInfo:
    """What a board streams; electrodes by BrainFlow's names, or numbered where it has none. BrainFlow gives µV."""
    brainflow = _board_shim()
    rows = brainflow.BoardShim.get_eeg_channels(board_id)
    try:
        labels = [clean_label(label) for label in brainflow.BoardShim.get_eeg_names(board_id)]
    except brainflow.BrainFlowError:
        labels = [f"EEG{number}" for number in range(1, len(rows) + 1)]
    channels = tuple(Channel(label) for label in labels)
    return StreamInfo(name, "EEG", float(brainflow.BoardShim.get_sampling_rate(board_id)), channels)


def stream_board(board: BoardShim, send: Send, stop: threading.Event) -> None:
    """Send the board's EEG as it comes until ``stop`` is set, with BrainFlow's stamps moved to ``local_clock()``."""
    rows, stamps = board.get_eeg_channels(board.board_id), board.get_timestamp_channel(board.board_id)
    board.get_board_data()  # what came before somebody listened
    while not stop.wait(_POLL):
        data = board.get_board_data()  # (row, time)
        if data.shape[1]:
            send(data[rows].T.astype(np.float32), data[stamps] + (pylsl.local_clock() - time.time()))
