"""The user answers what it sees, as late as it sees it, and where it believes the hand to be."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motorctl.person.attention import Attention
from motorctl.person.cued import CuedUser
from motorctl.person.user import User, UserState, limit

RATE = 50.0


def answers(user: User, hands: torch.Tensor, targets: torch.Tensor, seed: int = 0) -> torch.Tensor:
    """``(time, batch, 2)`` intentions for ``(time, batch, 2)`` hands and targets."""
    state, intentions = user.initial_state(seed), []
    for hand, target in zip(hands, targets, strict=True):
        intention, state = user.intend(hand, target, state)
        intentions.append(intention)
    return torch.stack(intentions)


def reach(user: User, gain: float, seconds: float = 4.0, batch: int = 1) -> tuple[torch.Tensor, UserState]:
    """``(time, batch, 2)`` hands that a decoder of ``gain`` moves towards a target 20 cm to the right."""
    hand, target, state, hands = (
        torch.zeros(batch, 2),
        torch.tensor([[0.2, 0.0]]).expand(batch, 2),
        user.initial_state(),
        [],
    )
    for _ in range(round(seconds * user.rate)):
        intention, state = user.intend(hand, target, state)
        hand = hand + gain * intention / user.rate
        hands.append(hand)
    return torch.stack(hands), state


def test_an_intention_answers_what_was_there_one_delay_ago() -> None:
    user = User(RATE, delay=0.15, gain=2.5, max_speed=10.0)
    hands, target = torch.randn(30, 3, 2), torch.zeros(30, 3, 2)
    intentions = answers(user, hands, target)
    delay = 8  # 0.15 s at 50 Hz is 7.5 steps, held as 8
    assert not intentions[:delay].any()
    torch.testing.assert_close(intentions[delay:], -2.5 * hands[:-delay])


def test_without_delay_it_answers_at_once() -> None:
    user = User(RATE, delay=0.0)
    intention, _ = user.intend(torch.zeros(1, 2), torch.tensor([[0.01, 0.0]]), user.initial_state())
    torch.testing.assert_close(intention, torch.tensor([[0.025, 0.0]]))


def test_a_far_target_is_reached_for_at_comfortable_speed() -> None:
    velocity = limit(torch.tensor([[3.0, 4.0], [0.03, 0.04]]), 0.3)
    torch.testing.assert_close(velocity, torch.tensor([[0.18, 0.24], [0.03, 0.04]]))


def test_a_new_target_takes_the_reaction_time_longer_than_the_hand() -> None:
    user = User(RATE, delay=0.1, reaction=0.2, max_speed=10.0)
    hands, targets = torch.zeros(60, 1, 2), torch.zeros(60, 1, 2)
    hands[30:, :, 0], targets[30:, :, 1] = 0.1, 0.1
    intentions = answers(user, hands, targets)[:, 0]
    assert intentions[:, 0].nonzero()[0] == 30 + 5
    assert intentions[:, 1].nonzero()[0] == 30 + 15


def test_noise_is_where_things_are_seen_and_a_seed_fixes_it() -> None:
    user = User(RATE, delay=0.0, gain=1.0, max_speed=10.0, noise=0.002)
    still = torch.zeros(2, 20_000, 2)
    seen = answers(user, still, still)
    assert float(seen.std()) == pytest.approx(0.002 * np.sqrt(2), rel=0.05)
    torch.testing.assert_close(seen, answers(user, still, still), rtol=0, atol=0)
    assert not torch.allclose(seen, answers(user, still, still, seed=1))


def test_an_internal_model_keeps_a_fast_reach_from_overshooting() -> None:
    """The textbook case of the Smith predictor: with the right model a delayed loop behaves as one without delay."""
    fast = {"delay": 0.2, "gain": 8.0, "max_speed": 1.0}
    blind, _ = reach(User(RATE, **fast), gain=1.0)
    predicting, _ = reach(User(RATE, **fast, trust=1.0), gain=1.0)
    direct, _ = reach(User(RATE, **fast | {"delay": 0.0}), gain=1.0)
    assert blind[..., 0].max() > 0.25
    assert predicting[..., 0].max() <= 0.2 + 1e-6
    torch.testing.assert_close(predicting[10:], direct[:-10], rtol=0, atol=1e-5)


def test_a_wrong_internal_model_overshoots_and_learning_mends_it() -> None:
    trusting = User(RATE, delay=0.2, gain=8.0, max_speed=1.0, trust=0.2)
    wrong, _ = reach(trusting, gain=1.0)
    assert wrong[..., 0].max() > 0.22
    for gain in (0.5, 1.0):
        learner = User(RATE, delay=0.2, gain=2.5, trust=0.2, learning=20.0)
        _, state = reach(learner, gain, seconds=8.0)
        before, after = abs(0.2 - gain), abs(float(state.trust) - gain)
        assert after < before / 2


def test_attention_lapses_as_often_and_as_long_as_said() -> None:
    user = User(RATE, delay=0.0, attention=Attention(lapses_per_minute=6.0, lapse=2.0))
    far = torch.ones(3000, 200, 2)
    intending = answers(user, torch.zeros(3000, 200, 2), far).any(dim=-1)
    begins = (intending[:-1] & ~intending[1:]).sum() / intending.sum() * RATE * 60
    assert float(begins) == pytest.approx(6.0, rel=0.1)
    assert float((~intending).float().mean()) == pytest.approx(2 / (10 + 2), rel=0.15)


def test_lanes_are_users_of_their_own_and_a_state_can_be_gone_on_from_again() -> None:
    user = User(RATE, noise=0.01, trust=0.5, learning=1.0, attention=Attention(30.0))
    _, state = reach(user, 1.0, seconds=1.0, batch=2)
    hand, target = torch.zeros(2, 2), torch.ones(2, 2)
    first, _ = user.intend(hand, target, state)
    again, _ = user.intend(hand, target, state)
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert state.trust.shape == (2, 1) and state.trust[0] != state.trust[1]


def test_gradients_pass_from_hand_to_intention() -> None:
    user = User(RATE, trust=0.5)
    hands = torch.zeros(20, 1, 2, requires_grad=True)
    torch.autograd.backward(answers(user, hands, torch.full((20, 1, 2), 0.01)).sum())
    assert hands.grad is not None and hands.grad[0].abs().min() > 0 and not hands.grad[-1].any()


def test_a_cued_user_intends_what_the_cue_asked_for_one_reaction_ago_and_rests_in_a_lapse() -> None:
    user, state, intended = CuedUser(RATE, reaction=0.3), CuedUser(RATE).initial_state(), []
    cues = torch.zeros(40, 1, 6)
    cues[5:25, :, 2] = 1
    for cue in cues:
        movement, state = user.intend(cue, state)
        intended.append(movement)
    torch.testing.assert_close(torch.stack(intended)[15:], cues[:-15])
    assert not torch.stack(intended)[:15].any()
    absent = CuedUser(RATE, reaction=0.0, attention=Attention(lapses_per_minute=1e6, lapse=1e6))
    assert not absent.intend(cues[10], absent.initial_state())[0].any()
