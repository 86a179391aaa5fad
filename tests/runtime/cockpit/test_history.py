"""The last seconds of a stream are kept, whatever pieces it comes in."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from motorctl.runtime.cockpit.history import History

RATE, SECONDS = 10.0, 2.0


@given(st.lists(st.integers(0, 70), max_size=12), st.floats(0.05, 1.9))
def test_what_is_given_is_the_end_of_what_came(pieces: list[int], seconds: float) -> None:
    history, count = History(SECONDS, RATE, 2), 0
    for piece in pieces:
        rows = np.arange(count, count + piece)
        history.append(rows / RATE, np.stack([rows, -rows], axis=1).astype(np.float32))
        count += piece
    times, values = history.last(seconds)
    rows = np.arange(count)
    wanted = rows[rows / RATE >= (count - 1) / RATE - seconds][-round(SECONDS * RATE) :]
    np.testing.assert_allclose(times, wanted / RATE)
    np.testing.assert_array_equal(values, np.stack([wanted, -wanted], axis=1).reshape(-1, 2))
    assert history.newest[0] == ((count - 1) / RATE if count else -np.inf)


def test_nothing_is_given_of_nothing() -> None:
    times, values = History(1.0, 0.0, 3).last(1.0)
    assert times.shape == (0,) and values.shape == (0, 3)
