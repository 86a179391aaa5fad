"""``motorctl train bptt``: mistakes in one line; slow: it learns, MuJoCo agrees, and it survives a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from motorctl.cli import main
from motorctl.training.checkpoint import load_checkpoint

ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--env motorctl/HandGrasp-v0", "not to bring the hand"),
        ("--env ArmReach", "There is no environment 'ArmReach' here"),
        ("--command velocity", "Add --brain ideal"),
        ("--command velocity --brain ideal --load 5", "takes no load"),
        ("--load -1", "load is -1"),
        ("--options delay", "NAME=VALUE"),
        ("--training.iterations 0", "iterations is 0"),
        ("--training.first-horizon 3", "first horizon"),
        ("--training.checkpoint -1", "checkpoint is -1"),
        ("--training.threads 0", "threads is 0"),
        ("--brain ideal --training.checkpoint 10", "checkpoint has to be 0"),
        ("--brain ideal --training.device cuda", "device has to be cpu"),
        ("--loss.jerk -1", "jerk is -1"),
        ("--episodes 0", "episodes is 0"),
        ("--controller.bidirectional", "not causal"),
        ("--resume", "--out"),
        ("--resume --out empty", "no training to go on with"),
        ("--json nowhere/a.json", "no folder nowhere"),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_trained(
    words: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert main(["train", "bptt", *words.split()]) == 1
    output = capsys.readouterr()
    assert said in output.err and output.err.count("\n") == 1 and output.out == ""
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]


def summary_of(folder: Path) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return summary


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_what_is_learned_on_the_twin_is_done_in_mujoco_and_by_simulate(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = "--training.iterations 250 --training.batch 32 --episodes 200 --options delay=0.04 --load 5"
    assert main(["train", "bptt", *words.split(), "--out", str(folder)]) == 0
    summary = summary_of(folder)
    assert summary["success_rate"] > 0.95 and summary["metrics"]["error"] < 0.02
    assert summary["difference_points"] <= 2
    again = tmp_path / "again"
    words = "--episodes 200 --video-episodes 0"
    assert main(["simulate", "--controller", str(folder), *words.split(), "--out", str(again)]) == 0
    assert summary_of(again)["success_rate"] == summary["success_rate"]
    assert summary_of(again)["mean_reward"] == pytest.approx(summary["mean_reward"], rel=1e-4)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_killed_training_goes_on_to_the_same_numbers(tmp_path: Path) -> None:
    """kill -9 of the real process, once it has stored something."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    words = "--training.iterations 100 --training.batch 8 --episodes 8 --controller.widths 16".split()
    command = [sys.executable, "-m", "motorctl", "train", "bptt", *words]
    environment = os.environ | ONE_THREAD
    subprocess.run([*command, "--out", str(whole)], check=True, env=environment, stdout=subprocess.DEVNULL)
    process = subprocess.Popen([*command, "--out", str(killed)], env=environment, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not (killed / "training.safetensors").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (killed / "summary.json").exists()
    subprocess.run([*command, "--out", str(killed), "--resume"], check=True, env=environment, stdout=subprocess.DEVNULL)
    weights = [load_file(folder / "policy.safetensors") for folder in (whole, killed)]
    assert all((weights[0][name] == weights[1][name]).all() for name in weights[0])
    assert summary_of(whole)["mean_reward"] == summary_of(killed)["mean_reward"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_decoder_is_trained_through_person_and_limb(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = "--brain ideal --command velocity --training.iterations 60 --training.batch 32 --episodes 60"
    costs = "--loss.jerk 0 --loss.hidden 0 --loss.hidden-change 0 --training.first-horizon 0.6"
    assert main(["train", "bptt", *words.split(), *costs.split(), "--out", str(folder)]) == 0
    assert summary_of(folder)["success_rate"] > 0.8
    assert load_checkpoint(folder).command == "velocity"  # what `motorctl live` takes
