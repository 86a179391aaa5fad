"""Protocols: every unit tested where it should be, nothing of the test learned from, and a gap in between."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motorctl.errors import ConfigurationError
from motorctl.evaluation.protocols import Protocol, ProtocolName, Units, inner_folds, make_folds


def units(trials: int = 10, windows: int = 3) -> Units:
    """Two people with two sessions of two recordings each; a trial every 8 s, of windows of 2 s, one every second."""
    recording = np.repeat(np.arange(8), trials * windows)
    number = np.tile(np.repeat(np.arange(trials), windows), 8)
    begin = 8.0 * number + np.tile(np.arange(windows), 8 * trials)
    block = recording * trials + number
    return Units(recording, recording // 2, recording // 4, begin, begin + 2, block)


@settings(deadline=None)
@given(
    name=st.sampled_from(get_args(ProtocolName)),
    trials=st.integers(6, 12),
    windows=st.integers(1, 3),
    gap=st.floats(0, 9),
)
def test_nothing_of_the_test_is_near_what_is_learned_from(
    name: ProtocolName, trials: int, windows: int, gap: float
) -> None:
    given_units = units(trials, windows)
    for fold in make_folds(Protocol(name), given_units, gap):
        assert not set(fold.train) & set(fold.test)
        assert not set(given_units.block[fold.train]) & set(given_units.block[fold.test])
        for test in fold.test:
            same = fold.train[given_units.recording[fold.train] == given_units.recording[test]]
            after = given_units.begin[same] - given_units.end[test]
            before = given_units.begin[test] - given_units.end[same]
            assert (np.maximum(after, before) >= gap - 1e-9).all()


@pytest.mark.parametrize("name", [n for n in get_args(ProtocolName) if n != "chronological"])
def test_every_unit_is_tested_once(name: ProtocolName) -> None:
    tested = np.concatenate([fold.test for fold in make_folds(Protocol(name), units(), 0.2)])
    assert sorted(tested) == list(range(len(units())))


def test_what_is_left_out_is_whole_and_learned_from_the_same_person_or_others() -> None:
    u = units()
    runs, sessions, subjects = (
        make_folds(Protocol(f"leave-one-{what}-out"), u, 0.0) for what in ("run", "session", "subject")
    )  # type: ignore[arg-type]
    assert (len(runs), len(sessions), len(subjects)) == (8, 4, 2)
    assert all(len(set(u.recording[f.test])) == 1 and len(set(u.recording[f.train])) == 3 for f in runs)
    assert all(len(set(u.session[f.test])) == 1 and len(set(u.session[f.train])) == 1 for f in sessions)
    assert all(
        set(u.subject[f.train]) == {1} - set(u.subject[f.test]) or set(u.subject[f.train]) == {0} for f in subjects
    )
    for fold in (*runs, *sessions):
        assert set(u.subject[fold.train]) == set(u.subject[fold.test])


def test_the_later_part_is_tested() -> None:
    u = units()
    (fold,) = make_folds(Protocol("chronological", hold_back=0.3), u, 0.0)
    assert len(fold.test) == 8 * 3 * 3
    for recording in range(8):
        last = u.end[fold.train[u.recording[fold.train] == recording]].max()
        assert last <= u.begin[fold.test[u.recording[fold.test] == recording]].min()


def test_inner_folds_stay_within_the_training_units() -> None:
    u = units()
    for outer in make_folds(Protocol("leave-one-run-out"), u, 0.0):
        for inner in inner_folds(u, outer.train, 0.0):
            assert set(inner.train) | set(inner.test) <= set(outer.train)
    (only,) = make_folds(Protocol("chronological"), Units(*(v[u.recording == 0] for v in vars(u).values())), 0.0)
    assert len(inner_folds(Units(*(v[u.recording == 0] for v in vars(u).values())), only.train, 0.0)) == 3


@pytest.mark.parametrize(
    ("protocol", "problem"),
    [
        (Protocol("leave-one-run-out"), "All recordings are of one run"),
        (Protocol("leave-one-session-out"), "--sessions"),
        (Protocol("leave-one-subject-out"), "--subjects"),
        (Protocol("time-blocks", blocks=11), "cannot be cut into 11"),
        (Protocol("time-blocks", blocks=1), "blocks is 1"),
        (Protocol("chronological", hold_back=1.0), "hold-back is 1"),
    ],
)
def test_what_cannot_be_is_said(protocol: Protocol, problem: str) -> None:
    u = units()
    with pytest.raises(ConfigurationError, match=problem):
        make_folds(protocol, Units(*(v[u.recording == 0] for v in vars(u).values())), 0.0)


def test_a_gap_that_leaves_nothing_to_learn_from_is_said() -> None:
    u = units()
    with pytest.raises(ConfigurationError, match="nothing to learn from"):
        make_folds(Protocol("chronological"), u, 1000.0)
