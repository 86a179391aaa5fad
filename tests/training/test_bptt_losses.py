"""The task loss: every term against its closed form."""

from __future__ import annotations

import pytest
import torch

from motorctl.errors import ConfigurationError
from motorctl.training.bptt_losses import Movement, TaskLoss, check_task_loss, task_loss, total_loss

PERIOD, STEPS = 0.02, 50
NOTHING = TaskLoss(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def movement(**changed: torch.Tensor) -> Movement:
    """Two lanes at rest in their targets."""
    still = {name: torch.zeros(2, STEPS, width) for name, width in zip(Movement._fields, (2, 2, 6, 6, 8), strict=True)}
    return Movement(**(still | {name: value.float() for name, value in changed.items()}))


TIME = PERIOD * torch.arange(STEPS, dtype=torch.float64)
CUBIC = torch.stack([TIME**3, -2 * TIME**3], dim=-1).expand(2, -1, -1)


@pytest.mark.parametrize(
    ("term", "what", "expected"),
    [
        ("position", {"hand": torch.tensor([0.03, -0.04]).expand(2, STEPS, 2)}, 0.07),
        ("effort", {"command": torch.tensor([0.6, 0, 0, 0, 0, 0.3]).expand(2, STEPS, 6)}, (0.36 + 0.09) / 6),
        ("activity", {"activation": torch.full((2, STEPS, 6), 0.2)}, 0.04),
        ("jerk", {"hand": CUBIC, "target": CUBIC}, 6.0**2 + 12.0**2),  # the third derivative of t³ is 6
        ("hidden", {"hidden": torch.full((2, STEPS, 8), -0.5)}, 0.25),
        ("hidden_change", {"hidden": (3 * TIME)[:, None].expand(2, STEPS, 8)}, 9.0),
    ],
)
def test_every_term_is_its_closed_form(term: str, what: dict[str, torch.Tensor], expected: float) -> None:
    weights = TaskLoss(**(vars(NOTHING) | {term: 2.0}))
    terms = task_loss(movement(**what), weights, PERIOD)
    assert list(terms) == [term]
    assert terms[term].item() == pytest.approx(2 * expected, rel=1e-2 if term == "jerk" else 1e-5)
    assert total_loss(movement(**what), weights, PERIOD) == terms[term]
    assert task_loss(movement(), weights, PERIOD)[term] == 0


def test_a_term_does_not_depend_on_the_control_rate() -> None:
    coarse = slice(None, None, 2)
    fine = movement(hand=CUBIC, hidden=(3 * TIME)[:, None].expand(2, STEPS, 8))
    weights = TaskLoss(jerk=1.0, hidden_change=1.0)
    half = Movement(*(part[:, coarse] for part in fine))
    for term in ("jerk", "hidden_change"):
        whole, other = (task_loss(m, weights, p)[term] for m, p in ((fine, PERIOD), (half, 2 * PERIOD)))
        assert whole.item() == pytest.approx(other.item(), rel=1e-2)


def test_motors_have_no_activity() -> None:
    assert "activity" not in task_loss(movement(activation=torch.zeros(2, STEPS, 0)), TaskLoss(), PERIOD)


@pytest.mark.parametrize("weights", [TaskLoss(jerk=-1.0), TaskLoss(effort=float("nan")), NOTHING])
def test_weights_that_make_no_loss_are_refused(weights: TaskLoss) -> None:
    check_task_loss(TaskLoss())
    with pytest.raises(ConfigurationError):
        check_task_loss(weights)
