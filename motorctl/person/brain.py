"""The brain: turns an intended movement into EEG at the electrodes.

Sources in a head model (:mod:`.head`) carry the rhythms (:mod:`.rhythms`) and slow potentials (:mod:`.slow`) that
decoders of movement live on, in a background (:mod:`.background`) with artefacts of body (:mod:`.artifacts`) and
electrodes (:mod:`.contacts`), none of it quite the same from session to session (:mod:`.instability`).
``docs/brain.md`` shows what comes out beside what is published of people.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from motorctl.errors import ConfigurationError, check_positive
from motorctl.person.artifacts import Blinks, Muscles
from motorctl.person.background import Background
from motorctl.person.component import Moment, Part, Setting, State
from motorctl.person.contacts import AmplifierNoise, Drift, LooseElectrode, Mains, Pops
from motorctl.person.filters import blocks
from motorctl.person.head import head
from motorctl.person.instability import Instability
from motorctl.person.movements import activity
from motorctl.person.rhythms import Alpha, Rhythm
from motorctl.person.slow import MovementPotential, VelocityCoding
from motorctl.signals.stream import Channel, StreamInfo
from motorctl.threads import one_thread

MONTAGE = ("F3", "Fz", "F4", "FC5", "FC1", "FC2", "FC6", "C3", "Cz", "C4", "CP5", "CP1", "CP2", "CP6", "P3", "Pz", "P4")
"""Seventeen electrodes of the 10-10 system around the motor cortex."""

BLOCK = 256
"""Samples that are made at a time, so that what is in the works stays in the processor's cache."""

SOURCES = {"velocity": VelocityCoding, "shift": MovementPotential, "mu": Rhythm, "beta": Rhythm, "alpha": Alpha}
SURFACE = {
    "background": Background,
    "blinks": Blinks,
    "muscles": Muscles,
    "amplifier": AmplifierNoise,
    "drift": Drift,
    "mains": Mains,
    "pops": Pops,
    "loose": LooseElectrode,
}
PARTS: dict[str, type[Part]] = SOURCES | SURFACE
"""Parts of the EEG by the name of their switch: what the brain's sources give, then what adds at the electrodes."""


class BrainState(NamedTuple):
    """What goes on from one call to the next."""

    parts: dict[str, State]
    session: State
    rng: np.random.Generator


@dataclass(frozen=True)
class Brain:
    """EEG of a person who intends to move. By default all is easy: the preset ``ideal``.

    Every part is a switch: ``dataclasses.replace(brain, blinks=None)`` gives for the same seed the same EEG, but
    without blinks.

    Args:
        rate: sampling rate of the EEG (Hz), above 60 for the beta rhythm.
        labels: electrodes, of the 10-05 system.
        velocity: potentials that follow hand velocity.
        shift: the negative shift before a movement.
        mu, beta: rhythms of the motor areas.
        alpha: the rhythm of the visual areas.
        background: 1/f noise of the cortex.
        blinks, muscles: artefacts of the body.
        amplifier: white noise.
        drift: wandering offsets of the electrodes.
        mains: hum of 50 or 60 Hz.
        pops: jumps of single electrodes.
        loose: one electrode off the skin.
        instability: how sessions and minutes differ.

    Raises:
        ConfigurationError: a label is no electrode of the 10-05 system, or the rate is too low.
    """

    rate: float = 250.0
    labels: tuple[str, ...] = MONTAGE
    velocity: VelocityCoding | None = VelocityCoding(per_velocity=80.0, low=0.0, high=8.0)
    shift: MovementPotential | None = None
    mu: Rhythm | None = Rhythm(10.0, 1.0, 8.0, desynchronisation=0.98, ipsilateral=0.0)
    beta: Rhythm | None = Rhythm(20.0, 4.0, 3.0, desynchronisation=0.9, ipsilateral=0.0)
    alpha: Alpha | None = None
    background: Background | None = Background(amplitude=4.0, exponent=1.0)
    blinks: Blinks | None = None
    muscles: Muscles | None = None
    amplifier: AmplifierNoise | None = AmplifierNoise()
    drift: Drift | None = None
    mains: Mains | None = None
    pops: Pops | None = None
    loose: LooseElectrode | None = None
    instability: Instability = Instability()

    def __post_init__(self) -> None:
        check_positive("rate", self.rate)
        for rhythm in (self.mu, self.beta, self.alpha):
            if rhythm and rhythm.frequency + rhythm.bandwidth >= self.rate / 2:
                raise ConfigurationError(
                    f"A rhythm of {rhythm.frequency:g} Hz does not fit EEG sampled at {self.rate:g} Hz.",
                    "Choose a higher rate, such as 250 Hz.",
                )
        if not self.labels:
            raise ConfigurationError("The brain has no electrode.", "Name some, such as C3 Cz C4.")
        head(self.labels)

    @property
    def info(self) -> StreamInfo:
        """The stream that this brain gives off."""
        channels = tuple(Channel(label) for label in self.labels)
        return StreamInfo("motorctl-person", "EEG", self.rate, channels, "motorctl-person")

    def initial_state(self, batch: int, seed: int) -> BrainState:
        """Brains at rest, each in a session of its own; two brains of one seed give the same EEG."""
        setting = self._setting(batch)
        seeds = np.random.SeedSequence(seed).spawn(len(PARTS) + 2)
        parts = {
            name: part.start(setting, np.random.default_rng(own))
            for name, own in zip(PARTS, seeds, strict=False)
            if (part := self._part(name))
        }
        session = self.instability.start(setting, np.random.default_rng(seeds[-2]))
        fast = np.random.Generator(np.random.SFC64(seeds[-1]))  # a tenth faster than the default
        return BrainState(parts, session, fast)

    def emit(self, intention: Tensor, state: BrainState, movement: Tensor | None = None) -> tuple[Tensor, BrainState]:
        """EEG while something is intended.

        Args:
            intention: ``(batch, time, 2)`` intended velocity of the right hand (m/s), one a sample.
            state: returned by the previous call; it stays as it is, and may be gone on from again.
            movement: ``(batch, time, 6)`` how far each of ``movements.MOVEMENTS`` is intended, 0 to 1.

        Returns:
            ``(batch, time, channel)`` float32 µV, differentiable in ``intention`` and ``movement``, and the new state.
        """
        state = state._replace(rng=deepcopy(state.rng))
        velocity = intention.float().transpose(0, 1)
        areas = activity(velocity, None if movement is None else movement.float().transpose(0, 1))
        made = []
        with one_thread():  # the products are small
            for rows in zip(blocks(velocity, BLOCK), blocks(areas, BLOCK), strict=True):
                block, state = self._emit(*rows, state)
                made.append(block)
        return torch.cat(made).transpose(0, 1).contiguous(), state

    def _emit(self, velocity: Tensor, areas: Tensor, state: BrainState) -> tuple[Tensor, BrainState]:
        """The same, ``(time, batch, channel)``, for a few samples. Noise is drawn sample by sample, so that a seed
        gives the same EEG however it is cut into calls."""
        time, batch, _ = velocity.shape
        setting, channels = self._setting(batch), len(self.labels)
        widths = [Instability.width(), *(part.width(channels) for part in PARTS.values())]
        drawn = torch.from_numpy(state.rng.standard_normal((time, batch, sum(widths)), dtype=np.float32))
        unstable, *white = torch.split_with_sizes(drawn, widths, dim=-1)
        gains, session = self.instability.gains(unstable, state.session, self.rate)
        _, turn, topographies = session
        moment = Moment(torch.einsum("tbi,bij->tbj", velocity, turn), areas)
        signals, parts = {}, {}
        for name, noise in zip(PARTS, white, strict=True):
            if part := self._part(name):
                signals[name], parts[name] = part.emit(moment, noise, state.parts[name], setting)
        sources = sum((signals[name] for name in SOURCES if name in signals), torch.zeros_like(gains))
        eeg = torch.einsum("tbs,bsc->tbc", sources * gains, topographies)
        for name in SURFACE:
            if name in signals:
                eeg += signals[name]
        return eeg, BrainState(parts, session, state.rng)

    def _setting(self, batch: int) -> Setting:
        return Setting(head(self.labels), self.rate, batch)

    def _part(self, name: str) -> Part | None:
        part: Part | None = getattr(self, name)
        return part


