"""The one loop that trains every network: updates with AdamW, schedules, early stopping, and going on after a kill."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from motorctl.errors import ConfigurationError, check_positive
from motorctl.threads import one_thread
from motorctl.training.resume import Epoch, Resume, State, load_state, save_state

Progress = Callable[[int, float], None]
"""Called after every epoch with its number, from 1, and its loss."""


@dataclass(frozen=True)
class Optimization:
    """Training with AdamW (Loshchilov & Hutter 2019, ICLR), which without decay is Adam (Kingma & Ba 2015, ICLR)."""

    epochs: int = 40
    """Passes over the data."""
    learning_rate: float = 5e-3
    """Highest learning rate."""
    weight_decay: float = 1e-2
    """AdamW's weight decay, of matrices of weights alone."""
    clip: float = 1.0
    """Largest norm of the gradient; a longer one is shortened (Pascanu, Mikolov & Bengio 2013, ICML)."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """Whether the learning rate falls to zero along a cosine (Loshchilov & Hutter 2017, ICLR) or stays."""
    warm_up: int = 0
    """Epochs in which the learning rate first rises, on a line, to its highest."""


class Cost(NamedTuple):
    """What an update is made for.

    Args:
        error: summed over everything that counts.
        weight: how much counts; an epoch's loss is the sum of its errors by that of its weights.
        per: what the error is divided by for the gradient; the same for all updates, and all that counts counts alike.
    """

    error: Tensor
    weight: float = 1.0
    per: float = 1.0


class Validation(NamedTuple):
    """When to stop, and which weights to keep.

    Args:
        loss: of the network as it is, on what it does not learn from.
        patience: epochs without a new minimum after which training stops; 0: never.
    """

    loss: Callable[[], float]
    patience: int = 0


def optimize(
    network: nn.Module,
    costs: Callable[[int], Iterator[Cost]],
    config: Optimization,
    progress: Progress = lambda epoch, loss: None,
    *,
    validation: Validation | None = None,
    log: Callable[[Epoch], None] = lambda epoch: None,
    resume: Resume | None = None,
    mixed: bool = False,
) -> list[float]:
    """Train ``network`` in place; returns the loss of every epoch.

    Torch's random generator draws the dropout: seed it first. With ``validation`` the weights of the epoch with the
    least validation loss are kept, without those of the last epoch.

    Args:
        network: what ``costs`` asks.
        costs: the costs of an epoch, given its number from 1; an update follows on each before the next is asked for.
        config: how.
        progress, log: called after every epoch; when training is resumed, ``log`` with those that are over, too.
        validation: what tells which epoch was best.
        resume: where to go on from if something is there, and to store where training is after every epoch.
        mixed: scale the loss, as mixed precision needs (Micikevicius et al. 2018, ICLR); the network is on a GPU.

    Raises:
        ConfigurationError: a number is out of its range, training diverges, or what is to be resumed is of another one.
    """
    check_optimization(config)
    optimizer = make_optimizer(network, config)
    scaler = torch.amp.GradScaler("cuda", enabled=mixed)
    state = (resume and load_state(resume, network, optimizer, scaler)) or State()
    for epoch in state.epochs:
        log(epoch)
    with one_thread():
        while len(state.epochs) < config.epochs and not gave_up(state, validation):
            number = len(state.epochs) + 1
            rate = learning_rate(config, number)
            for group in optimizer.param_groups:
                group["lr"] = rate
            network.train()
            loss, norm = train_epoch(network, costs(number), optimizer, config.clip, scaler)
            network.eval()
            found = validation.loss() if validation else math.nan
            epoch = Epoch(number, finite(loss), found, norm, rate)
            state = after(state, epoch, network, keep=validation is not None)
            if resume:
                save_state(resume, state, network, optimizer, scaler)
            log(epoch)
            progress(number, epoch.loss)
    network.eval()
    if state.best:
        network.load_state_dict(state.best)
    return [epoch.loss for epoch in state.epochs]


def train_epoch(
    network: nn.Module,
    costs: Iterator[Cost],
    optimizer: torch.optim.Optimizer,
    clip: float,
    scaler: torch.amp.GradScaler,
) -> tuple[float, float]:
    """An update on each of ``costs``; returns the mean error and the mean norm of the gradient before clipping."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    error, weight, norms = 0.0, 0.0, []
    for cost in costs:
        optimizer.zero_grad()
        torch.autograd.backward(scaler.scale(cost.error / cost.per))
        scaler.unscale_(optimizer)
        norms.append(nn.utils.clip_grad_norm_(parameters, clip))
        scaler.step(optimizer)
        scaler.update()
        error, weight = error + float(cost.error.detach()), weight + cost.weight
    if not norms:
        raise ConfigurationError(
            "There is nothing to learn from: no row counts.", "Give data whose rows are not all missing or masked."
        )
    return error / weight, float(torch.stack(norms).mean())


