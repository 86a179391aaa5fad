"""The loop of all training: learning rates, what is decayed, and going on to the same numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from motorctl.agents import ControllerConfig, RecurrentController
from motorctl.errors import CheckpointError, ConfigurationError
from motorctl.training.optimization import Cost, Optimization, Validation, learning_rate, make_optimizer, optimize
from motorctl.training.resume import Epoch, Resume


def test_the_cosine_is_torchs() -> None:
    config = Optimization(epochs=17, learning_rate=0.3)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], config.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.epochs)
    for epoch in range(1, config.epochs + 1):
        assert learning_rate(config, epoch) == pytest.approx(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()


def test_warming_up_rises_on_a_line_to_the_highest_rate() -> None:
    config = Optimization(epochs=8, learning_rate=1.0, schedule="constant", warm_up=3)
    assert [learning_rate(config, epoch) for epoch in range(1, 9)] == [0.25, 0.5, 0.75, 1, 1, 1, 1, 1]
    falls = [learning_rate(Optimization(epochs=8, learning_rate=1.0, warm_up=3), epoch) for epoch in range(1, 9)]
    assert falls[3] == 1 and falls[3:] == sorted(falls[3:], reverse=True)


def test_matrices_of_weights_alone_are_decayed() -> None:
    network = RecurrentController(ControllerConfig("lstm", (4, 3), layer_norm=True, learned_state=True), 2, 1)
    decayed, kept = make_optimizer(network, Optimization(weight_decay=0.1)).param_groups
    assert (decayed["weight_decay"], kept["weight_decay"]) == (0.1, 0)
    names = {id(p): name for name, p in network.named_parameters()}
    assert {names[id(p)] for p in decayed["params"]} == {
        *(f"layers.{layer}.weight_{kind}_l0" for layer in (0, 1) for kind in ("ih", "hh")),
        "readout.weight",
    }
    assert len(decayed["params"]) + len(kept["params"]) == len(names)


def test_what_gets_no_gradient_is_left_alone() -> None:
    network = RecurrentController(ControllerConfig(widths=(4,)), 2, 1)
    network.layers.requires_grad_(False)
    trained = [p for group in make_optimizer(network, Optimization()).param_groups for p in group["params"]]
    assert {id(p) for p in trained} == {id(p) for p in network.readout.parameters()}


class Regression:
    """A network with dropout that learns noise, in batches that torch's generator deals."""

    def __init__(self, epochs: int = 6) -> None:
        torch.manual_seed(3)
        self.inputs, self.targets = torch.randn(12, 4), torch.randn(12, 1)
        self.network = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 1))
        self.config = Optimization(epochs=epochs, learning_rate=0.05, warm_up=2)

    def costs(self, epoch: int) -> Iterator[Cost]:
        for batch in torch.randperm(12).split(5):
            yield Cost((self.network(self.inputs[batch]) - self.targets[batch]).square().sum(), len(batch), 5)

    def validation(self) -> float:
        with torch.no_grad():
            return float((self.network(self.inputs) + self.targets).square().mean())  # worse the more is learned

    def train(self, resume: Resume | None, stop_after: int = 99) -> tuple[list[Epoch], dict[str, torch.Tensor]]:
        curves: list[Epoch] = []

        def progress(epoch: int, loss: float) -> None:
            if epoch == stop_after:
                raise KeyboardInterrupt

        optimize(
            self.network,
            self.costs,
            self.config,
            progress,
            validation=Validation(self.validation),
            log=curves.append,
            resume=resume,
        )
        return curves, self.network.state_dict()


@pytest.mark.parametrize("stop_after", [1, 4, 6])
def test_interrupted_training_goes_on_to_the_same_numbers(stop_after: int, tmp_path: Path) -> None:
    curves, weights = Regression().train(None)
    resume = Resume(tmp_path / "state", "same")
    with pytest.raises(KeyboardInterrupt):
        Regression().train(resume, stop_after)
    torch.randn(5)  # the generator is elsewhere by now
    again, same = Regression().train(resume)
    assert again == curves
    assert all(torch.equal(weights[name], same[name]) for name in weights)
    assert list(tmp_path.iterdir()) == [resume.path]


def test_another_training_is_not_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "state"
    Regression(3).train(Resume(path, "one"))
    with pytest.raises(ConfigurationError, match="other options or other data"):
        Regression(3).train(Resume(path, "another"))


@pytest.mark.parametrize("keep", [0, 40, -1])
def test_a_damaged_state_is_said(keep: int, tmp_path: Path) -> None:
    resume = Resume(tmp_path / "state", "one")
    Regression(3).train(resume)
    resume.path.write_bytes(resume.path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="damaged.*without --resume"):
        Regression(3).train(resume)


def test_divergence_is_said() -> None:
    regression = Regression()
    with pytest.raises(ConfigurationError, match="Training diverged"):
        optimize(regression.network, lambda e: iter([Cost(regression.network[0].weight.sum() / 0)]), regression.config)
