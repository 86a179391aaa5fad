import json
from dataclasses import replace

import numpy as np
import pytest

from motorctl.signals.export import write_xdf
from motorctl.signals.inspect import InspectRecording, channel_reports, describe, inspect, robust_amplitudes
from motorctl.signals.recording import Annotation, read_recording
from motorctl.signals.stream import Channel


@pytest.fixture
def recording(cued_edf):
    return read_recording(cued_edf())


def test_amplitude_is_the_standard_deviation_without_offset_drift_or_artefact():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, [5, 50], (20_000, 2))
    drift = np.linspace(0, 1e3, 20_000)[:, None]
    noise[100:200] += 1e5
    found = robust_amplitudes((noise + drift - 3e4).astype(np.float32), 250)
    assert found[1] == pytest.approx(50, rel=0.1)
    flat = robust_amplitudes(np.array([[1.0, np.nan]] * 500, np.float32), 100)
    assert flat[0] == 0 and np.isnan(flat[1])


def test_a_stream_of_one_row_a_second_has_an_amplitude(recording):
    slow = replace(recording.between(0, 1), info=replace(recording.info, rate=1.0), times=np.arange(160.0))
    assert all(5 < report.amplitude < 150 for report in channel_reports(slow))


def test_channels_that_are_flat_noisy_or_missing_are_marked(recording):
    samples, mask = recording.samples.copy(), recording.mask.copy()
    samples[:, 2] = 187_500.02  # an amplifier at its limit
    samples[:, 5] *= 30
    samples[:1536, 7], mask[:1536, 7] = np.nan, False
    samples[-160:], mask[-160:] = np.nan, False
    reports = channel_reports(replace(recording, samples=samples, mask=mask))
    marks = {report.label: report.marks for report in reports if report.marks}
    labels = recording.info.labels
    assert marks == {labels[2]: ("flat",), labels[5]: ("noisy",), labels[7]: ("missing",)}
    assert reports[7].missing == pytest.approx(1536 / (96 * 160 - 160))
    assert all(report.marks == () for report in channel_reports(recording))


def test_a_status_channel_may_be_constant(recording):
    status = Channel("Status", "", "MISC")
    info = replace(recording.info, channels=(status, *recording.info.channels[1:]))
    samples = recording.samples.copy()
    samples[:, 0] = 7
    assert channel_reports(replace(recording, info=info, samples=samples))[0].marks == ()


def test_what_is_found_of_a_stream(recording):
    report = describe(recording)
    assert (report["name"], report["rate"], report["rows"], report["duration"]) == ("cued", 160, 96 * 160, 96)
    assert report["measured_rate"] == pytest.approx(160)
    assert report["cues"] == {
        "T1": {"count": 6, "first": [4.0, 20.0, 36.0, 52.0, 68.0]},
        "T2": {"count": 5, "first": [12.0, 28.0, 44.0, 60.0, 76.0]},
    }
    assert report["gaps"] == []
    channels = {channel["label"]: channel for channel in report["channels"]}
    assert channels["FC3"]["amplitude"] == pytest.approx(30, rel=0.05)
    assert channels["C3"]["amplitude"] > 70 and channels["C3"]["unit"] == "µV"


def test_the_command_prints_and_writes_it(recording, tmp_path, capsys):
    samples, mask = recording.samples.copy(), recording.mask.copy()
    samples[1600:1760], mask[1600:1760] = np.nan, False
    cues = (Annotation(1.0, 0.0, "[bold]"),)
    write_xdf((replace(recording, samples=samples, mask=mask, annotations=cues),), tmp_path / "a.xdf")
    inspect(InspectRecording(tmp_path / "a.xdf", json=tmp_path / "a.json"))
    said = capsys.readouterr().out
    assert "cued: EEG, 13 channels, 160 Hz, measured 160 Hz, 96.000 s" in said
    assert "[bold]" in said and "1 gap, 1.000 s in all, at 10.000 s (1.000 s)" in said
    found = json.loads((tmp_path / "a.json").read_text())
    assert found["file"].endswith("a.xdf") and found["notes"] == []
    (stream,) = found["streams"]
    assert stream["gaps"] == [{"begin": pytest.approx(10), "duration": pytest.approx(1)}]
    assert len(stream["channels"]) == 13 and stream["cues"]["[bold]"]["count"] == 1


def test_notes_of_the_reader_are_said(tmp_path, cued_edf, capsys):
    write_xdf((read_recording(cued_edf()),), tmp_path / "a.xdf")
    content = (tmp_path / "a.xdf").read_bytes()
    (tmp_path / "a.xdf").write_bytes(content[:-3000])
    inspect(InspectRecording(tmp_path / "a.xdf"))
    assert "- The file was cut short" in capsys.readouterr().out


def test_a_real_recording(eegmmi):
    report = describe(read_recording(eegmmi / "S001R06.edf"))
    assert [report["cues"][cue]["count"] for cue in ("T0", "T1", "T2")] == [15, 7, 8]
    assert report["gaps"] == [{"begin": 124.5, "duration": 0.5}]
    assert all(10 < channel["amplitude"] < 100 and not channel["marks"] for channel in report["channels"])
