"""How the joints of a healthy leg move in the sagittal plane when its person stands, walks, runs or jumps.

Angles are (..., 3): hip, knee, ankle, rad. The hip's is that of the thigh to the vertical, forward positive, which is
hip flexion less the tilt of the pelvis, as if the trunk were upright; knee flexion is positive; ankle dorsiflexion is
positive, with the foot at right angles to the shank at zero. The foot is flat where hip - knee + ankle = 0.

- `stand`: quiet upright posture, knee 5°, chosen here: the literature agrees on no more than "nearly straight".
- `walk`: mean of 83 healthy people of 4 to 17 years at free speed, from the electronic supplement of Schwartz,
  Rozumalski & Trost, J Biomech 41, 2008; every 4 % of the cycle, rounded to 0.1°. Adults differ by a few degrees.
- `run`: one man at 4 m/s, the running trial that comes with the model of Rajagopal et al., IEEE Trans Biomed Eng 63,
  2016; both legs, half a cycle apart, fitted by seven harmonics (residual 1°), rounded to 0.1°.
- `jump`: a moderate countermovement jump, minimum jerk between the postures of `JUMP`. These are rounded from the
  typical course of such jumps (Bobbert et al., Med Sci Sports Exerc 28, 1996; Vanrenterghem et al., Hum Mov Sci 22,
  2004) and true to about 10°: people differ by more, and choose their depth.

The cycle starts at foot contact in `walk` and `run`, at the end of standing in `jump`.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

MOVEMENTS = ("stand", "walk", "run", "jump")
"""The classes, in the order of their index."""
JOINTS = ("hip", "knee", "ankle")
PERIODS = np.array([1.0, 1.1, 0.69, 2.0])
"""Duration of a cycle of each movement, s: walking at 109 steps a minute, within the natural cadence of adults (Winter,
"The Biomechanics and Motor Control of Human Gait", 2nd ed., 1991); running as measured in the trial; jumping as chosen
here; standing has no cycle, and any number would do."""
SPREAD = np.deg2rad([6.1, 6.4, 5.6])
"""Standard deviation between people of hip, knee and ankle angle, rad: the root mean square over the cycle of those of
Schwartz et al. 2008. Used for every movement, for want of a table for the others; running and jumping vary more."""

STAND = (2.5, 5.0, 2.5)
WALK = (
    (23.6, 5.6, -2.1), (23.7, 10.9, -5.6), (23.0, 16.9, -4.1), (20.3, 19.3, -0.2), (16.2, 18.6, 2.9),
    (11.5, 16.5, 5.2), (6.7, 13.9, 6.8), (2.0, 11.3, 8.0), (-2.5, 9.0, 9.1), (-6.8, 7.2, 10.2),
    (-10.8, 6.2, 11.1), (-14.2, 6.8, 11.8), (-16.6, 9.5, 11.5), (-17.6, 14.5, 8.4), (-16.3, 22.6, -0.2),
    (-11.7, 33.9, -13.8), (-4.4, 46.3, -19.8), (3.4, 55.7, -14.7), (10.3, 59.1, -7.9), (16.1, 56.9, -2.4),
    (20.4, 49.8, 1.1), (23.2, 38.8, 2.5), (24.4, 25.5, 1.8), (24.1, 12.5, 0.1), (23.5, 4.6, -1.1),
)  # fmt: skip
RUN = (
    (26.1, 17.3, -5.9), (26.5, 27.9, -4.8), (26.6, 41.4, 3.3), (23.3, 48.9, 12.9), (15.8, 47.4, 16.6),
    (6.1, 41.8, 15.5), (-4.1, 35.2, 10.2), (-13.9, 26.5, -3.7), (-21.6, 19.3, -21.1), (-25.3, 20.3, -29.6),
    (-25.2, 30.3, -27.3), (-22.4, 44.8, -23.7), (-17.9, 60.7, -22.2), (-11.8, 77.1, -18.5), (-3.8, 91.5, -12.7),
    (6.0, 101.8, -8.2), (16.8, 107.3, -5.1), (26.8, 106.1, -2.7), (34.3, 97.8, -1.9), (38.6, 84.7, -1.6),
    (39.3, 68.6, -0.8), (37.0, 50.0, -1.8), (33.5, 31.8, -4.5), (30.3, 19.3, -5.1), (27.5, 14.4, -4.5),
)  # fmt: skip
JUMP = (
    (0.00, STAND),
    (0.28, (48.0, 75.0, 27.0)),  # the bottom of the countermovement, on flat feet
    (0.46, (6.0, 8.0, -30.0)),  # stretched, just after the toes have left the floor
    (0.55, (16.0, 24.0, -16.0)),  # the toes come down
    (0.70, (36.0, 60.0, 24.0)),  # landed, on flat feet
    (0.95, STAND),
    (1.00, STAND),
)
"""Postures of the jump: phase, and hip, knee and ankle, degrees."""
SAMPLES = 51
"""Points a cycle from which the harmonics are taken: odd, and enough for the quickest movement."""


def joint_angles(movement: str | ArrayLike, phase: ArrayLike, derivative: int = 0) -> Array:
    """Hip, knee and ankle angle at a phase of a movement.

    The tables are interpolated by their Fourier series, so that the curves are smooth and periodic.

    Args:
        movement: a name of `MOVEMENTS`, or indices (...) into it.
        phase: (...) part of the cycle that has passed; 0 and 1 are the same.
        derivative: 0 for the angles, 1 or 2 for their derivative by phase.

    Returns:
        (..., 3) rad; derivatives in rad a cycle, or rad a cycle².
    """
    index = MOVEMENTS.index(movement) if isinstance(movement, str) else np.asarray(movement)
    turns = 2j * np.pi * np.arange(HARMONICS.shape[1])
    wave = np.exp(turns * np.asarray(phase, dtype=float)[..., None]) * turns**derivative
    angles: Array = (wave[..., None, :] @ HARMONICS[index])[..., 0, :].real
    return angles


def period(movement: str | ArrayLike) -> Array:
    """Duration of a cycle, s, of a movement by name, or of movements by index (...)."""
    seconds: Array = PERIODS[MOVEMENTS.index(movement) if isinstance(movement, str) else np.asarray(movement)]
    return seconds


def _harmonics(samples: ArrayLike) -> NDArray[np.complex128]:
    """Complex amplitudes (harmonic, joint), rad, of an odd number of equidistant samples (phase, joint) in degrees."""
    table = np.deg2rad(np.asarray(samples, dtype=float))
    amplitudes = np.fft.rfft(table, axis=0) / len(table)
    amplitudes[1:] *= 2
    padded = np.zeros((SAMPLES // 2 + 1, len(JOINTS)), dtype=complex)
    padded[: len(amplitudes)] = amplitudes
    return padded


def _through(postures: tuple[tuple[float, tuple[float, float, float]], ...]) -> Array:
    """Samples (phase, joint), degrees, of the path of minimum jerk from posture to posture (Flash & Hogan 1985)."""
    phases, angles = np.array([phase for phase, _ in postures]), np.array([angles for _, angles in postures])
    samples = np.arange(SAMPLES) / SAMPLES
    before = np.searchsorted(phases, samples, side="right") - 1
    part = (samples - phases[before]) / (phases[before + 1] - phases[before])
    done = part**3 * (10 - 15 * part + 6 * part**2)
    path: Array = angles[before] + done[:, None] * (angles[before + 1] - angles[before])
    return path


HARMONICS = np.stack([_harmonics([STAND]), _harmonics(WALK), _harmonics(RUN), _harmonics(_through(JUMP))])
"""Complex amplitudes (movement, harmonic, joint), rad."""
