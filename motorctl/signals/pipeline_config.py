"""What a pipeline computes, and whether that fits a stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self

from motorctl.errors import ConfigurationError
from motorctl.signals.spatial import Reference
from motorctl.signals.stream import StreamInfo

Band = tuple[float, float]


@dataclass(frozen=True)
class PipelineConfig:
    """What the pipeline computes, in the order of its steps."""

    rate: float = 50.0
    """Feature rows per second, the control rate (Hz)."""
    channels: tuple[str, ...] = ()
    """Channels that features are made of, in order; none named means all of the stream's kind, such as EEG."""
    reject: float | None = None
    """A channel whose peak-to-peak amplitude over the last second exceeds this (µV) counts as missing."""
    flat: float | None = None
    """A channel whose peak-to-peak amplitude over the last second stays below this (µV) counts as missing."""
    repair: bool = False
    """Interpolate channels that were bad in the training recordings: missing, flat or noisy."""
    reference: Reference = "average"
    """Spatial filter: common average, small Laplacian of the four nearest electrodes (Hjorth 1975), or none."""
    line: Literal[50, 60] | None = None
    """Mains frequency (Hz) that is taken out, with its harmonics."""
    band: Band | None = None
    """Pass band before all features (Hz)."""
    amplitude_band: Band | None = (0.1, 5.0)
    """Pass band of the low-frequency amplitude (Hz); a lower edge of 0 keeps even the electrodes' offsets."""
    lags: int = 0
    """How many earlier rows' amplitude each row has beside its own."""
    power_bands: tuple[Band, ...] = ((7.0, 13.0), (13.0, 20.0), (20.0, 30.0))
    """Pass bands whose log power is taken (Hz)."""
    power_window: float = 0.5
    """Length of the trailing window that power and covariance are averaged over (s)."""
    covariance_band: Band | None = None
    """Pass band whose covariance between channels is taken (Hz), in the tangent space at the training recordings'."""
    raw: bool = False
    """The signals themselves, resampled to the control rate behind an anti-alias filter."""
    adapt: float | None = None
    """Time constant of the running mean that is subtracted from every feature (s), in training and live alike."""
    adapt_std: bool = False
    """Divide every feature by its running standard deviation too."""

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """From JSON, where tuples have become lists; what an older version did not know takes its default."""
        return cls(**{name: _as_tuple(value) for name, value in data.items()})

    @property
    def bands(self) -> tuple[Band, ...]:
        """Every pass band."""
        single = (self.band, self.amplitude_band, self.covariance_band)
        return (*(band for band in single if band), *self.power_bands)

    @property
    def windowed(self) -> bool:
        """Whether any feature is taken over the trailing window."""
        return bool(self.power_bands or self.covariance_band)


def _as_tuple(value: Any) -> Any:
    return tuple(map(_as_tuple, value)) if isinstance(value, list) else value


def check_fits(config: PipelineConfig, info: StreamInfo) -> None:
    """Say what cannot be computed from a stream.

    Raises:
        ConfigurationError: a named channel is not in it, or a band or rate does not fit its sampling rate.
    """
    nyquist = info.rate / 2
    for low, high in config.bands:
        if not 0 <= low < high < nyquist:
            raise ConfigurationError(
                f"Band {low:g}-{high:g} Hz does not fit a stream sampled at {info.rate:g} Hz.",
                f"Choose bands within 0-{nyquist:g} Hz, the lower edge first.",
            )
    if not (config.amplitude_band or config.windowed or config.raw):
        raise ConfigurationError(
            "The pipeline computes no feature.", "Give amplitude_band, power_bands, covariance_band or raw."
        )
    if config.windowed and config.power_window * info.rate < 1:
        raise ConfigurationError(
            f"A power window of {config.power_window:g} s holds no sample at {info.rate:g} Hz.",
            "Choose a longer one, such as 0.5 s.",
        )
    if not 0 < config.rate <= info.rate:
        raise ConfigurationError(
            f"Feature rate {config.rate:g} Hz does not fit a stream sampled at {info.rate:g} Hz.",
            f"Choose a rate of at most {info.rate:g} Hz.",
        )
    if config.amplitude_band and config.amplitude_band[1] > config.rate / 2:
        raise ConfigurationError(
            f"An amplitude up to {config.amplitude_band[1]:g} Hz cannot be said by {config.rate:g} rows a second.",
            f"Choose amplitude_band below {config.rate / 2:g} Hz, or a higher rate.",
        )
    if config.line and config.line >= nyquist:
        raise ConfigurationError(
            f"A stream sampled at {info.rate:g} Hz has no {config.line} Hz hum.", "Leave line out: it is aliased."
        )
    if config.adapt_std and config.adapt is None:
        raise ConfigurationError("adapt_std is set without adapt.", "Give adapt, such as 30 s.")
    if config.lags < 0 or (config.lags and not config.amplitude_band):
        raise ConfigurationError(f"lags is {config.lags}.", "Choose 0 or more, and give amplitude_band.")
    for name, value in (("reject", config.reject), ("flat", config.flat), ("adapt", config.adapt)):
        if value is not None and not 0 < value < float("inf"):
            raise ConfigurationError(f"{name} is {value:g}.", "Give a number above 0, or leave it out.")
    unknown = [c for c in config.channels if c not in info.labels]
    if unknown:
        raise ConfigurationError(
            f"'{info.name}' has no channel {', '.join(unknown)}.", f"Choose among {', '.join(info.labels)}."
        )
