"""Networks of sequences: pieces of time, what never counts, calibrated probabilities, and what is stored."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motorctl.agents import ClassHead, CommandHead, ControllerConfig, ForecastHead, Network, RecurrentCore
from motorctl.errors import CheckpointError, ConfigurationError, RecordingError
from motorctl.training.calibration import calibration_error, class_probabilities, fit_temperature
from motorctl.training.examples import Examples, side_by_side
from motorctl.training.fitting import SequenceTraining, fit, row_losses
from motorctl.training.forecast import ahead, linear_forecast, unchanged
from motorctl.training.networks import (
    NetworkConfig,
    StoredNetwork,
    class_head,
    framed,
    load_network,
    make_network,
    save_network,
)
from motorctl.training.scaling import fit_scaling

HEADS: dict[str, dict[str, Any]] = {
    "class": {"classes": ("a", "b", "c")},
    "value": {"outputs": ("x",), "asked": "every"},
    "both": {"classes": ("a", "b"), "outputs": ("x", "y")},
    "forecast": {"outputs": ("x", "y"), "steps": 3, "asked": "every"},
    "decoder": {"outputs": ("x", "y"), "steps": 3, "attention": "additive"},
}


def examples(seed: int = 0, count: int = 6) -> Examples:
    rng = np.random.default_rng(seed)
    sequences = [rng.standard_normal((length, 2)) + 4 for length in rng.integers(5, 10, count)]
    return Examples(*side_by_side(sequences))


def stored(head: str, frame: int = 1) -> StoredNetwork:
    torch.manual_seed(0)
    config = NetworkConfig(ControllerConfig("lstm", (5, 4), 0.1), 2, head, frame=frame, **HEADS[head])  # type: ignore[arg-type]
    outputs = fit_scaling(examples().inputs) if config.outputs else None
    if head == "value":
        outputs = fit_scaling(examples().inputs[..., :1])
    return StoredNetwork(config, make_network(config).eval(), fit_scaling(examples().inputs), outputs, {"seed": 3})


@pytest.mark.parametrize("frame", [1, 4])
@pytest.mark.parametrize("head", HEADS)
def test_a_stored_network_says_the_same(head: str, frame: int, tmp_path: Path) -> None:
    network = stored(head, frame if head in ("class", "value", "both") else 1)
    if head in ("class", "both"):
        class_head(network.network).temperature.fill_(2.5)
    save_network(network, tmp_path)
    loaded = load_network(tmp_path)
    assert loaded.config == network.config and loaded.history == {"seed": 3}
    said, again = network.predict(examples()), loaded.predict(examples())
    assert set(said) == set(again)
    for name, values in said.items():
        np.testing.assert_array_equal(again[name], values)
    if "probabilities" in said:
        assert loaded.temperature == 2.5
        np.testing.assert_allclose(said["probabilities"].sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("head", ["class", "value", "both"])
def test_a_sequence_is_judged_alike_alone_and_beside_longer_ones(head: str) -> None:
    network, together = stored(head), examples()
    if head == "value":
        network = replace(network, config=replace(network.config, asked="last"))
    said = network.predict(together)
    for number, length in enumerate(together.lengths.tolist()):
        alone = Examples(together.inputs[number : number + 1, :length], together.lengths[number : number + 1])
        for name, values in network.predict(alone).items():
            np.testing.assert_allclose(values[0], said[name][number], rtol=1e-4, atol=1e-5)


def test_other_channels_are_refused() -> None:
    other = Examples(np.zeros((1, 4, 3), np.float32), np.array([4]))
    with pytest.raises(RecordingError, match="3 channels, the network reads 2"):
        stored("class").predict(other)


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda f: (f / "network.json").unlink(), "no network.json"),
        (lambda f: (f / "network.safetensors").unlink(), "no network.safetensors"),
        (lambda f: (f / "network.json").write_text("{"), "damaged"),
        (lambda f: (f / "network.safetensors").write_bytes(b"\x80\x04cos\nsystem\n"), "damaged"),
        (lambda f: change(f, format="motorctl network 9"), "expected 'motorctl network 1'"),
        (lambda f: change(f, network={"core": {}}), "damaged"),
    ],
)
def test_a_damaged_network_is_one_clear_error(harm: Callable[[Path], object], words: str, tmp_path: Path) -> None:
    save_network(stored("class"), tmp_path)
    harm(tmp_path)
    with pytest.raises(CheckpointError, match=words) as error:
        load_network(tmp_path)
    assert "\n" not in str(error.value)


def change(folder: Path, **entries: object) -> None:
    path = folder / "network.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


@given(time=st.integers(1, 9), frame=st.integers(1, 5))
@settings(deadline=None)
def test_frames_hold_every_value_in_order(time: int, frame: int) -> None:
    values = torch.arange(1.0, 1 + 2 * time * 3).reshape(2, time, 3)
    rows = framed(values, frame)
    assert rows.shape == (2, -(-time // frame), 3 * frame)
    torch.testing.assert_close(rows.flatten(1)[:, : time * 3], values.flatten(1))
    assert not rows.flatten(1)[:, time * 3 :].any()


@given(horizon=st.integers(1, 13))
@settings(max_examples=10, deadline=None)
def test_pieces_of_time_cost_together_what_the_whole_costs(horizon: int) -> None:
    torch.manual_seed(0)
    inputs, targets = torch.randn(4, 12, 2), torch.randn(4, 12, 2)
    for head in (CommandHead(5, 2), ForecastHead(5, 2, steps=3)):
        network = Network([RecurrentCore(ControllerConfig(widths=(5,)), 2)], head)
        count = 3 if isinstance(head, ForecastHead) else 1
        weight = torch.ones(4, 12, 2)
        pieces = row_losses(network, inputs, targets, weight, horizon, ahead=count if count > 1 else 0)
        (whole,) = row_losses(network, inputs, targets, weight, ahead=count if count > 1 else 0)(torch.arange(4))
        losses = list(pieces(torch.arange(4)))
        starts = range(0, 12, horizon)
        terms = [  # how many targets each piece is held to
            sum(min(count, 11 - row) if count > 1 else 1 for row in range(start, min(start + horizon, 12)))
            for start in starts
        ]
        total = sum(float(loss.detach()) * n for loss, n in zip(losses, (n for n in terms if n), strict=False))
        assert total / sum(terms) == pytest.approx(float(whole.detach()), rel=1e-4)


def test_padding_and_missing_targets_are_never_learned_from_where_the_naive_way_fails() -> None:
    """A sum over each sequence's rows; behind its end stands a value that would undo it."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(3, 12, 120)
    inputs, targets = torch.zeros(120, 12, 1), torch.full((120, 12, 1), torch.nan)
    for number, length in enumerate(lengths):
        row = torch.from_numpy(rng.standard_normal((length, 1)).astype(np.float32))
        inputs[number, :length], targets[number, :length] = row, torch.cumsum(row, 0)

    def error(targets: torch.Tensor, weight: torch.Tensor, inputs: torch.Tensor) -> float:
        torch.manual_seed(0)
        network = Network([RecurrentCore(ControllerConfig(widths=(12,)), 1)], CommandHead(12, 1))
        fit(network, 120, row_losses(network, inputs, targets, weight), SequenceTraining(25, learning_rate=0.02))
        with torch.inference_mode():
            said, _ = network(inputs, network.initial_state(120))
        return float((said - targets_true)[known].square().mean())

    targets_true, known = targets, targets.isfinite()
    masked = error(targets, known.float(), inputs)
    spoiled = error(targets, known.float(), torch.where(known, inputs, 50.0))
    naive = error(targets.nan_to_num(), torch.ones_like(targets), inputs)
    assert masked == pytest.approx(spoiled, rel=1e-4)  # what stands in the padding does not matter
    assert masked < 0.5 * naive


