"""DAgger: what is labelled belongs to what was seen, and the data set grows by what the controller met."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch

from motorctl.agents import ControllerConfig, RecurrentController
from motorctl.envs import make_vec
from motorctl.errors import ConfigurationError
from motorctl.evaluation.closed_loop import ClosedLoop
from motorctl.person.brain import make_brain
from motorctl.person.user import User
from motorctl.signals.pipeline import Pipeline, PipelineConfig
from motorctl.training.dagger import DaggerConfig, act, dagger, watch
from motorctl.training.imitation import ImitationConfig
from motorctl.training.sequence import Sequence

RATE, PEOPLE, LATE = 25.0, 3, 4
SHORT = DaggerConfig(seconds=2.0, training=ImitationConfig(epochs=1))


@pytest.fixture(scope="module")
def loop() -> ClosedLoop:
    brain = make_brain("ideal", ("C3", "Cz", "C4"))
    pipeline = Pipeline(PipelineConfig(rate=RATE, amplitude_band=(0.0, 8.0), power_bands=()), brain.info)
    env = make_vec("motorctl/ArmReach-v0", PEOPLE, num_threads=1, command="velocity", control_rate=RATE)
    return ClosedLoop(env, User(RATE), brain, pipeline)


def controller(seed: int = 0) -> RecurrentController:
    torch.manual_seed(seed)
    return RecurrentController(ControllerConfig(widths=(8,)), 3, 2, scale=0.3)


def features(sequences: list[Sequence]) -> np.ndarray:
    return np.stack([s.features.values for s in sequences])


def test_labels_are_what_the_expert_did_when_the_person_saw_it(loop: ClosedLoop) -> None:
    """The person answers the same place, so both point the same way, also where episodes begin anew."""
    sequences, intentions = watch(loop, 6.0, seed=0)
    assert loop.user.delay_steps == LATE and [len(s) for s in sequences] == [150 - LATE] * PEOPLE
    for sequence, intended in zip(sequences, intentions, strict=True):
        cosine = (sequence.targets * intended).sum(axis=1) / np.linalg.norm(sequence.targets, axis=1)
        np.testing.assert_allclose(cosine, np.linalg.norm(intended, axis=1), rtol=1e-4)


def test_a_slow_hand_is_watched_for_longer(loop: ClosedLoop) -> None:
    """The target is far for longer, so the expert's speed is at its highest for longer."""
    fast, slow = (np.stack([s.targets for s in watch(loop, 6.0, 0, speed)[0]]) for speed in (1.0, 0.15))
    assert np.linalg.norm(slow, axis=-1).mean() > np.linalg.norm(fast, axis=-1).mean()


def test_a_seed_fixes_what_is_met(loop: ClosedLoop) -> None:
    first, again, other = (features(act(loop, controller(), 2.0, seed)) for seed in (5, 5, 50))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_where_the_expert_acts_the_controller_does_not_matter(loop: ClosedLoop) -> None:
    alone = [features(act(loop, controller(seed), 2.0, 5, expert_share=1.0)) for seed in (0, 1)]
    np.testing.assert_array_equal(alone[0], alone[1])
    both = [features(act(loop, controller(seed), 2.0, 5, expert_share=0.5)) for seed in (0, 1)]
    assert not np.array_equal(both[0], both[1])


def test_the_gain_is_of_what_the_limb_does_and_not_of_refits_label(loop: ClosedLoop) -> None:
    """With a gain of 0 the hand rests, the network's own velocity keeps its size, and all that changes is its
    direction: to the target."""
    network = controller()
    acted = act(loop, network, 2.0, seed=5, gain=0.0, label="refit")
    expert = act(loop, network, 2.0, seed=5, gain=0.0)
    with torch.inference_mode():
        for sequence, shown in zip(acted, expert, strict=True):
            speed, pace = (np.linalg.norm(s.targets, axis=1) for s in (sequence, shown))
            np.testing.assert_allclose((sequence.targets * shown.targets).sum(axis=1), speed * pace, rtol=1e-4)
    assert len({round(float(np.linalg.norm(row)), 6) for row in acted[0].targets}) > 10


def test_the_data_set_grows_and_a_seed_fixes_what_is_learned(loop: ClosedLoop) -> None:
    learned = []
    for _ in range(2):
        network, (sequences, _) = controller(), watch(loop, 2.0, seed=0)
        first = list(sequences)
        torch.manual_seed(0)
        losses = list(dagger(network, loop, sequences, 2, SHORT, seed=100))
        assert [len(of_round) for of_round in losses] == [1, 1]
        assert sequences[:PEOPLE] == first and len(sequences) == 3 * PEOPLE
        learned.append(torch.cat([p.detach().flatten() for p in network.parameters()]))
    torch.testing.assert_close(*learned, rtol=0, atol=0)


def test_what_cannot_be_done_is_refused(loop: ClosedLoop) -> None:
    network = controller()
    before = deepcopy(network.state_dict())
    for rounds, config in ((-1, SHORT), (1, DaggerConfig(expert_share=1.5)), (1, DaggerConfig(seconds=0.0))):
        with pytest.raises(ConfigurationError, match=r"dagger is|expert_share is|seconds is"):
            list(dagger(network, loop, [], rounds, config, seed=0))
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
