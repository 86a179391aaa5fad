"""Evaluation in processes and on a Ray cluster: the numbers of one process, also after an interruption."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

TIMES = ("seconds", "latency_ms", "fit_seconds")


def untimed(value: Any) -> Any:
    """Without what a clock told."""
    if isinstance(value, dict):
        return {name: untimed(item) for name, item in value.items() if name not in TIMES}
    return [untimed(item) for item in value] if isinstance(value, list) else value


@pytest.fixture
def evaluate(tmp_path: Path, cued_edf: Callable[..., Path]) -> Callable[..., subprocess.Popen[str]]:
    """Starts ``motorctl evaluate decoding`` over two recordings; takes the run folder and further options."""
    paths = [str(cued_edf(f"{name}.edf", seed)) for seed, name in enumerate("ab")]
    words = ["--recordings", *paths, "--cues", "T1=left", "T2=right", "--permutations", "3", "--no-report"]
    words += ["--decoders", "csp-lda", "mdm", "recurrent"]

    def start(folder: Path, *more: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "motorctl", "evaluate", "decoding", *words, "--out", str(folder), *more]
        return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)

    return start


def results(folder: Path, process: subprocess.Popen[str]) -> Any:
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    return untimed(json.loads((folder / "results.json").read_text()))


def test_processes_ray_and_an_interrupted_run_give_the_same(
    tmp_path: Path, evaluate: Callable[..., subprocess.Popen[str]]
) -> None:
    alone = results(tmp_path / "alone", evaluate(tmp_path / "alone"))
    folder = tmp_path / "jobs"
    process, finished = evaluate(folder, "--jobs", "2"), folder / "finished"
    deadline = time.monotonic() + 120
    while len(list(finished.glob("*.json"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and said.strip().endswith("goes on from what is finished."), said
    kept = {path.name: path.stat().st_mtime_ns for path in finished.glob("*.json")}
    assert 3 <= len(kept) < 24
    assert results(folder, evaluate(folder, "--jobs", "2")) == alone
    assert not finished.exists()
    pytest.importorskip("ray")
    assert results(tmp_path / "ray", evaluate(tmp_path / "ray", "--jobs", "2", "--backend", "ray")) == alone
