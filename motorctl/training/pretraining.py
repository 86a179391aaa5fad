"""Self-supervised pretraining: recurrent layers learn from EEG without labels how it goes on and what belongs together.

Two pretexts at once, each a linear map from the units. Masked prediction: stretches of single features are hidden and
told from what is left and what was (Devlin et al. 2019, NAACL, for words; Kostas, Aroca-Ouellette & Rudzicz 2021,
Front. Hum. Neurosci. 15:653659, for EEG). Next-step prediction: what each feature will be a while later (Chung, Hsu,
Tang & Glass 2019, Interspeech, for speech). Then the maps are thrown away, and the layers are fine-tuned.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from motorctl.agents import RecurrentController, RecurrentCore, State, detach
from motorctl.errors import ConfigurationError, check_positive
from motorctl.signals.pipeline import Features
from motorctl.training.imitation import LaneTraining, Progress, check_lanes
from motorctl.training.optimization import Cost, optimize


@dataclass(frozen=True)
class PretrainingConfig(LaneTraining):
    """What is foretold, and how that is learned."""

    epochs: int = 60
    """Passes over the data; in each, other stretches are hidden."""
    hidden: float = 0.3
    """Share of each feature's rows that is hidden, 0 to below 1; with 0 there is next-step prediction alone."""
    span: float = 0.5
    """How long a feature is hidden at a time (s)."""
    ahead: float = 0.5
    """How far ahead features are foretold (s); nearer than the power window is long, most of it has been seen."""


