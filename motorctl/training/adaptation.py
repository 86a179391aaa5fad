"""Fine-tuning: a stored controller is fitted to a new session, or a new person, on a few minutes of it."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

import torch

from motorctl.agents import RecurrentController
from motorctl.errors import ConfigurationError, check_positive, check_seed
from motorctl.runs import plain
from motorctl.signals.pipeline import Pipeline
from motorctl.training.checkpoint import Checkpoint
from motorctl.training.imitation import ImitationConfig, Progress, train
from motorctl.training.sequence import Sequence

Layers = Literal["none", "readout", "all"]


@dataclass(frozen=True)
class AdaptationConfig:
    """How a stored controller is fitted to a new session."""

    layers: Layers = "all"
    """What is trained: everything; the linear read-out alone; or nothing, which fits the scaling and needs no labels.
    A cap that sits elsewhere mixes the sources anew, which is undone where features come in, not at the read-out."""
    training: ImitationConfig = field(
        default_factory=lambda: ImitationConfig(epochs=20, learning_rate=1e-3, weight_decay=0.0)
    )
    """How: with a fifth of the learning rate, so that a few minutes do not undo what hours have taught; without weight
    decay, which pulls towards zero and not towards what was learned (Li, Grandvalet & Davoine 2018, ICML)."""


def fine_tune(
    checkpoint: Checkpoint,
    sequences: list[Sequence],
    minutes: float | None,
    config: AdaptationConfig,
    seed: int,
    progress: Progress = lambda epoch, loss: None,
) -> Checkpoint:
    """The controller fitted to a new session; the one in ``checkpoint`` stays as it is.

    Args:
        checkpoint: a controller that was trained, or whose recurrent layers were (:mod:`.pretraining`).
        sequences: of the new session, as :func:`unfitted` of the checkpoint's pipeline gives them.
        minutes: how much of them is used, from the beginning (min); None: all.
        config: what is trained, and how.
        seed: of the dropout.
        progress: told after every epoch.

    Raises:
        ConfigurationError: a number is out of its range, or there is less than ``minutes``.
    """
    check_seed(seed)
    rate = checkpoint.pipeline.config.rate
    learned = sequences if minutes is None else first_minutes(sequences, minutes, rate)
    pipeline = checkpoint.pipeline.fit([s.features for s in learned])
    controller, losses = deepcopy(checkpoint.controller), []
    torch.manual_seed(seed)
    if config.layers != "none":
        for part in trained(controller, config.layers):
            part.requires_grad_(True)
        scaled = [s.with_features(pipeline.scale(s.features)) for s in learned]
        losses = train(controller, scaled, config.training, rate, progress)
        controller.requires_grad_(True)
    seconds = sum(map(len, learned)) / rate
    adapted = {"config": plain(asdict(config)), "seconds": seconds, "loss": losses, "seed": seed}
    history = {**checkpoint.history, "adaptation": [*checkpoint.history.get("adaptation", []), adapted]}
    return replace(checkpoint, controller=controller, pipeline=pipeline, history=history)


def trained(controller: RecurrentController, layers: Layers) -> list[torch.nn.Module]:
    """The parts that are to be trained; the others get no gradient from here on."""
    controller.requires_grad_(False)
    return [controller.readout] if layers == "readout" else [controller]


def adapt_to_session(checkpoint: Checkpoint, sequences: list[Sequence], minutes: float, seed: int) -> Checkpoint:
    """:func:`fine_tune` as it is by default."""
    return fine_tune(checkpoint, sequences, minutes, AdaptationConfig(), seed)


def unfitted(pipeline: Pipeline) -> Pipeline:
    """The pipeline without its scaling, which is fitted to the new session."""
    return replace(pipeline, mean=None, std=None)


def first_minutes(sequences: list[Sequence], minutes: float, rate: float) -> list[Sequence]:
    """The first ``minutes`` of all ``sequences`` together, whose rows come at ``rate`` (Hz).

    Raises:
        ConfigurationError: that is no time, or more than there is.
    """
    check_positive("minutes", minutes)
    left, kept = round(60 * minutes * rate), []
    if left > sum(map(len, sequences)):
        found = sum(map(len, sequences)) / rate / 60
        raise ConfigurationError(
            f"{minutes:g} minutes are to be learned from, but the recordings hold {found:.2f}.",
            "Choose fewer --minutes, or record for longer.",
        )
    for sequence in sequences:
        if part := min(left, len(sequence)):
            kept.append(sequence[:part])
        left -= part
    return kept
