"""``motorctl train imitation``: from a recording to a scored, stored controller."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from motorctl.agents import ControllerConfig
from motorctl.errors import ConfigurationError, RecordingError, StreamError
from motorctl.signals.export import write_csv
from motorctl.signals.recording import read_recording
from motorctl.training.checkpoint import load_checkpoint
from motorctl.training.imitation import ImitationConfig
from motorctl.training.recordings import ImitationFromRecordings, train_on_recordings

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
