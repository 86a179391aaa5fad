"""Sessions differ from each other and in themselves, by as much as is said."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from motorctl.person.instability import Instability
from motorctl.person.slow import VelocityCoding

LABELS = ("FC1", "C3", "C4", "CP1")
RATE = 250
CODING = VelocityCoding(per_velocity=100.0, low=0.0, high=100.0)

Record = Callable[..., np.ndarray]


def reach(seconds: float) -> torch.Tensor:
    return torch.tensor([[0.1, 0.0]]).expand(round(seconds * RATE), 2)


def test_strengths_wander_from_session_to_session_and_minute_to_minute(alone: Record) -> None:
    steady = alone(LABELS, 40.0, 32, reach(40.0), velocity=CODING, instability=Instability())
    eeg = alone(LABELS, 40.0, 32, reach(40.0), velocity=CODING, instability=Instability(strength=0.3, minutes=0.25))
    gain = np.log(eeg[..., 1] / steady[..., 1])[:, RATE:]  # almost all of C3 is of one source
    assert gain.std() == pytest.approx(0.3, rel=0.25)
    assert np.corrcoef(gain[:, 0], gain[:, RATE])[0, 1] > 0.8
    assert np.corrcoef(gain[:, 0], gain[:, 38 * RATE])[0, 1] < 0.4
    np.testing.assert_array_equal(steady, np.broadcast_to(steady[:1], steady.shape))


def test_the_velocity_code_is_turned(alone: Record) -> None:
    eeg = alone(LABELS, 1.0, 256, reach(1.0), velocity=CODING, instability=Instability(tuning=0.5))[:, -1]
    x, y = eeg[:, 1], eeg[:, 0] - eeg[:, 3]
    assert x.max() == pytest.approx(10.0, rel=0.1)
    scale = np.abs(y).max()
    angles = np.arctan2(y / scale, x / x.max())
    assert angles.std() == pytest.approx(0.5, rel=0.25) and abs(angles.mean()) < 0.15


def test_the_cap_sits_differently(alone: Record) -> None:
    eeg = alone(LABELS, 1.0, 64, reach(1.0), velocity=CODING, instability=Instability(cap=0.05))[:, -1]
    assert 0 < eeg[:, 1].std() < 1.0  # right above the source the potential is flat
    assert 0.3 < eeg[:, 0].std() < 3.0  # beside it, it falls off
