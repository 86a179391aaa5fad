"""The batched loop is the single one, lane by lane: same seed, same numbers, same order of events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import Tensor

from motorctl.agents import ControllerConfig, RecurrentController, Stepper
from motorctl.envs import ActionError, make_env, make_vec
from motorctl.errors import ConfigurationError, StreamError
from motorctl.evaluation.closed_loop import ClosedLoop, one_row, run_closed_loop
from motorctl.evaluation.episodes import summarize_episodes
from motorctl.person.brain import Brain, make_brain
from motorctl.person.movements import MOVEMENTS
from motorctl.person.user import User
from motorctl.signals.batch_pipeline import BatchPipeline
from motorctl.signals.pipeline import Pipeline, PipelineConfig

REACH = "motorctl/ArmReach-v0"
SLOW = PipelineConfig(amplitude_band=(0.0, 8.0), power_bands=())
SLOW_AND_MU = PipelineConfig(amplitude_band=(0.0, 8.0), power_bands=((8.0, 13.0),))


def closed_loop(
    lanes: int,
    config: PipelineConfig = SLOW,
    imagine: Callable[[Tensor], Tensor] | None = None,
    delay: float = 0.15,
    **options: Any,
) -> ClosedLoop:
    env = make_vec(REACH, lanes, 1, command="velocity", **options)
    return ClosedLoop(env, User(50.0, delay=delay), Brain(), Pipeline(config, Brain().info), imagine)


@pytest.mark.parametrize("brain", ["ideal", "realistic"])
def test_one_lane_is_the_environment_of_a_person_who_watches(brain: str) -> None:
    """Through three episodes: a reset there is a step without a command here."""
    options = {"command": "velocity", "time_limit": 0.3}
    single = make_env("motorctl/ArmReachEEG-v0", observe="features", brain=brain, pipeline=SLOW_AND_MU, **options)
    pipeline = single.unwrapped.pipeline
    loop = ClosedLoop(make_vec(REACH, 1, 1, **options), User(50.0), make_brain(brain), pipeline)
    rng, over, rewards = np.random.default_rng(0), False, []
    features, info = single.reset(seed=5)
    moment = loop.reset(seed=5)
    for step in range(45):
        assert moment.step == step
        assert_allclose(moment.features[0], features, rtol=1e-5, atol=1e-5)
        assert_allclose(moment.intention[0], info["intention"], atol=1e-9)
        for what in ("shown_position", "target_position", "joint_angles"):
            assert_allclose(moment.info[what][0], info[what], atol=1e-9)
        assert moment.done.tolist() == [over]
        command = rng.uniform(-0.3, 0.3, 2)
        moment = loop.step(command[None])
        if over:
            (features, info), reward, over = single.reset(), 0.0, False
        else:
            features, reward, terminated, truncated, info = single.step(single.get_wrapper_attr("to_action")(command))
            over = terminated or truncated
        rewards.append(reward)
        assert moment.reward == pytest.approx([reward])
    assert rewards.count(0.0) == 2


@pytest.mark.parametrize("delay", [0.0, 0.1])
def test_a_command_is_seen_after_it_was_given_and_intended_upon_after_the_delay(delay: float) -> None:
    first, second = closed_loop(2, delay=delay), closed_loop(2, delay=delay)
    shared = (first.reset(seed=0), second.reset(seed=0))
    assert_array_equal(shared[0].features, shared[1].features)
    assert not shared[0].features.is_inference()  # what was seen is there to learn from
    seen, intended, decoded = [], [], []
    for step in range(20):
        moments = [loop.step(np.full((2, 2), 0.2 if step == 8 and loop is second else 0.0)) for loop in (first, second)]
        for differs, what in ((intended, [m.intention for m in moments]), (decoded, [m.features for m in moments])):
            differs.append(not torch.equal(*what))
        seen.append(not np.array_equal(*(m.info["hand_position"] for m in moments)))
    steps = round(delay * 50)
    assert seen.index(True) == 8
    assert intended.index(True) == decoded.index(True) == 8 + steps


def test_people_are_in_sessions_of_their_own_and_a_seed_repeats_them() -> None:
    loop = closed_loop(3)
    first = loop.reset(seed=1).features
    loop.step(np.zeros((3, 2)))
    assert torch.equal(loop.reset(seed=1).features, first)
    assert len({tuple(row.tolist()) for row in first}) == 3
    assert not torch.equal(loop.reset(seed=2).features, first)


def test_what_is_heard_at_once_is_what_is_heard_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("motorctl.evaluation.closed_loop.TOGETHER", 7)
    commands = np.random.default_rng(0).uniform(-0.3, 0.3, (20, 2, 2))
    loop = closed_loop(2, SLOW_AND_MU)
    loop.reset(seed=4)
    one_by_one = [loop.step(command).features for command in commands]
    loop.reset(seed=4)
    moments = [loop.step(command, heard=False) for command in commands]
    assert moments[-1].features.shape == (2, 0)
    assert_allclose(loop.hear(), torch.stack(one_by_one, dim=1), rtol=1e-4, atol=1e-4)
    assert loop.hear().shape == (2, 0, len(loop.pipeline.names))


def test_what_is_imagined_takes_the_place_of_the_velocity() -> None:
    """People who imagine the right fist whatever they intend: the rhythm over C3 falls, and nothing codes velocity."""
    asked: list[Tensor] = []
    right = torch.nn.functional.one_hot(torch.tensor([MOVEMENTS.index("right")] * 8), len(MOVEMENTS)).float()

    def imagine(intention: Tensor) -> Tensor:
        asked.append(intention[:, 0])
        return (right if intention.any() else torch.zeros_like(right))[:, None]

    imagined, moved = closed_loop(8, SLOW_AND_MU, imagine), closed_loop(8, SLOW_AND_MU)
    moments = [[loop.reset(seed=0), *(loop.step(np.zeros((8, 2))) for _ in range(60))] for loop in (imagined, moved)]
    for one, other, intention in zip(*moments, asked, strict=True):
        assert torch.equal(one.intention, other.intention) and torch.equal(one.intention, intention)
    mu = imagined.pipeline.names.index("C3 power 8-13 Hz")
    assert moments[0][-1].features[:, mu].mean() < moments[0][0].features[:, mu].mean() - 1  # log of power
    slow = [torch.stack([moment.features[:, : len(Brain().labels)] for moment in own[-20:]]) for own in moments]
    assert slow[1].std() > 2 * slow[0].std()


def linear_decoder(loop: ClosedLoop) -> Callable[[Tensor, Any], tuple[Tensor, Any]]:
    """Least squares of the intention on features, from EEG of velocities that come and go."""
    rng = np.random.default_rng(0)
    held = rng.uniform(-0.3, 0.3, (4, 60, 1, 2)) * np.ones((1, 1, 250, 1))
    velocity = torch.from_numpy(held.reshape(4, -1, 2)).float()
    eeg, _ = loop.brain.emit(velocity, loop.brain.initial_state(4, 0))
    rows = BatchPipeline(loop.pipeline.pipeline).process(eeg)[0].flatten(0, 1)
    weights = torch.linalg.lstsq(rows, velocity[:, 4::5].flatten(0, 1)).solution
    return lambda features, state: (features @ weights, (state or 0) + 1)


def test_people_reach_with_a_decoder_and_not_without() -> None:
    loop = closed_loop(16)
    told: list[int] = []
    decode = linear_decoder(loop)
    with_it = run_closed_loop(loop, decode, seed=0, progress=told.append)
    without = run_closed_loop(loop, lambda features, state: (torch.zeros(16, 2), state), seed=0)
    assert summarize_episodes(with_it)["success_rate"] > 0.8
    assert summarize_episodes(without)["success_rate"] < 0.2
    assert len(with_it) == told[-1] == 16 and told == sorted(told)


def test_episodes_are_put_together_lane_by_lane_while_the_state_goes_on() -> None:
    loop, states = closed_loop(3, time_limit=0.2), []
    by_hand: list[list[Any]] = []
    rewards: list[np.ndarray] = []

    def decide(features: Tensor, state: Any) -> tuple[Tensor, Any]:
        states.append(state)
        return 0.01 * features[:, :2], (state or 0) + 1

    traced = ("shown_position", "target_position", "intention", "command")
    episodes = run_closed_loop(loop, decide, seed=4, episodes_each=2, traced=traced)
    assert states == [None, *range(1, 21)]  # two episodes of ten steps, and the step that begins the second
    moment, commands = loop.reset(seed=4), np.full((3, 2), np.nan)
    for _ in range(22):
        by_hand.append([moment.info["shown_position"], moment.info["target_position"], moment.intention, commands])
        rewards.append(moment.reward)
        if len(by_hand) < 22:
            commands = 0.01 * moment.features[:, :2].numpy()
            moment = loop.step(commands)
    assert [(e.reason, e.seconds) for e in episodes] == [("time limit", 0.2)] * 6
    for i, episode in enumerate(episodes):
        lane, number = divmod(i, 2)
        for name, column in zip(traced, range(4), strict=True):
            expected = np.array([np.asarray(row[column])[lane] for row in by_hand[11 * number :][:11]])
            assert_array_equal(episode.traces[name], expected)
        assert episode.reward == pytest.approx(sum(reward[lane] for reward in rewards[11 * number :][:11]))


def test_a_recurrent_controller_steers_as_its_live_step_does() -> None:
    torch.manual_seed(0)
    loop = closed_loop(3, time_limit=0.4)
    controller = RecurrentController(ControllerConfig(widths=(8, 8), dropout=0.5), len(loop.pipeline.names), 2, 0.3)
    controller.train()  # dropout must not act in the loop
    episodes = run_closed_loop(loop, controller, seed=7, episodes_each=2, traced=("command",))
    moment, stepper = loop.reset(seed=7), Stepper(controller)
    states = [stepper.initial_state() for _ in range(3)]
    for step in range(41):
        commands = np.empty((3, 2))
        for lane in range(3):
            commands[lane], states[lane] = stepper.step(moment.features[lane].numpy(), states[lane])
        moment = loop.step(commands)
        which, row = divmod(step + 1, 21)
        for lane in range(3):
            assert_allclose(episodes[2 * lane + which].traces["command"][row], commands[lane], rtol=1e-4, atol=1e-5)


def test_a_long_power_window_is_full_when_a_session_begins() -> None:
    loop = closed_loop(2, PipelineConfig(power_window=3.0, adapt=30.0))
    assert loop.reset(seed=0).features.all()  # it would be 0 before


def test_what_does_not_fit_is_said() -> None:
    env, brain = make_vec(REACH, 2, 1, command="velocity"), Brain()
    with pytest.raises(ConfigurationError, match="user's rate is 25 Hz, the environment's 50"):
        ClosedLoop(env, User(25.0), brain, Pipeline(SLOW, brain.info))
    with pytest.raises(ConfigurationError, match="pipeline's rate is 25 Hz"):
        ClosedLoop(env, User(50.0), brain, Pipeline(PipelineConfig(rate=25.0), brain.info))
    with pytest.raises(StreamError, match="C4"):
        ClosedLoop(env, User(50.0), Brain(labels=("C3", "Cz")), Pipeline(SLOW, brain.info))
    with pytest.raises(ConfigurationError, match="does not divide"):
        ClosedLoop(env, User(50.0), Brain(rate=256.0), Pipeline(SLOW, Brain(rate=256.0).info))
    loop = ClosedLoop(env, User(50.0), brain, Pipeline(SLOW, brain.info))
    with pytest.raises(ConfigurationError, match="no 'elbow' to trace.*hand_velocity"):
        run_closed_loop(loop, lambda features, state: (features[:, :2], state), seed=0, traced=("elbow",))
    loop.reset(seed=0)
    with pytest.raises(ActionError, match="NaN"):
        loop.step(np.full((2, 2), np.nan))


def test_a_controller_needs_fewer_channels_than_the_brain_gives() -> None:
    labels = ("C4", "C3")
    config = PipelineConfig(reference="none", amplitude_band=(0.0, 8.0), power_bands=())
    env = make_vec(REACH, 2, 1, command="velocity")
    whole, part = (
        ClosedLoop(env, User(50.0), Brain(), Pipeline(config, Brain(labels=kept).info)).reset(seed=0).features
        for kept in (Brain().labels, labels)
    )
    assert torch.equal(part, whole[:, [Brain().labels.index(label) for label in labels]])


def test_one_row_starts_where_the_controller_starts() -> None:
    torch.manual_seed(0)
    controller = RecurrentController(ControllerConfig(widths=(4,), cell="lstm"), 3, 2)
    rows = torch.randn(2, 5, 3)
    whole, _ = controller(rows, controller.initial_state(2))
    decide, state, found = one_row(controller), None, []
    for row in rows.unbind(1):
        commands, state = decide(row, state)
        found.append(commands)
    assert_allclose(torch.stack(found, 1).detach(), whole.detach(), atol=1e-6)
