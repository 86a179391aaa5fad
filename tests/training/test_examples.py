"""Sets of sequences: how they are split, and their files, read whole or refused in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from motorctl.errors import ConfigurationError, MotorctlError, RecordingError
from motorctl.training.examples import Examples, by_block, shuffled, side_by_side
from motorctl.training.sequence_files import read_sequences, targets_every_row
from motorctl.training.tables import LabelledTable, read_table, table_examples, write_table

BOUTS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 9)), min_size=2, max_size=12)


def table(bouts: list[tuple[str, int]]) -> LabelledTable:
    labels = [label for label, length in bouts for _ in range(length)]
    values = np.random.default_rng(0).standard_normal((len(labels), 2)).astype(np.float32)
    values[:, 1] = 3 * np.arange(len(labels)) % 7
    return LabelledTable(values, ("x", "y"), labels)


@given(bouts=BOUTS, rows=st.integers(1, 5))
def test_pieces_of_a_table_hold_every_row_once_and_one_label(bouts: list[tuple[str, int]], rows: int) -> None:
    whole = table(bouts)
    if len(set(whole.labels)) < 2:
        with pytest.raises(ConfigurationError, match="only the class"):
            table_examples(whole, rows)
        return
    pieces = table_examples(whole, rows)
    assert pieces.labels is not None and pieces.inputs.shape[1] <= rows
    joined = np.concatenate([p[:n] for p, n in zip(pieces.inputs, pieces.lengths, strict=True)])
    np.testing.assert_array_equal(joined, whole.values)
    said = [pieces.classes[k] for k, n in zip(pieces.labels, pieces.lengths, strict=True) for _ in range(n)]
    assert said == whole.labels
    assert np.isnan(pieces.inputs[pieces.there[..., 0].numpy() == 0]).all()


@given(bouts=BOUTS, share=st.floats(0.05, 0.9), seed=st.integers(0, 99))
def test_every_class_is_on_both_sides_and_nothing_on_two(bouts: list[tuple[str, int]], share: float, seed: int) -> None:
    whole = table(bouts)
    if len(set(whole.labels)) < 2:
        return
    pieces = table_examples(whole, 2)
    assert pieces.labels is not None and pieces.bouts is not None
    alone = min(np.bincount(pieces.labels)) < 2
    for split in (lambda: shuffled(pieces, share, seed), lambda: by_block(pieces, share)):
        if alone:
            with pytest.raises(ConfigurationError, match="single sequence"):
                split()
            continue
        kept, held = split()
        np.testing.assert_array_equal(np.sort(np.concatenate([kept, held])), np.arange(len(pieces)))
        assert set(pieces.labels[kept]) == set(pieces.labels[held]) == set(pieces.labels)
    if not alone:
        for label in set(pieces.labels.tolist()):  # the later part is later, in whole bouts where there are several
            mine, theirs = (part[pieces.labels[part] == label] for part in (kept, held))
            assert mine.max() < theirs.min()
            of_class = pieces.bouts[pieces.labels == label]
            assert len(set(of_class)) == 1 or not set(pieces.bouts[mine]) & set(pieces.bouts[theirs])


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = table([("walk", 3), ("run", 4)])
    written.values[2, 0] = np.nan
    write_table(tmp_path / "t.csv", written)
    read = read_table(tmp_path / "t.csv")
    np.testing.assert_allclose(read.values, written.values, rtol=1e-5)
    assert (read.features, read.labels) == (written.features, written.labels)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "its header is nothing"),
        ("x,y\n1,2\n", "needs a column 'label'"),
        ("label\nwalk\n", "one or more others"),
        ("x,x,label\n1,2,a\n", "each name once"),
        ("x,label\n", "no rows"),
        ("x,label\n1,a\n2\n", "Line 3 of"),
        ("x,label\n1,a\nfast,b\n", "'fast' in column 'x'"),
        ("x,label\n1,a\n1,\n", "Line 3 of .* has no label"),
        ("x,y,label\n,1,a\nnan,2,b\n", "Column 'x' of .* holds no number"),
        ("x,label\n1e99,a\n-inf,b\n", "holds no number"),
        ("x;label\n1;a\n", "with commas between"),
        ("x,label\n\n\n1,a\nfast,b\n", "Line 5 of"),
        ("x,label\n1,a\n\n2,\n", "Line 4 of .* has no label"),
        ("x,label\n\n1,a,3\n", "Line 3 of"),
        ("t,label\n" + "".join(f"{row},a\n" for row in range(20)), "'t' of .* only ever rises"),
        ("t,label\n" + "".join(f"{row // 2},a\n" for row in range(20)), "'t' of .* only ever rises"),
        ("t,label\n" + "".join(f"{'NA' if row == 4 else -row},a\n" for row in range(20)), "rises or falls"),
        ("x,label\n1,\udcff\n", "no CSV in UTF-8"),
    ],
)
def test_a_table_of_another_form_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "t.csv").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(RecordingError, match=said) as error:
        read_table(tmp_path / "t.csv")
    assert "\n" not in str(error.value)


def write(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


X = np.random.default_rng(0).standard_normal((4, 5, 2))


def test_labels_come_as_names_numbers_or_one_hot_and_ends_are_found(tmp_path: Path) -> None:
    ragged = X.copy()
    ragged[1, 3:], ragged[2, :2] = np.nan, np.nan
    for labels, classes in (
        (np.array(["b", "a", "b", "a"]), ("a", "b")),
        (np.array([7, 3, 7, 3]), ("3", "7")),
        (np.eye(2)[[1, 0, 1, 0]], ("class 0", "class 1")),
    ):
        read = read_sequences(write(tmp_path / "d.npz", sequences=ragged, labels=labels))
        assert read.labels is not None and read.labels.tolist() == [1, 0, 1, 0] and read.classes == classes
        assert read.lengths.tolist() == [5, 3, 5, 5]  # missing rows in front are no end
    assert read_sequences(write(tmp_path / "d.npz", sequences=X[..., 0])).inputs.shape == (4, 5, 1)


def test_targets_stand_on_the_last_row_of_each_sequence_or_on_every_row(tmp_path: Path) -> None:
    ragged = X.copy()
    ragged[1, 3:] = np.nan
    read = read_sequences(write(tmp_path / "d.npz", sequences=ragged, targets=np.arange(4.0)))
    assert read.targets is not None and not targets_every_row(read)
    assert read.targets[1, 2, 0] == 1 and np.isfinite(read.targets).sum() == 4
    every = read_sequences(write(tmp_path / "d.npz", sequences=ragged, targets=X[..., :1]))
    assert targets_every_row(every)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"samples": X}, "lacks sequences; it has samples"),
        ({"sequences": X[0, 0]}, r"the shape \(2,\)"),
        ({"sequences": X.astype(str)}, "no real numbers"),
        ({"sequences": X * np.nan}, "Sequence 0 .* holds no number"),
        ({"sequences": X, "labels": [0, 1, 0]}, r"the shape \(3,\) for 4"),
        ({"sequences": X, "labels": [0.5, 1, 0, 1]}, "are float64"),
        ({"sequences": X, "labels": [[1, 0], [1, 1], [0, 1], [0, 1]]}, "Row 1 of labels .* not one-hot"),
        ({"sequences": X, "labels": [1, 1, 1, 1]}, "all of one class"),
        ({"sequences": X, "labels": [0, 1, 1, 1], "class_names": ["a"]}, "class_names .* 1 for 2"),
        ({"sequences": X, "targets": np.zeros((4, 3, 1))}, r"the shape \(4, 3, 1\) for 4 sequences of 5"),
        ({"sequences": X, "targets": np.full(4, np.nan)}, "Output 0 .* holds no number"),
        ({"sequences": np.array([{}], object)}, "pickled objects"),
    ],
)
def test_sequences_of_another_form_are_refused(tmp_path: Path, arrays: dict[str, Any], said: str) -> None:
    with pytest.raises(RecordingError, match=said) as error:
        read_sequences(write(tmp_path / "d.npz", **arrays))
    assert "\n" not in str(error.value)


@given(cut=st.integers(0, 500), flip=st.integers(0, 400), suffix=st.sampled_from(["npy", "npz"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_a_damaged_file_is_one_line_or_its_numbers(tmp_path: Path, cut: int, flip: int, suffix: str) -> None:
    path = tmp_path / f"d.{suffix}"
    np.save(path, X) if suffix == "npy" else np.savez(path, sequences=X)
    data = bytearray(path.read_bytes())
    data[flip] ^= 0x15
    path.write_bytes(bytes(data[: len(data) - cut]))
    try:
        read_sequences(path)
    except MotorctlError as error:
        assert "\n" not in str(error)


def test_side_by_side_pads_with_nan() -> None:
    inputs, lengths = side_by_side([np.ones((2, 1)), np.ones((4, 1))])
    assert lengths.tolist() == [2, 4] and np.isnan(inputs[0, 2:]).all() and np.isfinite(inputs[1]).all()
    assert Examples(inputs, lengths).last[..., 0].argmax(dim=1).tolist() == [1, 3]
