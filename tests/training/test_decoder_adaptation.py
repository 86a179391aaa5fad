"""Read-outs follow what is intended, as closed forms say, each user's on its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motorctl.agents import ControllerConfig, RecurrentController, Stepper, from_torch
from motorctl.errors import ConfigurationError
from motorctl.training.decoder_adaptation import (
    Intercept,
    RecursiveLeastSquares,
    SmoothBatch,
    commands,
    readouts,
    units,
    with_readout,
)

RATE = 10.0
MAPS = [SmoothBatch(batch=2.0, half_life=4.0), RecursiveLeastSquares(half_life=4.0)]
RULES = [*MAPS, Intercept(memory=2.0)]


def rows(users: int, count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Units ``(row, user, 3)`` and intentions ``(row, user, 2)`` that are no function of them."""
    rng = np.random.default_rng(seed)
    hidden, intended = rng.standard_normal((count, users, 3)), rng.standard_normal((count, users, 2))
    return torch.from_numpy(hidden), torch.from_numpy(intended)


def first(users: int, seed: int = 9) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((users, 2, 4)))


def begins(row: int, *who: int) -> torch.Tensor:
    """Whether a trial does: each is of ten rows, the second user's begins three rows later."""
    return (row - 3 * (torch.tensor(who) == 1)) % 10 == 0


def run(rule: Any, hidden: torch.Tensor, intended: torch.Tensor, readout: torch.Tensor, *who: int) -> Any:
    state = rule.start(readout, RATE)
    for number, (unit, meant) in enumerate(zip(hidden, intended, strict=True)):
        state = rule.update(unit, meant, begins(number, *(who or range(len(unit)))), state)
    return state


def ridge(hidden: np.ndarray, intended: np.ndarray, weight: np.ndarray, before: np.ndarray, prior: float) -> np.ndarray:
    """Weighted least squares held to ``before``, by numpy's own solver: prior knowledge as rows of data."""
    x = np.concatenate([hidden, np.ones((len(hidden), 1))], axis=1) * np.sqrt(weight)[:, None]
    y = intended * np.sqrt(weight)[:, None]
    x, y = np.vstack([x, np.sqrt(prior) * np.eye(4)]), np.vstack([y, np.sqrt(prior) * before.T])
    return np.asarray(np.linalg.lstsq(x, y, rcond=None)[0].T)


