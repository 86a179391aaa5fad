"""Streams of another process: found, told apart, read in µV, lost and picked up again."""

import signal
import time

import numpy as np
import pylsl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from motorctl.errors import StreamError
from motorctl.signals.lsl import (
    LSLSource,
    MarkerInlet,
    describe,
    find_stream,
    marker_outlet,
    measured,
    open_markers,
    open_source,
    read_metadata,
    signal_outlet,
    visible_streams,
)
from motorctl.signals.stream import Channel, StreamInfo, channel_indices

PATIENCE = 20.0  # s


def read_rows(source, count):
    """Chunks until ``count`` samples are there, as (samples, times, mask)."""
    chunks, deadline = [], time.monotonic() + PATIENCE
    while sum(map(len, chunks)) < count and time.monotonic() < deadline:
        chunks.append(source.read(1.0))
    return tuple(np.concatenate([getattr(c, part) for c in chunks]) for part in ("samples", "times", "mask"))


def test_a_stream_is_found_by_name_type_or_source_id_and_twins_are_refused(device, stream_name):
    kind = f"EEG-{stream_name}"
    device.open(stream_name, type=kind)
    for known in ({"query": stream_name}, {"query": kind}, {"name": stream_name, "source_id": f"id-{stream_name}"}):
        assert find_stream(**known).uid()
    with pytest.raises(StreamError, match=f"No stream with name '{stream_name}' and kind 'EEG'"):
        find_stream(name=stream_name, kind="EEG", timeout=0.1)

    device.open(stream_name, key="twin", type=kind, source_id="twin-id")
    with pytest.raises(StreamError, match="2 streams with.*use --stream with its source_id") as caught:
        find_stream(stream_name)
    assert all(f"source_id '{source_id}'" in str(caught.value) for source_id in ("twin-id", f"id-{stream_name}"))

    device.open(stream_name, key="triplet", type=kind, source_id="twin-id")
    with pytest.raises(StreamError, match="2 streams with.*Stop all but one"):
        find_stream("twin-id")


def test_a_missing_stream_lists_those_that_are_visible(device, stream_name):
    device.open(stream_name)
    with pytest.raises(StreamError, match=f"No stream with .*'nobody'.*visible: .*'{stream_name}'.*EEG, 2 channels"):
        open_source("nobody", timeout=1.0)
    visible = {found.name(): describe(found) for found in visible_streams(1.0)}
    assert f"source_id 'id-{stream_name}'" in visible[stream_name]
    assert "at 100 Hz" in visible[stream_name]


def test_samples_arrive_in_microvolts_in_order_on_this_clock(device, stream_name):
    device.open(stream_name, [("Fc5.", "V"), ("EEG Cz-REF", "nV"), ("c4", "\u03bcV")], rate=1000)
    before = pylsl.local_clock()
    with open_source(stream_name) as source:
        assert source.info.labels == ("FC5", "Cz", "C4")
        assert [(c.unit, c.kind) for c in source.info.channels] == [("µV", "EEG")] * 3
        assert (source.info.name, source.info.kind, source.info.rate) == (stream_name, "EEG", 1000.0)
        rows = [[k * 2.0**-20, 1000.0 * k, 0.5 * k] for k in range(3000)]  # longer than one pull of liblsl
        device.push(stream_name, rows)
        samples, times, mask = read_rows(source, len(rows))
        after = pylsl.local_clock()
    assert samples.dtype == np.float32 and mask.all()
    np.testing.assert_allclose(samples, np.array(rows) * [1e6, 1e-3, 1], rtol=1e-6)
    np.testing.assert_allclose(np.diff(times), 0.001, atol=1e-6)
    assert before - 0.01 < times[-1] < after + 0.01


def test_an_empty_read_comes_back_and_what_was_sent_before_is_never_seen(device, stream_name, connect):
    device.open(stream_name)
    device.push(stream_name, [[1, 1]] * 50)
    with connect(stream_name) as source:
        device.push(stream_name, [[2, 2]])
        assert read_rows(source, 1)[0].tolist() == [[2, 2]]
        empty = source.read(0.0)
        assert len(empty) == 0 and empty.samples.shape == (0, 2) and empty.mask.shape == (0, 2)

        device.push(stream_name, [[3, 3]] * 20)
        dropped, deadline = source.flush(), time.monotonic() + PATIENCE
        while dropped < 20 and time.monotonic() < deadline:
            dropped += source.flush()
        device.push(stream_name, [[4, 4]])
        assert read_rows(source, 1)[0].tolist() == [[4, 4]]


