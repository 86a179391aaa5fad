"""MOABB, the field's benchmark: our decoders are its pipelines, and our folds give its scores."""

from __future__ import annotations

import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motorctl.evaluation.decoding import decode_classes
from motorctl.evaluation.decoding_data import ClassData, stream
from motorctl.evaluation.protocols import Protocol, Units, make_folds

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore"),  # MOABB and what it imports warn of themselves
]

CHANNELS = ("C3", "C1", "Cz", "C2", "C4")
DECODERS = ("recurrent", "csp-lda", "fbcsp-lda", "mdm", "tangent", "knn")


@pytest.fixture(scope="module")
def moabb() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = pytest.importorskip("moabb", reason="MOABB is not installed", exc_type=ImportError)
        for part in ("datasets.fake", "evaluations", "paradigms"):
            import_module(f"moabb.{part}")
    return module


@pytest.fixture(scope="module")
def dataset(moabb: Any) -> Any:
    """One session of three runs of each of two people."""
    return moabb.datasets.fake.FakeDataset(
        event_list=["left_hand", "right_hand"],
        n_sessions=1,
        n_runs=3,
        n_subjects=2,
        channels=CHANNELS,
        seed=7,
        n_events=20,
    )


def test_our_decoders_are_its_pipelines_and_our_runs_left_out_give_its_scores(
    moabb: Any, dataset: Any, tmp_path: Path
) -> None:
    from sklearn.model_selection import LeaveOneGroupOut  # type: ignore[import-untyped]

    from motorctl.evaluation.class_decoders import make_class_decoder

    paradigm = moabb.paradigms.LeftRightImagery(fmin=4, fmax=40)
    evaluation = moabb.evaluations.WithinSessionEvaluation(
        paradigm=paradigm, datasets=[dataset], hdf5_path=str(tmp_path), cv_class=LeaveOneGroupOut, groups="run"
    )
    info = stream(CHANNELS, dataset.sfreq)
    theirs = evaluation.process({name: make_class_decoder(name, info, 0) for name in DECODERS})

    epochs, names, metadata = paradigm.get_data(dataset)
    classes, labels = np.unique(names, return_inverse=True)
    for subject in dataset.subject_list:
        of = np.flatnonzero(metadata["subject"] == subject)
        _, run = np.unique(metadata["run"].to_numpy()[of], return_inverse=True)
        nothing, place = np.zeros(len(of), np.int64), np.arange(len(of))
        units = Units(run, nothing, nothing, 10.0 * place, 10.0 * place + 3, place)
        data = ClassData(info, epochs[of], labels[of], tuple(classes), units, 0.0, 3.0, {})
        folds = make_folds(Protocol("leave-one-run-out"), units, 0.0)
        assert len(folds) == 3
        for name in DECODERS:
            ours = [decode_classes(data, name, fold, 0, {}, False)["scores"]["roc_auc"] for fold in folds]
            rows = (theirs["pipeline"] == name) & (theirs["subject"].astype(str) == str(subject))
            assert theirs.loc[rows, "score"].mean() == pytest.approx(np.mean(ours), abs=1e-6), (
                name
            )  # MOABB stores float32
