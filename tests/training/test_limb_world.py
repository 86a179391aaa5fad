"""A limb's world in torch beside the environment: the same commands, the same movement, the same observations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from motorctl.envs import make_env
from motorctl.errors import ConfigurationError
from motorctl.training.limb_world import LimbWorld, Load, reaching_environment
from motorctl.training.policy import actions_of

FIELD = {"block_trials": 0, "strength": 13.0, "command": "muscles"}


def world_of(id_: str, options: dict[str, Any], load: Load | None = None) -> LimbWorld:
    return LimbWorld(reaching_environment(id_, options), options, load)


@pytest.mark.parametrize(
    ("id_", "options"),
    [
        ("motorctl/ArmReach-v0", {"command": "muscles"}),
        ("motorctl/ArmReach-v0", {"command": "torque", "delay": 0.1}),
        ("motorctl/ArmForceField-v0", FIELD),
        ("motorctl/ArmForceField-v0", FIELD | {"delay": 0.06, "control_rate": 125}),
    ],
)
def test_the_world_does_what_the_environment_does(id_: str, options: dict[str, Any]) -> None:
    env, world, rng = make_env(id_, **options), world_of(id_, options), np.random.default_rng(0)
    seen, info = env.reset(seed=3)
    targets = torch.from_numpy(info["target_position"])[None, None].float()
    state = world.start(targets[:, 0])
    for _ in range(40):
        targets = torch.from_numpy(info["target_position"])[None, None].float()
        inputs = world.inputs(targets, rng)[:, 0]
        assert world.observe(state, inputs)[0].numpy() == pytest.approx(seen, abs=2e-3)
        readout = torch.from_numpy(rng.normal(-1.5, 1.0, (1, len(world.most)))).float()
        state, outputs = world.advance(state, readout, inputs)
        seen, _, ended, _, info = env.step(actions_of(readout)[0].numpy())
        outcome = world.outcome(outputs)
        assert outcome.hand[0].numpy() == pytest.approx(info["hand_position"], abs=1e-4)
        assert outcome.activation[0].numpy() == pytest.approx(info["activation"], abs=1e-5)
        assert not ended


def test_everything_is_on_the_device() -> None:
    """torch's device without numbers stands for a GPU: like one, it takes no tensors from elsewhere."""
    options = FIELD | {"delay": 0.06, "noise": 0.01}
    world = LimbWorld(reaching_environment("motorctl/ArmForceField-v0", options), options, Load(10.0, 0.1), "meta")
    targets = torch.zeros(3, 4, 2)
    state, inputs = world.start(targets[:, 0]), world.inputs(targets, np.random.default_rng(0))
    after, outputs = world.advance(state, torch.zeros(3, 6, device="meta"), inputs[:, 0])
    assert {part.device.type for part in (state, inputs, world.observe(after, inputs[:, 1]), outputs)} == {"meta"}
    assert after.shape == state.shape and world.outcome(outputs).hand.shape == (3, 2)


def test_noise_is_that_of_the_environment() -> None:
    options = {"command": "muscles", "noise": 0.01}
    world = world_of("motorctl/ArmReach-v0", options)
    targets = torch.zeros(400, 1, 2) + torch.tensor([0.0, 0.45])
    state = world.start(targets[:, 0])
    seen = world.observe(state, world.inputs(targets, np.random.default_rng(0))[:, 0])
    space = make_env("motorctl/ArmReach-v0", **options).observation_space
    expected = 0.005 * (space.high - space.low)  # type: ignore[attr-defined]
    within = slice(0, 10)  # activations are clipped at 0
    assert seen.std(dim=0).numpy()[within] == pytest.approx(expected[within], rel=0.15)


def test_a_load_pushes_once_and_the_hand_goes_with_it() -> None:
    world = world_of("motorctl/ArmReach-v0", {"command": "muscles"}, Load(20.0, 0.1))
    targets = torch.zeros(8, 50, 2) + torch.tensor([0.0, 0.45])
    inputs = world.inputs(targets, np.random.default_rng(0))
    force = inputs[..., 2:]
    assert ((force != 0).any(-1).sum(1) <= 5).all() and (force.norm(dim=-1) <= 20).all()
    assert (force != 0).any(-1).any(1).all()

    def hands(pushed: torch.Tensor) -> torch.Tensor:
        state, rows = world.start(targets[:, 0]), []
        for row in pushed.unbind(1):
            state, outputs = world.advance(state, torch.full((8, 6), -6.0), row)
            rows.append(world.outcome(outputs).hand)
        return torch.stack(rows, dim=1)

    first = int((force != 0).any(-1)[0].nonzero()[0])
    moved = hands(inputs) - hands(torch.cat([targets, torch.zeros_like(force)], dim=-1))
    assert moved[0, :first].abs().max() == 0
    assert (moved[0, first + 3] * force[0, first]).sum() > 0


@pytest.mark.parametrize(
    ("id_", "command", "said"),
    [
        ("motorctl/HandGrasp-v0", None, "not to bring the hand"),
        ("motorctl/ArmRotation-v0", None, "not to bring the hand, as it is"),
        ("motorctl/ArmReach-v0", "velocity", "has no gradient"),
    ],
)
def test_what_has_no_gradient_is_refused(id_: str, command: str | None, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        world_of(id_, {"command": command})