class Foreteller(nn.Module):
    """Recurrent layers with the two maps that pretraining needs.

    Args:
        core: what is pretrained.
    """

    def __init__(self, core: RecurrentCore) -> None:
        super().__init__()
        self.core = core
        self.hidden = nn.Linear(core.width, core.features)
        self.ahead = nn.Linear(core.width, core.features)

    def forward(self, features: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """The features as they are and as they will be, ``(lane, time, feature)`` each, and the state to go on with."""
        units, state = RecurrentCore.forward(self.core, features, state)
        return self.hidden(units), self.ahead(units), state


class Foretold(NamedTuple):
    """Mean squared errors, in units of each feature's variance in training.

    Args:
        hidden: of what was hidden; 1 for who says the mean.
        ahead: of what came later; 1 for who says the mean.
        held: of what came later, for who says that features stay as they are.
    """

    hidden: float
    ahead: float
    held: float


def pretrain(
    core: RecurrentCore,
    features: list[Features],
    config: PretrainingConfig,
    rate: float,
    seed: int,
    progress: Progress = lambda epoch, loss: None,
) -> tuple[Foreteller, list[float]]:
    """Train ``core`` in place on scaled rows at ``rate`` (Hz); returns it with its maps, and the loss of every epoch.

    Args:
        core: the recurrent layers; a :class:`RecurrentController` keeps its read-out as it is.
        features: uninterrupted stretches; masked values count neither as seen nor as foretold.
        config: how.
        rate: of the rows (Hz).
        seed: of what is hidden, and of dropout and maps.
        progress: told after every epoch.

    Raises:
        ConfigurationError: a number in ``config`` is out of its range, or training diverges.
    """
    check_pretraining(config)
    torch.manual_seed(seed)
    network, rng = Foreteller(core), np.random.default_rng(seed)
    values, known = stack(features, max(1, round(config.lane * rate)))
    horizon = max(1, round(config.horizon * rate))

    def costs(epoch: int) -> Iterator[Cost]:
        task, state = pose(values, known, config, rate, rng), core.initial_state(len(values))
        for start in range(0, values.shape[1], horizon):
            part = task.rows(slice(start, start + horizon))
            (hidden, ahead), state = squared_errors(network, part, state)
            yield Cost(hidden / part.hidden.sum().clamp_min(1) + ahead / part.told.sum().clamp_min(1))
            state = detach(state)

    return network, optimize(network, costs, config, progress)


def check_pretraining(config: PretrainingConfig) -> None:
    """Say what no pretraining could use.

    Raises:
        ConfigurationError: a number in ``config`` is out of its range.
    """
    check_lanes(config)
    for name in ("span", "ahead"):
        check_positive(name, getattr(config, name))
    if not 0 <= config.hidden < 1:
        raise ConfigurationError(f"hidden is {config.hidden:g}.", "Choose a share from 0 to below 1.")


class Task(NamedTuple):
    """What is shown and what is to be told, ``(lane, time, feature)`` each; features in training's standard deviations.

    Args:
        shown: features, 0 where they are hidden or unknown.
        values, later: as they are, and as they will be.
        hidden, told: where a loss counts what is said of the one and of the other: 1, else 0.
    """

    shown: Tensor
    values: Tensor
    later: Tensor
    hidden: Tensor
    told: Tensor

    def rows(self, rows: slice) -> Task:
        """A stretch of time."""
        return Task(*(part[:, rows] for part in self))


def stack(features: list[Features], length: int) -> tuple[Tensor, Tensor]:
    """Stretches cut into lanes of at most ``length`` rows, side by side: values, and where they are measured (bool)."""
    pieces = [rows.select(slice(k, k + length)) for rows in features for k in range(0, len(rows.values), length)]
    side_by_side = torch.nn.utils.rnn.pad_sequence
    values = side_by_side([torch.from_numpy(piece.values) for piece in pieces], batch_first=True)
    known = side_by_side([torch.from_numpy(np.array(piece.mask)) for piece in pieces], batch_first=True)
    return values, known


def pose(values: Tensor, known: Tensor, config: PretrainingConfig, rate: float, rng: np.random.Generator) -> Task:
    """Hide some features, and put beside each row the one that comes ``ahead`` seconds later."""
    span, ahead = max(1, round(config.span * rate)), max(1, round(config.ahead * rate))
    starts = torch.from_numpy(rng.random(values.shape) < 1 - (1 - config.hidden) ** (1 / span))
    since = torch.nn.functional.pad(starts.cumsum(dim=1), (0, 0, span, 0))
    hidden = since[:, span:] > since[:, :-span]  # a span began within the last so many rows
    later, told = (
        torch.nn.functional.pad(part[:, ahead:], (0, 0, 0, min(ahead, part.shape[1]))) for part in (values, known)
    )
    return Task(values.masked_fill(hidden | ~known, 0.0), values, later, (hidden & known).float(), told.float())


def squared_errors(network: Foreteller, task: Task, state: State) -> tuple[tuple[Tensor, Tensor], State]:
    """Summed over what was hidden and over what came later, and the state to go on with."""
    now, then, state = network(task.shown, state)
    errors = (now - task.values).square() * task.hidden, (then - task.later).square() * task.told
    return (errors[0].sum(), errors[1].sum()), state


@torch.inference_mode()
def foretell(
    network: Foreteller, features: list[Features], config: PretrainingConfig, rate: float, seed: int
) -> Foretold:
    """How well ``network`` tells of scaled ``features`` what is hidden of them and what comes later."""
    values, known = stack(features, max(map(len, (rows.values for rows in features))))
    task = pose(values, known, config, rate, np.random.default_rng(seed))
    network.eval()
    (hidden, ahead), _ = squared_errors(network, task, network.core.initial_state(len(values)))
    held = ((values - task.later).square() * task.told).sum()
    rows = float(task.hidden.sum()), float(task.told.sum()), float(task.told.sum())
    return Foretold(*(float(error) / max(1.0, count) for error, count in zip((hidden, ahead, held), rows, strict=True)))


def start_from(controller: RecurrentController, pretrained: RecurrentController) -> None:
    """Give ``controller`` the recurrent layers of ``pretrained``; its read-out stays as it is.

    Raises:
        ConfigurationError: their layers differ.
    """
    if (controller.config, controller.features) != (pretrained.config, pretrained.features):
        raise ConfigurationError(
            f"The pretrained network has layers {pretrained.config.widths} of {pretrained.config.cell} on "
            f"{pretrained.features} features, the controller {controller.config.widths} of {controller.config.cell} on "
            f"{controller.features}.",
            "Give both the same --controller and --pipeline options.",
        )
    own = {name: value for name, value in pretrained.state_dict().items() if not name.startswith(("readout.", "scale"))}
    controller.load_state_dict(own, strict=False)
