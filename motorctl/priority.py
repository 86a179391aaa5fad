"""Which processes the system runs first."""

from __future__ import annotations

import os
from contextlib import suppress

LEVEL = 1
"""Of the real-time levels the lowest: before everything ordinary, after everything that others thought urgent."""


def hurry() -> bool:
    """Have all threads of this process run before ordinary ones whenever they have something to do.

    Linux grants it to root and within a user's limit ``rtprio`` (``/etc/security/limits.d``), for at most 95 % of the
    time; elsewhere nothing changes. Processes and threads that are started later are ordinary: call it again.

    Returns:
        whether it was granted.
    """
    return _schedule("SCHED_RR", LEVEL)


def take_turns() -> None:
    """Undo :func:`hurry`."""
    _schedule("SCHED_OTHER", 0)


def _schedule(policy: str, level: int) -> bool:
    if not (hasattr(os, policy) and os.path.isdir("/proc/self/task")):
        return False
    number = getattr(os, policy) | (os.SCHED_RESET_ON_FORK if level else 0)
    try:
        os.sched_setscheduler(0, number, os.sched_param(level))
    except OSError:
        return False
    for thread in os.listdir("/proc/self/task"):
        with suppress(OSError):  # it has just ended
            os.sched_setscheduler(int(thread), number, os.sched_param(level))
    return True
