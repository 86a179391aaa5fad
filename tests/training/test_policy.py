"""Stored policies: what is written is what acts, and nothing else is taken for one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from motorctl.agents import ControllerConfig, RecurrentController
from motorctl.envs import make_vec
from motorctl.errors import CheckpointError
from motorctl.evaluation.episodes import run_episodes
from motorctl.training.policy import StoredPolicy, actions_of, load_policy, policy_for, save_policy

OPTIONS = {"command": "muscles", "delay": 0.04, "time_limit": 0.2}


@pytest.fixture
def stored() -> StoredPolicy:
    torch.manual_seed(0)
    controller = RecurrentController(ControllerConfig(cell="lstm", widths=(5, 4)), 16, 6).eval()
    return StoredPolicy(controller, torch.randn(16), torch.rand(16) + 0.5, "motorctl/ArmReach-v0", OPTIONS, {"loss": 1})


def test_a_stored_policy_acts_as_it_did(stored: StoredPolicy, tmp_path: Path) -> None:
    save_policy(stored, tmp_path)
    loaded = load_policy(tmp_path)
    assert (loaded.environment, loaded.options, loaded.history) == (stored.environment, OPTIONS, {"loss": 1})
    rewards = [
        [e.reward for e in run_episodes(make_vec(p.environment, 3, 1, **p.options), policy_for(p, 3), 0)]
        for p in (stored, loaded)
    ]
    assert rewards[0] == rewards[1] and len(set(rewards[0])) == 3


def test_a_policy_by_itself_and_in_a_batch_act_alike(stored: StoredPolicy) -> None:
    observations = np.random.default_rng(0).normal(size=(4, 3, 16)).astype(np.float32)
    many, alone = policy_for(stored, 3), policy_for(stored, 1)
    for rows in observations:  # the state goes on from row to row
        actions = many({"observation": rows})
        assert actions.shape == (3, 6) and (np.abs(actions) < 1).all()
        assert alone({"observation": rows[1]}) == pytest.approx(actions[1], abs=1e-6)


def test_a_sigmoid_spans_the_controls() -> None:
    assert actions_of(torch.tensor([-30.0, 0.0, 30.0])).tolist() == pytest.approx([-1, 0, 1])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("policy.json", None, "There is no policy.json"),
        ("policy.safetensors", None, "There is no policy.safetensors"),
        ("policy.safetensors", "x", "damaged"),
        ("policy.json", "{}", "damaged"),
        ("policy.json", json.dumps({"format": "another"}), "expected"),
        ("controller.json", "{}", "reads EEG"),
    ],
)
def test_what_is_no_policy_is_refused(
    name: str, content: str | None, said: str, stored: StoredPolicy, tmp_path: Path
) -> None:
    save_policy(stored, tmp_path)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_text(content)
    with pytest.raises(CheckpointError, match=said):
        load_policy(tmp_path)
