"""Which trials are learned from and which are tested on: folds that a reviewer would believe.

Whatever learns (scaling, spatial filters, thresholds, networks) is given the training trials of a fold and nothing
else. Within a recording, trials nearer to a tested one than ``gap`` are left out of training, since filters and windows
carry samples across.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from motorctl.errors import ConfigurationError

Numbers = NDArray[np.int64]

ProtocolName = Literal[
    "chronological", "leave-one-run-out", "leave-one-session-out", "leave-one-subject-out", "time-blocks"
]


@dataclass(frozen=True)
class Protocol:
    """How trials are dealt to training and test."""

    name: ProtocolName = "leave-one-run-out"
    """chronological: learn from the earlier part of each recording, test on the later one; leave-one-run-out,
    leave-one-session-out: each recording or session in turn, learned from the same person's others;
    leave-one-subject-out: each person in turn, learned from the others; time-blocks: each recording is cut into blocks
    that follow each other, each tested in turn."""
    hold_back: float = 0.2
    """Share of each recording's trials that is tested on, the last ones (chronological)."""
    blocks: int = 5
    """How many blocks a recording is cut into (time-blocks)."""


@dataclass(frozen=True, eq=False)
class Units:
    """What is dealt out: trials, or windows of a run; all arrays ``(unit,)``, in order of time within a recording.

    Args:
        recording: number of the recording.
        session: number of the session it is of.
        subject: number of the person it is of.
        begin, end: what it rests on, s from the recording's first sample.
        block: number of the trial, or stretch between trials, that it is of: what goes together when labels are
            permuted and intervals found.
    """

    recording: Numbers
    session: Numbers
    subject: Numbers
    begin: NDArray[np.float64]
    end: NDArray[np.float64]
    block: Numbers

    def __len__(self) -> int:
        return len(self.recording)


class Fold(NamedTuple):
    """Numbers of the units to learn from and to test on, and what is tested in words."""

    name: str
    train: Numbers
    test: Numbers


def make_folds(protocol: Protocol, units: Units, gap: float) -> list[Fold]:
    """The folds, in order.

    Args:
        protocol: how.
        units: what is dealt out.
        gap: s that must lie between training and test in one recording.

    Raises:
        ConfigurationError: an option is out of its range, or a fold has nothing to learn from or to test on.
    """
    if not 0 < protocol.hold_back < 1:
        raise ConfigurationError(f"hold-back is {protocol.hold_back:g}.", "Choose a share above 0 and below 1.")
    if protocol.blocks < 2:
        raise ConfigurationError(f"blocks is {protocol.blocks}.", "Choose 2 or more.")
    every = np.arange(len(units))
    if protocol.name == "chronological":
        later = np.concatenate([_parts(units, r, protocol.hold_back) for r in np.unique(units.recording)])
        folds = [Fold("later part", _away(units, every[~np.isin(every, later)], later, gap), later)]
    elif protocol.name == "time-blocks":
        folds = _block_folds(units, protocol.blocks, gap)
    else:
        folds = _left_out(protocol.name, units)
    for fold in folds:
        if not len(fold.train) or not len(fold.test):
            what = "learn from" if len(fold.test) else "test on"
            raise ConfigurationError(
                f"By {protocol.name} there is nothing to {what} where the test is {fold.name}.",
                "Give more or longer recordings, or choose another --protocol.name.",
            )
    return folds


def inner_folds(units: Units, train: Numbers, gap: float) -> list[Fold]:
    """Folds within the training units of a fold, to choose hyper-parameters by: a recording left out in turn where
    there are several of a person, else blocks of time. Numbers are those of ``units``."""
    within = Units(**{name: values[train] for name, values in vars(units).items()})
    several = all(len(np.unique(within.recording[within.subject == s])) > 1 for s in np.unique(within.subject))
    protocol = Protocol("leave-one-run-out") if several else Protocol("time-blocks", blocks=3)
    return [Fold(f.name, train[f.train], train[f.test]) for f in make_folds(protocol, within, gap)]


def _parts(units: Units, recording: int, share: float) -> Numbers:
    """The last ``share`` of a recording's blocks, as units."""
    members = np.flatnonzero(units.recording == recording)
    blocks = np.unique(units.block[members])
    return members[np.isin(units.block[members], blocks[-max(1, round(share * len(blocks))) :])]


def _block_folds(units: Units, count: int, gap: float) -> list[Fold]:
    """Block k of every recording is tested in fold k."""
    place = np.full(len(units), -1)
    for recording in np.unique(units.recording):
        members = np.flatnonzero(units.recording == recording)
        blocks = np.unique(units.block[members])
        if len(blocks) < count:
            raise ConfigurationError(
                f"A recording of {len(blocks)} trials cannot be cut into {count} blocks.", "Choose fewer --blocks."
            )
        for number, part in enumerate(np.array_split(blocks, count)):
            place[members[np.isin(units.block[members], part)]] = number
    tests = [np.flatnonzero(place == number) for number in range(count)]
    return [
        Fold(f"block {k + 1}", _away(units, np.flatnonzero(place != k), test, gap), test)
        for k, test in enumerate(tests)
    ]


def _left_out(name: str, units: Units) -> list[Fold]:
    """Each run, session or subject in turn; runs and sessions are learned from within one person."""
    what = name.split("-")[2]
    groups = {"run": units.recording, "session": units.session, "subject": units.subject}[what]
    if len(np.unique(groups)) < 2:
        raise ConfigurationError(
            f"All recordings are of one {what}.",
            "Give more recordings."
            if what == "run"
            else f"Say with --{what}s, one for each recording, which {what} each is of, or choose another "
            "--protocol.name.",
        )
    folds = []
    for group in np.unique(groups):
        test = groups == group
        same = np.isin(units.subject, units.subject[test]) if what != "subject" else np.ones(len(units), bool)
        folds.append(Fold(f"{what} {group + 1}", np.flatnonzero(same & ~test), np.flatnonzero(test)))
    return folds


def _away(units: Units, train: Numbers, test: Numbers, gap: float) -> Numbers:
    """The training units that lie at least ``gap`` away from every tested one of their recording."""
    kept = []
    for unit in train.tolist():
        near = test[units.recording[test] == units.recording[unit]]
        apart = (units.end[unit] + gap <= units.begin[near]) | (units.begin[unit] >= units.end[near] + gap)
        if apart.all():
            kept.append(unit)
    return np.array(kept, np.int64)
