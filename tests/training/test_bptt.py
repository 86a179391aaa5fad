"""Training through the limb: what is practised is what the environment asks, and training goes on where it stopped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from motorctl.agents import ControllerConfig, RecurrentController
from motorctl.dynamics.rollout import roll_out
from motorctl.envs import Reach, make_env, make_vec
from motorctl.errors import ConfigurationError
from motorctl.training import bptt
from motorctl.training.bptt import (
    BPTTConfig,
    check_bptt,
    horizon,
    learning_rate,
    practised_success,
    start_at_rest,
    train_through_limb,
)
from motorctl.training.bptt_losses import Movement, TaskLoss, total_loss
from motorctl.training.limb_world import LimbWorld, reaching_environment
from motorctl.training.optimization import Epoch
from motorctl.training.practice import Judge, first_states, rehearse
from motorctl.training.resume import Resume

SHORT = BPTTConfig(iterations=12, batch=4, first_horizon=0.1, horizon=0.2)


def small_controller() -> RecurrentController:
    torch.manual_seed(0)
    return RecurrentController(ControllerConfig(widths=(4,), dropout=0.1), 2, 2)


def tracing(controller: RecurrentController) -> bptt.Callable[[int, int], Tensor]:
    """A cost that needs no limb: to say what was heard a row ago."""

    def cost(steps: int, seed: int) -> Tensor:
        torch.manual_seed(seed)
        heard = torch.randn(4, steps, 2)
        said, _ = controller(heard, controller.initial_state(4))
        return (said[:, 1:] - heard[:, :-1]).square().mean()

    return cost


class Killed(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize("stopped", [1, 5, 11])
def test_training_goes_on_to_the_same_numbers(stopped: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bptt, "KEPT_EVERY", 2)
    whole = small_controller()
    losses = train_through_limb(tracing(whole), whole, SHORT, 0.02, seed=1)

    def killed(iteration: Epoch) -> None:
        if iteration.number == stopped:
            raise Killed

    resume = Resume(tmp_path / "training.safetensors", "this one")
    first = small_controller()
    with pytest.raises(Killed):
        train_through_limb(tracing(first), first, SHORT, 0.02, 1, killed, resume)
    second = small_controller()
    told: list[int] = []
    again = train_through_limb(tracing(second), second, SHORT, 0.02, 1, lambda e: told.append(e.number), resume)
    assert again == losses and told[0] == stopped // 2 * 2 + 1
    for name, value in whole.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name


def test_a_seed_gives_the_same_training_and_another_seed_another() -> None:
    def losses(seed: int) -> list[float]:
        controller = small_controller()
        return train_through_limb(tracing(controller), controller, SHORT, 0.02, seed)

    assert losses(1) == losses(1) != losses(2)


def test_episodes_grow_and_the_learning_rate_falls() -> None:
    config = BPTTConfig(iterations=100, first_horizon=0.4, horizon=1.2, grown=0.5)
    assert [horizon(i, config) for i in (0, 25, 50, 99)] == pytest.approx([0.4, 0.8, 1.2, 1.2])
    assert horizon(0, BPTTConfig(grown=0.0, first_horizon=0.4)) == pytest.approx(0.4)
    rates = [learning_rate(i, config) for i in range(100)]
    assert rates[0] == config.learning_rate and rates[50] == pytest.approx(config.learning_rate / 2)
    assert all(a > b for a, b in zip(rates, rates[1:], strict=False)) and rates[-1] > 0


@pytest.mark.parametrize(
    "config",
    [BPTTConfig(iterations=0), BPTTConfig(grown=1.5), BPTTConfig(first_horizon=2.0), BPTTConfig(learning_rate=-1.0)],
)
def test_numbers_that_make_no_training_are_refused(config: BPTTConfig) -> None:
    with pytest.raises(ConfigurationError):
        check_bptt(config)


def test_targets_are_those_of_the_environment() -> None:
    env = make_vec("motorctl/ArmReach-v0", 5, 1)
    _, info = env.reset(seed=7)
    assert isinstance(env.task, Reach)
    assert first_states(env.task, 5, 7)["target"] == pytest.approx(info["target_position"])
    targets, hands = rehearse(env.task, 150, 5, 7, 0.02)
    assert targets[:, 100].numpy() == pytest.approx(info["target_position"], abs=1e-6)
    assert (hands[:, -1] - targets[:, -1]).norm(dim=-1).max() < 0.02


def test_a_trial_of_center_out_goes_out_and_back() -> None:
    task = make_vec("motorctl/ArmCenterOut-v0", 1, 1).task
    assert isinstance(task, Reach)
    targets, _ = rehearse(task, 150, 8, 0, 0.02)
    away = (targets - torch.from_numpy(task.center).float()).norm(dim=-1)
    assert (away[:, 0] == 0).all() and (away[:, -1] == 0).all()
    assert away.max(dim=1).values.numpy() == pytest.approx(np.full(8, 0.1), abs=1e-6)


def test_the_judge_says_what_the_environment_says() -> None:
    """A hand that is where the environment's hand is."""
    env = make_env("motorctl/ArmReach-v0", command="velocity", time_limit=1.0)
    task = env.get_wrapper_attr("task")
    verdicts = []
    for seed in range(6):
        _, info = env.reset(seed=seed)
        judge, over = Judge(task, 1, seed, 0.02, 50), False
        speed = 3.0 if seed % 2 else 0.5  # some are too slow for the time limit
        while not over:
            velocity = speed * (info["target_position"] - info["hand_position"])
            _, _, ended, late, info = env.step(env.get_wrapper_attr("to_action")(velocity))
            judge.see(*(torch.from_numpy(info[f"hand_{what}"])[None] for what in ("position", "velocity")))
            over = ended or late
        assert judge.over and judge.success[0] == info["success"]
        verdicts.append(bool(info["success"]))
    assert set(verdicts) == {True, False}


def test_the_loss_falls_on_the_limb() -> None:
    options = {"command": "muscles"}
    world = LimbWorld(reaching_environment("motorctl/ArmReach-v0", options), options)
    world.deviation = torch.full_like(world.deviation, 0.2)
    torch.manual_seed(0)
    controller = RecurrentController(ControllerConfig(widths=(16,)), len(world.mean), 6)
    start_at_rest(controller, world)
    targets, _ = rehearse(world.task, 15, 8, 0, world.period)
    inputs = world.inputs(targets, np.random.default_rng(0))

    def cost(steps: int, seed: int) -> Tensor:
        rollout = roll_out(controller, world, world.start(targets[:, 0]), inputs)
        outcome = world.outcome(rollout.outputs)
        movement = Movement(outcome.hand, targets, outcome.share, outcome.activation, rollout.hidden)
        return total_loss(movement, TaskLoss(jerk=0.0), world.period)

    losses = train_through_limb(cost, controller, BPTTConfig(iterations=8, learning_rate=1e-2), world.period, 0)
    assert losses[-1] < 0.9 * losses[0]


def test_nobody_succeeds_who_does_nothing() -> None:
    options = {"command": "muscles"}
    world = LimbWorld(reaching_environment("motorctl/ArmReach-v0", options), options)
    controller = RecurrentController(ControllerConfig(widths=(4,)), len(world.mean), 6)
    with torch.no_grad():
        controller.readout.bias.fill_(-20.0)
    success = practised_success(world, controller, 3, 0, 0.2)
    assert success.shape == (3,) and not success.any()
