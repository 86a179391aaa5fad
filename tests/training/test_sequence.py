"""Sequences, what is held back, and lanes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motorctl.errors import ConfigurationError
from motorctl.signals.pipeline import Features
from motorctl.training.sequence import Seen, Sequence, hold_back, stack_lanes


def sequence(length: int, trials: int = 0) -> Sequence:
    times = np.arange(length) / 10
    values = np.arange(2 * length, dtype=np.float32).reshape(length, 2) + 1
    trial = np.full(length, -1)
    for k in range(trials):
        trial[20 * k + 5 : 20 * k + 15] = k
    return Sequence(Features(values, times, np.ones((length, 2), bool)), values[:, :1] * 10, trial)


def test_the_last_trials_are_held_back_with_a_gap() -> None:
    earlier, later = hold_back(sequence(200, trials=10), share=0.2, gap=1.0)
    assert set(later.trial) - {-1} == {8, 9}
    assert set(earlier.trial) - {-1} == set(range(8))
    assert later.features.times[0] == 16.5  # where trial 8 begins
    assert earlier.features.times[-1] < 15.5


@pytest.mark.parametrize(("trials", "share"), [(10, 0.96), (1, 0.2), (0, 0.2)])
def test_holding_back_every_trial_is_refused(trials: int, share: float) -> None:
    with pytest.raises(ConfigurationError, match="leaves none to train on"):
        hold_back(sequence(200, trials), share, gap=1.0)


@given(lengths=st.lists(st.integers(1, 50), min_size=1, max_size=5), lane=st.integers(1, 60))
def test_lanes_hold_every_row_once_and_nothing_else(lengths: list[int], lane: int) -> None:
    sequences = [sequence(length) for length in lengths]
    lanes = stack_lanes(sequences, lane)
    kept = lanes.weight[..., 0] > 0
    pieces = [s[start : start + lane] for s in sequences for start in range(0, len(s), lane)]
    pieces.sort(key=len, reverse=True)
    np.testing.assert_array_equal(lanes.features[kept], np.concatenate([p.features.values for p in pieces]))
    np.testing.assert_array_equal(lanes.targets[kept], np.concatenate([p.targets for p in pieces]))
    assert not lanes.features[~kept].any() and not lanes.targets[~kept].any()


def test_masked_rows_weigh_nothing() -> None:
    whole = sequence(4)
    whole.features.mask[2, 1] = False
    assert stack_lanes([whole], 4).weight[0, :, 0].tolist() == [1, 1, 0, 1]


def test_rows_without_a_known_target_weigh_nothing() -> None:
    whole = sequence(4)
    whole.targets[1] = np.nan
    lanes = stack_lanes([whole], 4)
    assert lanes.weight[0, :, 0].tolist() == [1, 0, 1, 1]
    assert lanes.targets.isfinite().all()


@given(lengths=st.lists(st.integers(1, 50), min_size=1, max_size=5), row=st.integers(0, 60))
def test_lanes_that_go_on_are_the_first_ones(lengths: list[int], row: int) -> None:
    lanes = stack_lanes([sequence(length) for length in lengths], 60)
    assert lanes.going(row) == sum(length > row for length in lengths)


def test_a_stretch_seen_through_a_function_tells_it_where_its_rows_begin() -> None:
    told: list[int] = []

    def through(piece: Sequence, start: int) -> Sequence:
        told.append(start)
        return piece

    seen = Seen(sequence(10), through)
    assert len(seen) == 10 and len(seen[3:7]) == 4 and len(seen[:2]) == 2
    assert told == [3, 0]