def test_a_temperature_makes_held_back_sequences_as_sure_as_they_are_right() -> None:
    torch.manual_seed(0)
    logits = 1.5 * torch.randn(3000, 1, 3)
    labels = torch.distributions.Categorical(logits=logits[:, 0]).sample()
    sure, weight = 4 * logits, torch.ones(3000, 1, 1)
    before = calibration_error(class_probabilities(sure, weight), labels)
    temperature = fit_temperature(sure[:1500], weight[:1500], labels[:1500])
    after = calibration_error(class_probabilities(sure[1500:], weight[1500:], temperature), labels[1500:])
    assert temperature == pytest.approx(4, rel=0.15)
    assert after < 0.04 < 0.15 < before


@pytest.mark.parametrize("classes", [2, 3])
def test_a_few_sequences_that_were_all_recognised_leave_doubt(classes: int) -> None:
    labels = torch.arange(30) % classes
    logits = 3 * torch.nn.functional.one_hot(labels, classes).float()[:, None].expand(-1, 5, -1)
    weight = torch.ones(30, 5, 1)
    said = class_probabilities(logits, weight, fit_temperature(logits, weight, labels))
    torch.testing.assert_close(said.amax(dim=1), torch.full((30,), 31 / 32), rtol=1e-3, atol=0)  # (n + 1) / (n + 2)


