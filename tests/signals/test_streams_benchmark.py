"""The benchmark runs and writes what is asked of it; how fast is for the machine it is read on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "benchmarks" / "streams.py"


@pytest.mark.slow
def test_the_benchmark_writes_its_figures(tmp_path):
    out = tmp_path / "figures.json"
    subprocess.run([sys.executable, "-P", str(SCRIPT), "--json", str(out), "--seconds", "1"], check=True, timeout=120)
    figures = json.loads(out.read_text(encoding="utf-8"))
    for reader in ("main_thread", "thread", "process"):
        for load in ("free", "busy"):
            ages = figures[reader][load]
            assert -1 < ages["p50"] <= ages["p99"] <= ages["max"]
    assert 0 < figures["place_us"]["p50"] <= figures["place_us"]["p99"]