def test_a_value_that_is_not_finite_is_masked_and_kept_out(device, stream_name, connect):
    device.open(stream_name)
    with connect(stream_name) as source:
        device.push(stream_name, [[1, 2], [float("nan"), 3], [4, float("inf")]])
        samples, _, mask = read_rows(source, 3)
    assert samples.tolist() == [[1, 2], [0, 3], [4, 0]]
    assert mask.tolist() == [[True, True], [False, True], [True, False]]


def test_whole_numbers_are_read(device, stream_name, connect):
    device.open(stream_name, format="int16")
    with connect(stream_name) as source:
        device.push(stream_name, [[-7, 300]])
        assert read_rows(source, 1)[0].tolist() == [[-7, 300]]


def test_a_device_that_comes_back_is_picked_up_again(new_device, stream_name, connect):
    device = new_device()
    device.open(stream_name)
    with connect(stream_name) as source:
        device.push(stream_name, [[1, 1]])
        assert len(read_rows(source, 1)[0]) == 1
        device.process.end()
        again = new_device()
        again.open(stream_name)
        deadline, chunk = time.monotonic() + PATIENCE, source.read(0.0)
        while not len(chunk) and time.monotonic() < deadline:
            again.push(stream_name, [[2, 2]])
            chunk = source.read(0.1)
        assert chunk.samples[-1].tolist() == [2, 2]


def test_a_nameless_device_that_goes_is_an_error(device, stream_name, connect):
    device.open(stream_name, source_id="")
    with connect(stream_name) as source:
        device.close(stream_name)
        with pytest.raises(StreamError, match=f"'{stream_name}'.*is gone"):
            read_rows(source, 1)


def test_markers_of_text_and_of_numbers(device, stream_name):
    device.open(stream_name, [("markers", "")], type="Markers", rate=0.0, format="string")
    device.open(f"{stream_name}-n", [("codes", "")], type="Markers", rate=0.0, format="int32")
    found = find_stream(stream_name)
    with pytest.raises(StreamError, match="carries text"):
        LSLSource(found)
    with MarkerInlet(found) as texts, open_markers(f"{stream_name}-n") as codes:
        assert texts.read() == []
        before = pylsl.local_clock()
        device.push(stream_name, [["T1"], ["Äpfel"]])
        device.push(f"{stream_name}-n", [[769]])
        heard, deadline = [], time.monotonic() + PATIENCE
        while len(heard) < 3 and time.monotonic() < deadline:
            heard += texts.read() + codes.read()
    assert sorted(text for _, text in heard) == ["769", "T1", "Äpfel"]
    assert all(before - 0.01 < stamp < pylsl.local_clock() + 0.01 for stamp, _ in heard)


