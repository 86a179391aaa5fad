"""Going on after a kill: all that training needs to end with the numbers it would have ended with.

One ``safetensors`` file holds weights, optimizer, random generators and what was best; numbers that are no tensors are
in its header. It is written beside itself and renamed, so that a process killed at any time leaves a whole one; and
nothing is unpickled.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from motorctl.errors import CheckpointError, ConfigurationError

FORMAT = "motorctl training 1"


class Resume(NamedTuple):
    """Where training stores where it is.

    Args:
        path: the file.
        identity: what is trained, on what, and how; what was stored under another one is not gone on with.
    """

    path: Path
    identity: str


class Epoch(NamedTuple):
    """What is known of an epoch.

    Args:
        number: from 1.
        loss: mean over what was learned from.
        validation: mean over what was not; NaN where nothing was held for that.
        gradient_norm: mean over the updates, before clipping.
        learning_rate: in this epoch.
    """

    number: int
    loss: float
    validation: float
    gradient_norm: float
    learning_rate: float


class State(NamedTuple):
    """Where training is.

    Args:
        epochs: those that are over.
        least: the least validation loss so far.
        best_epoch: when that was.
        best: the weights then; none where nothing is validated.
    """

    epochs: tuple[Epoch, ...] = ()
    least: float = math.inf
    best_epoch: int = 0
    best: Mapping[str, Tensor] = {}


def save_state(
    resume: Resume,
    state: State,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
) -> None:
    """Write all of it, the random generators as they are now."""
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in state.best.items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in moments.items()}
    tensors["random.cpu"] = torch.get_rng_state()
    if scaler.is_enabled():
        tensors["random.cuda"] = torch.cuda.get_rng_state()
    numbers = {
        "epochs": state.epochs,
        "best_epoch": state.best_epoch,
        "least": state.least,
        "scaler": scaler.state_dict(),
    }
    header = {"format": FORMAT, "identity": resume.identity, "state": json.dumps(numbers)}
    write_whole(resume.path, save({name: value.contiguous() for name, value in tensors.items()}, header))


def load_state(
    resume: Resume, network: nn.Module, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler
) -> State | None:
    """Bring network, optimizer and random generators to where training was; None where nothing was stored.

    Raises:
        CheckpointError: the file is damaged.
        ConfigurationError: it is of another training.
    """
    if not resume.path.is_file():
        return None
    try:
        with safe_open(resume.path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        if header.get("format") != FORMAT:
            raise ValueError(f"its format is {header.get('format')}")
        numbers = json.loads(header["state"])
    except (SafetensorError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(
            f"The training stored in {resume.path} is damaged ({reason}).", "Train again without --resume."
        ) from None
    if header["identity"] != resume.identity:
        raise ConfigurationError(
            f"The training stored in {resume.path} had other options or other data.",
            "Give those it was begun with, or train again without --resume.",
        )
    network.load_state_dict(_under("network.", tensors))
    described = optimizer.state_dict()
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in _under("optimizer.", tensors).items():
        index, kind = name.split(".")
        moments.setdefault(int(index), {})[kind] = value
    optimizer.load_state_dict({**described, "state": moments})
    torch.set_rng_state(tensors["random.cpu"])
    if scaler.is_enabled():
        scaler.load_state_dict(numbers["scaler"])
        torch.cuda.set_rng_state(tensors["random.cuda"])
    epochs = tuple(Epoch(*epoch) for epoch in numbers["epochs"])
    return State(epochs, numbers["least"], numbers["best_epoch"], _under("best.", tensors))


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that nobody ever sees a part of it."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(content)
    os.replace(partial, path)


def _under(prefix: str, tensors: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
