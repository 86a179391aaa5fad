"""A decoder that adapts in the loop: what it learns from, how far it may go, and that learning is elsewhere."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from motorctl.agents import ControllerConfig, RecurrentController
from motorctl.envs import make_env
from motorctl.errors import ConfigurationError
from motorctl.person.brain import make_brain
from motorctl.person.person import Person
from motorctl.person.source import SimulatedSource
from motorctl.person.user import User
from motorctl.runtime.adapting import LearningConfig, Pupil, adapting
from motorctl.runtime.learner import Learner
from motorctl.runtime.loop import Step, run_loop
from motorctl.runtime.operator import Operator
from motorctl.runtime.reader import Reader
from motorctl.runtime.safety import Phase
from motorctl.signals.pipeline import Pipeline
from motorctl.training.checkpoint import Checkpoint, load_checkpoint
from motorctl.training.decoder_adaptation import RecursiveLeastSquares, SmoothBatch
from motorctl.training.steering import REACHING

RATE, PATIENCE = 50.0, 30.0


def checkpoint(width: int = 32) -> Checkpoint:
    """A controller nobody has trained, whose read-out gives little."""
    torch.manual_seed(0)
    pipeline = Pipeline(REACHING.pipeline, make_brain("ideal").info)
    ones = np.ones(len(pipeline.names))
    controller = RecurrentController(ControllerConfig(widths=(width,)), len(ones), 2, scale=0.3).eval()
    fitted = replace(pipeline, mean=0 * ones, std=30 * ones)
    return Checkpoint(controller, fitted, "velocity", "motorctl/ArmReach-v0", steer="reach")


def awaited(learner: Learner) -> np.ndarray[Any, Any]:
    """The next read-out that it gives."""
    deadline = time.monotonic() + PATIENCE
    while (found := learner.newest()) is None:
        assert time.monotonic() < deadline and not learner.ended
        time.sleep(0.01)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("rule", [RecursiveLeastSquares(prior=1.0), SmoothBatch(batch=1.0, half_life=0.5)])
def test_the_learner_finds_what_rows_say_and_stays_within_its_bound(rule: Any) -> None:
    rng = np.random.default_rng(0)
    first = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    with Learner(first, rule, RATE, bound=0.5) as learner:
        for row in range(201):
            units = rng.standard_normal(2)
            learner.learn(units, np.array([1.2 * units[0], 0.9 * units[1]]), row % 20 == 0)
        deadline = time.monotonic() + PATIENCE
        found = first
        while abs(found[0, 0] - 1.2) > 0.05 and time.monotonic() < deadline:
            found = awaited(learner)
        np.testing.assert_allclose(found, [[1.2, 0, 0], [0, 0.9, 0]], atol=0.05)
        for row in range(501):
            units = rng.standard_normal(2)
            learner.learn(units, 100 * units, row % 20 == 0)
        while np.linalg.norm(found - first) < 0.49 * np.linalg.norm(first) and time.monotonic() < deadline:
            found = awaited(learner)
        assert np.linalg.norm(found - first) == pytest.approx(0.5 * np.linalg.norm(first), rel=0.02)


@pytest.mark.slow
def test_giving_a_row_never_waits_even_for_a_learner_that_is_held_up() -> None:
    with Learner(np.zeros((2, 129)), RecursiveLeastSquares(), RATE, bound=1.0) as learner:
        assert learner.pid
        os.kill(learner.pid, signal.SIGSTOP)
        units = np.zeros(128)
        for _ in range(5000):  # 5 MB, more than any pipe holds
            learner.learn(units, units[:2], False)
        assert learner.newest() is None
        os.kill(learner.pid, signal.SIGCONT)
        assert learner.dropped > 0


class Still:
    """Stands in for the decoder: the units of the last row, and what was learned from them."""

    def __init__(self) -> None:
        self.rows: list[np.ndarray[Any, Any]] = []
        self.learner = SimpleNamespace(ended=False, learn=lambda units, intended, anew: self.rows.append(intended))

    def newest_units(self) -> np.ndarray[Any, Any]:
        return np.ones(3)


@pytest.fixture
def pupil() -> Pupil:
    env = make_env("motorctl/ArmReach-v0", command="velocity", control_rate=RATE)
    return Pupil(checkpoint(), LearningConfig(), env, Operator(), Still())  # type: ignore[arg-type]


def told(
    pupil: Pupil, count: int, hand: float, target: float, assist: float = 0.0, phase: Phase = Phase.RUNNING
) -> int:
    """So many steps with hand and target at these places on the x axis; how many rows were learned from."""
    rows = pupil.decoder.rows  # type: ignore[attr-defined]
    before = len(rows)
    for _ in range(count):
        info = {"shown_position": np.array([hand, 0.0]), "target_position": np.array([target, 0.0])}
        pupil.learn(SimpleNamespace(info=info, assist=assist, phase=phase))  # type: ignore[arg-type]
    return len(rows) - before


def test_rows_are_learned_from_when_it_is_known_what_was_intended(pupil: Pupil) -> None:
    rows = pupil.decoder.rows  # type: ignore[attr-defined]
    assert told(pupil, 22, 0.0, 0.1) == 0  # a new target is not answered yet
    assert told(pupil, 50, 0.0, 0.1) == 50
    np.testing.assert_allclose(rows[-1], [0.35, 0.0])  # as the expert, whatever the decoder gave
    assert told(pupil, 10, 0.0, 0.1, assist=0.5) == 10  # the same intention, whoever moved the hand
    assert told(pupil, 10, 0.0, 0.1, assist=0.6) == 0  # nobody has to try
    assert told(pupil, 5, 0.0, 0.1, phase=Phase.HOLDING) == 0
    assert told(pupil, 8, 0.0, 0.1) == 0  # what was seen is not yet known again
    assert told(pupil, 10, 0.0, 0.1) == 10
    assert told(pupil, 9, 0.09, 0.1) == 9
    np.testing.assert_allclose(rows[-1], [0.35, 0.0])  # of what was seen 0.15 s ago
    told(pupil, 1, 0.09, 0.1)
    np.testing.assert_allclose(rows[-1], [0.0, 0.0])  # inside: stay
    assert told(pupil, 10, 0.09, -0.1) == 0


def test_a_learner_that_is_killed_stops_the_limb_once(pupil: Pupil) -> None:
    pupil.decoder.learner.ended = True
    told(pupil, 3, 0.0, 0.1)
    assert pupil._operator.request() == ("stop", "the learner was killed")
    told(pupil, 3, 0.0, 0.1)
    assert pupil._operator.request() == (None, "")


@pytest.mark.parametrize("changed", [{"command": "class"}, {"environment": "motorctl/HandGrasp-v0"}])
def test_what_does_not_reach_does_not_adapt(changed: dict[str, str]) -> None:
    given = replace(checkpoint(), **changed)
    env = make_env("motorctl/HandGrasp-v0" if "environment" in changed else "motorctl/ArmReach-v0")
    with pytest.raises(ConfigurationError, match="does not adapt"), adapting(given, LearningConfig(), env, Operator()):
        pass


def alone(controller: Any, given: Checkpoint, seconds: float, learn: Any) -> Iterator[Step]:
    """The loop on simulated time with a person of the ideal brain who sees the hand."""
    env = make_env("motorctl/ArmReach-v0", command="velocity", control_rate=RATE)
    source = SimulatedSource(Person(User(RATE), make_brain("ideal"), 1))
    reader = Reader(source, given.pipeline, source.now)
    return run_loop(reader, controller, env, seconds, 1, [learn, lambda step: source.see(step.hand, step.target)])


@pytest.mark.slow
def test_an_untrained_controller_learns_to_reach_and_is_stored(tmp_path: Path) -> None:
    given, config = checkpoint(), LearningConfig(bound=100.0, half_life=10.0)  # nothing of the first is worth keeping
    env = make_env("motorctl/ArmReach-v0", command="velocity", control_rate=RATE)
    with adapting(given, config, env, Operator()) as pupil:
        reached = []
        for step in alone(pupil.decoder, given, 60.0, pupil.learn):
            time.sleep(0.001)  # simulated time is faster than any learner
            if step.outcome:
                reached.append(step.success)
        assert sum(reached[-5:]) >= 4
        told = pupil.store(tmp_path / "adapted", Path("runs/mine"))
    stored = load_checkpoint(tmp_path / "adapted")
    assert stored.history["adapted_live"][0]["from"] == "runs/mine" and stored.steer == "reach"
    assert told["rows"] > 1000 and told["change"] > 0
    np.testing.assert_allclose(
        (stored.controller.readout.weight * stored.controller.scale).detach().numpy(),
        pupil.decoder.readout[:, :-1],
        rtol=1e-4,
        atol=1e-6,
    )
