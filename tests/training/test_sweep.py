"""A search runs every setting, says which was best, and survives those that fail."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motorctl.cli import main
from motorctl.errors import ConfigurationError
from motorctl.training.sweep import SweepOptions, as_words, settings_of


def settings(*over: str, trials: int | None = None, seed: int = 0) -> list[dict[str, str]]:
    return settings_of(SweepOptions(over=over, trials=trials, seed=seed))


def test_a_grid_is_every_combination() -> None:
    assert settings("a=1,2", "b.c=x y,z") == [
        {"a": "1", "b.c": "x y"},
        {"a": "1", "b.c": "z"},
        {"a": "2", "b.c": "x y"},
        {"a": "2", "b.c": "z"},
    ]


def test_draws_are_of_the_range_and_of_the_seed() -> None:
    over = ("rate=1e-4:1e-2:log", "width=8:64", "drop=0.0:0.5", "cell=gru,lstm", "decoder=sklearn.svm:SVC,knn")
    drawn = settings(*over, trials=400)
    assert drawn == settings(*over, trials=400) != settings(*over, trials=400, seed=1)
    rate, drop = (np.array([float(s[name]) for s in drawn]) for name in ("rate", "drop"))
    width = np.array([int(s["width"]) for s in drawn])
    assert 1e-4 <= rate.min() and rate.max() <= 1e-2 and abs(np.median(np.log10(rate)) + 3) < 0.2
    assert 8 <= width.min() < 12 and 60 < width.max() <= 64 and abs(np.median(drop) - 0.25) < 0.05
    assert {s["cell"] for s in drawn} == {"gru", "lstm"}
    assert {s["decoder"] for s in drawn} == {"sklearn.svm:SVC", "knn"}


def test_options_become_words() -> None:
    words = as_words({"widths": "64 32", "tune": "True", "pipeline.repair": "False"})
    assert list(words) == ["--widths", "64", "32", "--tune", "--pipeline.no-repair"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "Nothing is searched"),
        ({"over": ("a=1:2",)}, "a=1:2 is a range"),
        ({"over": ("a=2:1",), "trials": 3}, "2:1 is no range"),
        ({"over": ("a=0:1:log",), "trials": 3}, "0:1:log is no range"),
        ({"over": ("a",)}, "'a=' is no search"),
        ({"over": ("a=1,,2",)}, "is no search"),
        ({"over": ("a='1",)}, "is no search"),
        ({"over": ("a=1", "a=2")}, "searched twice"),
        ({"over": ("a=1",), "trials": 0}, "trials is 0"),
    ],
)
def test_what_is_no_search_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        settings_of(SweepOptions(**options))


def sweep(out: Path, *words: str, command: str = "simulate --video-episodes 0") -> int:
    return main(["sweep", "--command", command, "--out", str(out), *words])


def test_the_best_run_comes_first_and_a_failing_one_last(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--over", "episodes=0,2,3", "--score", "episodes", "--seed", "0")
    assert sweep(tmp_path / "run", *words) == 0
    told = json.loads((tmp_path / "run" / "results.json").read_text())
    assert [entry["score"] for entry in told["runs"]] == [3, 2, None]
    assert "episodes" in told["runs"][-1]["error"] and told["of"] == "simulate"
    assert (Path(told["runs"][0]["folder"]) / "summary.json").exists()
    assert "3 runs" in capsys.readouterr().out
    assert sweep(tmp_path / "less", *words, "--minimise") == 0
    assert json.loads((tmp_path / "less" / "results.json").read_text())["runs"][0]["score"] == 2


def test_a_score_that_no_run_gives_is_said_and_nothing_is_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sweep(tmp_path / "run", "--over", "episodes=1", "--score", "sucess") == 1
    assert "'sucess' is no number that runs give. Choose --score from" in capsys.readouterr().err
    made = next((tmp_path / "run" / "0000").iterdir()).stat().st_mtime_ns
    assert sweep(tmp_path / "run", "--over", "episodes=1", "--score", "episodes") == 0
    assert next((tmp_path / "run" / "0000").iterdir()).stat().st_mtime_ns == made


def test_what_is_no_command_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep(tmp_path / "run", "--over", "a=1", command="live") == 1
    assert "'live' is no command to sweep" in capsys.readouterr().err
    assert sweep(tmp_path / "run", "--over", "a=1", command="simulate --env 'a") == 1
    assert "do not match" in capsys.readouterr().err
    assert sweep(tmp_path / "run", "--over", "episodes=1") == 1
    assert "No score is named" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        sweep(tmp_path / "run", "--over", "episods=1", "--score", "episodes")
    assert not (tmp_path / "run").exists()
