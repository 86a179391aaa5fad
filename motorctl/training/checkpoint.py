"""Stored controllers: ``controller.safetensors`` holds the numbers, ``controller.json`` all else that running needs.

Nothing is unpickled, so a checkpoint from a stranger cannot run code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from motorctl.agents import ControllerConfig, RecurrentController
from motorctl.errors import CheckpointError
from motorctl.signals.pipeline import Pipeline
from motorctl.training.csp import SpatialPatterns

FORMAT = "motorctl controller 1"


@dataclass(frozen=True)
class Checkpoint:
    """A controller with everything needed to run it live.

    Args:
        controller: the network, in evaluation mode.
        pipeline: fitted; knows the stream, its channels, units and rate.
        command: what the controller's output means; ``velocity`` is a hand velocity (m/s).
        environment: the id of the environment it was trained for.
        cues: annotation to direction, where it was trained on cues.
        history: how it was trained: configuration, data, losses, scores.
        patterns: what comes between pipeline and controller, where it learned from common spatial patterns.
        steer: how people steer it, one of :data:`motorctl.training.steering.WAYS`; empty where nobody said.
    """

    controller: RecurrentController
    pipeline: Pipeline
    command: str
    environment: str
    cues: Mapping[str, str] = field(default_factory=dict)
    history: Mapping[str, Any] = field(default_factory=dict)
    patterns: SpatialPatterns | None = None
    steer: str = ""


def save_checkpoint(checkpoint: Checkpoint, folder: Path) -> None:
    """Write both files into ``folder``, which exists."""
    controller, pipeline = checkpoint.controller, checkpoint.pipeline
    tensors = {f"controller.{name}": value.contiguous() for name, value in controller.state_dict().items()}
    tensors |= {f"pipeline.{name}": torch.as_tensor(value) for name, value in pipeline.arrays().items()}
    if checkpoint.patterns:
        tensors |= {
            f"patterns.{name}": torch.tensor(value).contiguous() for name, value in vars(checkpoint.patterns).items()
        }
    description = {
        "format": FORMAT,
        "controller": asdict(controller.config) | {"features": controller.features, "commands": controller.commands},
        "pipeline": pipeline.to_dict(),
        "command": checkpoint.command,
        "environment": checkpoint.environment,
        "cues": dict(checkpoint.cues),
        "history": dict(checkpoint.history),
        "steer": checkpoint.steer,
        "versions": {name: version(name) for name in ("motorctl", "torch", "mujoco", "numpy", "scipy")},
    }
    # Bytes are written by Python, not by safetensors, so that a full disk is an OSError like any other.
    (folder / "controller.safetensors").write_bytes(save(tensors))
    (folder / "controller.json").write_text(json.dumps(description, indent=2, ensure_ascii=False), encoding="utf-8")


def load_checkpoint(folder: Path) -> Checkpoint:
    """Read what :func:`save_checkpoint` wrote.

    Raises:
        CheckpointError: a file is missing or damaged, or of another format.
    """
    cure = "Name the run folder that 'motorctl train' or 'motorctl demo' wrote."
    if (folder / "network.json").is_file():
        raise CheckpointError(f"{folder} holds a network of sequences, which no stream feeds.", cure)
    for name in ("controller.json", "controller.safetensors"):
        if not (folder / name).is_file():
            raise CheckpointError(f"There is no {name} in {folder}.", cure)
    try:
        data = json.loads((folder / "controller.json").read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise CheckpointError(f"{folder} holds '{data['format']}', expected '{FORMAT}'.", "Train it again.")
        tensors = load_file(folder / "controller.safetensors")
        return _assemble(data, tensors)
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"The controller in {folder} is damaged ({reason}).", "Train or copy it again.") from None


def _assemble(data: dict[str, Any], tensors: dict[str, torch.Tensor]) -> Checkpoint:
    learned = [name for name in tensors if not name.startswith("controller.")]
    arrays = {name: tensors.pop(name).numpy() for name in learned}
    pipeline = Pipeline.from_dict(data["pipeline"], _under("pipeline", arrays))
    fitted = {name: array if array.ndim else array.item() for name, array in _under("patterns", arrays).items()}
    patterns = SpatialPatterns(**fitted) if fitted else None
    network = dict(data["controller"])
    features, commands = network.pop("features"), network.pop("commands")
    controller = RecurrentController(
        ControllerConfig(**network | {"widths": tuple(network["widths"])}), features, commands
    )
    controller.load_state_dict({name.removeprefix("controller."): value for name, value in tensors.items()})
    controller.eval()
    given = patterns.filters.shape[1] if patterns else len(pipeline.names)
    if features != given:
        raise ValueError(f"the network takes {features} features, the pipeline gives {given}")
    told = (data["command"], data["environment"], data["cues"], data["history"])
    return Checkpoint(controller, pipeline, *told, patterns, data.get("steer", ""))


def _under(prefix: str, arrays: dict[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(f"{prefix}."): array for name, array in arrays.items() if name.startswith(f"{prefix}.")}
