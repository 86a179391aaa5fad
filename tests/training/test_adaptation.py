"""A stored controller is fitted to a new session, no further than it was asked to, and stays as it is itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from motorctl.agents import ControllerConfig, RecurrentController
from motorctl.errors import ConfigurationError
from motorctl.person.brain import Brain
from motorctl.signals.pipeline import Features, Pipeline, PipelineConfig
from motorctl.training.adaptation import AdaptationConfig, fine_tune, first_minutes, unfitted
from motorctl.training.checkpoint import Checkpoint
from motorctl.training.imitation import ImitationConfig, decode, train
from motorctl.training.sequence import Sequence

RATE = 10.0
LABELS = ("C3", "Cz", "C4")
TRAINING = ImitationConfig(epochs=15, learning_rate=1e-2, lane=20.0, horizon=5.0)


def session(angle: float, offset: float, seconds: float = 60.0, seed: int = 0) -> Sequence:
    """Targets are the first two features, turned; all features are shifted and stretched, another way each session."""
    rng = np.random.default_rng(seed)
    values = np.cumsum(rng.standard_normal((round(seconds * RATE), 3)), axis=0) * 0.3
    values -= values.mean(axis=0)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    targets = (values[:, :2] / values[:, :2].std(axis=0) @ turn.T).astype(np.float32)
    rows = Features(
        (5 * values + offset).astype(np.float32), np.arange(len(values)) / RATE, np.ones(values.shape, bool)
    )
    return Sequence(rows, targets, np.full(len(values), -1))


def pipeline() -> Pipeline:
    """One that gives three features at the rate; what they are does not matter here."""
    config = PipelineConfig(rate=RATE, reference="none", amplitude_band=(0.0, 4.0), power_bands=())
    return Pipeline(config, Brain(labels=LABELS).info)


@pytest.fixture(scope="module")
def stored() -> Checkpoint:
    """Trained on a session without a turn."""
    learned = [session(0.0, 3.0, seed=s) for s in range(3)]
    fitted = pipeline().fit([s.features for s in learned])
    torch.manual_seed(0)
    controller = RecurrentController(ControllerConfig(widths=(16,)), 3, 2)
    scaled = [s.with_features(fitted.scale(s.features)) for s in learned]
    train(controller, scaled, replace(TRAINING, epochs=30), RATE)
    return Checkpoint(controller, fitted, "velocity", "motorctl/ArmReach-v0", history={"data": "simulated"})


def correlation(checkpoint: Checkpoint, sequence: Sequence) -> float:
    decoded = decode(checkpoint.controller, checkpoint.pipeline.scale(sequence.features).values)
    return float(np.mean([np.corrcoef(decoded[:, k], sequence.targets[:, k])[0, 1] for k in range(2)]))


def test_a_minute_of_a_new_session_makes_up_for_what_turned(stored: Checkpoint) -> None:
    new, unseen = session(1.5, -8.0, seed=10), session(1.5, -8.0, seed=11)
    adapted = fine_tune(stored, [new], 1.0, AdaptationConfig(training=TRAINING), seed=0)
    assert correlation(stored, unseen) < 0.3
    assert correlation(adapted, unseen) > 0.8


def test_scaling_alone_makes_up_for_a_shift(stored: Checkpoint) -> None:
    unseen = session(0.0, -200.0, seed=11)
    adapted = fine_tune(stored, [session(0.0, -200.0, seed=10)], None, AdaptationConfig("none"), seed=0)
    assert correlation(stored, unseen) < 0.5 < 0.8 < correlation(adapted, unseen)


@pytest.mark.parametrize(
    ("layers", "changed"),
    [("none", set()), ("readout", {"readout.weight", "readout.bias"}), ("all", None)],
)
def test_no_more_is_changed_than_was_asked_for(stored: Checkpoint, layers: str, changed: set[str] | None) -> None:
    before = {name: value.clone() for name, value in stored.controller.state_dict().items()}
    new = session(1.0, 2.0, seed=10)
    config = AdaptationConfig(layers, replace(TRAINING, epochs=2))  # type: ignore[arg-type]
    adapted = fine_tune(stored, [new], 0.5, config, seed=0)
    after = adapted.controller.state_dict()
    assert {name for name in before if not torch.equal(before[name], after[name])} == (
        set(before) - {"scale"} if changed is None else changed
    )
    assert all(torch.equal(value, before[name]) for name, value in stored.controller.state_dict().items())
    assert all(p.requires_grad for p in adapted.controller.parameters())
    assert adapted.pipeline.mean is not None and stored.pipeline.mean is not None
    np.testing.assert_allclose(adapted.pipeline.mean, new.features.values[:300].mean(axis=0), rtol=1e-4)
    assert adapted.history["data"] == "simulated" and adapted.history["adaptation"][0]["seconds"] == 30


def test_a_seed_fixes_the_result(stored: Checkpoint) -> None:
    config = AdaptationConfig(training=replace(TRAINING, epochs=2))
    first, again = (fine_tune(stored, [session(1.0, 2.0)], None, config, seed=4).controller for _ in range(2))
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in first.state_dict().items())


def test_minutes_are_taken_from_the_beginning_across_sequences() -> None:
    parts = [session(0.0, 0.0, seconds, seed) for seed, seconds in enumerate((20.0, 30.0, 40.0))]
    assert [len(s) for s in first_minutes(parts, 0.75, RATE)] == [200, 250]
    assert [len(s) for s in first_minutes(parts, 1.5, RATE)] == [200, 300, 400]


@pytest.mark.parametrize(("minutes", "words"), [(1.6, "1.6 minutes.*hold 1.5"), (0.0, "minutes is 0")])
def test_minutes_that_are_not_there_are_refused(minutes: float, words: str) -> None:
    parts = [session(0.0, 0.0, seconds) for seconds in (20.0, 70.0)]
    with pytest.raises(ConfigurationError, match=words):
        first_minutes(parts, minutes, RATE)


def test_an_unfitted_pipeline_keeps_all_but_its_scaling(stored: Checkpoint) -> None:
    found = unfitted(stored.pipeline)
    assert found.mean is None and found.std is None
    assert (found.config, found.info, found.bads) == (
        stored.pipeline.config,
        stored.pipeline.info,
        stored.pipeline.bads,
    )
