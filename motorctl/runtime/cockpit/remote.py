"""What the cockpit asks of a run, as markers of a stream that the run obeys."""

from __future__ import annotations

import time
from uuid import uuid4

from motorctl.runtime.operator import operator_stream
from motorctl.signals.lsl import marker_outlet


class Remote:
    """Asks a run for ``start``, ``hold``, ``stop``, ``end``, ``assist 0.5``, ``record start`` or ``record stop``.

    Args:
        name: of the run's limb stream.
    """

    def __init__(self, name: str) -> None:
        # An identity of its own: another cockpit's stream is not this one come back.
        self._outlet = marker_outlet(operator_stream(name), f"motorctl/cockpit/{uuid4().hex}")

    @property
    def heard(self) -> bool:
        """Whether a run listens."""
        return bool(self._outlet.have_consumers())

    def ask(self, text: str) -> bool:
        """For something, at once; whether anybody heard it."""
        self._outlet.push_sample([text])
        return self.heard

    def end(self) -> bool:
        """The run; whether anybody heard it."""
        return self.ask("end")

    def wait(self, timeout: float) -> bool:
        """Whether a run listens within ``timeout`` s."""
        end = time.monotonic() + timeout
        while not self.heard and time.monotonic() < end:
            time.sleep(0.02)
        return self.heard
