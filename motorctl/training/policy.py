"""Stored policies: controllers that see what an environment lets observe, and no EEG.

``policy.safetensors`` holds the numbers, ``policy.json`` all else that acting needs; nothing is unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from motorctl.agents import ControllerConfig, RecurrentController
from motorctl.envs import Policy
from motorctl.errors import CheckpointError
from motorctl.threads import one_thread

FORMAT = "motorctl policy 1"


@dataclass(frozen=True, eq=False)
class StoredPolicy:
    """A controller of an environment with everything needed to act in it.

    Args:
        controller: standardised observations in, read-outs for :func:`actions_of` out; in evaluation mode.
        mean, deviation: ``(observation,)`` by which observations are standardised.
        environment: the id of the environment it was trained for.
        options: of that environment, ``command`` among them.
        history: how it was trained: configuration, losses, scores.
    """

    controller: RecurrentController
    mean: Tensor
    deviation: Tensor
    environment: str
    options: Mapping[str, Any]
    history: Mapping[str, Any] = field(default_factory=dict)


def policy_for(stored: StoredPolicy, batch: int) -> Policy:
    """The policy at work in ``batch`` environments from the start of their episodes.

    It looks at ``info["observation"]``, ``(batch, observation)``, or ``(observation,)`` of an environment by itself.
    """
    state = stored.controller.initial_state(batch)

    @torch.inference_mode()
    def policy(info: dict[str, Any]) -> NDArray[np.float32]:
        nonlocal state
        observation = info["observation"]
        rows = torch.from_numpy(observation).reshape(batch, 1, -1)
        with one_thread():
            readout, state = stored.controller((rows - stored.mean) / stored.deviation, state)
        actions: NDArray[np.float32] = actions_of(readout).numpy().reshape(*observation.shape[:-1], -1)
        return actions

    return policy


def actions_of(readout: Tensor) -> Tensor:
    """An environment's actions in [-1, 1]: a sigmoid takes read-outs between the least and the largest control."""
    return 2 * readout.sigmoid() - 1


def save_policy(stored: StoredPolicy, folder: Path) -> None:
    """Write both files into ``folder``, which exists."""
    controller = stored.controller
    tensors = {f"controller.{name}": value.contiguous() for name, value in controller.state_dict().items()}
    tensors |= {"mean": stored.mean, "deviation": stored.deviation}
    description = {
        "format": FORMAT,
        "controller": asdict(controller.config) | {"features": controller.features, "commands": controller.commands},
        "environment": stored.environment,
        "options": dict(stored.options),
        "history": dict(stored.history),
        "versions": {name: version(name) for name in ("motorctl", "torch", "mujoco", "numpy")},
    }
    (folder / "policy.safetensors").write_bytes(save(tensors))
    (folder / "policy.json").write_text(json.dumps(description, indent=2, ensure_ascii=False), encoding="utf-8")


def load_policy(folder: Path) -> StoredPolicy:
    """Read what :func:`save_policy` wrote.

    Raises:
        CheckpointError: a file is missing or damaged, or of another format.
    """
    cure = "Name the run folder that 'motorctl train bptt' wrote."
    if (folder / "controller.json").is_file():
        raise CheckpointError(f"{folder} holds a controller that reads EEG, and there is none here.", cure)
    for name in ("policy.json", "policy.safetensors"):
        if not (folder / name).is_file():
            raise CheckpointError(f"There is no {name} in {folder}.", cure)
    try:
        data = json.loads((folder / "policy.json").read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise CheckpointError(f"{folder} holds '{data['format']}', expected '{FORMAT}'.", "Train it again.")
        tensors = load_file(folder / "policy.safetensors")
        network = dict(data["controller"])
        features, commands = network.pop("features"), network.pop("commands")
        controller = RecurrentController(
            ControllerConfig(**network | {"widths": tuple(network["widths"])}), features, commands
        )
        mean, deviation = tensors.pop("mean"), tensors.pop("deviation")
        controller.load_state_dict({name.removeprefix("controller."): value for name, value in tensors.items()})
        if not len(mean) == len(deviation) == features:
            raise ValueError(f"the network takes {features} numbers, {len(mean)} are standardised")
        return StoredPolicy(controller.eval(), mean, deviation, data["environment"], data["options"], data["history"])
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"The policy in {folder} is damaged ({reason}).", "Train or copy it again.") from None
