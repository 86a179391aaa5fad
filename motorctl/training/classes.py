"""A recurrent controller learns movement classes: its outputs are the logits of the classes, row by row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from motorctl.agents import RecurrentController
from motorctl.errors import ConfigurationError
from motorctl.threads import one_thread
from motorctl.training.calibration import class_probabilities
from motorctl.training.optimization import Cost, Optimization, Progress, check_optimization, optimize
from motorctl.training.trials import Trials


@dataclass(frozen=True)
class ClassTraining(Optimization):
    """Training by cross-entropy of every row of a trial, all trials in one batch, each from the initial state."""

    epochs: int = 30
    """Passes over the trials, one update each; with few trials more of them overfit."""
    schedule: Literal["cosine", "constant"] = "constant"
    """Whether the learning rate falls to zero along a cosine or stays."""
    balance: bool = False
    """Let every class weigh the same, however many of the rows are of it (King & Zeng 2001, Polit. Anal. 9:137-163)."""
    label_smoothing: float = 0.0
    """Share of the label that is spread over all classes (Szegedy et al. 2016, CVPR, section 7)."""


def train_classes(
    controller: RecurrentController,
    trials: Trials,
    config: ClassTraining,
    progress: Progress = lambda epoch, loss: None,
) -> list[float]:
    """Train ``controller`` in place; returns the cross-entropy (nats a row) of every epoch.

    Torch's random generator draws the dropout: seed it first.

    Raises:
        ConfigurationError: a number in ``config`` is out of its range, or training diverges.
    """
    check_class_training(config)
    weights = class_weights(trials, controller.commands) if config.balance else None

    def costs(epoch: int) -> Iterator[Cost]:
        logits, _ = controller(trials.features, controller.initial_state(len(trials)), trials.lengths)
        yield Cost(cross_entropy(logits, trials, weights, config.label_smoothing))

    return optimize(controller, costs, config, progress)


def check_class_training(config: ClassTraining) -> None:
    """Say what no training could use.

    Raises:
        ConfigurationError: a number is out of its range.
    """
    check_optimization(config)
    if not 0 <= config.label_smoothing < 1:
        raise ConfigurationError(
            f"label_smoothing is {config.label_smoothing:g}.", "Give a share from 0 to below 1, such as 0.1."
        )


def class_weights(trials: Trials, classes: int) -> Tensor:
    """``(class,)``: rows over classes times rows of the class, so that all classes weigh the same together; 0 for one
    without rows."""
    rows = torch.zeros(classes).index_add(0, trials.labels, trials.weight.sum(dim=1))
    return torch.where(rows > 0, rows.sum() / (classes * rows.clamp(min=1)), 0)


def cross_entropy(logits: Tensor, trials: Trials, weights: Tensor | None = None, smoothing: float = 0.0) -> Tensor:
    """Mean over the rows that count of ``logits (trial, time, class)`` against each trial's label, smoothed; a row
    counts by the ``weights (class,)`` of its label, all alike if not given."""
    labels = trials.labels[:, None].expand(logits.shape[:2])
    losses = nn.functional.cross_entropy(
        logits.transpose(1, 2), labels, reduction="none", label_smoothing=smoothing
    )  # (trial, time)
    counts = trials.weight if weights is None else trials.weight * weights[labels]
    mean: Tensor = (losses * counts).sum() / counts.sum()
    return mean


@torch.inference_mode()
def class_logits(controller: RecurrentController, trials: Trials) -> Tensor:
    """``(trial, time, class)``."""
    controller.eval()
    with one_thread():
        logits: Tensor = controller(trials.features, controller.initial_state(len(trials)), trials.lengths)[0]
    return logits


def trial_probabilities(controller: RecurrentController, trials: Trials) -> Tensor:
    """``(trial, class)``: the probabilities of every row, averaged over the rows of the trial that count."""
    return class_probabilities(class_logits(controller, trials), trials.weight[..., None])
