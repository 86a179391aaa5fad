"""The benchmark runs and writes what is asked of it; how fast is for the machine it is read on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "benchmarks" / "training.py"


def test_the_benchmark_writes_its_figures(tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    small = ["--pairs", "1", "--steps", "500", "--rows", "700"]
    subprocess.run([sys.executable, "-P", str(SCRIPT), "--json", str(out), *small], check=True, timeout=120)
    figures = json.loads(out.read_text(encoding="utf-8"))
    assert 0.3 < figures["train_ratio_to_plain_loop"] < 3
    assert 0 < figures["step_ms"]["p50"] <= figures["step_ms"]["p99"]
    assert figures["long_sequence"]["seconds_per_epoch"] > 0
    assert figures["long_sequence"]["peak_mib"] >= figures["long_sequence"]["before_mib"] > 50
