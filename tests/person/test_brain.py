"""The brain: what intention does to the EEG, and what does not matter."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import welch

from motorctl.person.brain import Brain
from motorctl.person.person import Person
from motorctl.person.source import SimulatedSource
from motorctl.person.user import User


def emit(intention: np.ndarray, seed: int = 0, **options: float) -> np.ndarray:
    brain = Brain(**options)  # type: ignore[arg-type]
    samples, _ = brain.emit(torch.from_numpy(intention)[None], brain.initial_state(1, seed))
    return samples[0].numpy()


@given(cuts=st.lists(st.integers(1, 199), max_size=5, unique=True))
@settings(max_examples=20, deadline=None)
def test_a_seed_gives_the_same_eeg_however_it_is_cut(cuts: list[int]) -> None:
    brain, intention = Brain(), torch.randn(2, 200, 2).double() * 0.1
    whole, _ = brain.emit(intention, brain.initial_state(2, seed=3))
    state, parts = brain.initial_state(2, seed=3), []
    for piece in torch.tensor_split(intention, sorted(cuts), dim=1):
        part, state = brain.emit(piece, state)
        parts.append(part)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, rtol=1e-5, atol=1e-4)


def test_seeds_differ_and_lanes_differ() -> None:
    brain = Brain()
    still = torch.zeros(2, 100, 2).double()
    a, _ = brain.emit(still, brain.initial_state(2, 0))
    b, _ = brain.emit(still, brain.initial_state(2, 1))
    assert not torch.allclose(a, b) and not torch.allclose(a[0], a[1])


def test_slow_potentials_follow_hand_velocity_with_opposite_sign_over_both_hemispheres() -> None:
    moving, still = np.full((500, 2), 0.0), np.zeros((500, 2))
    moving[:, 0] = 0.3
    difference = (emit(moving, mu=0.0) - emit(still, mu=0.0)).mean(axis=0)
    labels = Brain().labels
    assert difference[labels.index("C3")] > 10 and difference[labels.index("C4")] < -10
    assert abs(difference[labels.index("Cz")]) < 1


def test_mu_fades_with_speed() -> None:
    moving, still = np.full((5000, 2), 0.2), np.zeros((5000, 2))
    f, power = welch(np.stack([emit(still), emit(moving)]), 250, nperseg=500, axis=1)
    mu = power[:, np.argmin(abs(f - 10)), Brain().labels.index("C3")]
    assert mu[1] < 0.1 * mu[0]


def test_the_background_falls_with_frequency_and_neighbours_share_it() -> None:
    eeg = emit(np.zeros((60_000, 2)), mu=0.0, amplifier=0.0)
    f, power = welch(eeg[:, 0], 250, nperseg=2500)
    band = (f >= 0.4) & (f <= 16)
    slope = np.polyfit(np.log(f[band]), np.log(power[band]), 1)[0]
    assert -1.4 < slope < -0.7
    labels, r = Brain().labels, np.corrcoef(eeg.T)
    assert r[labels.index("FC1"), labels.index("Cz")] > r[labels.index("FC1"), labels.index("P4")] + 0.2
    assert abs(eeg.std() - Brain().background) < 3


def test_gradients_reach_the_intention() -> None:
    brain, intention = Brain(), torch.full((1, 50, 2), 0.1, dtype=torch.float64, requires_grad=True)
    samples, _ = brain.emit(intention, brain.initial_state(1, 0))
    samples.sum().backward()
    assert intention.grad is not None and intention.grad.abs().min() > 0


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