def test_the_calibration_error_is_its_formula() -> None:
    said = torch.tensor([[0.95, 0.05], [0.95, 0.05], [0.35, 0.65], [0.6, 0.4]])
    labels = torch.tensor([0, 1, 1, 0])
    # bins 0.9-1: sure 0.95, right 0.5; 0.6-0.7: 0.65 and 0.6, both right
    assert calibration_error(said, labels) == pytest.approx(2 / 4 * 0.45 + 2 / 4 * (1 - 0.625))
    assert calibration_error(torch.eye(2), torch.tensor([0, 1])) == 0


@given(seed=st.integers(0, 99))
@settings(max_examples=10, deadline=None)
def test_rows_that_are_padding_do_not_change_a_probability(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits, weight = torch.randn(3, 6, 4, generator=generator), torch.ones(3, 6, 1)
    weight[1, 2:] = 0
    said = class_probabilities(logits, weight)
    torch.testing.assert_close(said[1], logits[1, :2].softmax(-1).mean(0))


def test_a_linear_movement_is_foretold_exactly_and_a_still_one_by_itself() -> None:
    times = np.arange(40)
    waves = [np.sin(0.3 * times[:, None] + phase) for phase in np.linspace(0, 6, 12)]
    whole = Examples(*side_by_side(waves))
    config = replace_steps(5)
    network = StoredNetwork(
        NetworkConfig(ControllerConfig(widths=(3,)), 1, "forecast", outputs=("x",), steps=5),
        Network([RecurrentCore(ControllerConfig(widths=(3,)), 1)], ForecastHead(3, 1, 5)),
        fit_scaling(whole.inputs),
        fit_scaling(whole.inputs),
    )
    wanted = ahead(whole.inputs, config.history, 5)
    for row in range(wanted.shape[1]):
        np.testing.assert_array_equal(wanted[:, row], whole.inputs[:, config.history + row : config.history + row + 5])
    given = linear_forecast(network, whole, whole, config)
    assert np.abs(given - wanted).max() < 0.02
    np.testing.assert_allclose(
        unchanged(network, whole, config)[:, 0, 4], whole.inputs[:, config.history - 1], rtol=1e-4, atol=1e-5
    )


def replace_steps(steps: int) -> Any:
    from motorctl.training.forecast import ForecastSequences

    return ForecastSequences(steps=steps, history=10)


def test_a_class_head_of_one_network_is_found() -> None:
    assert isinstance(class_head(stored("both").network), ClassHead)


def test_training_that_diverges_is_said() -> None:
    torch.manual_seed(0)
    network = make_network(
        NetworkConfig(ControllerConfig("rnn", (4,), nonlinearity="relu"), 1, "value", outputs=("x",))
    )
    inputs = 1e30 * torch.ones(4, 5, 1)
    with pytest.raises(ConfigurationError, match="diverged: its loss is"):
        fit(network, 4, row_losses(network, inputs, 0 * inputs), SequenceTraining(epochs=3))
