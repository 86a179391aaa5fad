"""What is made of what is heard of a run."""

import numpy as np
import pytest

from motorctl.runtime.cockpit.run import Cue, agreement, cause_of, is_recording, newest_cue, percentiles

HEARD = (
    (1.0, "armed: samples come, filters fill"),
    (2.0, "running"),
    (3.0, "cue: left"),
    (4.0, "reached"),
    (5.0, "holding: no sample for 0.11 s"),
    (6.0, "assist 0.5"),
)


@pytest.mark.parametrize(
    ("phase", "cause"), [("holding", "no sample for 0.11 s"), ("running", ""), ("stopped", ""), ("", "")]
)
def test_the_cause_is_that_of_the_newest_event_of_the_phase(phase: str, cause: str) -> None:
    assert cause_of(phase, HEARD) == cause


def test_the_cause_of_a_phase_may_have_a_colon() -> None:
    assert cause_of("stopped", ((1.0, "stopped: the stream is lost: gone"),)) == "the stream is lost: gone"


def test_the_newest_cue_counts() -> None:
    assert newest_cue(HEARD) == Cue("left", 3.0, None)
    assert newest_cue((*HEARD, (7.0, "pause"))) == Cue("pause", 7.0, None)
    assert newest_cue(()) is None


def test_a_cue_lasts_as_long_as_those_before_it() -> None:
    heard = ((0.0, "cue: left"), (4.0, "pause"), (6.5, "cue: rest"), (10.5, "pause"), (12.0, "cue: right"))
    assert newest_cue(heard) == Cue("right", 12.0, 4.0)
    assert newest_cue((*heard, (16.0, "pause"))) == Cue("pause", 16.0, None)  # pauses of 2.5 and 1.5 s tell nothing
    assert newest_cue(heard[:3]) == Cue("rest", 6.5, None)


def test_the_newest_word_of_the_recording_counts() -> None:
    assert is_recording(((1.0, "recording"), (2.0, "running")))
    assert not is_recording(((1.0, "recording"), (2.0, "recording has ended"))) and not is_recording(HEARD)


def test_percentiles_are_in_ms_and_of_the_bad_end() -> None:
    times = np.array([*np.linspace(0, 1, 1001), np.nan])
    assert percentiles(times) == pytest.approx({"p50": 500, "p99": 990, "p99.9": 999, "max": 1000})
    assert percentiles(times, low=True) == pytest.approx({"p50": 500, "p99": 10, "p99.9": 1, "max": 0})
    assert percentiles(np.full(3, np.nan)) == {}


def test_agreement_is_a_correlation_and_passes_over_what_is_not_known() -> None:
    rng = np.random.default_rng(0)
    wanted = rng.standard_normal((100, 2))
    intended = np.stack([wanted[:, 0] * 2 + 1, rng.standard_normal(100)], axis=1)
    intended[::7] = np.nan
    r = agreement(wanted, intended)
    assert r[0] == pytest.approx(1) and abs(r[1]) < 0.4
    assert np.isnan(agreement(wanted, np.full((100, 2), np.nan))).all()
