"""The brain: turns an intended hand velocity into EEG at the electrodes.

A first, simple model, easier to decode than a person. It has the two signals that EEG decoders of movement live on:

* slow potentials over both motor areas that follow the two components of hand velocity (Bradberry, Gentili &
  Contreras-Vidal 2010, J. Neurosci. 30(9):3432-3437), and
* a mu rhythm over both hand areas that fades with speed (Pfurtscheller & Lopes da Silva 1999, Clin. Neurophysiol.
  110(11):1842-1857),

in a background of 1/f noise that neighbouring electrodes share (Nunez & Srinivasan 2006, Electric Fields of the Brain,
ch. 9) and of white amplifier noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import lfilter
from torch import Tensor

from motorctl.signals.electrodes import electrode_positions
from motorctl.signals.stream import Channel, StreamInfo

Array = NDArray[np.float64]

MONTAGE = ("F3", "Fz", "F4", "FC5", "FC1", "FC2", "FC6", "C3", "Cz", "C4", "CP5", "CP1", "CP2", "CP6", "P3", "Pz", "P4")
"""Seventeen electrodes of the 10-10 system around the motor cortex."""

BACKGROUND_TIMES = (1.0, 0.1, 0.01)
"""Time constants (s) of the first-order processes whose sum approximates 1/f between 0.2 and 16 Hz."""


class BrainState(NamedTuple):
    """What goes on from one call to the next."""

    processes: Array  # (process, batch, channel) of the background, unit variance
    phase: Tensor  # (batch,) of the mu rhythm, rad
    rng: np.random.Generator


@dataclass(frozen=True)
class Brain:
    """EEG of a person who intends to move the hand.

    Args:
        rate: sampling rate of the EEG (Hz).
        labels: electrodes, of the 10-05 system.
        velocity_gain: slow potential per intended velocity where it is strongest (µV per m/s). At reaching speed, 0.3
            m/s, the default gives 24 µV, several times what is reported, so that the first brain is easy to read.
        mu: amplitude of the mu rhythm at rest (µV); 10 to 20 µV is usual.
        background: standard deviation of the 1/f background (µV); about half of what is usual.
        amplifier: standard deviation of the white amplifier noise (µV); 1 µV is usual.
    """

    rate: float = 250.0
    labels: tuple[str, ...] = MONTAGE
    velocity_gain: float = 80.0
    mu: float = 12.0
    background: float = 4.0
    amplifier: float = 1.0

    @property
    def info(self) -> StreamInfo:
        """The stream that this brain gives off."""
        channels = tuple(Channel(label) for label in self.labels)
        return StreamInfo("motorctl-person", "EEG", self.rate, channels, "motorctl-person")

    def initial_state(self, batch: int, seed: int) -> BrainState:
        """A brain at rest; two brains of one seed give the same EEG."""
        rng = np.random.default_rng(seed)
        processes = rng.standard_normal((len(BACKGROUND_TIMES), batch, len(self.labels)))
        return BrainState(processes, torch.from_numpy(rng.uniform(0, 2 * np.pi, batch)), rng)

    def emit(self, intention: Tensor, state: BrainState) -> tuple[Tensor, BrainState]:
        """EEG while ``intention`` is intended.

        Args:
            intention: ``(batch, time, 2)`` intended hand velocity (m/s), one a sample.
            state: returned by the previous call.

        Returns:
            ``(batch, time, channel)`` float32 µV, differentiable in ``intention``, and the new state.
        """
        batch, samples, _ = intention.shape
        speed = torch.linalg.vector_norm(intention, dim=-1, keepdim=True)
        phase = state.phase[:, None] + 2 * np.pi * 10.0 / self.rate * torch.arange(1, samples + 1)
        mu = (self.mu * torch.exp(-speed / 0.1)) * torch.sin(phase)[..., None]
        noise, processes = self._noise(batch, samples, state)
        slow = intention @ (self.velocity_gain * self._velocity_map.to(intention))
        eeg = slow + mu * self._mu_map + torch.from_numpy(noise)
        return eeg.float(), BrainState(processes, phase[:, -1] % (2 * np.pi), state.rng)

    def _noise(self, batch: int, samples: int, state: BrainState) -> tuple[Array, Array]:
        """Background and amplifier noise ``(batch, time, channel)`` (µV), and where the background's processes stand.

        All noise is drawn sample by sample, so that a seed gives the same EEG however it is cut into calls.
        """
        drive = state.rng.standard_normal((samples, len(BACKGROUND_TIMES) + 1, batch, len(self.labels)))
        background = np.zeros_like(drive[:, 0])
        ends = []
        for i, tau in enumerate(BACKGROUND_TIMES):
            decay = np.exp(-1 / (tau * self.rate))
            innovation = drive[:, i] * np.sqrt(1 - decay**2)
            process, _ = lfilter([1.0], [1.0, -decay], innovation, axis=0, zi=decay * state.processes[None, i])
            ends.append(process[-1])
            background += process
        scale = self.background / np.sqrt(len(BACKGROUND_TIMES))
        noise = scale * background @ self._shared + self.amplifier * drive[:, -1]
        return noise.transpose(1, 0, 2), np.stack(ends)

    @cached_property
    def _velocity_map(self) -> Tensor:
        """``(2, channel)``: x is strongest at C3 and reversed at C4, y at Cz, each falling off over 4 cm."""
        near = [near_electrode(self.labels, centre) for centre in ("C3", "C4", "Cz")]
        return torch.from_numpy(np.stack([near[0] - near[1], near[2]]))

    @cached_property
    def _mu_map(self) -> Tensor:
        """``(channel,)``: both hand areas."""
        return torch.from_numpy(near_electrode(self.labels, "C3") + near_electrode(self.labels, "C4"))

    @cached_property
    def _shared(self) -> Array:
        """``(channel, channel)`` square root of a spatial correlation that falls off over 4 cm."""
        place = positions(self.labels)
        distance = np.linalg.norm(place[:, None] - place[None], axis=-1)
        values, vectors = np.linalg.eigh(np.exp(-distance / 0.04))
        root: Array = (vectors * np.sqrt(values)) @ vectors.T
        return root


def positions(labels: tuple[str, ...]) -> Array:
    """``(channel, 3)`` (m)."""
    return np.stack([electrode_positions()[label] for label in labels])


def near_electrode(labels: tuple[str, ...], centre: str) -> Array:
    """``(channel,)`` weight of a source under ``centre``: Gaussian in the distance, 4 cm wide, the spread of a
    potential through the skull (Nunez & Srinivasan 2006, ch. 8)."""
    distance = np.linalg.norm(positions(labels) - positions((centre,)), axis=-1)
    weight: Array = np.exp(-0.5 * (distance / 0.04) ** 2)
    return weight
