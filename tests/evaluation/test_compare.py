"""Runs side by side: the same statistics as within a run, and nothing compared that is not the same."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from motorctl.cli import main

PAIRED = ("difference", "effect", "permutation_p", "t", "corrected_t_p")


@pytest.fixture
def runs(tmp_path: Path, cued_edf: Callable[..., Path]) -> tuple[Path, Path]:
    """Two runs over the same recordings."""
    paths = [str(cued_edf(f"{name}.edf", seed)) for seed, name in enumerate("ab")]
    for name, decoders in (("one", ("wiener", "kalman")), ("two", ("kalman",))):
        words = ["--recordings", *paths, "--cues", "T1=left", "T2=right", "--permutations", "0", "--no-report"]
        words += ["--target", "velocity"]
        assert main(["evaluate", "decoding", *words, "--decoders", *decoders, "--out", str(tmp_path / name)]) == 0
    return tmp_path / "one", tmp_path / "two"


def test_runs_are_compared_as_decoders_within_a_run_are(
    runs: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = runs
    assert {p.name for p in one.iterdir()} == {"config.json", "results.json", "results.csv", "table.md"}
    words = [f"--{kind} {tmp_path / 'both'}.{kind}".split() for kind in ("json", "csv", "markdown", "report")]
    assert main(["compare", str(one), str(two), *sum(words, [])]) == 0
    both = json.loads((tmp_path / "both.json").read_text())
    assert list(both["decoders"]) == ["one: wiener", "one: kalman", "two: kalman", "mean-trajectory", "phase-only"]
    pairs = {(c["a"], c["b"]): c for c in both["comparisons"]}
    within, *_ = json.loads((one / "results.json").read_text())["comparisons"]
    assert (within["a"], within["b"]) == ("wiener", "kalman")
    for other in ("one: kalman", "two: kalman"):
        assert {k: pairs["one: wiener", other][k] for k in PAIRED} == {k: within[k] for k in PAIRED}
    same = pairs["one: kalman", "two: kalman"]
    assert (same["difference"], same["permutation_p"]) == (0, 1)
    assert all(c["holm_p"] >= c["permutation_p"] for c in both["comparisons"])
    assert (
        "two: kalman" in (tmp_path / "both.csv").read_text()
        and "two: kalman" in (tmp_path / "both.markdown").read_text()
    )
    report = (tmp_path / "both.report").read_text()
    assert "motorctl compare one two" in report and "two.decoders" in report
    assert "one: kalman less two: kalman: r2 +0.000" in capsys.readouterr().out

    changed = json.loads((two / "results.json").read_text()) | {"protocol": "time-blocks"}
    (two / "results.json").write_text(json.dumps(changed))
    assert main(["compare", str(one), str(two)]) == 1
    assert "one and two differ in protocol: leave-one-run-out and time-blocks" in capsys.readouterr().err


def test_reaching_is_compared_over_the_same_people(
    tmp_path: Path, small_controller: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        words = ["--controller", str(small_controller), "--brains", "ideal", "--episodes", "3", "--no-report"]
        words += ["--options", "time_limit=0.4"]
        assert main(["evaluate", "reaching", *words, "--out", str(tmp_path / name)]) == 0
    target = tmp_path / "both.json"
    assert main(["compare", str(tmp_path / "one"), str(tmp_path / "two"), "--json", str(target)]) == 0
    both = json.loads(target.read_text())
    first, second = (c["name"] for c in both["controllers"] if c["brain"])
    assert len(both["controllers"]) == 3 and first.startswith("one: ") and second.startswith("two: ")
    (pair,) = both["comparisons"]
    assert (pair["a"], pair["b"], pair["difference"]) == (first, second, 0)
    assert "success_rate +0.000" in capsys.readouterr().out


def test_what_cannot_be_compared_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "results.json").write_text('{"command": "sweep"}')
    for name, text in (("list", "[]"), ("half", '{"command": "evaluate reaching", "env": "x", "seed": 0}')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "results.json").write_text(text)
    for words, said in (
        (["empty"], "There are no results in"),
        (["other"], "is no run of 'motorctl evaluate'"),
        (["list"], "is no run of 'motorctl evaluate'"),
        (["half"], "lack comparisons, controllers, data"),
        (["other", "other"], "A run is named twice"),
    ):
        assert main(["compare", *(str(tmp_path / word) for word in words)]) == 1
        assert said in capsys.readouterr().err
