"""Which unit a voltage is in: one table, because every device and file format spells it in its own way."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from motorctl.errors import MotorctlError
from motorctl.signals.stream import Channel

MICROVOLTS = "µV"  # with U+00B5, the micro sign

# Symbols differ by case (mV is milli, MV mega), words do not. The key of µV has U+03BC, which NFKC makes of both.
_SYMBOLS = {"V": 1e6, "mV": 1e3, "\u03bcV": 1.0, "uV": 1.0, "nV": 1e-3}
_WORDS = {"volt": 1e6, "millivolt": 1e3, "microvolt": 1.0, "nanovolt": 1e-3}

_ELECTRICAL = ("EEG", "EOG", "EMG", "ECG")


def microvolts_per(unit: str) -> float | None:
    """How many µV one of ``unit`` is; None if it is no known unit of voltage."""
    unit = unicodedata.normalize("NFKC", unit).strip()
    return _SYMBOLS.get(unit, _WORDS.get(unit.casefold().removesuffix("s")))


def to_microvolts(channels: Sequence[Channel], override: str | None) -> tuple[tuple[Channel, ...], NDArray[np.float64]]:
    """The channels with every voltage in µV, and the factor that brings each there; what is no known unit of voltage
    stays as given.

    Args:
        channels: as declared.
        override: the unit that EEG, EOG, EMG and ECG channels are really in, whatever they declare.

    Returns:
        The channels, and ``(channel,)`` factors.
    """
    named = [replace(c, unit=override) if override and c.kind in _ELECTRICAL else c for c in channels]
    factors = [microvolts_per(channel.unit) for channel in named]
    converted = tuple(
        channel if factor is None else replace(channel, unit=MICROVOLTS)
        for channel, factor in zip(named, factors, strict=True)
    )
    return converted, np.array([1.0 if factor is None else factor for factor in factors])


def check_voltages(channels: Sequence[Channel], origin: str, error: type[MotorctlError]) -> None:
    """Say which EEG, EOG, EMG or ECG channel is in no known unit of voltage.

    Args:
        channels: as declared.
        origin: what the channels belong to, for the message: ``stream 'X'``.
        error: raised if there is one.
    """
    for channel in channels:
        if channel.kind in _ELECTRICAL and microvolts_per(channel.unit) is None:
            raise error(
                f"Channel {channel.label} of {origin} is in {repr(channel.unit) if channel.unit else 'no unit'}, "
                f"but {channel.kind} needs one of V, mV, µV, uV, nV.",
                "Correct the unit where the data come from, or name it with --unit.",
            )


def in_microvolts(
    channels: Sequence[Channel], override: str | None, origin: str, error: type[MotorctlError]
) -> tuple[tuple[Channel, ...], NDArray[np.float64]]:
    """As :func:`to_microvolts`, but every channel that must be a voltage has to be one.

    Raises:
        error: as for :func:`check_voltages`.
    """
    converted, factors = to_microvolts(channels, override)
    check_voltages(converted, origin, error)
    return converted, factors
