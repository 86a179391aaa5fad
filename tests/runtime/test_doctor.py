"""``motorctl doctor``: tries each thing, and says what to do."""

import json
import os
import socket
import subprocess
import sys

import pytest

from motorctl.cli import main
from motorctl.errors import StreamError
from motorctl.runtime.checks import CHECKS, Finding, _can_bind, lsl_ports, run_check

NAMES = [check.__name__.replace("_", " ") for check in CHECKS]


def test_everything_is_tried_and_the_status_says_how_it_went(tmp_path, capsys):
    status = main(["doctor", "--json", str(tmp_path / "d.json")])
    said = capsys.readouterr()
    checks = json.loads((tmp_path / "d.json").read_text())["checks"]
    assert [check["name"] for check in checks] == NAMES
    failed = [check["name"] for check in checks if not check["ok"]]
    assert status == bool(failed)
    assert all(check["found"] and (check["ok"] or check["cure"]) for check in checks)
    assert not {"lsl library", "lsl round trip", "mujoco", "torch"} & set(failed)
    if failed:
        assert said.err.count("\n") == 1 and ", ".join(failed) in said.err


@pytest.mark.slow
def test_what_cannot_even_be_loaded_is_a_finding(tmp_path):
    command = [sys.executable, "-P", "-m", "motorctl", "doctor", "--json", str(tmp_path / "d.json")]
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"MUJOCO_GL": "nonsense"}, timeout=60
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and "opengl" in done.stderr
    findings = {check["name"]: check for check in json.loads((tmp_path / "d.json").read_text())["checks"]}
    assert not findings["opengl"]["ok"] and "MUJOCO_GL, which is 'nonsense'" in findings["opengl"]["cure"]
    assert findings["torch"]["ok"]


def raises_ours():
    raise StreamError("It is broken.", "Mend it.")


def raises_another():
    raise ImportError("libGL.so.1: cannot\nopen")


def test_an_error_is_a_finding(monkeypatch):
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    assert run_check(raises_ours) == Finding("raises ours", False, "It is broken.", "Mend it.")
    found = run_check(raises_another)
    assert (found.ok, found.found) == (False, "ImportError: libGL.so.1: cannot open")
    assert "Reinstall" in found.cure


def test_ports_in_use_are_counted():
    before = int(lsl_ports().found.split()[0])
    free = next(p for p in range(16572, 16605) if _can_bind(p, socket.SOCK_STREAM) and _can_bind(p, socket.SOCK_DGRAM))
    with socket.socket() as taken:
        taken.bind(("", free))
        taken.listen()
        assert int(lsl_ports().found.split()[0]) < before
