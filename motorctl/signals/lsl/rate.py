"""How many samples a second really come, on this machine's clock, whatever a stream and its stamps say."""

from __future__ import annotations

RATE_WINDOW = 2.0
"""Length of an undisturbed stretch over which samples are counted (s)."""
RATE_TOLERANCE = 0.1
"""Share by which the rate may be off: filters and rhythms are off by as much."""
_SILENCE = 0.25  # s without samples that disturb a stretch, or five samples of a slow stream


class RateMeter:
    """Counts what arrives in stretches of 2 s without a pause.

    ``measured`` is the rate of the last one (Hz), None until there is one.

    Args:
        rate: what is expected (Hz).
    """

    def __init__(self, rate: float) -> None:
        self.measured: float | None = None
        self._rate = rate
        self._silence = max(_SILENCE, 5 / rate)
        self._wrong = 0
        self.pause()

    def pause(self) -> None:
        """What comes next belongs to a new stretch."""
        self._last = self._begin = float("-inf")
        self._count = 0

    def add(self, count: int, now: float) -> bool:
        """Tell it that ``count`` samples have arrived by ``now`` (s), and no others wait.

        Returns:
            whether two stretches in a row were off, one being the burst after a pause or a bad moment.
        """
        if now - self._last > self._silence:
            self._begin, self._count = now, 0
        else:
            self._count += count
        self._last = now
        if now - self._begin >= RATE_WINDOW:
            self.measured = self._count / (now - self._begin)
            off = abs(self.measured / self._rate - 1) > RATE_TOLERANCE
            self._wrong = self._wrong + 1 if off else 0
            self._begin, self._count = now, 0
        return self._wrong >= 2