def after(state: State, epoch: Epoch, network: nn.Module, keep: bool) -> State:
    """Where training is after an epoch, with a copy of the weights if they are the best so far."""
    state = state._replace(epochs=(*state.epochs, epoch))
    if not keep or not epoch.validation < state.least:
        return state
    best = {name: value.detach().clone() for name, value in network.state_dict().items()}
    return state._replace(least=epoch.validation, best_epoch=epoch.number, best=best)


def gave_up(state: State, validation: Validation | None) -> bool:
    """Whether the validation loss has had no new minimum for too long (Prechelt 1998, Neural Netw. 11:761-767)."""
    patience = validation.patience if validation else 0
    return patience > 0 and len(state.epochs) - state.best_epoch >= patience


def learning_rate(config: Optimization, epoch: int) -> float:
    """Of an epoch, from 1: a line up to the highest, then constant, or a cosine that would be 0 after the last."""
    done = epoch - 1
    if done < config.warm_up:
        return config.learning_rate * (done + 1) / (config.warm_up + 1)
    if config.schedule == "constant":
        return config.learning_rate
    share = (done - config.warm_up) / (config.epochs - config.warm_up)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * share))


def make_optimizer(network: nn.Module, config: Optimization) -> torch.optim.AdamW:
    """AdamW that decays matrices of weights, and neither biases, gains of norms nor a learned initial state.

    Decay keeps a map from amplifying its input; a bias or a gain amplifies nothing, and pulling it to zero costs fit
    without that gain (He et al. 2019, CVPR, "Bag of tricks", section 3.1).
    """
    named = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    decayed = [p for name, p in named if p.ndim > 1 and "initial" not in name.split(".")]
    kept = [p for name, p in named if p.ndim <= 1 or "initial" in name.split(".")]
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": kept, "weight_decay": 0.0}]
    return torch.optim.AdamW([group for group in groups if group["params"]], config.learning_rate)


def half_precision(mixed: bool) -> AbstractContextManager[object]:
    """What the forward pass runs in: half precision where it is safe, on a GPU; or as it is."""
    return torch.autocast("cuda", torch.float16) if mixed else nullcontext()


def check_optimization(config: Optimization) -> None:
    """Say what no training could use.

    Raises:
        ConfigurationError: a number in ``config`` is out of its range.
    """
    for name in ("epochs", "learning_rate", "clip"):
        check_positive(name, getattr(config, name))
    check_weight_decay(config.weight_decay)
    if not 0 <= config.warm_up < config.epochs:
        raise ConfigurationError(
            f"warm_up is {config.warm_up} of {config.epochs} epochs.", "Give 0 or more, fewer than there are epochs."
        )


def check_weight_decay(decay: float) -> None:
    """Say that an option must be a number, 0 or above.

    Raises:
        ConfigurationError: it is not.
    """
    if not 0 <= decay < float("inf"):
        raise ConfigurationError(f"weight_decay is {decay:g}.", "Give 0 or a number above 0.")


def finite(loss: float) -> float:
    """The loss.

    Raises:
        ConfigurationError: it is no number any more.
    """
    if not math.isfinite(loss):
        raise ConfigurationError(f"Training diverged: its loss is {loss:g}.", "Choose a smaller learning rate.")
    return loss
