"""Sequences written by another process while training reads them."""

from __future__ import annotations

import os
import signal
from functools import partial
from multiprocessing import active_children
from pathlib import Path

import numpy as np
import pytest
import torch

from motorctl.agents import ControllerConfig, RecurrentController
from motorctl.errors import RecordingError
from motorctl.person.brain import make_brain
from motorctl.signals.pipeline import Pipeline
from motorctl.training.background import why, write_all, written_meanwhile
from motorctl.training.dataset import Dataset, read_dataset
from motorctl.training.imitation import ImitationConfig, train
from motorctl.training.sequence import Stretches
from motorctl.training.simulated_people import watching
from motorctl.training.steering import way_to_steer

ENV, BRAIN, SECONDS = "motorctl/ArmReach-v0", "realistic", 4.0


@pytest.fixture
def pipeline() -> Pipeline:
    way = way_to_steer(BRAIN)
    return Pipeline(way.pipeline, make_brain(BRAIN, way.electrodes).info)


def promised(folder: Path, pipeline: Pipeline, people: int, rows: int) -> Dataset:
    described = {"brain": BRAIN, "seed": 5}
    return Dataset(folder, pipeline.config.rate, pipeline.names, ("x", "y"), (rows,) * people, described)


def trained(stretches: Stretches, pipeline: Pipeline) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    controller = RecurrentController(ControllerConfig(widths=(4,)), len(pipeline.names), 2, scale=0.3)
    train(controller, stretches, ImitationConfig(epochs=3, batch=4, horizon=2.0), pipeline.config.rate)
    return controller.state_dict()


def test_training_beside_the_writer_gives_what_training_afterwards_gives(tmp_path: Path, pipeline: Pipeline) -> None:
    people = partial(watching, pipeline, ENV, BRAIN, 10, SECONDS, 5)
    one = next(iter(people()))
    dataset = promised(tmp_path / "set", pipeline, 10, len(one))
    with written_meanwhile(dataset, people) as stretches:
        assert not all(stretch.path.exists() for stretch in stretches)
        beside = trained(stretches, pipeline)
    stored = read_dataset(tmp_path / "set")
    assert stored == dataset
    np.testing.assert_array_equal(stored.stretches[0][:].features.values, one.features.values)
    afterwards = trained(stored.stretches, pipeline)
    assert all(torch.equal(beside[name], afterwards[name]) for name in beside)


def test_a_writer_that_cannot_keep_its_promise_is_told_of(tmp_path: Path, pipeline: Pipeline) -> None:
    dataset = promised(tmp_path, pipeline, 2, rows=7)
    write_all(dataset, partial(watching, pipeline, ENV, BRAIN, 2, SECONDS, 5))  # what the other process does
    problem, cure = why(dataset.folder)
    assert problem.endswith("not 7 of 22 and 2.") and "one pipeline" in cure


def test_a_writer_that_was_killed_is_told_of(tmp_path: Path, pipeline: Pipeline) -> None:
    dataset = promised(tmp_path / "set", pipeline, 2, rows=7)
    people = partial(watching, pipeline, ENV, BRAIN, 2, SECONDS, 5)
    with written_meanwhile(dataset, people) as stretches:
        (writer,) = active_children()
        assert writer.pid is not None
        os.kill(writer.pid, signal.SIGKILL)
        with pytest.raises(RecordingError, match="was ended"):
            stretches[0][:]
    assert not active_children()


def test_a_folder_with_a_data_set_is_left_alone(tmp_path: Path, pipeline: Pipeline) -> None:
    dataset = promised(tmp_path, pipeline, 2, rows=7)
    (tmp_path / "dataset.json").write_text("{}")
    with pytest.raises(RecordingError, match="already"), written_meanwhile(dataset, tuple):
        pass
    assert (tmp_path / "dataset.json").read_text() == "{}"
