"""A recurrent controller learns movement classes: its outputs are the logits of the classes, row by row."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from motorctl.agents import RecurrentController
from motorctl.errors import check_positive
from motorctl.threads import one_thread
from motorctl.training.calibration import class_probabilities
from motorctl.training.imitation import Progress, check_weight_decay, finite
from motorctl.training.trials import Trials


@dataclass(frozen=True)
class ClassTraining:
    """Training by cross-entropy of every row of a trial, all trials in one batch, each from the initial state."""

    epochs: int = 30
    """Passes over the trials, one update each; with few trials more of them overfit."""
    learning_rate: float = 5e-3
    """Learning rate of AdamW."""
    weight_decay: float = 1e-2
    """AdamW's weight decay (Loshchilov & Hutter 2019)."""
    clip: float = 1.0
    """Largest norm of the gradient."""


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
    optimizer = torch.optim.AdamW(controller.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    losses = []
    controller.train()
    with one_thread():
        for epoch in range(1, config.epochs + 1):
            logits, _ = controller(trials.features, controller.initial_state(len(trials)), trials.lengths)
            loss = cross_entropy(logits, trials)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(controller.parameters(), config.clip)
            optimizer.step()
            losses.append(finite(float(loss.detach())))
            progress(epoch, losses[-1])
    controller.eval()
    return losses


def check_class_training(config: ClassTraining) -> None:
    """Say what no training could use.

    Raises:
        ConfigurationError: a number is out of its range.
    """
    for name in ("epochs", "learning_rate", "clip"):
        check_positive(name, getattr(config, name))
    check_weight_decay(config.weight_decay)


def cross_entropy(logits: Tensor, trials: Trials) -> Tensor:
    """Mean over the rows that count of ``logits (trial, time, class)`` against each trial's label."""
    labels = trials.labels[:, None].expand(logits.shape[:2])
    losses = nn.functional.cross_entropy(logits.transpose(1, 2), labels, reduction="none")  # (trial, time)
    mean: Tensor = (losses * trials.weight).sum() / trials.weight.sum()
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
