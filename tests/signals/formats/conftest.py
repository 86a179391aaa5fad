"""A small recording in every format, written by the format's own libraries or, where there is none, byte by byte."""

import struct
import warnings
from functools import cache

import edfio
import mne
import numpy as np
import pybv
import pytest

from motorctl.signals.stream import Channel, StreamInfo
from motorctl.signals.xdf_writer import XdfWriter, stream_header

RATE, SECONDS = 50, 4
LABELS = ["C3", "Cz", "C4"]
ROWS = RATE * SECONDS
CUES = [(0.5, 1.0, "left"), (2.0, 0.5, "right")]


@pytest.fixture(scope="session")
def microvolts():
    """Whole numbers, so that every format keeps them: ``(time, channel)``."""
    rows = np.arange(1, ROWS + 1)
    return np.stack([rows, -rows, 7 * rows], axis=1).astype(float)


def write_edf(path, samples, file=edfio.Edf, signal=edfio.EdfSignal, digits=32767):
    signals = [
        signal(
            column,
            RATE,
            label=label,
            physical_dimension="uV",
            physical_range=(-digits - 1, digits),
            digital_range=(-digits - 1, digits),
        )
        for label, column in zip(LABELS, samples.T, strict=True)
    ]
    annotations = [edfio.EdfAnnotation(*cue) for cue in CUES]
    file(signals, annotations=annotations, data_record_duration=1).write(path)


def write_bdf(path, samples):
    write_edf(path, samples, edfio.Bdf, edfio.BdfSignal, 8388607)


def write_fif(path, samples):
    info = mne.create_info(LABELS, RATE, "eeg")
    raw = mne.io.RawArray(samples.T * 1e-6, info, verbose="error")
    raw.set_annotations(mne.Annotations(*zip(*CUES, strict=True)))
    raw.save(path, fmt="double", verbose="error")


def write_vhdr(path, samples):
    events = [
        {"onset": int(onset * RATE), "duration": int(lasts * RATE), "description": text, "type": "Comment"}
        for onset, lasts, text in CUES
    ]
    pybv.write_brainvision(
        data=samples.T * 1e-6, sfreq=RATE, ch_names=LABELS, fname_base=path.stem, folder_out=path.parent, events=events
    )


def write_gdf(path, samples, *, unit=4275, record_samples=None):
    """GDF 2.20 with int16 samples (Schloegl, GDF: a general dataformat for biosignals, arXiv:cs/0608052)."""
    count, records = samples.shape[1], SECONDS
    lengths = record_samples or [RATE] * count
    fixed = b"GDF 2.20".ljust(8) + b"X X".ljust(66) + bytes(10 + 4) + b"".ljust(64)
    fixed += bytes([0, 0, 0, 1]) + bytes(12) + struct.pack("<QQ", 0, 0) + struct.pack("<H", count + 1) + bytes(6)
    fixed += bytes(8 + 6 + 6 + 24) + struct.pack("<qIIH", records, 1, 1, count) + bytes(2)
    assert len(fixed) == 256
    header = b"".join(label.encode().ljust(16) for label in LABELS) + bytes((80 + 6) * count)
    header += struct.pack(f"<{count}H", *[unit] * count)
    for limit in (-32768.0, 32767.0, -32768.0, 32767.0):
        header += struct.pack(f"<{count}d", *[limit] * count)
    header += bytes((68 + 12) * count) + struct.pack(f"<{count}i", *lengths)
    header += struct.pack(f"<{count}i", *[3] * count) + bytes((12 + 20) * count)
    assert len(header) == 256 * count
    columns = samples.reshape(records, RATE, count).transpose(0, 2, 1).astype("<i2")
    data = b"".join(record[i, : lengths[i]].tobytes() for record in columns for i in range(count))
    events = b"\3" + struct.pack("<I", len(CUES))[:3] + struct.pack("<f", RATE)
    events += struct.pack("<2I", *(int(onset * RATE) + 1 for onset, _, _ in CUES))
    events += struct.pack("<2H", 769, 770) + struct.pack("<2H", 0, 0)
    events += struct.pack("<2I", *(int(lasts * RATE) for _, lasts, _ in CUES))
    path.write_bytes(fixed + header + data + events)


def write_xdf(path, samples):
    channels = tuple(Channel(label) for label in LABELS)
    with XdfWriter(path) as file:
        eeg = file.add_stream(stream_header(StreamInfo("amplifier", "EEG", RATE, channels, "id-1")))
        cues = file.add_stream(stream_header(StreamInfo("cues", "Markers", 0.0, channels[:1]), "string"))
        for begin in range(0, ROWS, 20):
            file.append(eeg, samples[begin : begin + 20], 1000 + np.arange(begin, begin + 20) / RATE)
        file.append(cues, [[text] for _, _, text in CUES], np.array([1000 + onset for onset, _, _ in CUES]))


def write_openbci(path, samples):
    lines = [
        "%OpenBCI Raw EXG Data",
        "%Number of channels = 3",
        f"%Sample Rate = {RATE} Hz",
        "%Board = OpenBCI_GUI$BoardCytonSerial",
        "Sample Index, " + ", ".join(f"EXG Channel {i}" for i in range(3)) + ", Accel Channel 0, Accel Channel 1, "
        "Accel Channel 2, Other, Timestamp, Marker Channel, Timestamp (Formatted)",
    ]
    for row, values in enumerate(samples):
        cells = [f"{row % 256}.0", *map(str, values), "0.01", "0.02", "0.98", "0.0", f"{1.6e9 + row / RATE:.4f}"]
        lines.append(", ".join([*cells, "3.0" if row == 25 else "0.0", "2020-09-13 12:26:40.000"]))
    path.write_text("\n".join(lines) + "\n")


def write_csv(path, samples, delimiter=","):
    lines = [delimiter.join(["time (s)", *(f"{label} (uV)" for label in LABELS), "label"])]
    for row, values in enumerate(samples):
        text = next((text for onset, lasts, text in CUES if onset <= row / RATE < onset + lasts), "")
        lines.append(delimiter.join([repr(row / RATE), *map(str, values), text]))
    path.write_text("\n".join(lines) + "\n")


def write_tsv(path, samples):
    write_csv(path, samples, "\t")


def write_npz(path, samples):
    np.savez(path, samples=samples, rate=RATE, channel_names=LABELS, units="uV")


def write_npy(path, samples):
    np.save(path, samples)


WRITERS = {
    ".edf": write_edf,
    ".bdf": write_bdf,
    ".fif": write_fif,
    ".vhdr": write_vhdr,
    ".gdf": write_gdf,
    ".xdf": write_xdf,
    ".txt": write_openbci,
    ".csv": write_csv,
    ".tsv": write_tsv,
    ".npz": write_npz,
    ".npy": write_npy,
}


@pytest.fixture
def write(tmp_path, microvolts):
    """``write(suffix)`` writes the recording as ``tmp_path / "a" + suffix``; more is passed on to the writer."""

    def writer(suffix, samples=microvolts, name="a", **options):
        path = tmp_path / f"{name}{suffix}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of MNE and pybv, about names and dates
            WRITERS[suffix](path, samples, **options)
        return path

    return writer


@pytest.fixture(scope="session")
def pristine(tmp_path_factory, microvolts):
    """``pristine(suffix)`` is the recording's files, name to content."""

    @cache
    def contents(suffix):
        folder = tmp_path_factory.mktemp("pristine")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            WRITERS[suffix](folder / f"a{suffix}", microvolts)
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    return contents
