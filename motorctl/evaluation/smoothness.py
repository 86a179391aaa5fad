"""How smooth a movement is, from its speed: spectral arc length and log dimensionless jerk.

Both are nearer to 0 the smoother, do not depend on size, and count one stroke as smoother than several. The
definitions, with these constants, are those of Balasubramanian, Melendez-Calderon, Roby-Brami & Burdet (2015, J.
NeuroEng. Rehabil. 12:112).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

HIGHEST = 10.0
"""The spectrum is looked at up to here (Hz)."""
FAINTEST = 0.05
"""Beyond the last frequency of at least this share of the spectrum's peak, it is noise."""
PADDING = 4
"""The spectrum is that of the speed padded with zeros to the next power of two times two to this power."""


def spectral_arc_length(speed: Array, rate: float) -> float:
    """SPARC: the length of the speed's spectrum, its height and its width taken for 1, with a minus sign (eq. 6 to 8 of
    Balasubramanian et al. 2015).

    Args:
        speed: ``(time,)`` at least 0, any unit, evenly spaced.
        rate: of its samples (Hz).

    Returns:
        Below 0; NaN for a speed that is 0 throughout.
    """
    if not speed.any():
        return math.nan
    size = 2 ** (math.ceil(math.log2(len(speed))) + PADDING)
    height = np.abs(np.fft.fft(speed, size))
    frequencies = rate * np.arange(size) / size
    height = height[frequencies <= HIGHEST] / height.max()
    loud = np.flatnonzero(height >= FAINTEST)
    height = height[loud[0] : loud[-1] + 1]
    if len(height) < 2:
        return math.nan
    return float(-np.hypot(1 / (len(height) - 1), np.diff(height)).sum())


def log_dimensionless_jerk(speed: Array, rate: float) -> float:
    """LDLJ-V: minus the logarithm of the integral of the speed's squared second derivative, times the third power of
    the duration over the square of the peak speed (eq. 3 and 4 of Balasubramanian et al. 2015).

    Args:
        speed: ``(time,)`` at least 0, any unit, evenly spaced.
        rate: of its samples (Hz), which it depends on where a movement is not smooth.

    Returns:
        NaN for fewer than three samples, or a speed that does not bend.
    """
    bending = np.square(np.diff(speed, 2) * rate**2).sum() / rate
    if not bending > 0:
        return math.nan
    return -math.log(bending * (len(speed) / rate) ** 3 / np.abs(speed).max() ** 2)