@given(st.integers(1, 60), st.floats(0.5, 20), st.floats(0.1, 50), st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_recursive_least_squares_is_least_squares(count: int, half_life: float, prior: float, seed: int) -> None:
    hidden, intended = rows(2, count, seed)
    state = run(RecursiveLeastSquares(half_life, prior), hidden, intended, first(2))
    weight = 0.5 ** (np.arange(count)[::-1] / (half_life * RATE))
    fades = 0.5 ** (count / (half_life * RATE))
    for user in range(2):
        expected = ridge(
            hidden[:, user].numpy(), intended[:, user].numpy(), weight, first(2)[user].numpy(), prior * fades
        )
        np.testing.assert_allclose(state.fitted[user], expected, rtol=1e-6, atol=1e-8)


def test_smooth_batch_blends_the_fits_of_its_batches() -> None:
    hidden, intended = rows(1, 45)
    rule = SmoothBatch(batch=2.0, half_life=4.0, ridge=0.5)
    expected = first(1)[0].numpy()
    for start in (0, 20):  # what comes after the last whole batch waits
        x, y = hidden[start : start + 20, 0].numpy(), intended[start : start + 20, 0].numpy()
        size = (np.square(x).sum() + 20) / 4
        fitted = ridge(x, y, np.ones(20), expected, 0.5 * size)
        expected = 0.5**0.5 * expected + (1 - 0.5**0.5) * fitted
    np.testing.assert_allclose(run(rule, hidden, intended, first(1)).readout[0], expected, rtol=1e-6)


@pytest.mark.parametrize("rule", MAPS)
def test_a_read_out_finds_the_map_that_intentions_follow(rule: Any) -> None:
    hidden, _ = rows(3, 600)
    truth = first(3, seed=1)
    intended = torch.stack([(truth @ torch.cat([h, torch.ones(3, 1)], 1)[..., None])[..., 0] for h in hidden])
    found = run(rule, hidden, intended, first(3)).readout
    assert (found - truth).norm() < 0.05 * (first(3) - truth).norm()


def test_an_intercept_makes_the_latest_trials_right_in_the_mean() -> None:
    """As two regressions of numpy's say, one over all trials and one over those that have not faded."""
    hidden, intended = rows(2, 47)
    found, memory = run(Intercept(memory=2.0), hidden, intended, first(2)).readout, 2.0 * RATE
    for user, begin in enumerate((0, 3)):
        last = begin + 40  # what comes after the last whole trial waits
        x = np.concatenate([hidden[:last, user].numpy(), np.ones((last, 1))], axis=1)
        given, wanted = x @ first(2)[user].numpy().T, intended[:last, user].numpy()
        lengths = np.diff([0, *range(begin or 10, last + 1, 10)])
        weight = np.repeat([np.exp(-lengths[k + 1 :].sum() / memory) for k in range(len(lengths))], lengths)
        for axis in range(2):
            slope = np.polyfit(wanted[:, axis], given[:, axis], 1)[0]
            off = np.average(given[:, axis] - slope * wanted[:, axis], weights=weight)
            assert found[user, axis, -1] == pytest.approx(float(first(2)[user, axis, -1]) - off)
    assert torch.equal(found[..., :-1], first(2)[..., :-1])


@pytest.mark.parametrize("rule", RULES)
def test_a_read_out_stays_while_a_trial_lasts(rule: Any) -> None:
    """What is known of a trial's own target must not reach the hand before the next."""
    hidden, intended = rows(1, 41)
    state = run(rule, hidden[:40], intended[:40], first(1))
    more = rule.update(hidden[40], intended[40], torch.tensor([False]), state)
    assert more.readout is state.readout
    begun = rule.update(hidden[40], intended[40], torch.tensor([True]), state).readout
    assert not torch.equal(begun, state.readout)
    other = rule.update(hidden[40], -intended[40], torch.tensor([True]), state).readout
    assert torch.equal(begun, other)


@pytest.mark.parametrize("rule", RULES)
def test_users_do_not_touch_each_other(rule: Any) -> None:
    hidden, intended = rows(3, 50)
    together = run(rule, hidden, intended, first(3)).readout
    for user in range(3):
        alone = run(rule, hidden[:, [user]], intended[:, [user]], first(3)[[user]], user).readout[0]
        torch.testing.assert_close(together[user], alone)


@pytest.mark.parametrize("rule", RULES)
def test_the_state_before_can_be_gone_on_from_again(rule: Any) -> None:
    hidden, intended = rows(1, 30)
    state = run(rule, hidden[:19], intended[:19], first(1))
    once, again = (rule.update(hidden[19], intended[19], begins(20, 0), state).readout for _ in range(2))
    assert torch.equal(once, again)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_what_a_user_came_to_runs_live(cell: Any) -> None:
    """Commands of adapted read-outs are those of the controller that stores them, in torch and in the live loop."""
    torch.manual_seed(0)
    controller = RecurrentController(ControllerConfig(cell, widths=(5, 3), layer_norm=True), 4, 2, scale=0.3).eval()
    features, state = torch.randn(2, 4), controller.initial_state(2)
    own, _ = controller(features[:, None], state)
    hidden, _ = units(controller, features, state)
    torch.testing.assert_close(commands(readouts(controller, 2).double(), hidden), own[:, 0])
    changed = first(2)
    stored = with_readout(controller, changed[1])
    live, _ = Stepper(stored).step(features[1].numpy(), from_torch(stored.initial_state(1)))
    np.testing.assert_allclose(live, commands(changed, hidden)[1], rtol=1e-5, atol=1e-6)
    assert not torch.equal(stored.readout.weight, controller.readout.weight)


@pytest.mark.parametrize("wrong", [{"half_life": 0.0}, {"prior": -1.0}])
def test_numbers_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        RecursiveLeastSquares(**wrong)