READER = """
import sys
from motorctl.signals.lsl import find_stream, open_source
try:
    if sys.argv[2] == "find":
        print("waiting", flush=True)
        find_stream(sys.argv[1], timeout=60)
    with open_source(sys.argv[1]) as source:
        print("waiting", flush=True)
        source.read(60)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize("what", ["find", "read"])
def test_ctrl_c_interrupts_a_wait(device, stream_name, spawn, what):
    if what == "read":
        device.open(stream_name)
    reader = spawn(READER, stream_name, what)
    assert reader.hear() == "waiting"
    reader.popen.send_signal(signal.SIGINT)
    assert reader.hear() == "interrupted"
    assert reader.popen.wait(PATIENCE) == 0


def described(channels, kind="EEG", count=None):
    """A description as a device would send it; a channel is a dict of label, unit, type."""
    info = pylsl.StreamInfo("X", kind, count or len(channels), 250, "float32", "id")
    parent = info.desc().append_child("channels")
    for channel in channels:
        element = parent.append_child("channel")
        for key, value in channel.items():
            element.append_child_value(key, value)
    return info


@pytest.mark.parametrize(
    ("channels", "count", "problem"),
    [
        ([], 8, "has 8 channels, but labels for 0 of them.*desc/channels/channel/label"),
        ([{"label": "C3"}], 2, "labels for 1"),
        ([{"label": "C3", "unit": "uV"}, {"unit": "uV"}], 2, "labels for 1"),
        ([{"label": "C3", "unit": "uV"}, {"label": "c3..", "unit": "uV"}], 2, "more than one channel c3"),
        ([{"label": "C3"}], 1, "C3 of stream 'X' is in no unit.*--unit"),
        ([{"label": "C3", "unit": "furlong"}], 1, "'furlong'"),
    ],
)
def test_a_description_that_cannot_be_used(channels, count, problem):
    with pytest.raises(StreamError, match=problem):
        read_metadata(described(channels, count=count))


def test_only_eeg_is_matched_to_electrodes_and_only_voltages_are_converted():
    info, factors = read_metadata(
        described(
            [
                {"label": "fp1", "unit": "mV", "type": "eeg"},
                {"label": "t7", "unit": "mV", "type": "EMG"},
                {"label": "counter", "type": "misc"},
            ]
        )
    )
    assert info.channels == (Channel("Fp1", "µV"), Channel("t7", "µV", "EMG"), Channel("counter", "", "MISC"))
    assert factors.tolist() == [1e3, 1e3, 1]


def test_a_unit_can_be_named_where_the_stream_has_none():
    info, factors = read_metadata(described([{"label": "C3"}]), unit="V")
    assert info.channels == (Channel("C3"),)
    assert factors.tolist() == [1e6]


LABELS = st.lists(
    st.text("abcXYZ<&>\"' é", min_size=1).map(str.strip).filter(bool), min_size=1, max_size=8, unique_by=str.casefold
)


@settings(max_examples=30)  # each opens an outlet
@given(LABELS, st.floats(0.1, 1e5))
def test_what_an_outlet_says_is_what_a_source_reads(labels, rate):
    sent = StreamInfo("X", "MoCap", rate, tuple(Channel(label, "m", "Position") for label in labels), "id")
    assert read_metadata(signal_outlet(sent).get_info())[0] == sent


def test_outlets_follow_the_conventions():
    info = StreamInfo("X", "EEG", 250.0, (Channel("C3"), Channel("EOG", kind="EOG")))
    eeg, markers = signal_outlet(info).get_info(), marker_outlet("X markers").get_info()
    assert eeg.get_channel_labels() == ["C3", "EOG"]
    assert eeg.get_channel_units() == ["microvolts", "microvolts"]
    assert eeg.get_channel_types() == ["EEG", "EOG"]
    assert eeg.desc().child("acquisition").child_value("manufacturer") == "motorctl"
    assert (markers.type(), markers.nominal_srate(), markers.channel_count()) == ("Markers", 0.0, 1)
    assert markers.channel_format() == pylsl.cf_string
    assert eeg.source_id() and markers.source_id() and eeg.source_id() != markers.source_id()
    assert signal_outlet(info).get_info().source_id() == eeg.source_id()


@given(
    hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2), elements=st.floats(width=32)),
    st.sampled_from([1.0, 1e6, 1e3, 1e-3]),
)
def test_values_are_finite_or_masked(raw, factor):
    samples, mask = measured(raw, np.full(raw.shape[1], factor))
    assert samples.dtype == np.float32 and np.isfinite(samples).all()
    assert not mask[~np.isfinite(raw)].any()
    assert (samples[~mask] == 0).all()
    if factor == 1.0:
        np.testing.assert_array_equal(samples[mask], raw[mask])


@given(st.permutations(["C3", "Cz", "C4", "FC5", "O1"]), st.integers(1, 5), st.booleans())
def test_channels_are_found_in_any_order_and_case(labels, count, shout):
    found = StreamInfo("X", "EEG", 250.0, tuple(Channel(label.upper() if shout else label) for label in labels))
    wanted = StreamInfo("W", "EEG", 250.0, tuple(Channel(label) for label in sorted(labels)[:count]))
    chosen = [labels[column] for column in channel_indices(found, wanted)]
    assert chosen == list(wanted.labels)


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (StreamInfo("X", "EEG", 500.0, (Channel("C3"), Channel("C4"))), "trained at 250 Hz, but 'X' runs at 500 Hz"),
        (StreamInfo("X", "EEG", 250.0, (Channel("C3"), Channel("Cz"))), "needs channel C4, but 'X' has C3, Cz"),
        (StreamInfo("X", "EEG", 250.0, (Channel("C3"), Channel("C4", "m"))), "C4 in µV, but 'X' gives it in m"),
    ],
)
def test_a_stream_that_does_not_fit_is_refused(found, problem):
    wanted = StreamInfo("W", "EEG", 250.0, (Channel("C3"), Channel("C4")))
    with pytest.raises(StreamError, match=problem):
        channel_indices(found, wanted)
