"""The five systems by name, each on data that it makes itself and on a user's own; and what is said of wrong data."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motorctl.cli import main
from motorctl.errors import CheckpointError
from motorctl.training.checkpoint import load_checkpoint
from motorctl.training.networks import load_network
from motorctl.training.sequence_files import read_sequences

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """``run(command)``: its results, from a run folder ``tmp_path/run``."""

    def command(words: str) -> dict[str, Any]:
        file = tmp_path / "f.json"
        assert main([*words.split(), "--out", str(tmp_path / "run"), "--json", str(file)]) == 0
        results: dict[str, Any] = json.loads(file.read_text())
        return results

    return command


def save(path: Path, array: Any) -> Path:
    np.save(path, array)
    return path


def test_a_table_of_one_recording_is_recognised_by_its_neighbours(run: Run, tmp_path: Path) -> None:
    results = run("train classify --preset eeg-table --seed 0")
    shuffled, honest = results["shuffled"], results["by-block"]
    assert results["classes"] and set(results["classes"]) == {"stand", "walk", "run"}
    assert shuffled["accuracy"] > honest["accuracy"] + 0.1
    assert honest["accuracy"] > 0.5 > honest["chance"]
    right = [a == b for a, b in zip(honest["labels"], honest["predicted"], strict=True)]
    assert honest["accuracy"] == pytest.approx(np.mean(right))
    stored = load_network(tmp_path / "run")
    assert stored.config.core.widths == (64, 32) and stored.temperature == pytest.approx(honest["temperature"])


def test_a_users_table_is_read(run: Run, tmp_path: Path) -> None:
    rng, path = np.random.default_rng(0), tmp_path / "eeg_data.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["alpha", "label", "beta"])
        for bout in range(12):
            for _ in range(30):
                a, b = rng.standard_normal(2) + [2 * (bout % 2), 0]
                writer.writerow(["" if rng.random() < 0.1 else f"{a:.3f}", ("walk", "run")[bout % 2], f"{b:.3f}"])
    results = run(
        f"train classify --preset eeg-table --data {path} --controller.widths 8 --training.learning-rate 0.01"
    )
    assert results["by-block"]["accuracy"] > 0.8
    assert 0.03 < results["missing"] < 0.07


def test_number_sequences_give_their_values(run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sequences = rng.standard_normal((200, 8))
    data, targets = save(tmp_path / "x.npy", sequences), save(tmp_path / "y.npy", sequences[:, -3:].sum(axis=1))
    options = "--controller.widths 20 --controller.dropout 0 --training.epochs 40 --training.learning-rate 0.01"
    results = run(f"train regress --preset sequence-regression --data {data} --targets {targets} {options}")
    assert results["test"]["r2"][0] > 0.8 and results["test"]["sequences"] == 40
    with np.load(tmp_path / "run" / "predictions.npz") as stored:
        mse = np.square(stored["values"] - stored["targets"]).mean()
        held = sequences[stored["test_sequences"]]
    assert results["test"]["mse"][0] == pytest.approx(mse, rel=1e-4)
    said = load_network(tmp_path / "run").predict(read_sequences(save(tmp_path / "held.npy", held)))
    assert np.corrcoef(said["values"][:, 0], held[:, -3:].sum(axis=1))[0, 1] > 0.9


def test_values_and_classes_are_learned_by_one_network(run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sequences, values = rng.standard_normal((120, 6, 2)), rng.standard_normal(120)
    sequences[:, -1, 0], sequences[:, :, 1] = values, sequences[:, :, 1] + 2 * (np.arange(120) % 2)[:, None]
    np.savez(
        tmp_path / "d.npz", sequences=sequences, targets=values, labels=np.array(["in", "out"])[np.arange(120) % 2]
    )
    options = "--controller.widths 16 --controller.dropout 0 --training.epochs 30 --training.learning-rate 0.01"
    results = run(f"train regress --preset sequence-regression --tasks both --data {tmp_path / 'd.npz'} {options}")
    assert results["test"]["r2"][0] > 0.7 and results["classes"]["accuracy"] > 0.85


@pytest.mark.parametrize("kind", ["gait", "reaches"])
def test_a_movement_is_foretold(run: Run, tmp_path: Path, kind: str) -> None:
    options = "--training.epochs 12 --steps 10 --training.learning-rate 0.02"
    results = run(f"train forecast --preset movement-forecast --generate {kind} {options}")
    assert results["test"]["mse"] < 0.7 * results["unchanged"]["mse"]
    assert results["sequences"] == {"train": 102, "test": 26}
    assert len(results["test"]["rmse_by_step"]) == 10
    errors = results["test"]["rmse_by_step"]
    assert errors[-1] > errors[0]
    assert load_network(tmp_path / "run").config.core.widths == (50,)


def test_gated_sequences_of_any_length_are_told_apart(run: Run, tmp_path: Path) -> None:
    """One-hot labels; the class is in the first rows, the rest is noise."""
    rng = np.random.default_rng(0)
    labels = np.arange(150) % 3
    sequences = 0.3 * rng.standard_normal((150, 12, 3))
    sequences[np.arange(150), 0, labels] += 3
    for number, length in enumerate(rng.integers(4, 13, 150)):
        sequences[number, length:] = np.nan
    np.savez(tmp_path / "d.npz", sequences=sequences, labels=np.eye(3)[labels], class_names=["a", "b", "c"])
    options = "--controller.widths 16 --training.batch 32 --training.learning-rate 0.02 --training.epochs 40"
    results = run(f"train classify --preset gated-sequences --data {tmp_path / 'd.npz'} {options}")
    assert results["shuffled"]["accuracy"] > 0.9 and results["classes"] == ["a", "b", "c"]
    assert results["missing"] == 0


def test_long_sequences_are_read_in_frames(run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels, times = np.arange(60) % 2, np.arange(22_050) / 22_050
    tones = np.where(labels[:, None], 200, 900) * times + rng.uniform(size=(60, 1))
    data = save(tmp_path / "speech_data.npy", np.sin(2 * np.pi * tones) + 0.3 * rng.standard_normal((60, 22_050)))
    options = (
        f"--data {data} --labels {save(tmp_path / 'labels.npy', labels)} --controller.widths 16 --training.epochs 8"
    )
    results = run(f"train classify --preset long-sequences {options} --training.batch 8 --training.learning-rate 0.01")
    assert results["shuffled"]["accuracy"] == 1
    assert load_network(tmp_path / "run").config.frame == 147


@pytest.mark.slow
def test_long_sequences_are_learned_value_by_value(run: Run, tmp_path: Path) -> None:
    """22,050 steps through two layers of 128, gradients through 350."""
    rng = np.random.default_rng(0)
    labels = np.arange(16) % 2
    sequences = 0.3 * rng.standard_normal((16, 22_050)) + np.where(labels[:, None], 1, -1)
    data = save(tmp_path / "speech_data.npy", sequences)
    options = f"--data {data} --labels {save(tmp_path / 'labels.npy', labels)} --frame 1 --training.horizon 350"
    results = run(f"train classify --preset long-sequences {options} --training.epochs 1 --training.batch 8")
    assert results["shuffled"]["accuracy"] == 1 and results["shuffled"]["loss"] < 0.3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "reached"),
    [
        ("train classify --preset gated-sequences", lambda r: r["shuffled"]["accuracy"] > 0.75),
        ("train classify --preset long-sequences", lambda r: r["shuffled"]["accuracy"] > 0.95),
        ("train regress --preset sequence-regression", lambda r: r["test"]["r2"][0] > 0.85),
        ("train regress --preset recording", lambda r: min(r["test"]["r2"]) > 0.85),
        ("train forecast --preset movement-forecast", lambda r: r["test"]["mse"] < r["linear"]["mse"]),
        (
            "train forecast --decoder seq2seq --attention dot --steps 10",
            lambda r: r["test"]["mse"] < 0.3 * r["unchanged"]["mse"],
        ),
    ],
)
@pytest.mark.timeout(600)
def test_every_system_reaches_on_its_own_data_what_it_is_said_to(run: Run, command: str, reached: Any) -> None:
    assert reached(run(command))


def test_a_network_of_sequences_is_no_controller_of_a_limb(run: Run, tmp_path: Path) -> None:
    run("train forecast --generate reaches --training.epochs 1")
    with pytest.raises(CheckpointError, match="network of sequences, which no stream feeds"):
        load_checkpoint(tmp_path / "run")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("classify --preset speech", "There is no preset 'speech'. Choose one of recordings, eeg-table"),
        ("classify --preset=gated-sequences --data {x}", "holds no labels"),
        ("classify --preset gated-sequences --data {absent}", "There is no recording"),
        ("classify --preset gated-sequences --data {x} --labels {y}", "labels in '{y}' are float64"),
        ("classify --preset eeg-table --data {absent}", "There is no table"),
        ("classify --preset eeg-table --hold-back 1", "hold-back is 1"),
        ("classify --preset eeg-table --labels {y}", "in a column of its own"),
        ("classify --preset eeg-table --seed -1", "seed is -1"),
        ("classify --preset eeg-table --training.weight-decay -1", "weight_decay is -1"),
        ("classify --preset long-sequences --frame 0", "frame is 0"),
        ("classify --preset gated-sequences --training.batch 0", "batch is 0"),
        ("classify --preset gated-sequences --training.horizon -1", "horizon is -1"),
        ("classify --preset gated-sequences --controller.bidirectional", "not causal"),
        ("regress --preset sequence-regression --data {x}", "holds no targets"),
        ("regress --preset sequence-regression --data {x} --targets {y} --tasks both", "holds no labels"),
        ("regress --preset sequence-regression --data {x} --targets {x2}", "the shape (3, 9)"),
        ("regress --training.lane 0", "lane is 0"),
        ("regress --training.weight-decay nan", "weight_decay is nan"),
        ("regress --seed 4294967296", "seed is 4294967296"),
        ("regress {x} --data {y}", "Two recordings are named"),
        ("regress --data {absent}", "There is no recording"),
        ("forecast --data {x}", "The shortest sequence has 9 rows; 20 seen and 1 foretold are 21"),
        ("forecast --steps 0", "below 1"),
        ("forecast --attention dot", "no attention"),
        ("forecast --decoder seq2seq --training.horizon 5", "whole sequences"),
    ],
)
def test_a_mistake_is_said_in_one_line(
    words: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {
        "x": save(tmp_path / "x.npy", np.random.default_rng(0).standard_normal((6, 9))),
        "x2": save(tmp_path / "x2.npy", np.zeros((3, 9))),
        "y": save(tmp_path / "y.npy", np.arange(6.0)),
        "absent": tmp_path / "absent.npz",
    }
    assert main([*f"train {words}".format(**places).split(), "--out", str(tmp_path / "run")]) == 1
    heard = capsys.readouterr().err
    assert said.format(**places) in heard and heard.count("\n") == 1, heard
    assert not (tmp_path / "run").exists()
