"""What the commands on sets of sequences share: their options, and the form that a network learns from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from motorctl.agents import ControllerConfig
from motorctl.errors import ConfigurationError, check_seed
from motorctl.runs import check_json_path
from motorctl.training.fitting import SequenceTraining, check_training


@dataclass(frozen=True)
class OnSequences:
    """Options of every command on a set of sequences."""

    data: Path | None = None
    """The sequences: an .npy, or an .npz that calls them sequences, (sequence, time) or (sequence, time, channel); NaN
    is a missing value. By default data of this form are made from the seed, and written into the run folder."""
    out: Path | None = None
    """Run folder to write; by default a new one under runs/."""
    json: Path | None = None
    """File for the results as JSON."""
    seed: int = 0
    """Seed of everything random."""
    hold_back: float = 0.2
    """Share of the sequences that is tested on (0 to 1)."""
    controller: ControllerConfig = field(default_factory=lambda: ControllerConfig("lstm", (50,)))
    """The recurrent network."""
    training: SequenceTraining = field(default_factory=SequenceTraining)
    """How it is trained."""


def check_options(config: OnSequences) -> None:
    """Say what no training could use.

    Raises:
        ConfigurationError: an option is out of its range.
    """
    check_json_path(config.json)
    check_training(config.training)
    check_seed(config.seed)
    if not 0 < config.hold_back < 1:
        raise ConfigurationError(f"hold-back is {config.hold_back:g}.", "Choose a share above 0 and below 1.")
    if config.controller.bidirectional:
        raise ConfigurationError("A network that reads both ways is not causal.", "Leave out bidirectional.")
