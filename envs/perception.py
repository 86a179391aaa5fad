"""Sensory delay and noise: what makes of the present state what is observed."""

import numpy as np
from numpy.typing import NDArray

Observation = NDArray[np.float32]

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX = (np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB))


class Perception:
    """Observations (..., width) of one environment or many, some steps late and with noise."""

    def __init__(self, shape: tuple[int, ...], deviation: NDArray[np.float32], delay: int) -> None:
        """Prepare it.

        Args:
            shape: () for one environment, (count,) for many.
            deviation: (width,) standard deviation of the noise, in the units of the observation.
            delay: control steps by which observations are late.
        """
        self._past = np.zeros((delay + 1, *shape, deviation.size), np.float32)
        self._now = 0
        self._deviation = deviation
        self._keys = np.zeros(shape, np.uint64)

    def restart(self, row: int | tuple[()], random: np.random.Generator, observation: Observation) -> None:
        """Begin an episode of one environment: what there is (width,) has been there all along."""
        self._past[(slice(None), *np.index_exp[row])] = observation
        self._keys[row] = random.integers(2**64, dtype=np.uint64)

    def __call__(self, present: Observation, steps: NDArray[np.int64] | int) -> Observation:
        """What is observed (..., width), `steps` (...) control steps after the start, when this is there."""
        self._past[self._now] = present
        self._now = (self._now + 1) % len(self._past)
        noise = standard_normal(self._keys, np.asarray(steps), present.shape[-1])
        seen: Observation = self._past[self._now] + self._deviation * noise
        return seen


def standard_normal(keys: NDArray[np.uint64], steps: NDArray[np.int64], width: int) -> Observation:
    """Independent normal numbers (..., width) for each key (...) and step (...): the same for the same.

    Being a function of key and step, they need no loop over the generators of many environments. SplitMix64 (Steele,
    Lea & Flood, OOPSLA 2014) hashes key and counter; Box & Muller (Ann Math Stat 29, 1958) make it normal.
    """
    counter = steps[..., None].astype(np.uint64) * np.uint64(2 * width) + np.arange(2 * width).astype(np.uint64)
    bits: NDArray[np.uint64] = keys[..., None] + (counter + np.uint64(1)) * GOLDEN
    for shift, factor in MIX:
        bits = (bits ^ (bits >> shift)) * factor
    uniform = ((bits ^ (bits >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53  # in [0, 1)
    radius = np.sqrt(-2 * np.log1p(-uniform[..., :width]))
    normal: Observation = (radius * np.cos(2 * np.pi * uniform[..., width:])).astype(np.float32)
    return normal
