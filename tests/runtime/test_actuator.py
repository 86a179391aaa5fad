"""One's own hardware: what it is told, and what becomes of it when the loop or the plug-in fails."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from motorctl.errors import ConfigurationError
from motorctl.runtime.actuator import Hardware, watched
from motorctl.runtime.operator import Operator
from motorctl.runtime.safety import SafetyConfig

PATIENCE = 30.0
SAID = {"control_rate": 50.0, "components": [["x", "m/s"], ["y", "m/s"]]}
QUICK = SafetyConfig()

PLUGIN = """
import time
from pathlib import Path

class Robot:
    def __init__(self, said):
        self.log = Path(__file__).with_suffix(".log").open("a", buffering=1)
        self.log.write(f"open {len(said['components'])}\\n")

    def move(self, command):
        x, y = command
        if x == 0.666:
            raise OSError("the cable is out")
        if x == 0.999:
            time.sleep(600)
        self.log.write(f"{time.monotonic()} {x} {y}\\n")

    def stop(self):
        self.log.write(f"{time.monotonic()} stop\\n")

def robot(said):
    return Robot(said)

def nothing(said):
    return None

def broken(said):
    raise OSError("no robot\\nat /dev/ttyUSB0")
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module of one's own in the folder that one works in; its log."""
    (tmp_path / "my_robot.py").write_text(PLUGIN)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "my_robot.log"


def lines(log: Path) -> list[list[str]]:
    return [line.split() for line in log.read_text().splitlines()]


def eventually(condition):
    deadline = time.monotonic() + PATIENCE
    while not (true := condition()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return true


def test_it_gets_the_newest_command_and_is_neutral_and_stopped_in_the_end(plugin: Path) -> None:
    operator = Operator()
    with Hardware("my_robot:robot", SAID, QUICK, operator) as hardware:
        for x in (0.1, 0.2, 0.3):
            hardware(np.array([x, -x]), 0.0)
            assert eventually(lambda x=x: [str(x), str(-x)] in [line[1:] for line in lines(plugin)])
        hardware.check(None)
        assert operator.request() == (None, "")
    said = lines(plugin)
    assert said[0] == ["open", "2"]
    assert said[-2][1:] == ["0.0", "0.0"] and said[-1][1:] == ["stop"]
    assert [line[-1] for line in said].count("stop") == 1


def test_what_is_not_finite_never_reaches_it(plugin: Path) -> None:
    with Hardware("my_robot:robot", SAID, QUICK, Operator()) as hardware:
        for _ in range(20):
            hardware(np.array([np.nan, 1.0]), 0.0)
            hardware(np.array([0.1, np.inf]), 0.0)
        hardware(np.array([0.5, 0.5]), 0.0)
        assert eventually(lambda: ["0.5", "0.5"] in [line[1:] for line in lines(plugin)])
    assert not {"nan", "inf"} & {word for line in lines(plugin) for word in line}


def test_a_silent_loop_is_held_faded_and_the_hardware_stopped(plugin: Path) -> None:
    operator = Operator()
    with Hardware("my_robot:robot", SAID, QUICK, operator) as hardware:
        hardware(np.array([0.4, 0.0]), 0.0)
        told = time.monotonic()
        assert eventually(lambda: lines(plugin)[-1][-1] == "stop")
        rows = lines(plugin)[1:]
        moves = np.array([[float(word) for word in line] for line in rows if "stop" not in line])
        after, x = moves[:, 0] - told, moves[:, 1]
        assert x[0] == 0.4 and (np.diff(x) <= 0).all() and x[-1] == 0
        assert (after[(x < 0.4) & (x > 0)] > QUICK.fade_after - 0.01).all()
        assert float(rows[-1][0]) - told >= QUICK.stop_after - 0.01
        assert eventually(lambda: hardware.check(None) or "silent for 1 s" in operator.request()[1])


def test_the_watchdog_holds_then_fades() -> None:
    command = np.array([0.4, -0.2])
    for silent, left in ((0.0, 1.0), (0.25, 1.0), (0.375, 0.5), (0.5, 0.0), (0.9, 0.0)):
        np.testing.assert_allclose(watched(QUICK, command, silent), command * left)


LOOP = """
import sys, time
import numpy as np
from motorctl.runtime.actuator import Hardware
from motorctl.runtime.operator import Operator
from motorctl.runtime.safety import SafetyConfig

if __name__ == "__main__":
    with Hardware("my_robot:robot", {"control_rate": 50.0, "components": [["x", ""], ["y", ""]]}, SafetyConfig(),
                  Operator()) as hardware:
        while True:
            hardware(np.array([0.3, 0.0]), 0.0)
            time.sleep(0.02)
"""


def test_the_loop_killed_leaves_the_hardware_neutral_and_stopped(plugin: Path) -> None:
    script = plugin.with_name("loop.py")
    script.write_text(LOOP)
    loop = subprocess.Popen([sys.executable, script])
    try:
        assert eventually(lambda: plugin.exists() and ["0.3", "0.0"] in [line[1:] for line in lines(plugin)])
        (child,) = [p for p in psutil.Process(loop.pid).children() if "resource_tracker" not in " ".join(p.cmdline())]
        killed = time.monotonic()
        loop.kill()
        assert eventually(lambda: lines(plugin)[-1][-1] == "stop")
        assert lines(plugin)[-2][1:] == ["0.0", "0.0"]
        assert float(lines(plugin)[-1][0]) - killed >= QUICK.stop_after - 0.05
        assert not psutil.wait_procs([child], timeout=PATIENCE)[1]
    finally:
        loop.kill()
        loop.wait()


def test_killed_broken_and_hanging_hardware_stops_the_run_with_the_cause(plugin: Path) -> None:
    causes = {}
    for what, x in (("killed", 0.1), ("breaks", 0.666), ("hangs", 0.999)):
        operator = Operator()
        with Hardware("my_robot:robot", SAID, SafetyConfig(stop_after=0.3), operator) as hardware:

            def failed(hardware=hardware, operator=operator, x=x) -> str:
                hardware(np.array([x, 0.0]), 0.0)
                hardware.check(None)
                return operator.request()[1]

            if what == "killed":
                assert hardware.pid
                os.kill(hardware.pid, signal.SIGKILL)
            causes[what] = eventually(failed)
    assert causes == {
        "killed": "The process of the actuator 'my_robot:robot' ended with -9.",
        "breaks": "The actuator 'my_robot:robot' failed: OSError: the cable is out.",
        "hangs": "The actuator 'my_robot:robot' does not come back from a command.",
    }


@pytest.mark.parametrize(
    ("entry_point", "problem"),
    [
        ("my_robot", "not of the form package.module:function"),
        ("no_such_robot:robot", "ModuleNotFoundError: No module named 'no_such_robot'"),
        ("my_robot:none", "has no attribute 'none'"),
        ("my_robot:nothing", "what it returns has no method move nor stop"),
        ("my_robot:broken", "OSError: no robot at /dev/ttyUSB0"),
    ],
)
def test_what_a_plug_in_does_wrong_is_said_in_one_line(entry_point: str, problem: str, plugin: Path) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(problem)) as raised:
        Hardware(entry_point, SAID, QUICK, Operator())
    assert "\n" not in str(raised.value)
