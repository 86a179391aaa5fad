"""A trail is the last rows, however it came about, and whatever others have made of its memory."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from motorctl.signals.trail import trail_of


@given(window=st.integers(1, 6), lengths=st.lists(st.integers(0, 9), max_size=30))
def test_the_last_rows_with_the_new_ones_after_them(window, lengths):
    rows = np.arange(2 * (window + sum(lengths))).reshape(-1, 2)
    trail, end = trail_of(rows[:window]), window
    for count in lengths:
        seen, trail = trail.followed_by(rows[end : end + count])
        np.testing.assert_array_equal(seen, rows[end - window : end + count])
        end += count


@given(window=st.integers(1, 4), turns=st.lists(st.tuples(st.integers(0, 9), st.integers(1, 5)), max_size=20))
def test_any_trail_may_be_followed_by_something_else(window, turns):
    trails = [(trail_of(np.zeros((window, 1))), [0] * window)]
    for which, count in turns:
        trail, rows = trails[which % len(trails)]
        new = [rows[-1] + len(trails)] * count
        seen, after = trail.followed_by(np.array(new)[:, None])
        assert seen[:, 0].tolist() == rows[-window:] + new
        trails.append((after, rows + new))
    for trail, rows in trails:
        seen, _ = trail.followed_by(np.empty((0, 1)))
        assert seen[:, 0].tolist() == rows[-window:]
