"""Real-time scheduling, where it is granted, and its end."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCRIPT = """
import os, subprocess, sys, threading
from motorctl.priority import hurry, take_turns
over = threading.Event()
thread = threading.Thread(target=over.wait)
thread.start()
tasks = lambda: map(int, os.listdir("/proc/self/task"))
policies = lambda: {os.sched_getscheduler(task) & ~os.SCHED_RESET_ON_FORK for task in tasks()}
ask = "import os; print(os.sched_getscheduler(0))"
granted = hurry()
print(granted, policies() == {os.SCHED_RR if granted else os.SCHED_OTHER})
print(subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True).stdout.strip())
take_turns()
print(policies() == {os.SCHED_OTHER})
over.set()
"""


@pytest.mark.skipif(not hasattr(os, "sched_setscheduler"), reason="the system has no such scheduling")
def test_all_threads_hurry_children_do_not_and_it_ends():
    said = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60)
    first, child, last = said.stdout.split("\n")[:3]
    assert first in ("True True", "False True"), said.stderr
    assert (child, last) == (str(os.SCHED_OTHER), "True")
