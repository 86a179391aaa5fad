"""What a calibration's file says of itself: made with our own writer, read as training reads it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pylsl
import pytest

from motorctl.agents import ControllerConfig
from motorctl.errors import RecordingError
from motorctl.signals.stream import Channel, StreamInfo
from motorctl.signals.xdf_writer import XdfWriter
from motorctl.training.calibrated import (
    Calibration,
    calibration_in,
    class_meanings,
    read_with_intention,
    seconds_moved,
)
from motorctl.training.checkpoint import load_checkpoint
from motorctl.training.classify import ClassifyRecordings, train_classifier
from motorctl.training.imitation import ImitationConfig
from motorctl.training.recordings import ImitationFromRecordings, train_on_recordings
from motorctl.training.steering import REACHING, fitting

ENV = "motorctl/ArmCenterOut-v0"
RATE, CONTROL, SECONDS = 100.0, 50.0, 60.0
MARK = Calibration(ENV, "reach").mark

Write = Callable[..., Path]


def header(info: StreamInfo, form: int = pylsl.cf_float32) -> str:
    """As a stream of the network describes itself."""
    told = pylsl.StreamInfo(info.name, info.kind, len(info.channels), info.rate, form, info.name)
    channels = told.desc().append_child("channels")
    for channel in info.channels:
        element = channels.append_child("channel")
        for key, value in (("label", channel.label), ("unit", channel.unit.replace("µV", "microvolts"))):
            element.append_child_value(key, value)
        element.append_child_value("type", channel.kind)
    return str(told.as_xml())


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """``write(name, markers)``: EEG whose slow waves are what an expert intends whose hand follows targets."""

    def calibration(name: str = "c.xdf", markers: list[tuple[float, str]] | None = None, seed: int = 0) -> Path:
        rng = np.random.default_rng(seed)
        times = 1000 + np.arange(round(SECONDS * CONTROL)) / CONTROL
        targets = rng.uniform(-0.1, 0.1, (30, 2))[((times - 1000) // 2).astype(int)]
        hands = np.zeros_like(targets)
        for row in range(1, len(hands)):
            hands[row] = hands[row - 1] + 0.3 * REACHING.expert(hands[row - 1], targets[row - 1]) / CONTROL
        eeg_times = 1000 + np.arange(round(SECONDS * RATE)) / RATE
        wanted = REACHING.expert(hands, targets)
        late = np.stack([np.interp(eeg_times, times + 0.15, wanted[:, axis]) for axis in range(2)], axis=1)
        eeg = rng.standard_normal((len(eeg_times), 5)) + late @ rng.standard_normal((2, 5)) * 200
        limb = [f"{what}_{axis}" for what in ("hand", "target") for axis in "xy"]
        with XdfWriter(tmp_path / name) as writer:
            cap = StreamInfo("cap", "EEG", RATE, tuple(map(Channel, ("C3", "C1", "Cz", "C2", "C4"))))
            writer.append(writer.add_stream(header(cap)), eeg.astype(np.float32), eeg_times)
            body = StreamInfo("limb", "MoCap", CONTROL, tuple(Channel(label, "m", "MoCap") for label in limb))
            writer.append(writer.add_stream(header(body)), np.hstack([hands, targets]).astype(np.float32), times)
            said = [(1000.0, MARK), (1000.0, "running")] if markers is None else markers
            events = StreamInfo("limb events", "Markers", 0.0, (Channel("markers", "", "Markers"),))
            number = writer.add_stream(header(events, pylsl.cf_string))
            for time, text in said:
                writer.append(number, [[text]], np.array([time]))
        return tmp_path / name

    return calibration


def test_a_calibration_is_known_by_its_mark(write: Write) -> None:
    path = write()
    assert calibration_in([path]) == Calibration(ENV, "reach")
    assert calibration_in([write("other.xdf", [])]) is None
    with pytest.raises(RecordingError, match="differ in what they are of"):
        calibration_in([path, tmp := write("imagery.xdf", [(1000.0, Calibration(ENV, "imagery").mark)])])
    assert tmp.exists()


def test_what_was_intended_is_known_late_and_only_while_the_limb_moved(write: Write) -> None:
    markers = [(1000.0, MARK), (1005.0, "running"), (1010.0, "holding: no sample for 0.1 s"), (1012.0, "running")]
    path = write(markers=[*markers, (1050.0, "stopped: stopped by the operator")])
    assert seconds_moved(path) == pytest.approx(5 + 38, abs=0.05)
    eeg, kinematics = read_with_intention(path, "reach")
    times, x = kinematics.times[0], kinematics.values[0]
    assert eeg.info.labels[0] == "C3" and len(kinematics.values) == 2
    assert times[0] == pytest.approx(0.15)
    known = np.isfinite(x)
    seen = times - 0.15
    moved = ((seen >= 5) & (seen < 10)) | ((seen >= 12) & (seen < 50))
    assert (known == moved).mean() > 0.999
    assert np.abs(x[known]).max() <= 0.35 + 1e-6


def test_training_needs_no_option(write: Write, tmp_path: Path) -> None:
    path, out = write(), tmp_path / "run"
    train_on_recordings(ImitationFromRecordings((path,), out=out, training=ImitationConfig(epochs=8)))
    checkpoint = load_checkpoint(out)
    assert (checkpoint.environment, checkpoint.steer, checkpoint.command) == (ENV, "reach", "velocity")
    assert checkpoint.pipeline.config == fitting(REACHING.pipeline, checkpoint.pipeline.info)
    assert checkpoint.controller.config == REACHING.controller  # as nothing else was asked for
    written = json.loads((out / "summary.json").read_text())
    assert written["held_back"]["c.xdf"]["pearson_r"] > 0.6


def test_a_stream_without_the_ways_electrodes_is_taken_as_it_is() -> None:
    few = StreamInfo("cap", "EEG", 250.0, tuple(map(Channel, ("C3", "C4"))))
    eight = StreamInfo("cap", "EEG", 250.0, tuple(map(Channel, ("Fp1", "Fp2", "C3", "C4", "P7", "P8", "O1", "O2"))))
    from motorctl.training.steering import IMAGINING

    assert fitting(IMAGINING.pipeline, few).reference == "none"
    assert fitting(IMAGINING.pipeline, eight).channels == ()
    assert fitting(IMAGINING.pipeline, eight).reference == "average"


def class_markers() -> list[tuple[float, str]]:
    cues = [(1002.0 + 5 * k, f"cue: {('rest', 'right')[k % 2]}") for k in range(11)]
    pauses = [(time + 4, "pause") for time, _ in cues]
    mark = Calibration("motorctl/HandGrasp-v0", "classes").mark
    return sorted([(1000.0, mark), (1000.0, "classes: rest=open right=close"), (1000.0, "running"), *cues, *pauses])


def test_the_classes_of_a_calibration_need_no_option_either(write: Write, tmp_path: Path) -> None:
    path, out = write(markers=class_markers()), tmp_path / "run"
    assert class_meanings([path]) == {"rest": "open", "right": "close"}
    controller = ControllerConfig(widths=(4,))
    train_classifier(ClassifyRecordings(recordings=(path,), out=out, permutations=0, controller=controller))
    checkpoint = load_checkpoint(out)
    assert (checkpoint.environment, checkpoint.command) == ("motorctl/HandGrasp-v0", "class")
    assert dict(checkpoint.cues) == {"cue: rest": "rest", "cue: right": "right"}
    assert checkpoint.history["meaning"] == ["rest=open", "right=close"]
    with pytest.raises(RecordingError, match="train classify"):
        train_on_recordings(ImitationFromRecordings((path,), out=tmp_path / "no"))


def test_a_calibration_of_a_hand_names_no_classes(write: Write, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="names no classes"):
        train_classifier(ClassifyRecordings(recordings=(write(),), out=tmp_path / "run"))
