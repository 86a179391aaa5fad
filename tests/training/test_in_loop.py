"""Sessions in which the decoder changes: people go on, each with a decoder of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from motorctl.agents import ControllerConfig, RecurrentController
from motorctl.envs import VectorEnvironment
from motorctl.evaluation.closed_loop import ClosedLoop, one_row
from motorctl.person.brain import Brain
from motorctl.person.user import User
from motorctl.signals.pipeline import Pipeline, PipelineConfig
from motorctl.training.adaptation import AdaptationConfig, fine_tune
from motorctl.training.checkpoint import Checkpoint
from motorctl.training.dagger import watch
from motorctl.training.decoder_adaptation import RecursiveLeastSquares, SmoothBatch, readouts
from motorctl.training.imitation import ImitationConfig
from motorctl.training.in_loop import adapt_people, go_on, in_groups, one_each, use_and_adapt

RATE = 25.0
PIPELINE = Pipeline(PipelineConfig(rate=RATE, amplitude_band=(0.0, 8.0), power_bands=()), Brain().info)


def make_loop(people: int, pipeline: Pipeline = PIPELINE, **options: Any) -> ClosedLoop:
    env = VectorEnvironment("ArmReach", num_envs=people, num_threads=1, command="velocity", control_rate=RATE)
    return ClosedLoop(env, User(RATE, **options), Brain(), pipeline)


def random_checkpoint(seed: int) -> Checkpoint:
    """Random layers and scaling."""
    rng = np.random.default_rng(seed)
    width = len(PIPELINE.names)
    fitted = replace(PIPELINE, mean=rng.standard_normal(width), std=10 + rng.random(width))
    torch.manual_seed(seed)
    controller = RecurrentController(ControllerConfig(widths=(24,)), width, 2, scale=0.3).eval()
    return Checkpoint(controller, fitted, "velocity", "motorctl/ArmReach-v0")


def test_each_person_has_a_decoder_of_their_own() -> None:
    checkpoints = [random_checkpoint(seed) for seed in range(3)]
    decide, (state, states) = one_each(checkpoints), (None, [None] * 3)
    for seed in range(4):
        features = 20 * torch.randn(3, len(PIPELINE.names), generator=torch.Generator().manual_seed(seed))
        commands, state = decide(features, state)
        for person, checkpoint in enumerate(checkpoints):
            scaled = checkpoint.pipeline._scale(features[[person]].double().numpy())
            with torch.inference_mode():
                own, states[person] = one_row(checkpoint.controller)(torch.from_numpy(scaled), states[person])
            torch.testing.assert_close(commands[person], own[0], rtol=1e-4, atol=1e-5)


def test_groups_share_controllers() -> None:
    checkpoints = [random_checkpoint(seed) for seed in range(2)]
    together, each = in_groups(checkpoints), one_each([checkpoints[0], checkpoints[0], checkpoints[1], checkpoints[1]])
    states: list[Any] = [None, None]
    for seed in range(3):
        features = 20 * torch.randn(4, len(PIPELINE.names), generator=torch.Generator().manual_seed(seed))
        commands, states[0] = together(features, states[0])
        expected, states[1] = each(features, states[1])
        torch.testing.assert_close(commands, expected, rtol=1e-4, atol=1e-5)


def test_adapted_decoders_move_the_hand_in_the_session_that_they_were_fitted_to() -> None:
    loop = make_loop(2)
    config = AdaptationConfig(training=ImitationConfig(epochs=12, learning_rate=2e-2, lane=10.0, horizon=2.0))
    told: list[int] = []
    begun = fine_tune(random_checkpoint(0), watch(loop, 15.0, seed=5)[0], None, config, seed=0)
    adapted, moment = adapt_people([begun], loop, 0.25, config, seed=1, progress=told.append)
    assert told == [1, 2]
    episodes, after = go_on(loop, moment, one_each(adapted), 2)
    assert len(episodes) == 4 and after.step > moment.step
    assert np.mean([e.success for e in episodes]) >= 0.5
    without, _ = go_on(loop, after, one_each([random_checkpoint(0)] * 2), 1)
    assert not any(e.success for e in without)


@pytest.mark.parametrize(
    "rule",
    [
        RecursiveLeastSquares(prior=1.0),
        pytest.param(SmoothBatch(batch=4.0, half_life=2.0, ridge=1e-3), marks=pytest.mark.slow),
    ],
)
def test_a_read_out_that_follows_its_user_gets_from_nothing_to_targets(rule: Any) -> None:
    """Random layers, as a reservoir, and a read-out that is none."""
    checkpoint = random_checkpoint(0)
    with torch.no_grad():
        checkpoint.controller.readout.weight.zero_()
        checkpoint.controller.readout.bias.zero_()
    loop = make_loop(2)
    fitted = replace(checkpoint, pipeline=PIPELINE.fit([s.features for s in watch(loop, 6.0, seed=5)[0]]))
    ended, readout = use_and_adapt([fitted], loop, rule, 0.4, seed=3)
    assert np.mean([episode.success for own in ended for time, episode in own if time > 12]) > 0.5
    assert readout.shape == (2, 2, 25)


def test_without_a_rule_nothing_is_adapted_and_nothing_reached() -> None:
    checkpoints = [random_checkpoint(0), random_checkpoint(1)]
    ended, readout = use_and_adapt(checkpoints, make_loop(2), None, 0.15, seed=0)
    assert torch.equal(readout, torch.cat([readouts(c.controller, 1) for c in checkpoints]).double())
    assert [len(own) for own in ended] == [2, 2]
    assert all(4.0 <= time <= 9.0 and not episode.success for own in ended for time, episode in own)
