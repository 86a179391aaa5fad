"""What the brain's tests share: one part of it alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from motorctl.person.brain import PARTS, Brain
from motorctl.person.instability import Instability


@pytest.fixture
def alone() -> Callable[..., np.ndarray]:
    """``alone(labels, seconds, batch, reach, movement, PART=...)``: EEG ``(batch, time, channel)`` (µV) at 250 Hz of a
    brain that has only the named parts. Velocity ``reach (time, 2)`` and ``movement (time, 6)`` are every lane's."""

    def record(
        labels: tuple[str, ...],
        seconds: float,
        batch: int = 1,
        reach: torch.Tensor | None = None,
        movement: torch.Tensor | None = None,
        **parts: object,
    ) -> np.ndarray:
        switches = dict.fromkeys(PARTS) | {"instability": Instability()} | parts
        brain = Brain(labels=labels, **switches)  # type: ignore[arg-type]
        reach = torch.zeros(round(seconds * brain.rate), 2) if reach is None else reach
        movement = movement if movement is None else movement.expand(batch, -1, -1)
        eeg, _ = brain.emit(reach.expand(batch, -1, -1), brain.initial_state(batch, seed=0), movement)
        return eeg.numpy()

    return record
