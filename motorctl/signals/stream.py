"""The stream types every part agrees on: what a stream is, a chunk of it, and what gives chunks.

Samples are always ``(time, channel)`` in µV, times always seconds on one clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from motorctl.errors import StreamError


@dataclass(frozen=True)
class Channel:
    """One channel of a stream.

    Args:
        label: its name, for EEG one of the 10-05 system (``C3``).
        unit: ``µV`` for everything electrical once inside the program; else as given.
        kind: ``EEG``, ``EOG``, ``EMG``, ``MISC``.
    """

    label: str
    unit: str = "µV"
    kind: str = "EEG"


@dataclass(frozen=True)
class StreamInfo:
    """What a stream says of itself; the same for sources, recordings and checkpoints.

    Args:
        name: the stream's name.
        kind: the LSL content type (``EEG``, ``Markers``, ``MoCap``).
        rate: nominal sampling rate in Hz; 0 for an irregular stream.
        channels: the channels in order.
        source_id: stable identity of the device, empty if unknown.
    """

    name: str
    kind: str
    rate: float
    channels: tuple[Channel, ...]
    source_id: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """Channel labels in order."""
        return tuple(channel.label for channel in self.channels)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {
            "name": self.name,
            "kind": self.kind,
            "rate": self.rate,
            "source_id": self.source_id,
            "channels": [[c.label, c.unit, c.kind] for c in self.channels],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_dict`; a missing key raises ``KeyError``, a wrong type ``TypeError``."""
        channels = tuple(Channel(*map(str, c)) for c in data["channels"])
        return cls(str(data["name"]), str(data["kind"]), float(data["rate"]), channels, str(data["source_id"]))


@dataclass(frozen=True)
class Chunk:
    """Consecutive samples of a stream.

    Args:
        samples: ``(time, channel)`` float32, µV for EEG.
        times: ``(time,)`` float64, seconds on the clock of the loop.
        mask: ``(time, channel)`` bool, True where the sample was really measured; all True if not given.
    """

    samples: NDArray[np.float32]
    times: NDArray[np.float64]
    mask: NDArray[np.bool_] = field(default_factory=lambda: np.empty((0, 0), bool))

    def __post_init__(self) -> None:
        if self.mask.shape != self.samples.shape:
            if self.mask.size:
                raise ValueError(f"mask {self.mask.shape} and samples {self.samples.shape} differ in shape")
            object.__setattr__(self, "mask", np.ones(self.samples.shape, bool))
        if len(self.times) != len(self.samples):
            raise ValueError(f"{len(self.times)} times for {len(self.samples)} samples")

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, rows: slice) -> Chunk:
        return Chunk(self.samples[rows], self.times[rows], self.mask[rows])

    def select(self, columns: list[int]) -> Chunk:
        """The given channels, in the given order."""
        return Chunk(self.samples[:, columns], self.times, self.mask[:, columns])


class Source(Protocol):
    """Gives EEG chunks as they arrive: a recording, an LSL inlet, a simulated person.

    A source is a context manager: what it opened, it closes.
    """

    @property
    def info(self) -> StreamInfo:
        """What the stream is."""
        ...

    def read(self, timeout: float) -> Chunk:
        """Whatever has arrived since the last call, waiting at most ``timeout`` seconds for the first sample.

        An empty chunk when nothing came; ``StreamLost`` when the stream is gone for good, another ``StreamError`` while
        what comes cannot be used, which may pass: read on.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def channel_indices(found: StreamInfo, wanted: StreamInfo) -> list[int]:
    """Columns of ``found`` that give the channels of ``wanted`` in its order.

    Raises:
        StreamError: if the rate, a channel or a unit differs from what is wanted. Extra channels are fine.
    """
    if found.rate != wanted.rate:
        raise StreamError(
            f"The controller was trained at {wanted.rate:g} Hz, but '{found.name}' runs at {found.rate:g} Hz.",
            "Set the device to that rate, or train a controller on recordings made at the stream's rate.",
        )
    position = {label.casefold(): i for i, label in enumerate(found.labels)}
    missing = [label for label in wanted.labels if label.casefold() not in position]
    if missing:
        raise StreamError(
            f"The controller needs channel{'s' * (len(missing) > 1)} {', '.join(missing)}, "
            f"but '{found.name}' has {', '.join(found.labels)}.",
            "Rename the channels on the device, or train a controller on these channels.",
        )
    columns = [position[label.casefold()] for label in wanted.labels]
    for column, channel in zip(columns, wanted.channels, strict=True):
        if found.channels[column].unit != channel.unit:
            raise StreamError(
                f"The controller was trained on {channel.label} in {channel.unit}, "
                f"but '{found.name}' gives it in {found.channels[column].unit or 'no unit'}.",
                "Correct the unit in the stream's description, or name it with --unit.",
            )
    return columns
