"""The user answers what it sees, as late as it sees it."""

from __future__ import annotations

import torch

from motorctl.person.user import User, limit


def test_an_intention_answers_what_was_there_one_delay_ago() -> None:
    user = User(rate=50.0, delay=0.15, gain=2.5, max_speed=10.0)
    target = torch.zeros(3, 2)
    hands = torch.randn(30, 3, 2)
    seen, intentions = user.initial_state(), []
    for hand in hands:
        intention, seen = user.intend(hand, target, seen)
        intentions.append(intention)
    delay = 8  # 0.15 s at 50 Hz is 7.5 steps, held as 8
    assert not torch.stack(intentions[:delay]).any()
    torch.testing.assert_close(torch.stack(intentions[delay:]), -2.5 * hands[:-delay])


def test_without_delay_it_answers_at_once() -> None:
    user = User(rate=50.0, delay=0.0)
    intention, _ = user.intend(torch.zeros(1, 2), torch.tensor([[0.01, 0.0]]), user.initial_state())
    torch.testing.assert_close(intention, torch.tensor([[0.025, 0.0]]))


def test_a_far_target_is_reached_for_at_comfortable_speed() -> None:
    velocity = limit(torch.tensor([[3.0, 4.0], [0.03, 0.04]]), 0.3)
    torch.testing.assert_close(velocity, torch.tensor([[0.18, 0.24], [0.03, 0.04]]))
