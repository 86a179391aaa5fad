"""Markers as they arrive."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import pylsl  # type: ignore[import-untyped]
from pylsl.util import LostError  # type: ignore[import-untyped]

from motorctl.signals.lsl.connection import Clock, answer, lost, patiently
from motorctl.signals.lsl.find import describe, find_stream


class MarkerInlet:
    """Markers as they arrive, with times on this machine's ``local_clock()``; made by :func:`open_markers`.

    ``name`` is the stream's.
    """

    def __init__(self, found: pylsl.StreamInfo, timeout: float = 5.0) -> None:
        self._label, self.name = describe(found), found.name()
        self._inlet = pylsl.StreamInlet(found)
        # Without its description in hand, an inlet's first pull waits for it, for ever if the outlet has gone by then.
        patiently(answer(self._inlet.info, timeout), self._label)
        self._clock = Clock(self._inlet, patiently(answer(self._inlet.time_correction, timeout), self._label))
        patiently(answer(self._inlet.open_stream, timeout), self._label)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._inlet.close_stream()

    def read(self, timeout: float = 0.0) -> list[tuple[float, str]]:
        """The markers that have arrived since the last call, as ``(time, text)``, waiting up to ``timeout`` s for the
        first.

        Raises:
            StreamError: the stream is gone for good.
        """
        try:
            values, stamps = self._inlet.pull_chunk(timeout, min_samples=1, as_numpy=True)
        except LostError as error:
            raise lost(self._label) from error
        offset = self._clock.offset()
        return [(float(stamp) + offset, _text(value)) for stamp, value in zip(stamps, values[:, 0], strict=True)]


def open_markers(query: str, timeout: float = 5.0) -> MarkerInlet:
    """Find a stream of markers by name, type or source_id and subscribe to it; numbers are read as text.

    Raises:
        StreamError: if there is no such stream or more than one, or it does not answer.
    """
    return MarkerInlet(find_stream(query, timeout=timeout), timeout)


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
