"""Stored controllers: what is read is what was written, and what is damaged is said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from motorctl.agents import CELLS, ControllerConfig, RecurrentController
from motorctl.errors import CheckpointError
from motorctl.person.brain import Brain
from motorctl.signals.pipeline import Pipeline, PipelineConfig
from motorctl.signals.stream import Chunk
from motorctl.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from motorctl.training.imitation import decode


def eeg(seconds: int = 8) -> Chunk:
    samples = np.random.default_rng(0).standard_normal((250 * seconds, len(Brain().labels))).astype(np.float32)
    return Chunk(samples, np.arange(len(samples)) / 250)


def checkpoint(cell: str = "gru") -> Checkpoint:
    torch.manual_seed(0)
    plain = Pipeline(PipelineConfig(power_bands=((8.0, 13.0),)), Brain().info)
    pipeline = plain.fit([plain.process(eeg())[0]])
    controller = RecurrentController(ControllerConfig(cell, (8, 5), 0.1), len(pipeline.names), 2, scale=0.3)  # type: ignore[arg-type]
    return Checkpoint(controller.eval(), pipeline, "velocity", "motorctl/ArmReach-v0", {"T1": "left"}, {"seed": 3})


@pytest.mark.parametrize("cell", CELLS)
def test_a_stored_controller_gives_the_same_commands(cell: str, tmp_path: Path) -> None:
    stored = checkpoint(cell)
    save_checkpoint(stored, tmp_path)
    loaded = load_checkpoint(tmp_path)
    features, _ = stored.pipeline.process(eeg())
    again, _ = loaded.pipeline.process(eeg())
    np.testing.assert_array_equal(again.values, features.values)
    np.testing.assert_array_equal(decode(loaded.controller, again.values), decode(stored.controller, features.values))
    assert loaded.pipeline.config == stored.pipeline.config
    assert loaded.pipeline.info == stored.pipeline.info
    assert (loaded.command, loaded.environment) == ("velocity", "motorctl/ArmReach-v0")
    assert (loaded.cues, loaded.history) == ({"T1": "left"}, {"seed": 3})


def damage_json(folder: Path, change: dict[str, object]) -> None:
    path = folder / "controller.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda f: (f / "controller.json").unlink(), "no controller.json"),
        (lambda f: (f / "controller.safetensors").unlink(), "no controller.safetensors"),
        (lambda f: (f / "controller.json").write_text("{"), "damaged"),
        (lambda f: (f / "controller.json").write_bytes(b"\xff\xfe\x00"), "damaged"),
        (lambda f: (f / "controller.json").write_text("[]"), "damaged"),
        (lambda f: (f / "controller.safetensors").write_bytes(b"\x80\x04cos\nsystem\n"), "damaged"),
        (lambda f: damage_json(f, {"format": "motorctl controller 99"}), "expected 'motorctl controller 1'"),
        (lambda f: damage_json(f, {"controller": {"cell": "gru"}}), "damaged"),
        (lambda f: damage_json(f, {"pipeline": {}}), "damaged"),
    ],
)
def test_a_damaged_checkpoint_is_one_clear_error(harm: object, words: str, tmp_path: Path) -> None:
    save_checkpoint(checkpoint(), tmp_path)
    harm(tmp_path)  # type: ignore[operator]
    with pytest.raises(CheckpointError, match=words) as error:
        load_checkpoint(tmp_path)
    assert "\n" not in str(error.value)
