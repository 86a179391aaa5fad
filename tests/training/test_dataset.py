"""Data sets on disk: what was written is read, a row at a time if need be; and what is wrong with one is said."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motorctl.agents import ControllerConfig, RecurrentController
from motorctl.errors import RecordingError
from motorctl.signals.pipeline import Features
from motorctl.training.dataset import INDEX, Dataset, create_dataset, hashes, read_dataset, write_sequence
from motorctl.training.imitation import ImitationConfig, train
from motorctl.training.sequence import Sequence, Stretches


def sequence(seed: int, length: int = 60) -> Sequence:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((length, 3)).astype(np.float32)
    features = Features(values, np.arange(length) / 10, rng.random(values.shape) < 0.9)
    return Sequence(features, values[:, :2] * 2, np.arange(length) // 20)


def stored(folder: Path, sequences: list[Sequence]) -> Dataset:
    rows = tuple(map(len, sequences))
    dataset = Dataset(folder, 10.0, ("a", "b", "c"), ("x", "y"), rows, {"seed": 3, "files": {"f": "0f"}})
    create_dataset(dataset)
    for number, one in enumerate(sequences):
        write_sequence(folder, number, one)
    return dataset


def test_what_was_written_is_read(tmp_path: Path) -> None:
    written = stored(tmp_path / "set", [sequence(0), sequence(1, 25)])
    assert read_dataset(tmp_path / "set") == written


@settings(max_examples=30)
@given(start=st.integers(0, 59), length=st.integers(1, 70))
def test_any_rows_are_read_as_they_are(start: int, length: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp() / "one-set"
    if not folder.exists():
        stored(folder, [sequence(0)])
    (stretch,) = read_dataset(folder).stretches
    found, wanted = stretch[start : start + length], sequence(0)[start : start + length]
    for name in ("values", "times", "mask"):
        np.testing.assert_array_equal(getattr(found.features, name), getattr(wanted.features, name))
    np.testing.assert_array_equal(found.targets, wanted.targets)
    np.testing.assert_array_equal(found.trial, wanted.trial)
    assert len(stretch) == 60


@pytest.mark.parametrize("batch", [0, 4])
def test_training_from_disk_is_training_from_memory(batch: int, tmp_path: Path) -> None:
    sequences = [sequence(seed, 30 + seed) for seed in range(5)]
    dataset = stored(tmp_path, sequences)

    def trained(stretches: Stretches) -> dict[str, torch.Tensor]:
        torch.manual_seed(0)
        controller = RecurrentController(ControllerConfig(widths=(4,), dropout=0.2), 3, 2)
        train(controller, stretches, ImitationConfig(epochs=3, batch=batch, lane=2.0, horizon=1.0), 10.0)
        return controller.state_dict()

    memory, disk = trained(sequences), trained(dataset.stretches)
    assert all(torch.equal(memory[name], disk[name]) for name in memory)


def damage(folder: Path, kind: str) -> None:
    index = json.loads((folder / INDEX).read_text())
    first = folder / "000000.safetensors"
    if kind == "no index":
        (folder / INDEX).unlink()
    elif kind == "format":
        (folder / INDEX).write_text(json.dumps(index | {"format": "other"}))
    elif kind == "json":
        (folder / INDEX).write_text("{")
    elif kind == "missing":
        first.unlink()
    elif kind == "rows":
        (folder / INDEX).write_text(json.dumps(index | {"rows": [61]}))
    else:
        first.write_bytes(first.read_bytes()[:100])


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("no index", "no dataset.json"),
        ("format", "holds 'other'"),
        ("json", "is damaged"),
        ("missing", "lacks 1 of 1 sequences"),
        ("rows", "has 60 rows, not 61"),
        ("cut", "cannot be read"),
    ],
)
def test_what_is_wrong_is_said(kind: str, words: str, tmp_path: Path) -> None:
    stored(tmp_path, [sequence(0)])
    damage(tmp_path, kind)
    with pytest.raises(RecordingError, match=words):
        read_dataset(tmp_path).stretches[0][:5]


def test_hashes_are_those_of_sha256(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")  # FIPS 180-2, example B.1
    assert hashes([tmp_path / "abc"])[str(tmp_path / "abc")].startswith("ba7816bf8f01cfea414140de5dae2223")


PEAK = """
import resource, sys
from pathlib import Path
import numpy as np, torch
from motorctl.agents import ControllerConfig, RecurrentController
from motorctl.signals.pipeline import Features
from motorctl.training.dataset import Dataset, create_dataset, read_dataset, write_sequence
from motorctl.training.imitation import ImitationConfig, train
from motorctl.training.sequence import Sequence

folder, count, rows, width = Path(sys.argv[1]), int(sys.argv[2]), 10_000, 100
create_dataset(Dataset(folder, 50.0, ("f",) * width, ("x", "y"), (rows,) * count, {}))
values, mask = np.random.default_rng(0).standard_normal((rows, width)).astype("f4"), np.ones((rows, width), bool)
one = Sequence(Features(values, np.arange(rows) / 50, mask), values[:, :2].copy(), np.zeros(rows, np.int64))
for number in range(count):
    write_sequence(folder, number, one)
torch.manual_seed(0)
controller = RecurrentController(ControllerConfig(widths=(8,)), width, 2)
train(controller, read_dataset(folder).stretches, ImitationConfig(epochs=1, batch=16), 50.0)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10)
"""


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_memory_stays_flat_while_the_set_grows_tenfold(tmp_path: Path) -> None:
    """From 25 to 250 MB of features and masks; the peak may grow by a tenth of what the set does."""
    command = [sys.executable, "-c", PEAK]
    peaks = [
        float(subprocess.check_output([*command, str(tmp_path / str(count)), str(count)], timeout=180))
        for count in (5, 50)
    ]
    assert peaks[1] - peaks[0] < 22
