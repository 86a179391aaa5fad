"""Trials asked for by cues: a marker says when one begins and where its target is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from motorctl.runtime.loop import Step
from motorctl.signals.lsl import MarkerInlet
from motorctl.training.cues import displacement


class CueResult(NamedTuple):
    """What the hand did while a cue lasted.

    Args:
        text: the marker.
        direction: where it asked the hand to go.
        moved: how far the hand went that way (m); below 0 if the other way.
    """

    text: str
    direction: str
    moved: float


class CuedTrials:
    """Trials that begin with markers: each brings the limb back to rest and shows the target its cue asks for.

    A trial lasts until the next marker, whatever it says.

    Args:
        markers: subscribed.
        cues: marker to direction.
        rest: ``(2,)`` rest position of the hand (m).
        report: told of every cue that has ended.
    """

    def __init__(
        self,
        markers: MarkerInlet,
        cues: Mapping[str, str],
        rest: NDArray[np.float64],
        report: Callable[[CueResult], None],
    ) -> None:
        self._markers, self._cues, self._rest, self._report = markers, cues, rest, report
        self._cue: str | None = None
        self.results: list[CueResult] = []

    def __call__(self, step: Step) -> dict[str, Any] | None:
        """The trial that a marker asks for, if one has come."""
        options = None
        for _, text in self._markers.read():
            if self._cue is not None:
                self._end(self._cue, step.hand)
            self._cue = text if text in self._cues else None
            options = {"target": self._rest + displacement(self._cues[text])} if self._cue else None
        return options

    def _end(self, text: str, hand: NDArray[np.float64]) -> None:
        towards = displacement(self._cues[text])
        moved = float((hand - self._rest) @ towards / np.linalg.norm(towards))
        self.results.append(CueResult(text, self._cues[text], moved))
        self._report(self.results[-1])
