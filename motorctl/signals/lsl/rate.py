"""How many samples a second really come, on this machine's clock, whatever a stream and its stamps say."""

from __future__ import annotations

RATE_WINDOW = 2.0
"""Length of an undisturbed stretch over which samples are counted (s)."""
RATE_TOLERANCE = 0.1
"""Share by which the rate may be off: filters and rhythms are off by as much."""
_AHEAD = 0.1  # s by which the stamps of no device that is late are ahead
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
        self._count, self._lag = 0, 0.0

    def add(self, count: int, now: float, stamp: float) -> bool:
        """Tell it that ``count`` samples have arrived by ``now`` (s), the last with ``stamp`` (s, on the same clock),
        and no others wait.

        Returns:
            whether two stretches in a row were off, one being the burst after a pause or a bad moment. A device that
            had fallen behind and catches up is not off.
        """
        if now - self._last > self._silence:
            self._begin_again(now, stamp)
        else:
            self._count += count
        self._last = now
        if now - self._begin >= RATE_WINDOW:
            self.measured = self._count / (now - self._begin)
            surplus = (self.measured / self._rate - 1) * RATE_WINDOW  # s
            caught_up = self._lag - (now - stamp)
            catches_up = surplus > 0 and caught_up > surplus / 2 and now - stamp > -_AHEAD
            off = abs(surplus) > RATE_TOLERANCE * RATE_WINDOW and not catches_up
            self._wrong = self._wrong + 1 if off else 0
            self._begin_again(now, stamp)
        return self._wrong >= 2

    def _begin_again(self, now: float, stamp: float) -> None:
        self._begin, self._count, self._lag = now, 0, now - stamp
