"""``motorctl train imitation``: from a recording to a scored, stored controller."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from motorctl.agents import ControllerConfig
from motorctl.cli import main
from motorctl.errors import ConfigurationError, RecordingError, StreamError
from motorctl.signals.export import write_csv
from motorctl.signals.pipeline import PipelineConfig
from motorctl.signals.recording import read_recording
from motorctl.training.augmentation import Augmentation
from motorctl.training.checkpoint import load_checkpoint
from motorctl.training.dataset import hashes, read_dataset
from motorctl.training.imitation import ImitationConfig
from motorctl.training.kinematics import KinematicTargets
from motorctl.training.recordings import STATE, ImitationFromRecordings, train_on_recordings

CUES = ("T1=left", "T2=right")


def config(recording: Path, **options: object) -> ImitationFromRecordings:
    small = ImitationFromRecordings(
        (recording,),
        CUES,
        out=recording.parent / "run",
        controller=ControllerConfig(widths=(8,)),
        training=ImitationConfig(epochs=30, learning_rate=2e-2),
    )
    return replace(small, **options)  # type: ignore[arg-type]


def test_a_recording_that_holds_the_cues_is_decoded_above_chance(cued_edf: Callable[..., Path]) -> None:
    recording, test = cued_edf("a.edf"), cued_edf("b.edf", seed=1)
    results = recording.parent / "results.json"
    train_on_recordings(config(recording, test=(test,), json=results))
    written = json.loads(results.read_text())
    held, unseen = written["held_back"]["a.edf"], written["test"]["b.edf"]
    assert (held["trials"], unseen["trials"]) == (2, 11)
    assert unseen["pearson_r"] > 0.5 > unseen["chance_r_95"]
    assert unseen["correct"] >= 10
    assert json.loads((recording.parent / "run" / "summary.json").read_text()) == written
    stored = load_checkpoint(recording.parent / "run")
    assert stored.cues == {"T1": "left", "T2": "right"}
    assert stored.pipeline.config.channels == ("C3", "C4", "Cz", "CP3", "CP4")
    assert list(stored.history["data"]) == [str(recording)]


def test_a_seed_fixes_the_result(cued_edf: Callable[..., Path]) -> None:
    recording = cued_edf()
    few = ImitationConfig(epochs=2)
    for name in ("first", "second"):
        train_on_recordings(config(recording, out=recording.parent / name, training=few, seed=4))
    first, second = ((recording.parent / n / "controller.safetensors").read_bytes() for n in ("first", "second"))
    assert first == second


def test_test_recordings_do_not_touch_the_controller(cued_edf: Callable[..., Path]) -> None:
    recording, test = cued_edf("a.edf"), cued_edf("b.edf", seed=1)
    few = ImitationConfig(epochs=2)
    train_on_recordings(config(recording, out=recording.parent / "without", training=few))
    train_on_recordings(config(recording, out=recording.parent / "with", training=few, test=(test,)))
    without, with_ = ((recording.parent / n / "controller.safetensors").read_bytes() for n in ("without", "with"))
    assert without == with_


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"cues": ("T1=left", "T7=right")}, RecordingError, "no annotation T7; it has T1, T2"),
        ({"cues": ("T1=sideways",)}, ConfigurationError, "left, right, forward, back"),
        ({"recordings": (Path("absent.edf"),)}, RecordingError, "absent.edf"),
        ({"recordings": ()}, RecordingError, "No recording"),
        ({"hold_back": 1.0}, ConfigurationError, "hold-back is 1"),
        ({"environment": "motorctl/Nowhere-v0"}, ConfigurationError, "motorctl/ArmReach-v0"),
        ({"validate": 1.0}, ConfigurationError, "validate is 1"),
        ({"training": ImitationConfig(patience=3)}, ConfigurationError, "Give --validate"),
        ({"augment": Augmentation(noise=-1.0)}, ConfigurationError, "augment.noise is -1"),
        ({"resume": True}, ConfigurationError, "no training to go on with"),
        ({"targets": KinematicTargets(("x", "y"))}, ConfigurationError, "Both cues and targets"),
        ({"cues": ()}, ConfigurationError, "No cue is given.*--targets.channels"),
        ({"on_disk": Path("data")}, ConfigurationError, "Give --training.batch"),
        (
            {"on_disk": Path("data"), "augment": Augmentation(amplitude=1.0), "training": ImitationConfig(batch=4)},
            ConfigurationError,
            "Leave out --augment.amplitude",
        ),
        ({"json": Path("no/such/folder/r.json")}, ConfigurationError, "no/such/folder"),
    ],
)
def test_what_cannot_work_is_said_before_any_training(
    options: dict[str, object], error: type[Exception], words: str, cued_edf: Callable[..., Path]
) -> None:
    recording = cued_edf()
    with pytest.raises(error, match=words):
        train_on_recordings(config(recording, **options))
    assert not (recording.parent / "run").exists()


def test_recordings_that_differ_are_refused(cued_edf: Callable[..., Path]) -> None:
    recording, other = cued_edf("a.edf"), cued_edf("b.edf", rate=200)
    with pytest.raises(StreamError, match="160 Hz.*200 Hz"):
        train_on_recordings(config(recording, test=(other,)))


def test_a_folder_that_is_not_of_a_run_is_left_alone(cued_edf: Callable[..., Path]) -> None:
    recording = cued_edf()
    with pytest.raises(ConfigurationError, match="not of a run"):
        train_on_recordings(config(recording, out=recording.parent))


def test_imagined_movement_is_decoded_from_executed_movement_on_real_eeg(eegmmi: Path, tmp_path: Path) -> None:
    """Both fists and both feet, S001R05 to S001R06: well above what trials in random order give."""
    results = tmp_path / "r.json"
    train_on_recordings(
        ImitationFromRecordings(
            (eegmmi / "S001R05.edf",), CUES, test=(eegmmi / "S001R06.edf",), out=tmp_path / "run", json=results
        )
    )
    score = json.loads(results.read_text())["test"]["S001R06.edf"]
    assert score["trials"] == 15
    assert score["pearson_r"] > score["chance_r_95"]
    assert score["correct"] >= 12  # 12 of 15 has p = 0.018 under chance


@pytest.fixture
def lossy_csv(cued_edf: Callable[..., Path]) -> Path:
    """The recording as a table without the rows from 1 to 2 s, and with its last line cut short."""
    path = cued_edf().with_suffix(".csv")
    write_csv((read_recording(cued_edf()),), path)
    header, *lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([header, *lines[:160], *lines[320:]])[:-20], encoding="utf-8")
    return path


def test_what_is_missing_is_reported(lossy_csv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train_on_recordings(config(lossy_csv, training=ImitationConfig(epochs=1)))
    written = json.loads((lossy_csv.parent / "run" / "summary.json").read_text())
    assert written["gated"][str(lossy_csv)]["C3"] == pytest.approx(
        {"missing": 1 / 96, "rejected": 0, "flat": 0}, abs=1e-4
    )
    said = capsys.readouterr()
    assert f"{lossy_csv}: That line is not complete, and is left out." in said.err.splitlines()
    assert "gated at times" in said.out


def test_recordings_of_one_name_are_scored_side_by_side(cued_edf: Callable[..., Path]) -> None:
    one = cued_edf("a.edf")
    (one.parent / "b").mkdir()
    other = cued_edf("b/a.edf", seed=1)
    train_on_recordings(config(one, recordings=(one, other), training=ImitationConfig(epochs=1)))
    assert set(json.loads((one.parent / "run" / "summary.json").read_text())["held_back"]) == {str(one), str(other)}


def test_trials_of_nothing_but_artefacts_are_refused_before_training(cued_edf: Callable[..., Path]) -> None:
    strict = replace(config(Path("x")).pipeline, reject=1.0)
    with pytest.raises(RecordingError, match="no row without missing samples or artefacts .*rejected 1e"):
        train_on_recordings(config(cued_edf(), pipeline=strict))


def weights(folder: Path) -> bytes:
    return (folder / "controller.safetensors").read_bytes()


def test_training_that_was_killed_goes_on_to_the_same_numbers(
    cued_edf: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """``kill -9`` in the middle of a real command; dropout, augmentation, validation and batches draw at random."""
    recording = cued_edf()
    words = ["train", "imitation", "--recordings", str(recording), "--cues", *CUES, "--controller.widths", "8"]
    words += ["--training.epochs", "8", "--training.batch", "2", "--training.horizon", "2", "--validate", "0.2"]
    words += ["--augment.noise", "0.2", "--augment.amplitude", "0.5", "--out"]
    killed, whole = recording.parent / "killed", recording.parent / "whole"
    process = subprocess.Popen([sys.executable, "-m", "motorctl", *words, str(killed)], stdout=subprocess.DEVNULL)
    ends = time.monotonic() + 90
    while not (killed / STATE).is_file():
        assert process.poll() is None and time.monotonic() < ends
        time.sleep(0.001)
    process.kill()
    process.wait(10)
    assert not (killed / "controller.json").exists()

    assert main([*words, str(whole)]) == 0
    assert main([*words, str(killed), "--resume", "--seed", "1"]) == 1
    assert "had other options or other data" in capsys.readouterr().err
    assert main([*words, str(killed), "--resume"]) == 0
    assert weights(killed) == weights(whole)
    curves = [json.loads((folder / "controller.json").read_text())["history"]["loss"] for folder in (killed, whole)]
    assert curves[0] == curves[1] and len(curves[0]) == 8
    assert not (killed / STATE).exists()


def test_features_kept_on_disk_give_the_same_controller(cued_edf: Callable[..., Path]) -> None:
    recordings, test = (cued_edf("a.edf"), cued_edf("b.edf", seed=1)), cued_edf("c.edf", seed=2)
    few = replace(config(recordings[0], recordings=recordings, test=(test,)), training=ImitationConfig(2, batch=3))
    memory, disk, data = (recordings[0].parent / name for name in ("memory", "disk", "data"))
    train_on_recordings(replace(few, out=memory))
    train_on_recordings(replace(few, out=disk, on_disk=data))
    assert weights(memory) == weights(disk)
    scores = [json.loads((folder / "summary.json").read_text()) for folder in (memory, disk)]
    assert scores[0]["held_back"] == scores[1]["held_back"] and scores[0]["test"] == scores[1]["test"]
    stored = read_dataset(data)
    assert stored.provenance["files"] == hashes(list(recordings)) and stored.provenance["seed"] == 0
    assert len(stored.rows) == 2 and stored.features == load_checkpoint(disk).pipeline.names
    with pytest.raises(ConfigurationError, match="holds a data set already"):
        train_on_recordings(replace(few, out=disk, on_disk=data))


@pytest.mark.parametrize(
    "augment", [Augmentation(noise=0.5, time_shift=0.2), Augmentation(amplitude=1.0, band_stop=2.0)]
)
def test_augmentation_touches_nothing_but_training(augment: Augmentation, cued_edf: Callable[..., Path]) -> None:
    """A learning rate of almost nothing: what is scored, validated and fitted is as it was."""
    recording = cued_edf()
    still = replace(config(recording), training=ImitationConfig(2, 1e-12, weight_decay=0.0), validate=0.2)
    found = []
    for name, changed in (("plain", Augmentation()), ("augmented", augment)):
        train_on_recordings(replace(still, out=recording.parent / name, augment=changed))
        found.append(json.loads((recording.parent / name / "controller.json").read_text())["history"])
    assert found[0]["held_back"]["cued.edf"]["pearson_r"] == pytest.approx(
        found[1]["held_back"]["cued.edf"]["pearson_r"]
    )
    assert found[0]["validation"] == pytest.approx(found[1]["validation"])
    assert found[0]["loss"] != pytest.approx(found[1]["loss"], rel=1e-4)
    assert found[1]["config"]["augment"]["time_shift"] == augment.time_shift


@pytest.fixture
def hand_csv(tmp_path: Path) -> Path:
    """80 s of a hand on a figure of eight, in mm, and two channels that show its velocity."""
    times = np.arange(8000) / 100
    position = 100 * np.stack([np.sin(0.8 * times), np.sin(1.6 * times + 1)], axis=1)
    velocity = np.gradient(position, times, axis=0)
    eeg = 0.1 * velocity + np.random.default_rng(0).standard_normal(velocity.shape)
    path = tmp_path / "hand.csv"
    header = "time (s),C3 (uV),C4 (uV),hand_x (mm),hand_y (mm)"
    np.savetxt(path, np.column_stack([times, eeg, position]), "%.9g", ",", header=header, comments="")
    return path


def test_a_hands_recorded_movement_is_learned(hand_csv: Path) -> None:
    pipeline = PipelineConfig(rate=25.0, reference="none", power_bands=(), amplitude_band=(0.0, 5.0))
    targets = KinematicTargets(("hand_x", "hand_y"))
    few = ImitationConfig(epochs=15, learning_rate=2e-2)
    train_on_recordings(config(hand_csv, cues=(), targets=targets, pipeline=pipeline, training=few))
    score = json.loads((hand_csv.parent / "run" / "summary.json").read_text())["held_back"]["hand.csv"]
    assert score["pearson_r"] > 0.9
    stored = load_checkpoint(hand_csv.parent / "run")
    assert stored.command == "velocity" and not stored.cues
    assert float(stored.controller.scale) == pytest.approx(0.1, rel=0.2)  # RMS of 0.08 and 0.16 m/s over the root of 2


def test_targets_that_do_not_fit_the_environment_are_refused(hand_csv: Path) -> None:
    with pytest.raises(ConfigurationError, match="moves along 2 axes, but the targets are hand_x"):
        train_on_recordings(config(hand_csv, cues=(), targets=KinematicTargets(("hand_x",))))
