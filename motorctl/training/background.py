"""Sequences made in a process of its own while training already learns from the first of them."""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from motorctl.errors import MotorctlError, RecordingError
from motorctl.threads import one_thread
from motorctl.training.dataset import INDEX, Dataset, StoredSequence, create_dataset, write_sequence
from motorctl.training.resume import write_whole
from motorctl.training.sequence import Sequence

Make = Callable[[], Iterable[Sequence]]
"""Gives the sequences in order, from what it was made with (a seed among it) alone."""

POLL = 0.02
"""How often a reader looks whether the sequence that it needs is there (s)."""
FAILED = "failed.json"


@contextmanager
def written_meanwhile(dataset: Dataset, make: Make) -> Iterator[list[StoredSequence]]:
    """Write a data set from another process, and give its sequences at once; reading one waits until it is there.

    What is learned does not depend on which of the two is faster: training in batches goes through a set in order until
    it has read all of it once. Without batches it waits for the whole set.

    Args:
        dataset: what is going to be written; its folder holds none yet.
        make: importable, as the other process calls it, such as a :func:`functools.partial` of a module's function.

    Raises:
        RecordingError: the folder holds a data set already. Reading raises it where the writer has failed.
    """
    if (dataset.folder / INDEX).exists():
        raise RecordingError(f"{dataset.folder} holds a data set already.", "Name another folder, or remove that one.")
    create_dataset(dataset)
    # Not forked: the threads of torch and MuJoCo do not survive that.
    process = multiprocessing.get_context("spawn").Process(target=write_all, args=(dataset, make), daemon=True)
    process.start()

    def wait(path: Path) -> None:
        time.sleep(POLL)
        if not process.is_alive() and not path.is_file():
            raise RecordingError(*why(dataset.folder))

    try:
        yield [replace(stretch, wait=wait) for stretch in dataset.stretches]
    finally:
        process.terminate()
        process.join()


def write_all(dataset: Dataset, make: Make) -> None:
    """What the other process does; an error that a user can cure is left in the folder."""
    try:
        with one_thread():
            for number, sequence in enumerate(make()):
                write_sequence(dataset.folder, number, as_promised(dataset, number, sequence))
    except MotorctlError as error:
        write_whole(dataset.folder / FAILED, json.dumps([error.problem, error.cure]).encode())


def as_promised(dataset: Dataset, number: int, sequence: Sequence) -> Sequence:
    """The sequence.

    Raises:
        RecordingError: it is not as long or as wide as the index says.
    """
    found = (len(sequence), sequence.features.values.shape[1], sequence.targets.shape[1])
    promised = (dataset.rows[number], len(dataset.features), len(dataset.targets))
    if found != promised:
        raise RecordingError(
            f"Sequence {number} has {found[0]} rows of {found[1]} features and {found[2]} targets, not "
            f"{promised[0]} of {promised[1]} and {promised[2]}.",
            "Make all sequences with one pipeline, as long as the index promises.",
        )
    return sequence


def why(folder: Path) -> tuple[str, str]:
    """Problem and cure of a writer that has ended too early."""
    path = folder / FAILED
    if path.is_file():
        problem, cure = json.loads(path.read_text(encoding="utf-8"))
        return str(problem), str(cure)
    return f"The process that writes {folder} was ended.", "Start again; something may have used up the memory."
