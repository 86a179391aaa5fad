"""Against MNE-LSL, which brings a liblsl of its own and so runs in processes of its own."""

import json
import time
from importlib.util import find_spec

import numpy as np
import pytest

from motorctl.signals.lsl import open_source

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("mne_lsl") is None, reason="mne-lsl is not installed"),
]

OURS = """
import sys, numpy as np
from motorctl.signals.headset import stream_chunks
from motorctl.signals.lsl import LSLSink
from motorctl.signals.stream import Channel, StreamInfo
sent = 0
def ramp(count):
    global sent
    sent += count
    return np.arange(sent - count, sent, dtype=np.float32)[:, None] * np.ones(3, np.float32)
channels = (Channel("C3"), Channel("C4"), Channel("HEOG", kind="EOG"))
with LSLSink(StreamInfo(sys.argv[1], "EEG", 250.0, channels)) as sink:
    print("ready", flush=True)
    stream_chunks(sink.send, 250.0, ramp)
"""

THEIR_READER = """
import json, sys, time
from mne_lsl.stream import StreamLSL
stream = StreamLSL(1.0, name=sys.argv[1]).connect(timeout=20, acquisition_delay=0.02)
time.sleep(1.5)
data, times = stream.get_data()
print(json.dumps({
    "labels": stream.ch_names, "types": stream.get_channel_types(), "rate": stream.info["sfreq"],
    "units": [[int(kind), int(power)] for kind, power in stream.get_channel_units()],
    "data": data[:, -100:].tolist(), "times": times[-100:].tolist()}), flush=True)
stream.disconnect()
"""

THEIR_PLAYER = """
import sys, mne, numpy as np
from mne_lsl.player import PlayerLSL
info = mne.create_info(["C3", "C4", "Cz"], 250.0, "eeg")
raw = mne.io.RawArray(1e-6 * np.arange(50000) * np.ones((3, 1)), info, verbose="error")
player = PlayerLSL(raw, chunk_size=8, name=sys.argv[1], annotations=False)
if sys.argv[2] != "V":
    player.set_channel_units({label: sys.argv[2] for label in info["ch_names"]})
player.start()
print("ready", flush=True)
sys.stdin.readline()
"""


def test_mne_lsl_reads_what_we_send(spawn, stream_name):
    spawn(OURS, stream_name).hear()
    said = json.loads(spawn(THEIR_READER, stream_name).hear())
    assert (said["labels"], said["types"], said["rate"]) == (["C3", "C4", "HEOG"], ["eeg", "eeg", "eog"], 250.0)
    assert said["units"] == [[107, -6]] * 3  # FIFF: volts, 1e-6
    data = np.array(said["data"])
    np.testing.assert_array_equal(data, np.arange(data[0, 0], data[0, 0] + 100) * np.ones((3, 1)))
    np.testing.assert_allclose(np.diff(said["times"]), 0.004, atol=1e-3)


@pytest.mark.parametrize("unit", ["V", "uv"])
def test_we_read_what_mne_lsl_plays(spawn, stream_name, unit):
    spawn(THEIR_PLAYER, stream_name, unit).hear()
    with open_source(stream_name, timeout=20) as source:
        assert source.info.labels == ("C3", "C4", "Cz") and source.info.rate == 250
        chunks, deadline = [], time.monotonic() + 20
        while sum(map(len, chunks)) < 500 and time.monotonic() < deadline:
            chunks.append(source.read(1.0))
    samples = np.concatenate([chunk.samples for chunk in chunks])
    assert np.concatenate([chunk.mask for chunk in chunks]).all()
    np.testing.assert_allclose(samples, samples[0] + np.arange(len(samples))[:, None], rtol=1e-4)  # µV
