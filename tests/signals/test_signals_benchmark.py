"""The benchmark runs and writes what is asked of it; how fast is for the machine it is read on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "benchmarks" / "signals.py"


@pytest.mark.slow
def test_the_benchmark_writes_its_figures(tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    small = ["--chunks", "200", "--repeats", "1", "--batch", "1"]
    subprocess.run([sys.executable, "-P", str(SCRIPT), "--json", str(out), *small], check=True, timeout=120)
    figures = json.loads(out.read_text(encoding="utf-8"))
    assert 0 < figures["chunk_ms"]["p50"] <= figures["chunk_ms"]["p99"]
    for key in ("file_times_real_time", "every_step_times_real_time", "brain_times_real_time"):
        assert figures[key] > 1