PRESETS = ("ideal", "realistic", "hard")


def make_brain(preset: str = "ideal", labels: tuple[str, ...] = MONTAGE, rate: float = 250.0) -> Brain:
    """A brain by name.

    Args:
        preset: ``ideal``, many times easier than a person and without artefacts: says whether a loop works at all.
            ``realistic``, about as hard to read as a cooperative person, see ``docs/brain.md``. ``hard``, a person with
            weak rhythms, a restless body and a badly fitted cap, changing fast.
        labels: electrodes, of the 10-05 system.
        rate: sampling rate (Hz).

    Raises:
        ConfigurationError: there is no such preset, or electrodes or rate do not fit.
    """
    if preset == "ideal":
        return Brain(rate, labels)
    if preset == "realistic":
        return Brain(
            rate,
            labels,
            velocity=VelocityCoding(per_velocity=80.0, per_speed=30.0),
            shift=MovementPotential(amplitude=6.0),
            mu=Rhythm(10.5, 2.0, 7.0, desynchronisation=0.6, ipsilateral=0.4),
            beta=Rhythm(20.0, 5.0, 3.0, desynchronisation=0.5, ipsilateral=0.4, rebound=0.8),
            alpha=Alpha(amplitude=10.0),
            background=Background(amplitude=12.0, exponent=1.3),
            blinks=Blinks(),
            muscles=Muscles(amplitude=20.0, per_minute=2.0),
            drift=Drift(amplitude=20.0, time=120.0),
            mains=Mains(amplitude=3.0),
            pops=Pops(per_minute=0.2),
            instability=Instability(strength=0.2, minutes=3.0, tuning=0.2, cap=0.04),
        )
    if preset == "hard":
        return Brain(
            rate,
            labels,
            velocity=VelocityCoding(per_velocity=50.0, per_speed=20.0),
            shift=MovementPotential(amplitude=4.0),
            mu=Rhythm(10.5, 2.0, 5.5, desynchronisation=0.55, ipsilateral=0.45),
            beta=Rhythm(20.0, 5.0, 2.2, desynchronisation=0.45, ipsilateral=0.45, rebound=0.5),
            alpha=Alpha(amplitude=12.0),
            background=Background(amplitude=16.0, exponent=1.3),
            blinks=Blinks(amplitude=150.0, per_minute=25.0),
            muscles=Muscles(amplitude=30.0, per_minute=6.0),
            amplifier=AmplifierNoise(2.0),
            drift=Drift(amplitude=50.0, time=60.0),
            mains=Mains(amplitude=15.0),
            pops=Pops(per_minute=2.0),
            loose=LooseElectrode(),
            instability=Instability(strength=0.3, minutes=2.0, tuning=0.5, cap=0.08),
        )
    raise ConfigurationError(f"There is no brain '{preset}'.", f"Choose {', '.join(PRESETS)}.")
