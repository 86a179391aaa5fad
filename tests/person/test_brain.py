"""The brain as a whole: seeds, chunks, lanes, gradients, switches, and what a person with it does."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motorctl.errors import ConfigurationError
from motorctl.person.brain import PARTS, PRESETS, Brain, make_brain
from motorctl.person.movements import MOVEMENTS
from motorctl.person.person import Person
from motorctl.person.source import SimulatedSource
from motorctl.person.user import User

LABELS = ("Fp1", "Fz", "C3", "Cz", "C4", "T7", "O1", "Oz")


def reach(samples: int, batch: int = 2, seed: int = 0) -> torch.Tensor:
    return 0.2 * torch.from_numpy(np.random.default_rng(seed).standard_normal((batch, samples, 2)))


@pytest.mark.parametrize("preset", PRESETS)
@given(cuts=st.lists(st.integers(0, 400), max_size=5))
@settings(max_examples=8, deadline=None)
def test_a_seed_gives_the_same_eeg_however_it_is_cut(preset: str, cuts: list[int]) -> None:
    brain, intention = make_brain(preset, LABELS), reach(400)
    movement = torch.zeros(2, 400, 6)
    movement[0, 100:300, MOVEMENTS.index("feet")] = 1
    whole, _ = brain.emit(intention, brain.initial_state(2, seed=3), movement)
    state, parts = brain.initial_state(2, seed=3), []
    for start, stop in pairwise([0, *sorted(cuts), 400]):
        part, state = brain.emit(intention[:, start:stop], state, movement[:, start:stop])
        parts.append(part)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, rtol=1e-4, atol=2e-3)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_state_can_be_gone_on_from_again(preset: str) -> None:
    brain = make_brain(preset, LABELS)
    _, state = brain.emit(reach(50), brain.initial_state(2, 0))
    torch.testing.assert_close(brain.emit(reach(50), state)[0], brain.emit(reach(50), state)[0], rtol=0, atol=0)


def test_seeds_differ_and_lanes_differ() -> None:
    brain, still = make_brain("realistic", LABELS), torch.zeros(2, 100, 2)
    a, _ = brain.emit(still, brain.initial_state(2, 0))
    b, _ = brain.emit(still, brain.initial_state(2, 1))
    assert not torch.allclose(a, b) and not torch.allclose(a[0], a[1])


def test_what_one_lane_intends_does_not_show_in_another() -> None:
    brain, changed = make_brain("realistic", LABELS), reach(100, batch=3)
    before, _ = brain.emit(reach(100, batch=3), brain.initial_state(3, 0))
    changed[1] = 0
    after, _ = brain.emit(changed, brain.initial_state(3, 0))
    assert not torch.allclose(after[1], before[1])
    torch.testing.assert_close(after[[0, 2]], before[[0, 2]], rtol=0, atol=1e-4)


@given(moment=st.integers(1, 199))
@settings(max_examples=10, deadline=None)
def test_the_future_does_not_show(moment: int) -> None:
    brain, changed = make_brain("realistic", LABELS), reach(200, batch=1)
    before, _ = brain.emit(reach(200, batch=1), brain.initial_state(1, 0))
    changed[:, moment:] += 1.0
    after, _ = brain.emit(changed, brain.initial_state(1, 0))
    torch.testing.assert_close(after[:, :moment], before[:, :moment], rtol=0, atol=1e-4)
    assert not torch.allclose(after[:, moment:], before[:, moment:], atol=1e-2)


@pytest.mark.parametrize("switch", PARTS)
def test_a_part_switched_off_is_absent_and_leaves_the_others_alone(switch: str) -> None:
    """What a part adds to all others is what it gives alone."""
    brain, intention = make_brain("hard", LABELS), reach(5000, batch=1)
    bare = replace(brain, **dict.fromkeys(PARTS))  # type: ignore[arg-type]

    def eeg(which: Brain) -> torch.Tensor:
        return which.emit(intention, which.initial_state(1, 0))[0]

    added = eeg(brain) - eeg(replace(brain, **{switch: None}))  # type: ignore[arg-type]
    alone = eeg(replace(bare, **{switch: getattr(brain, switch)}))
    assert not eeg(bare).any() and alone.any()
    torch.testing.assert_close(added, alone, rtol=1e-3, atol=2e-2)


@pytest.mark.parametrize("preset", PRESETS)
def test_gradients_reach_intention_and_movement(preset: str) -> None:
    brain = make_brain(preset, LABELS)
    intention = reach(50, batch=1).requires_grad_()
    movement = torch.full((1, 50, 6), 0.1, requires_grad=True)
    samples, state = brain.emit(intention[:, :20], brain.initial_state(1, 0), movement[:, :20])
    later, _ = brain.emit(intention[:, 20:], state, movement[:, 20:])
    torch.autograd.backward(later.square().sum())  # also through the state
    assert intention.grad is not None and movement.grad is not None
    assert intention.grad.isfinite().all() and intention.grad.abs().min() > 0
    assert movement.grad.isfinite().all() and movement.grad[..., 1:].abs().min() > 0


def test_gradients_are_those_of_small_differences() -> None:
    brain, step = make_brain("realistic", LABELS), torch.zeros(1, 60, 2)
    step[:, 5:9] = 0.02
    intention = reach(60, batch=1).float().requires_grad_()

    def last(x: torch.Tensor) -> torch.Tensor:
        return brain.emit(x, brain.initial_state(1, 0))[0][0, -1, 2]

    torch.autograd.backward(last(intention))
    assert intention.grad is not None
    with torch.no_grad():
        difference = (last(intention + step) - last(intention - step)) / 2
    assert float((intention.grad * step).sum()) == pytest.approx(float(difference), rel=0.05, abs=1e-4)


@pytest.mark.parametrize("rate", [100.0, 160.0, 500.0, 1000.0])
def test_any_rate_gives_the_same_brain(rate: float) -> None:
    brain = replace(make_brain("realistic", LABELS, rate), drift=None, blinks=None, muscles=None, amplifier=None)
    eeg, _ = brain.emit(torch.zeros(8, round(8 * rate), 2), brain.initial_state(8, 0))
    assert float(eeg[..., LABELS.index("C3")].std()) == pytest.approx(14, abs=4)


def test_sixty_four_electrodes() -> None:
    inner = [f"{row}{column}" for row in ("F", "FC", "C", "CP", "P") for column in "z123456"]
    outer = "F7 F8 FT7 FT8 T7 T8 TP7 TP8 P7 P8 P9 P10 Iz Fp1 Fpz Fp2 AF7 AF3 AFz AF4 AF8 PO7 PO3 POz PO4 PO8 O1 Oz O2"
    brain = make_brain("realistic", (*inner, *outer.split()))
    eeg, _ = brain.emit(torch.zeros(1, 10, 2), brain.initial_state(1, 0))
    assert eeg.shape == (1, 10, 64) and eeg.isfinite().all() and brain.info.labels == brain.labels


def test_what_cannot_be_is_refused() -> None:
    for make, said in (
        (lambda: make_brain("perfect"), "There is no brain 'perfect'"),
        (lambda: Brain(rate=40.0), "does not fit EEG sampled at 40 Hz"),
        (lambda: Brain(rate=-1.0), "rate is -1"),
        (lambda: Brain(labels=("C3", "X1")), "'X1' is no electrode"),
        (lambda: Brain(labels=()), "no electrode"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            make()


def test_a_filter_first_used_by_a_live_person_still_gives_gradients() -> None:
    """A live person runs in inference mode, whose tensors autograd refuses: none may be kept."""
    brain = make_brain("realistic", ("C3", "C4", "Fz", "O2"), rate=240.0)  # used nowhere else, so built here
    Person(User(rate=48.0), brain, seed=0).next_samples(5)
    intention = reach(20, batch=1).requires_grad_()
    torch.autograd.backward(brain.emit(intention, brain.initial_state(1, 0))[0].sum())
    assert intention.grad is not None and intention.grad.abs().sum() > 0


def test_a_person_gives_the_same_eeg_in_any_chunks_and_changes_its_intention_once_a_control_step() -> None:
    def live(sizes: list[int]) -> np.ndarray:
        person = Person(User(rate=50.0, delay=0.0), Brain(), seed=1)
        person.see(np.zeros(2), np.array([0.2, 0.0]))
        return np.concatenate([person.next_samples(size) for size in sizes])

    np.testing.assert_allclose(live([100]), live([1, 3, 7, 39, 50]), rtol=1e-4, atol=1e-3)


def test_simulated_time_passes_by_reading() -> None:
    source = SimulatedSource(Person(User(rate=50.0), Brain(), seed=1))
    with source:
        chunks = [source.read(timeout) for timeout in (0.02, 0.001, 0.019)]
    assert [len(c) for c in chunks] == [5, 0, 5]
    assert source.now() == 0.04
    np.testing.assert_allclose(np.concatenate([c.times for c in chunks]), np.arange(1, 11) / 250)
