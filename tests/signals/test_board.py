"""BrainFlow's synthetic board, streamed and read back."""

import sys
import threading

import numpy as np
import pytest

pytest.importorskip("brainflow")

from motorctl.errors import ConfigurationError, StreamError
from motorctl.signals.board import board_info, open_board, stream_board


def test_a_board_gives_its_eeg():
    stop, chunks = threading.Event(), []

    def send(samples, times):
        chunks.append((samples, times))
        if sum(len(times) for _, times in chunks) >= 50:
            stop.set()

    with open_board("synthetic") as (board, info):
        assert (info.name, info.kind, info.rate) == ("synthetic", "EEG", 250.0)
        assert info.labels[:4] == ("Fz", "C3", "Cz", "C4") and len(info.channels) == 16
        stream_board(board, send, stop)
    samples, times = (np.concatenate(parts) for parts in zip(*chunks, strict=True))
    assert samples.dtype == np.float32 and samples.shape == (len(times), 16) and samples.std() > 0
    assert np.median(np.diff(times)) == pytest.approx(0.004, rel=0.2)


def test_a_board_without_names_is_numbered():
    from brainflow.board_shim import BoardIds

    info = board_info("freeeeg32", BoardIds.FREEEEG32_BOARD.value)
    assert info.labels[0] == "EEG1" and len(info.channels) == 32


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("toaster", ConfigurationError, "no board 'toaster'.*synthetic.*cyton"),
        ("callibri-emg", ConfigurationError, "knows of no EEG"),
        ("cyton", StreamError, "'cyton' does not answer.*--serial-port"),
    ],
)
def test_a_board_that_is_not_there(name, error, said):
    with pytest.raises(error, match=said), open_board(name):
        pass


def test_a_missing_brainflow_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "brainflow.board_shim", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'motorctl\[headset\]'"), open_board("synthetic"):
        pass
