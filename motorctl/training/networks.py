"""Networks of sequences: a recurrent core with a head, what its numbers mean, and how it is stored.

``network.safetensors`` holds the numbers, ``network.json`` all else; nothing is unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from motorctl.agents import (
    ClassHead,
    CommandHead,
    ControllerConfig,
    DecoderHead,
    ForecastHead,
    MultiTaskHead,
    Network,
    RecurrentCore,
    last_row,
)
from motorctl.errors import CheckpointError, RecordingError
from motorctl.runs import plain
from motorctl.threads import one_thread
from motorctl.training.calibration import class_probabilities
from motorctl.training.examples import Examples
from motorctl.training.scaling import Scaling

FORMAT = "motorctl network 1"
CHUNK = 256
"""Sequences that are asked at once, so that memory stays small."""


@dataclass(frozen=True)
class NetworkConfig:
    """A network of sequences.

    Args:
        core: the recurrent layers.
        channels: how many numbers a row of the data has.
        frame: rows that stand side by side as one row of the network: a strided front end, whose filters are the input
            weights of the first layer. A last frame that is not full is filled up with zeros, the mean.
        head: what is said: ``class``, ``value``, ``both``, ``forecast`` (a number of rows at once, from every row) or
            ``decoder`` (as many, one after the other, from the whole sequence).
        classes: names of the classes; where there are none, empty.
        outputs: names of the values, of a forecast those of the channels.
        steps: rows of a forecast.
        attention: of a decoder: ``none``, ``dot`` or ``additive``.
        asked: which rows of a sequence count: its ``last`` one, or ``every`` row, whose probabilities are averaged.
    """

    core: ControllerConfig
    channels: int
    head: Literal["class", "value", "both", "forecast", "decoder"]
    classes: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    steps: int = 1
    attention: Literal["none", "dot", "additive"] = "none"
    frame: int = 1
    asked: Literal["last", "every"] = "last"


def make_network(config: NetworkConfig) -> Network:
    """The network, untrained; torch's random generator draws its weights: seed it first."""
    core = RecurrentCore(config.core, config.channels * config.frame)
    heads: dict[str, Any] = {
        "class": lambda: ClassHead(core.width, len(config.classes)),
        "value": lambda: CommandHead(core.width, len(config.outputs)),
        "both": lambda: MultiTaskHead({name: heads[name]() for name in ("class", "value")}),
        "forecast": lambda: ForecastHead(core.width, len(config.outputs), config.steps),
        "decoder": lambda: DecoderHead(core.width, len(config.outputs), config.steps, config.attention),
    }
    head: nn.Module = heads[config.head]()
    return Network([core], head)


def framed(values: Tensor, frame: int) -> Tensor:
    """``(sequence, time, channel)`` as ``(sequence, frames, frame * channel)``."""
    if frame == 1:
        return values
    values = nn.functional.pad(values, (0, 0, 0, -values.shape[1] % frame))
    return values.reshape(len(values), -1, frame * values.shape[2])


def framed_weight(weight: Tensor, frame: int) -> Tensor:
    """Weight ``(sequence, time, 1)`` of rows as that of frames: a frame counts if any of its rows does."""
    return framed(weight, frame).amax(dim=2, keepdim=True)


@torch.inference_mode()
def ask(network: Network, inputs: Tensor) -> Any:
    """What the head says of ``inputs (sequence, time, channel)``: a tensor, or tensors by task."""
    network.eval()
    with one_thread():
        parts = [network(part, network.initial_state(len(part)))[0] for part in torch.split(inputs, CHUNK)]
    if isinstance(parts[0], Mapping):
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    return torch.cat(parts)


