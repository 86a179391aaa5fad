"""The commands that pretrain on recordings without labels and fit a stored controller to a new session."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from motorctl.agents import ControllerConfig, RecurrentController
from motorctl.errors import CheckpointError, ConfigurationError, MotorctlError, RecordingError, StreamError
from motorctl.signals.pipeline import MOTOR_RHYTHMS, Pipeline
from motorctl.signals.recording import read_recording
from motorctl.signals.stream import Chunk
from motorctl.training.adapt import Adapt, adapt
from motorctl.training.adaptation import AdaptationConfig
from motorctl.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from motorctl.training.imitation import ImitationConfig
from motorctl.training.pretrain import PRETRAINED, Pretrain, pretrain_on_recordings
from motorctl.training.pretraining import PretrainingConfig

LEFT_RIGHT = {"T1": "left", "T2": "right"}


@pytest.fixture
def store(cued_edf: Callable[..., Path]) -> Callable[..., Path]:
    """``store(command)`` stores an untrained controller for recordings like these, with the scaling of another."""

    def write(command: str = "velocity") -> Path:
        recording = read_recording(cued_edf("first.edf"))
        pipeline = Pipeline(MOTOR_RHYTHMS, recording.info)
        rows, _ = pipeline.process(Chunk(recording.samples, recording.times, recording.mask))
        torch.manual_seed(0)
        controller = RecurrentController(ControllerConfig(widths=(8,)), len(pipeline.names), 2, scale=0.1)
        folder = recording.path.parent / command
        folder.mkdir(exist_ok=True)
        environment = "motorctl/ArmReach-v0" if command == "velocity" else ""
        cues = LEFT_RIGHT if command == "velocity" else {}
        save_checkpoint(
            Checkpoint(controller, pipeline.fit([rows]), command, environment, cues, {"data": "first"}), folder
        )
        return folder

    return write


def config(folder: Path, recording: Path, **options: object) -> Adapt:
    training = ImitationConfig(epochs=10, learning_rate=3e-2)
    small = Adapt(folder, (recording,), out=folder.parent / "run", adaptation=AdaptationConfig(training=training))
    return replace(small, **options)  # type: ignore[arg-type]


def test_a_controller_is_fitted_to_a_recording_and_scored_before_and_after(
    store: Callable[..., Path], cued_edf: Callable[..., Path]
) -> None:
    recording, test = cued_edf("a.edf", seed=1), cued_edf("b.edf", seed=2)
    results = recording.parent / "results.json"
    adapt(config(store(), recording, test=(test,), minutes=1.0, json=results))
    written = json.loads(results.read_text())
    before, after = (written[f"test_{when}"]["b.edf"] for when in ("before", "after"))
    assert (before["trials"], after["trials"]) == (11, 11)
    assert after["pearson_r"] > 0.5 > before["pearson_r"]
    assert after["correct"] >= 10
    assert written["minutes"] == 1.0
    assert json.loads((recording.parent / "run" / "summary.json").read_text()) == written
    stored = load_checkpoint(recording.parent / "run")
    assert stored.cues == LEFT_RIGHT and stored.environment == "motorctl/ArmReach-v0"
    assert stored.history["start"]["history"] == {"data": "first"}
    assert list(stored.history["data"]) == [str(recording)]


def test_a_network_is_pretrained_without_cues_and_then_fitted(cued_edf: Callable[..., Path]) -> None:
    recording, other = cued_edf("a.edf"), cued_edf("b.edf", seed=1)
    folder = recording.parent / "pretrained"
    few = PretrainingConfig(epochs=3, learning_rate=2e-2)
    network = ControllerConfig(widths=(8,))
    pretrain_on_recordings(Pretrain((recording,), out=folder, hold_back=0.2, controller=network, pretraining=few))
    written = json.loads((folder / "summary.json").read_text())
    assert set(written) >= {"hidden", "ahead", "held", "minutes"}
    assert written["hidden"] < 1.0
    assert load_checkpoint(folder).command == PRETRAINED
    adapt(config(folder, other, cues=("T1=left", "T2=right")))
    adapted = load_checkpoint(recording.parent / "run")
    assert (adapted.command, adapted.environment) == ("velocity", "motorctl/ArmReach-v0")
    summary = json.loads((recording.parent / "run" / "summary.json").read_text())
    assert "held_back_before" not in summary
    assert summary["held_back_after"]["b.edf"]["trials"] == 2


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"minutes": 9.0}, ConfigurationError, "9 minutes.*hold 1"),
        ({"minutes": -1.0}, ConfigurationError, "minutes is -1"),
        ({"hold_back": 0.0}, ConfigurationError, "hold-back is 0"),
        ({"recordings": ()}, RecordingError, "No recording"),
        ({"cues": ("T1=left", "T7=right")}, RecordingError, "no annotation T7"),
        ({"checkpoint": Path("absent")}, CheckpointError, "no controller.json in absent"),
    ],
)
def test_what_cannot_work_is_said_before_any_training(
    options: dict[str, object],
    error: type[MotorctlError],
    words: str,
    store: Callable[..., Path],
    cued_edf: Callable[..., Path],
) -> None:
    folder = store()
    with pytest.raises(error, match=words):
        adapt(config(folder, cued_edf("a.edf"), **options))
    assert not (folder.parent / "run").exists()


def test_a_controller_of_classes_is_refused(store: Callable[..., Path], cued_edf: Callable[..., Path]) -> None:
    with pytest.raises(CheckpointError, match="gives 'class'"):
        adapt(config(store("class"), cued_edf("a.edf")))


def test_a_pretrained_network_has_no_cues_of_its_own(store: Callable[..., Path], cued_edf: Callable[..., Path]) -> None:
    with pytest.raises(ConfigurationError, match="No cue is given"):
        adapt(config(store(PRETRAINED), cued_edf("a.edf")))


def test_recordings_at_another_rate_are_refused(store: Callable[..., Path], cued_edf: Callable[..., Path]) -> None:
    with pytest.raises(StreamError, match="160 Hz.*200 Hz"):
        adapt(config(store(), cued_edf("a.edf", rate=200)))


def test_too_short_a_recording_is_not_pretrained_on(cued_edf: Callable[..., Path], tmp_path: Path) -> None:
    few = PretrainingConfig(epochs=1)
    with pytest.raises(RecordingError, match="too short.*--hold-back"):
        pretrain_on_recordings(Pretrain((cued_edf(),), hold_back=0.9999, pretraining=few, out=tmp_path / "run"))
    assert not (tmp_path / "run").exists()
