"""Simulated sessions: what people see, intend and show fits together in time, and a seed fixes all."""

from __future__ import annotations

import numpy as np
import pytest

from motorctl.envs import make_env
from motorctl.errors import ConfigurationError
from motorctl.person.brain import Brain
from motorctl.person.user import User
from motorctl.signals.pipeline import Pipeline, PipelineConfig
from motorctl.training.simulation import Session, simulate_sessions, to_sequence

RATE = 50.0


def sessions(seed: int = 0, count: int = 2, seconds: float = 6.0) -> list[Session]:
    env = make_env("motorctl/ArmReach-v0", command="velocity", control_rate=RATE)
    return simulate_sessions(env, User(RATE), Brain(), count, seconds, seed)


def test_a_seed_fixes_everything_and_sessions_differ() -> None:
    first, second, other = sessions(), sessions(), sessions(seed=1)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.eeg.samples, b.eeg.samples)
        np.testing.assert_array_equal(a.commands, b.commands)
    assert not np.array_equal(first[0].commands, other[0].commands)
    assert not np.array_equal(first[0].commands, first[1].commands)


def test_intentions_are_what_the_expert_did_when_the_person_saw_it() -> None:
    """Both follow the difference to the target; the person sees it 8 steps late, and is slower."""
    (session,), user = sessions(count=1, seconds=20.0), User(RATE)
    late = user.delay_steps
    assert late == 8
    intended, shown = session.intentions[late:], session.commands[:-late]
    cosine = (intended * shown).sum(axis=1) / np.linalg.norm(intended, axis=1) / np.linalg.norm(shown, axis=1)
    np.testing.assert_allclose(cosine, 1, atol=1e-6)
    assert not session.intentions[:late].any()


def test_a_sequence_pairs_features_with_the_command_that_was_seen() -> None:
    (session,) = sessions(count=1)
    pipeline = Pipeline(PipelineConfig(), Brain().info)
    sequence = to_sequence(session, pipeline, delay_steps=8)
    assert len(sequence) == 300 - 8
    np.testing.assert_allclose(sequence.targets, session.commands[:-8], rtol=1e-6)
    np.testing.assert_allclose(sequence.features.times, np.arange(9, 301) / RATE)


def test_the_expert_reaches_targets_although_it_is_pushed() -> None:
    (session,) = sessions(count=1, seconds=20.0)
    turns = np.linalg.norm(np.diff(session.commands, axis=0), axis=1) > 0.1  # a new target turns the command at once
    assert turns.sum() >= 10


def test_rates_that_do_not_fit_are_refused() -> None:
    env = make_env("motorctl/ArmReach-v0", command="velocity", control_rate=62.5)
    with pytest.raises(ConfigurationError, match="62.5 Hz does not divide"):
        simulate_sessions(env, User(62.5), Brain(rate=160.0), 1, 1.0, 0)
