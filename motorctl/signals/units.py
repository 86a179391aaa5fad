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


def in_microvolts(
    channels: Sequence[Channel], override: str | None, origin: str, error: type[MotorctlError]
) -> tuple[tuple[Channel, ...], NDArray[np.float64]]:
    """The channels as they are inside the program, and the factor that brings each there.

    Args:
        channels: as declared.
        override: the unit that EEG, EOG, EMG and ECG channels are really in, whatever they declare.
        origin: what the channels belong to, for the message: ``stream 'X'``.
        error: raised if a channel that must be a voltage has no known unit.

    Returns:
        The channels, every voltage in µV and other units as given, and ``(channel,)`` factors.
    """
    units = [override if override and channel.kind in _ELECTRICAL else channel.unit for channel in channels]
    factors = [microvolts_per(unit) for unit in units]
    for channel, unit, factor in zip(channels, units, factors, strict=True):
        if factor is None and channel.kind in _ELECTRICAL:
            raise error(
                f"Channel {channel.label} of {origin} is in {repr(unit) if unit else 'no unit'}, "
                f"but {channel.kind} needs one of V, mV, µV, uV, nV.",
                "Correct the unit where the data come from, or name it with --unit.",
            )
    converted = tuple(
        channel if factor is None else replace(channel, unit=MICROVOLTS)
        for channel, factor in zip(channels, factors, strict=True)
    )
    return converted, np.array([1.0 if factor is None else factor for factor in factors])
