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
from motorctl.training.regress import scores, standardised
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
    assert scores(decoded[3:], targets[603:])["r2"] == pytest.approx([1, 1], abs=1e-4)


@given(length=st.integers(1, 20), lags=st.integers(1, 6))
def test_lagged_rows_hold_the_past_newest_first(length: int, lags: int) -> None:
    values = np.arange(1.0, 2 * length + 1).reshape(length, 2)
    for t, row in enumerate(lagged(values, lags)):
        for lag in range(lags):
            expected = values[t - lag] if t >= lag else [0, 0]
            np.testing.assert_array_equal(row[2 * lag : 2 * lag + 2], expected)


def test_r2_is_0_for_the_mean_1_for_the_truth_and_unknown_for_what_never_changes() -> None:
    target = np.array([[1.0, 7.0], [2.0, 7.0], [3.0, 7.0]])
    assert scores(target, target)["r2"][0] == 1
    assert scores(np.full((3, 2), 2.0), target)["r2"][0] == 0
    assert np.isnan(scores(target, target)["r2"][1])


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
    arrays["samples"][800:] *= 100
    earlier, later = hold_back(read_arrays(save(tmp_path / "d.npz", **arrays)).sequence, 0.2, gap=0.0)
    kept = standardised(earlier, earlier)
    np.testing.assert_allclose(kept.features.values[:, 0].std(), 1, rtol=1e-3)
    assert not kept.features.values[:, 3].any()
    assert np.abs(standardised(later, earlier).features.values[:, 0]).max() == 8


def test_what_is_wrong_with_a_file_is_said_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = gated(100)
    nan = good["samples"].copy()
    nan[3, 1] = np.nan
    (tmp_path / "text.npz").write_text("no zip")
    cases = {
        "lacks targets, rate": {"samples": good["samples"]},
        "shape (400,)": good | {"samples": good["samples"].ravel()},
        "100 samples but 50 targets": good | {"targets": good["targets"][:50]},
        "pickled objects": good | {"samples": np.array([[{}]], object)},
        "1 values that are NaN": good | {"samples": nan},
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
