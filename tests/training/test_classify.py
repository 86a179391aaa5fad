"""Movement classes: trials, training, and the command on real recordings beside permuted labels."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motorctl.agents import ControllerConfig, RecurrentController
from motorctl.cli import main
from motorctl.errors import ConfigurationError
from motorctl.signals.pipeline import Features
from motorctl.training.checkpoint import load_checkpoint
from motorctl.training.classes import (
    ClassTraining,
    class_weights,
    cross_entropy,
    train_classes,
    trial_probabilities,
)
from motorctl.training.classifier import Classifier, fit, permuted_accuracy, prepare, read_sequences, score
from motorctl.training.sequence import Sequence
from motorctl.training.trials import Trials, parse_classes, permuted, stack_trials

CUES = ["--cues", "T1=fists", "T2=feet"]


def trials(seed: int, count: int = 24, length: int = 12) -> Trials:
    """The class is which of two features is higher on the average."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    features = rng.standard_normal((count, length, 2)) + 1.5 * np.eye(2)[labels][:, None]
    weight = torch.ones(count, length)
    weight[::3, length // 2 :] = 0
    return Trials(torch.from_numpy(features.astype(np.float32)) * weight[..., None], weight, torch.from_numpy(labels))


def test_what_can_be_told_apart_is_and_permuted_labels_are_at_chance() -> None:
    train, test = trials(0), trials(1)
    controller, losses = fit(train, 2, Classifier(), seed=0)
    assert score(controller, test, ("a", "b")).accuracy > 0.9
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("front_end", ["rhythms", "csp", "riemann"])
def test_permuted_labels_are_at_chance_whatever_the_features(
    front_end: Literal["rhythms", "csp", "riemann"], eegmmi: Path
) -> None:
    config, cues = Classifier(front_end=front_end), {"T1": "fists", "T2": "feet"}
    sequences, pipeline = read_sequences([eegmmi / "S001R05.edf"], [eegmmi / "S001R09.edf"], cues, config)
    learned, tested = sequences[:1], sequences[1:]
    prepared = prepare(learned, pipeline, config)
    train, test = (stack_trials([prepared.apply(s) for s in part]) for part in (learned, tested))
    controller, _ = fit(train, 2, config, seed=0)
    assert score(controller, test, ("fists", "feet")).accuracy >= 0.8
    assert 0.3 < permuted_accuracy(learned, tested, pipeline, ("fists", "feet"), config, 0, permutations=10) < 0.7


@given(seed=st.integers(0, 99), lengths=st.lists(st.integers(1, 5), min_size=2, max_size=9))
def test_labels_are_dealt_out_anew_over_all_recordings_and_by_trial(seed: int, lengths: list[int]) -> None:
    def recording(lengths: list[int]) -> Sequence:
        trial = np.repeat(np.arange(2 * len(lengths)), np.repeat([[1, n] for n in lengths], 1))
        trial = np.where(trial % 2, trial // 2, -1)
        values = np.random.default_rng(seed).standard_normal((len(trial), 1)).astype(np.float32)
        features = Features(values, np.arange(len(trial)) / 8, np.ones((len(trial), 1), bool))
        return Sequence(features, np.eye(3, dtype=np.float32)[trial % 3] * (trial >= 0)[:, None], trial)

    given = [recording(lengths[:1]), recording(lengths[1:])]
    before, dealt = stack_trials(given), permuted(given, torch.Generator().manual_seed(seed))
    after = stack_trials(dealt)
    order = torch.randperm(len(before), generator=torch.Generator().manual_seed(seed))
    assert torch.equal(after.labels, before.labels[order]) and torch.equal(after.features, before.features)
    assert torch.equal(stack_trials(given).labels, before.labels)
    for sequence in dealt:
        assert all(
            len({row.argmax() for row in sequence.targets[sequence.trial == n]}) == 1
            for n in range(max(lengths))
            if n in sequence.trial
        )
        assert not sequence.targets[sequence.trial < 0].any()


def test_read_both_ways_padding_is_not_seen() -> None:
    train = trials(0)
    longer = Trials(
        torch.nn.functional.pad(train.features, (0, 0, 0, 5), value=9.0),
        torch.nn.functional.pad(train.weight, (0, 5)),
        train.labels,
    )
    torch.manual_seed(0)
    controller = RecurrentController(ControllerConfig(widths=(4,), bidirectional=True), 2, 2)
    torch.testing.assert_close(trial_probabilities(controller, longer), trial_probabilities(controller, train))


def test_padding_and_masked_rows_are_neither_learned_from_nor_asked() -> None:
    def outcome(train: Trials) -> tuple[list[float], torch.Tensor]:
        torch.manual_seed(0)
        controller = RecurrentController(ControllerConfig(widths=(4,)), 2, 2)
        return train_classes(controller, train, ClassTraining(epochs=5)), trial_probabilities(controller, train)

    clean = trials(0)
    dirty = Trials(torch.where(clean.weight[..., None] > 0, clean.features, 50.0), clean.weight, clean.labels)
    (losses, probabilities), (dirty_losses, dirty_probabilities) = outcome(clean), outcome(dirty)
    np.testing.assert_allclose(dirty_losses, losses, rtol=1e-5)
    torch.testing.assert_close(dirty_probabilities, probabilities, rtol=1e-4, atol=1e-5)
    blind = Trials(dirty.features, torch.ones_like(dirty.weight), dirty.labels)  # the naive way: all rows count
    assert abs(outcome(blind)[0][-1] - losses[-1]) > 0.01


@given(seed=st.integers(0, 1000), count=st.integers(1, 6), length=st.integers(1, 9))
def test_cross_entropy_is_the_mean_log_of_the_probability_of_the_label(seed: int, count: int, length: int) -> None:
    rng = np.random.default_rng(seed)
    logits, labels = rng.standard_normal((count, length, 3)), rng.integers(0, 3, count)
    weight = (rng.random((count, length)) < 0.7).astype(float)
    weight[0, 0] = 1
    probability = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    terms = [-np.log(probability[i, t, labels[i]]) for i in range(count) for t in range(length) if weight[i, t]]
    given_trials = Trials(torch.zeros(count, length, 1), torch.from_numpy(weight), torch.from_numpy(labels))
    assert float(cross_entropy(torch.from_numpy(logits), given_trials)) == pytest.approx(np.mean(terms))


@settings(deadline=None)  # the first example imports scikit-learn
@given(seed=st.integers(0, 1000), smoothing=st.floats(0, 0.9))
def test_weights_and_smoothed_labels_are_scikit_learns_and_torchs(seed: int, smoothing: float) -> None:
    balanced = pytest.importorskip("sklearn.utils.class_weight")
    rng = np.random.default_rng(seed)
    labels = np.concatenate([[0, 1, 2], rng.integers(0, 3, 7)])
    logits, weight = torch.from_numpy(rng.standard_normal((10, 4, 3))), torch.ones(10, 4)
    weights = class_weights(Trials(torch.zeros(10, 4, 1), weight, torch.from_numpy(labels)), 3)
    expected = balanced.compute_class_weight("balanced", classes=np.arange(3), y=labels)
    np.testing.assert_allclose(weights, expected, rtol=1e-6)

    few = Trials(torch.zeros(10, 4, 1), weight, torch.from_numpy(labels))
    found = cross_entropy(logits, few, weights.double(), smoothing)
    smooth = torch.nn.functional.one_hot(torch.from_numpy(labels), 3) * (1 - smoothing) + smoothing / 3
    rows = -(smooth[:, None] * logits.log_softmax(dim=-1)).sum(dim=-1).mean(dim=1)
    assert float(found) == pytest.approx(np.average(rows.numpy(), weights=expected[labels]))


def test_a_rare_class_is_as_likely_as_the_other_where_classes_are_balanced() -> None:
    """Features that tell nothing: what is said is how much each class weighs. Six trials of 51 are of the second."""
    many = trials(0, 90)
    kept = torch.cat([torch.arange(0, 90, 2), torch.arange(1, 90, 2)[:6]])
    rare = Trials(0 * many.features[kept], many.weight[kept], many.labels[kept])
    said = []
    for balance in (False, True):
        torch.manual_seed(0)
        controller = RecurrentController(ControllerConfig(widths=(4,)), 2, 2)
        train_classes(controller, rare, ClassTraining(epochs=40, learning_rate=2e-2, balance=balance))
        said.append(float(trial_probabilities(controller, rare)[:, 1].mean()))
    assert said == pytest.approx([6 / 51, 0.5], abs=0.05)


@given(lengths=st.lists(st.integers(1, 8), min_size=1, max_size=5), gap=st.integers(0, 3))
def test_trials_hold_every_row_of_every_trial_and_nothing_between(lengths: list[int], gap: int) -> None:
    number = np.concatenate([[*[-1] * gap, *[k] * n] for k, n in enumerate(lengths)]).astype(np.int64)
    values = np.arange(1, len(number) + 1, dtype=np.float32)[:, None]
    targets = np.eye(3, dtype=np.float32)[number % 3]
    sequence = Sequence(Features(values, np.arange(len(number)) / 8, np.ones(values.shape, bool)), targets, number)
    stacked = stack_trials([sequence, sequence])
    kept = stacked.weight > 0
    np.testing.assert_array_equal(stacked.features[kept], np.tile(values[number >= 0], (2, 1)))
    assert not stacked.features[~kept].any()
    assert stacked.labels.tolist() == [k % 3 for k in range(len(lengths))] * 2


@pytest.mark.parametrize("cues", [[], ["T1"], ["T1=", "T2=b"], ["=a", "T2=b"], ["T1=a", "T1=b"], ["T1=a", "T2=a"]])
def test_cues_that_make_no_choice_are_said(cues: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="--cues T1=fists T2=feet"):
        parse_classes(cues)


def test_several_annotations_may_mean_one_class() -> None:
    assert parse_classes(["T0=rest", "T1=move", "T2=move"]) == {"T0": "rest", "T1": "move", "T2": "move"}


def test_the_command_tells_feet_from_fists_in_an_unseen_run(eegmmi: Path, tmp_path: Path) -> None:
    out, file = tmp_path / "run", tmp_path / "f.json"
    files = ["--recordings", str(eegmmi / "S001R05.edf"), "--test", str(eegmmi / "S001R09.edf")]
    assert main(["train", "classify", *files, *CUES, "--out", str(out), "--json", str(file)]) == 0
    results: dict[str, Any] = json.loads(file.read_text())
    test = results["test"]
    assert test["trials"] == 15 and test["accuracy"] >= 0.8
    assert test["accuracy"] == np.mean([a == b for a, b in zip(test["labels"], test["predicted"], strict=True)])
    assert test["interval"][0] <= test["accuracy"] <= test["interval"][1]
    assert 0.3 <= test["permuted_accuracy"] <= 0.7
    assert results["seconds"] > 0 and results["train"]["trials"] == 15
    checkpoint = load_checkpoint(out)
    assert checkpoint.command == "class" and checkpoint.controller.commands == 2
    assert checkpoint.history["classes"] == ["fists", "feet"]


def test_without_a_test_the_last_trials_are_held_back(eegmmi: Path, tmp_path: Path) -> None:
    file = tmp_path / "f.json"
    options = ["--permutations", "0", "--training.epochs", "2", "--out", str(tmp_path / "run"), "--json", str(file)]
    assert main(["train", "classify", "--recordings", str(eegmmi / "S001R05.edf"), *CUES, *options]) == 0
    results = json.loads(file.read_text())
    assert (results["train"]["trials"], results["test"]["trials"]) == (12, 3)
    assert results["test"]["permuted_accuracy"] is None


def small(write_edf: Callable[..., Path], path: Path, labels: list[str], cues: str = "12") -> Path:
    samples = np.random.default_rng(0).integers(-50, 50, (1600, len(labels)))
    notes = [(4.0 * i + 0.5, 3.0, f"T{cue}") for i, cue in enumerate(cues)]
    return write_edf(path, samples, labels, annotations=notes)


def test_wrong_data_is_said_in_one_line(
    write_edf: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    montage = ["C3", "C4", "Cz", "CP3", "CP4", "FC3"]
    good = small(write_edf, tmp_path / "good.edf", montage)
    cases = {
        "no annotation T2": [str(small(write_edf, tmp_path / "one.edf", montage, "11")), *CUES],
        "only the class fists": [str(good), "--cues", "T1=fists"],
        "of one class": [str(good), *CUES, "--hold-back", "0.5"],
        "needs channel": [str(good), *CUES, "--test", str(small(write_edf, tmp_path / "few.edf", montage[:5]))],
        "trained and tested on": [str(good), *CUES, "--test", str(good)],
        "no valid row from 6 to 3 s": [str(good), *CUES, "--window", "6", "8"],
        "Window (3.0, 1.0)": [str(good), *CUES, "--window", "3", "1"],
        "hold the same samples": [str(good), *CUES, "--test", str(shutil.copy(good, tmp_path / "copy.edf"))],
        "seed is -1": [str(good), *CUES, "--seed", "-1"],
        "learning_rate is -1": [str(good), *CUES, "--training.learning-rate", "-1"],
        "weight_decay is -1": [str(good), *CUES, "--training.weight-decay", "-1"],
        "clip is 0": [str(good), *CUES, "--training.clip", "0"],
        "Feature rate 500 Hz": [str(good), *CUES, "--front-end", "csp", "--pipeline.rate", "500"],
        "power_window is 0": [str(good), *CUES, "--front-end", "csp", "--pipeline.power-window", "0"],
    }
    for problem, arguments in cases.items():
        assert main(["train", "classify", "--out", str(tmp_path / "run"), "--recordings", *arguments]) == 1
        said = capsys.readouterr().err
        assert problem in said and said.count("\n") == 1, said
        assert not (tmp_path / "run").exists()
    assert main(["train", "classify", "--test", str(good)]) == 1
    assert "No recording to train on" in capsys.readouterr().err


@pytest.mark.slow
def test_the_benchmark_reaches_what_is_required_of_real_recordings(eegmmi: Path, tmp_path: Path) -> None:
    script = Path(__file__).resolve().parents[2] / "scripts" / "benchmarks" / "classification.py"
    file = tmp_path / "f.json"
    subprocess.run([sys.executable, str(script), "--data", str(eegmmi), "--json", str(file)], check=True)
    measured = json.loads(file.read_text())["both_ways"]
    assert measured["fists_feet_mean"] >= 0.9
    assert measured["left_right_imagined"]["accuracy"] >= 0.65
    for problem in ("fists_feet_executed", "fists_feet_imagined", "left_right_executed", "left_right_imagined"):
        assert 0.4 < measured[problem]["permuted_accuracy"] < 0.6
