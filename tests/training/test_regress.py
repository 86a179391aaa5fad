"""Continuous targets: what an .npz must hold, the Wiener filter, and an LSTM that beats it where memory is needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motorctl.cli import main
from motorctl.errors import RecordingError
from motorctl.training.arrays import read_arrays
from motorctl.training.examples import Examples
from motorctl.training.networks import load_network
from motorctl.training.scaling import fit_scaling
from motorctl.training.scoring import value_scores
from motorctl.training.sequence import hold_back
from motorctl.training.wiener import lagged, wiener_filter


def gated(length: int = 6000, seed: int = 0) -> dict[str, Any]:
    """A leaky sum of one input whose sign another input set some time ago: memory that a linear filter lacks."""
    rng = np.random.default_rng(seed)
    samples = rng.standard_normal((length, 4))
    samples[:, 1] = np.where(rng.random(length) < 0.05, rng.choice([-3.0, 3.0], length), 0.0)
    targets, sign, level = np.zeros((length, 2)), 1.0, 0.0
    for t in range(length):
        sign = np.sign(samples[t, 1]) or sign
        level = 0.8 * level + sign * samples[t, 0]
        targets[t] = level, abs(samples[t, 2])
    return {"samples": samples, "targets": targets, "rate": 20.0}


def save(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def test_the_lstm_clearly_beats_the_wiener_filter_where_memory_is_not_linear(tmp_path: Path) -> None:
    data, file = save(tmp_path / "data.npz", **gated(), target_names=["gated", "magnitude"]), tmp_path / "f.json"
    options = ["--controller.widths", "32", "--out", str(tmp_path / "run"), "--json", str(file)]
    assert main(["train", "regress", str(data), *options]) == 0
    results = json.loads(file.read_text())
    assert results["targets"] == ["gated", "magnitude"]
    for output in range(2):
        assert results["test"]["r2"][output] > 0.5 > 0.2 > results["wiener"]["r2"][output]
        assert results["test"]["pearson_r"][output] > results["wiener"]["pearson_r"][output] + 0.3
    with np.load(tmp_path / "run" / "predictions.npz") as stored:
        np.testing.assert_allclose(stored["targets"], gated()["targets"][4800:], rtol=1e-6)
        r = np.corrcoef(stored["test"][:, 0], stored["targets"][:, 0])[0, 1]
    assert r == pytest.approx(results["test"]["pearson_r"][0], abs=1e-4)


def test_the_wiener_filter_finds_a_linear_map_with_lags() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((800, 3))
    targets = (lagged(values, 4) @ rng.standard_normal((12, 2))) + 5
    decoded = wiener_filter(values[:600], targets[:600], values[600:], lags=4)
    np.testing.assert_allclose(decoded[3:], targets[603:], atol=0.01)
    assert value_scores(decoded[3:], targets[603:])["r2"] == pytest.approx([1, 1], abs=1e-4)


@given(length=st.integers(1, 20), lags=st.integers(1, 6))
def test_lagged_rows_hold_the_past_newest_first(length: int, lags: int) -> None:
    values = np.arange(1.0, 2 * length + 1).reshape(length, 2)
    for t, row in enumerate(lagged(values, lags)):
        for lag in range(lags):
            expected = values[t - lag] if t >= lag else [0, 0]
            np.testing.assert_array_equal(row[2 * lag : 2 * lag + 2], expected)


def test_r2_is_0_for_the_mean_1_for_the_truth_and_unknown_for_what_never_changes() -> None:
    target = np.array([[1.0, 7.0], [2.0, 7.0], [3.0, 7.0]])
    assert value_scores(target, target)["r2"][0] == 1
    assert value_scores(np.full((3, 2), 2.0), target)["r2"][0] == 0
    assert np.isnan(value_scores(target, target)["r2"][1])


@given(trials=st.lists(st.tuples(st.integers(-1, 3), st.integers(1, 5)), min_size=1, max_size=12))
def test_time_is_split_on_a_boundary_of_trials(tmp_path_factory: Any, trials: list[tuple[int, int]]) -> None:
    given_trials = np.concatenate([np.full(n, k) for k, n in trials])
    path = tmp_path_factory.mktemp("split") / "data.npz"
    values = np.arange(float(len(given_trials)))[:, None]
    save(path, samples=values, targets=values, rate=10, trials=given_trials)
    runs = 1 + np.flatnonzero(np.diff(given_trials))
    starts = [int(i) for i in [0, *runs] if given_trials[i] >= 0]
    if len(starts) < 2:
        with pytest.raises(RecordingError, match="fewer than two trials"):
            read_arrays(path)
        return
    earlier, later = hold_back(read_arrays(path).sequence, 0.3, gap=0.0)
    assert len(later.trial) and later.targets[0, 0] in starts
    assert not set(earlier.trial.tolist()) & (set(later.trial.tolist()) - {-1})
    np.testing.assert_array_equal(np.concatenate([earlier.targets, later.targets]), values)


def test_inputs_are_scaled_by_what_is_trained_on_alone(tmp_path: Path) -> None:
    arrays = gated(1000)
    arrays["samples"][:, 3] = 4.0
    arrays["samples"][800:] *= 1.5
    earlier, later = hold_back(read_arrays(save(tmp_path / "d.npz", **arrays)).sequence, 0.2, gap=0.0)
    scaling = fit_scaling(earlier.features.values)
    kept, asked = (scaling.apply(part.features.values).values.numpy() for part in (earlier, later))
    np.testing.assert_allclose(kept[:, 0].std(), 1, rtol=1e-3)
    assert not kept[:, 3].any()
    assert asked[:, 0].std() == pytest.approx(1.5, rel=0.1)


def test_missing_samples_and_targets_and_outliers_do_not_spoil_what_is_learned(tmp_path: Path) -> None:
    """Electrodes that sit at 500 and sometimes give nothing or a million; a sum that is not always known."""
    rng = np.random.default_rng(0)
    truth = np.cumsum(rng.standard_normal((3000, 2)), axis=0) * 0.1
    truth -= 0.1 * np.cumsum(truth, axis=0) / np.arange(1, 3001)[:, None]
    clean = 500 + truth
    samples, targets = clean.copy(), truth.sum(axis=1, keepdims=True)
    lost, struck = rng.random(samples.shape) < 0.1, rng.random(samples.shape) < 0.02
    samples[lost], samples[struck] = np.nan, 1e6
    wanted = np.where(rng.random(targets.shape) < 0.3, np.nan, targets)

    def r2(name: str, samples: Any, targets: Any) -> float:
        data, file = save(tmp_path / f"{name}.npz", samples=samples, targets=targets, rate=20.0), tmp_path / "f.json"
        network = ["--controller.widths", "16", "--training.epochs", "30", "--controller.dropout", "0"]
        assert main(["train", "regress", str(data), *network, "--out", str(tmp_path / name), "--json", str(file)]) == 0
        results = json.loads(file.read_text())
        if name == "spoiled":
            assert results["gated"] == int((struck & np.isfinite(samples)).sum())
            assert results["missing"] == pytest.approx((lost | struck).mean(), abs=1e-6)
        return float(results["test"]["r2"][0])

    masked = r2("spoiled", samples, wanted)
    naive = r2("naive", np.nan_to_num(samples.clip(max=1e5)), np.nan_to_num(wanted))  # filled up with zeros
    assert masked > 0.8 > 0.5 > naive


def test_a_stored_network_says_what_it_said(tmp_path: Path) -> None:
    arrays = gated(600)
    options = ["--controller.widths", "8", "--training.epochs", "2", "--out", str(tmp_path / "run")]
    assert main(["train", "regress", str(save(tmp_path / "d.npz", **arrays)), *options]) == 0
    stored = load_network(tmp_path / "run")
    assert stored.config.outputs == ("output 0", "output 1") and stored.outputs is not None
    later = arrays["samples"][None, 480:].astype(np.float32)
    said = stored.predict(Examples(later, np.array([120])))["values"][0]
    with np.load(tmp_path / "run" / "predictions.npz") as predictions:
        np.testing.assert_allclose(said, predictions["test"], rtol=1e-4, atol=1e-5)


def test_what_is_wrong_with_a_file_is_said_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = gated(100)
    nan = good["samples"].copy()
    nan[:, 1] = np.nan
    (tmp_path / "text.npz").write_text("no zip")
    cases = {
        "lacks targets, rate": {"samples": good["samples"]},
        "shape (400,)": good | {"samples": good["samples"].ravel()},
        "100 samples but 50 targets": good | {"targets": good["targets"][:50]},
        "pickled objects": good | {"samples": np.array([[{}]], object)},
        "Column 1 of samples": good | {"samples": nan},
        "no real numbers": good | {"targets": good["targets"].astype(str)},
        "the rate": good | {"rate": [1.0, 2.0]},
        "the rate -1": good | {"rate": -1},
        "expected 100 whole numbers": good | {"trials": np.zeros(50, int)},
        "fewer than two trials": good | {"trials": np.zeros(100, int)},
        "channel_names": good | {"channel_names": ["a", "b"]},
    }
    for problem, arrays in cases.items():
        data = save(tmp_path / "data.npz", **arrays)
        assert main(["train", "regress", str(data), "--out", str(tmp_path / "run")]) == 1
        said = capsys.readouterr().err
        assert problem in said and said.count("\n") == 1, said
    for name, problem in {"text.npz": "no .npz file", "absent.npz": "There is no recording"}.items():
        assert main(["train", "regress", str(tmp_path / name), "--out", str(tmp_path / "run")]) == 1
        assert problem in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