@dataclass(frozen=True, eq=False)
class StoredNetwork:
    """A trained network with everything needed to ask it.

    Args:
        config: what it is.
        network: in evaluation mode.
        inputs: scaling of what it reads.
        outputs: scaling of the values that it gives; None where it gives classes alone.
        history: how it was trained: configuration, losses, scores.
    """

    config: NetworkConfig
    network: Network
    inputs: Scaling
    outputs: Scaling | None = None
    history: Mapping[str, Any] = field(default_factory=dict)

    def predict(self, examples: Examples) -> dict[str, NDArray[np.float32]]:
        """What the network says of sequences in their own units; NaN in them is a missing value.

        Returns:
            by name, what the head gives: ``probabilities (sequence, class)``; ``values (sequence, output)``, or
            ``(sequence, frames, output)`` where every row is asked; ``forecast (sequence, time, step, channel)``, or
            ``(sequence, step, channel)`` from a decoder.

        Raises:
            RecordingError: the sequences have another number of channels.
        """
        if examples.inputs.shape[2] != self.config.channels:
            raise RecordingError(
                f"The sequences have {examples.inputs.shape[2]} channels, the network reads {self.config.channels}.",
                "Give sequences like those it was trained on.",
            )
        said = ask(self.network, framed(self.inputs.apply(examples.inputs).values, self.config.frame))
        parts = said if isinstance(said, dict) else {self.config.head: said}
        weight = asked_weight(examples, self.config)
        predicted: dict[str, NDArray[np.float32]] = {}
        for head, part in parts.items():
            if head == "class":
                predicted["probabilities"] = class_probabilities(part, weight, self.temperature).numpy()
                continue
            if head == "value" and self.config.asked == "last":
                part = last_row(part, weight)
            name = "values" if head == "value" else "forecast"
            predicted[name] = self.outputs.invert(part.numpy()) if self.outputs else part.numpy()
        return predicted

    @property
    def temperature(self) -> float:
        """That divides the logits of the classes."""
        return float(class_head(self.network).temperature)


def class_head(network: Network) -> ClassHead:
    """The head of a network that says what class it is, or of several things that too."""
    head = network.head.heads["class"] if isinstance(network.head, MultiTaskHead) else network.head
    assert isinstance(head, ClassHead)
    return head


def asked_weight(examples: Examples, config: NetworkConfig) -> Tensor:
    """``(sequence, frames, 1)``: 1 for the rows of a sequence that are asked, 0 for others and for padding."""
    return framed_weight(examples.last if config.asked == "last" else examples.there, config.frame)


def save_network(stored: StoredNetwork, folder: Path) -> None:
    """Write both files into ``folder``, which exists."""
    tensors = {f"network.{name}": value.contiguous() for name, value in stored.network.state_dict().items()}
    for part, scaling in (("inputs", stored.inputs), ("outputs", stored.outputs)):
        if scaling:
            tensors |= {f"{part}.{name}": value for name, value in scaling.tensors().items()}
    description = {
        "format": FORMAT,
        "network": asdict(stored.config),
        "history": plain(dict(stored.history)),
        "versions": {name: version(name) for name in ("motorctl", "torch", "numpy")},
    }
    # Bytes are written by Python, not by safetensors, so that a full disk is an OSError like any other.
    (folder / "network.safetensors").write_bytes(save(tensors))
    (folder / "network.json").write_text(json.dumps(description, indent=2, ensure_ascii=False), encoding="utf-8")


def load_network(folder: Path) -> StoredNetwork:
    """Read what :func:`save_network` wrote.

    Raises:
        CheckpointError: a file is missing or damaged, or of another format.
    """
    for name in ("network.json", "network.safetensors"):
        if not (folder / name).is_file():
            raise CheckpointError(
                f"There is no {name} in {folder}.",
                "Name the run folder of a network of sequences, as of 'train forecast'.",
            )
    try:
        data = json.loads((folder / "network.json").read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise CheckpointError(f"{folder} holds '{data['format']}', expected '{FORMAT}'.", "Train it again.")
        return _assemble(data, load_file(folder / "network.safetensors"))
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"The network in {folder} is damaged ({reason}).", "Train or copy it again.") from None


def _assemble(data: dict[str, Any], tensors: dict[str, Tensor]) -> StoredNetwork:
    described = dict(data["network"])
    core = described.pop("core")
    described |= {name: tuple(described[name]) for name in ("classes", "outputs")}
    config = NetworkConfig(ControllerConfig(**core | {"widths": tuple(core["widths"])}), **described)
    network = make_network(config)
    parts: dict[str, dict[str, Tensor]] = {"network": {}, "inputs": {}, "outputs": {}}
    for name, value in tensors.items():
        part, _, rest = name.partition(".")
        parts[part][rest] = value
    network.load_state_dict(parts["network"])
    scalings = [
        Scaling(**{name: value.numpy() for name, value in parts[part].items()}) if parts[part] else None
        for part in ("inputs", "outputs")
    ]
    if scalings[0] is None:
        raise ValueError("no scaling of the inputs")
    return StoredNetwork(config, network.eval(), scalings[0], scalings[1], data["history"])
