"""Decoders compared on recordings: one fold is one pure function of its task, so that folds run in any process.

Chance is not assumed: the same folds are run again with labels, or targets, dealt out anew among the trials.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motorctl.errors import ConfigurationError
from motorctl.evaluation import cost
from motorctl.evaluation.baselines import BASELINES, mean_trajectory, phase_only
from motorctl.evaluation.decoding_data import ClassData, DecodingData, ValueData, load
from motorctl.evaluation.protocols import Fold, Protocol, inner_folds, make_folds
from motorctl.evaluation.scores import class_scores, mean_value_scores, value_moments
from motorctl.evaluation.value_decoders import Stretches, step_cost, value_decoder
from motorctl.runs import plain
from motorctl.threads import one_thread
from motorctl.training.scaling import Scaling, fit_scaling
from motorctl.training.sequence import Sequence

Result = dict[str, Any]
Map = Callable[[Callable[["FoldTask"], Result], Iterable["FoldTask"]], Iterable[Result]]
"""``map`` or what does the same elsewhere: the results in the order of the tasks."""


@dataclass(frozen=True)
class FoldTask:
    """One fold of one decoder: plain values, so that it can be sent to another process or machine."""

    data: DecodingData
    protocol: Protocol
    decoder: str
    fold: int
    seed: int = 0
    permutation: int = 0
    """0 for the labels as they are; else the number of the permutation they are dealt out by."""
    tune: bool = False
    """Choose hyper-parameters within the training trials, by folds of their own."""


def plan(
    data: DecodingData, protocol: Protocol, decoders: Iterable[str], seed: int, permutations: int, tune: bool
) -> list[FoldTask]:
    """Every task: of each decoder, the folds as they are, then those of each permutation. Baselines of continuous
    targets look at no signal, and are not permuted."""
    loaded = load(data)
    folds = len(make_folds(protocol, loaded.units, loaded.gap))
    tasks = [
        FoldTask(data, protocol, decoder, fold, seed, permutation, tune)
        for decoder, permutation, fold in product(decoders, range(permutations + 1), range(folds))
    ]
    if isinstance(loaded, ValueData):
        tasks += [FoldTask(data, protocol, name, fold, seed) for name in BASELINES for fold in range(folds)]
    return tasks


def evaluate_fold(task: FoldTask) -> Result:
    """Learn and ask; a pure function of the task but for times.

    Returns:
        as JSON types, what the task was (``decoder``, ``fold``, ``fold_name``, ``permutation``), how many units were
        learned from and tested on (``train``, ``test``), the ``options`` chosen, ``scores``, ``cost`` and
        ``losses`` of every epoch (unpermuted only); for classes ``labels``, ``probabilities``, ``block`` and
        ``graded``; for values ``moments`` (:func:`~motorctl.evaluation.scores.value_moments`), and unpermuted
        ``traces``.

    Raises:
        MotorctlError: the data cannot be read, or a decoder cannot learn from them.
    """
    started = time.perf_counter()
    data = _permuted(task.data, task.seed, task.permutation)
    fold = make_folds(task.protocol, data.units, data.gap)[task.fold]
    decode: Callable[..., Result] = decode_classes if isinstance(data, ClassData) else decode_values
    with one_thread():
        options = choose(data, task, fold.train) if task.tune else {}
        decoded = decode(data, task.decoder, fold, task.seed, options, task.permutation == 0)
    result: Result = plain(
        {
            "decoder": task.decoder,
            "fold": task.fold,
            "fold_name": fold.name,
            "permutation": task.permutation,
            "train": len(fold.train),
            "test": len(fold.test),
            "options": options,
            "seconds": time.perf_counter() - started,
        }
        | decoded
    )
    return result


@lru_cache(maxsize=1)
def _permuted(data: DecodingData, seed: int, permutation: int) -> ClassData | ValueData:
    loaded = load(data)
    return loaded.permuted(np.random.default_rng([seed, permutation])) if permutation else loaded


def choose(data: Any, task: FoldTask, train: NDArray[np.int64]) -> dict[str, Any]:
    """The hyper-parameters of the grid that do best on folds within the training units: the highest mean accuracy, or
    R²; of equals the first."""
    if isinstance(data, ClassData):
        from motorctl.evaluation.class_decoders import CLASS_DECODERS as known
    else:
        from motorctl.evaluation.value_decoders import VALUE_DECODERS as known  # type: ignore[assignment]
    if task.decoder not in known or not known[task.decoder].grid:
        return {}
    grid: Mapping[str, Any] = known[task.decoder].grid
    folds = inner_folds(data.units, train, data.gap)
    decode, score = (decode_classes, "balanced_accuracy") if isinstance(data, ClassData) else (decode_values, "r2")

    def mean_score(options: dict[str, Any]) -> float:
        return float(
            np.mean([decode(data, task.decoder, f, task.seed, options, False)["scores"][score] for f in folds])
        )

    candidates = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
    return max(candidates, key=mean_score)


def decode_classes(
    data: ClassData, decoder: str, fold: Fold, seed: int, options: Mapping[str, Any], in_full: bool
) -> Result:
    """One fold of a decoder of classes; ``in_full`` with its cost.

    Raises:
        ConfigurationError: the decoder cannot learn from this fold.
    """
    from motorctl.evaluation.class_decoders import make_class_decoder  # needs scikit-learn

    labels = data.labels[fold.train]
    if len(np.unique(labels)) < 2:
        raise ConfigurationError(
            f"All trials to learn from are of one class where the test is {fold.name}.",
            "Give more recordings, or choose another --protocol.name.",
        )
    estimator = make_class_decoder(decoder, data.info, seed).set_params(**options)
    asked = data.epochs[fold.test]
    with plainly(decoder, len(labels)):
        estimator.fit(data.epochs[fold.train], labels)
        probabilities, graded = ask(estimator, asked, len(data.names))
    result: Result = {
        "scores": class_scores(data.labels[fold.test], probabilities, data.seconds, graded),
        "labels": data.labels[fold.test].tolist(),
        "probabilities": probabilities.tolist(),
        "block": data.units.block[fold.test].tolist(),
        "graded": graded,
    }
    if in_full:
        numbers, memory = cost.size(estimator)
        result["cost"] = {
            "latency_ms": cost.latency_ms(lambda: estimator.predict(asked[:1])),
            "parameters": numbers,
            "memory_bytes": memory,
            "flops": cost.decision_flops(estimator, *asked.shape[1:]),
        }
        result["losses"] = losses_of(estimator)
    return result


@contextmanager
def plainly(decoder: str, trials: int) -> Iterator[None]:
    """What a library says of data that its decoder cannot use comes as one line.

    Raises:
        ConfigurationError: it cannot.
    """
    try:
        yield
    except (ValueError, TypeError, AttributeError, RuntimeError, np.linalg.LinAlgError) as error:
        reason = (str(error).splitlines() or ["?"])[0]
        raise ConfigurationError(
            f"{decoder} cannot learn from {trials} trials ({reason}).", "Leave it out, or give more or other trials."
        ) from error


def losses_of(estimator: Any) -> list[float]:
    """Of every epoch, of what learns in epochs: ours, scikit-learn's and those of skorch, which braindecode's are."""
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    if hasattr(last, "history_"):
        return [float(np.mean([batch["train_loss"] for batch in epoch["batches"]])) for epoch in last.history_]
    return list(getattr(last, "losses_", getattr(last, "loss_curve_", ())))


def ask(estimator: Any, epochs: NDArray[np.floating], classes: int) -> tuple[NDArray[np.float64], bool]:
    """``(trial, class)`` probabilities, 0 for a class never learned, and whether they are probabilities or, of an
    estimator that gives none, only its choice."""
    graded = hasattr(estimator, "predict_proba")
    learned = np.asarray(estimator.classes_, int)
    given = np.zeros((len(epochs), classes))
    if graded:
        given[:, learned] = estimator.predict_proba(epochs)
    else:
        given[np.arange(len(epochs)), np.asarray(estimator.predict(epochs), int)] = 1
    return given, graded


def decode_values(
    data: ValueData, decoder: str, fold: Fold, seed: int, options: Mapping[str, Any], in_full: bool
) -> Result:
    """One fold of a decoder of continuous values, or of a baseline; ``in_full`` with its cost and traces.

    Raises:
        ConfigurationError: there is no such decoder, or it cannot learn from this fold.
    """
    train = [s for n in range(len(data.sequences)) for s in learned_from(data, fold, n)]
    tested = [rows for n in range(len(data.sequences)) for rows in stretches_of(data, fold.test, n)]
    known = [(s.targets, s.trial) for s in train]
    if not known or not np.all(np.isfinite(np.concatenate([t for t, _ in known])).any(axis=0)):
        raise ConfigurationError(
            f"There is no target to learn from where the test is {fold.name}.", "Give more recordings."
        )
    moments, traces, spent, losses = [], [], {}, []
    if decoder in BASELINES:
        says = mean_trajectory if decoder == "mean-trajectory" else phase_only
        said = [says(known, (data.sequences[n].targets[rows], data.sequences[n].trial[rows])) for n, rows in tested]
    else:
        inputs = fit_scaling(np.concatenate([measured(s) for s in train]))
        outputs = fit_targets(np.concatenate([s.targets for s in train]))
        parts = [(inputs.apply(measured(s)).values.numpy(), outputs.standardise(s.targets)) for s in train]
        given = Stretches(parts, [s.trial for s in train], data.rate)
        with plainly(decoder, len(fold.train)):
            learned = value_decoder(decoder, seed).learn(given, seed, **options)
        warm = round(data.gap * data.rate)
        said = []
        for n, rows in tested:
            first = max(0, rows.start - warm)  # inputs alone: filters and states settle on them
            read = inputs.apply(measured(data.sequences[n][first : rows.stop])).values.numpy()
            said.append(outputs.invert(learned.predict(read)[rows.start - first :]).astype(float))
        if in_full:
            spent, losses = step_cost(learned, parts[0][0][:1]), list(getattr(learned, "losses", ()))
    for (n, rows), decoded in zip(tested, said, strict=True):
        s = data.sequences[n][rows]
        there = s.features.mask.all(axis=1, keepdims=True)
        targets = np.where(there, s.targets, np.nan).astype(float)
        block = np.maximum.accumulate(s.trial - s.trial.min())
        moments.append(value_moments(decoded, targets, block))
        traces.append({"recording": n, "times": s.features.times.tolist(), "targets": targets, "decoded": decoded})
    result: Result = {"scores": mean_value_scores(moments), "moments": [m.tolist() for m in moments]}
    if in_full:
        result |= {"cost": spent, "losses": losses}
        result["traces"] = [t | {k: t[k].tolist() for k in ("targets", "decoded")} for t in traces]
    return result


def fit_targets(targets: NDArray[np.floating]) -> Scaling:
    """Mean and standard deviation of targets ``(time, output)``, NaN aside. None is an outlier: a hand that rests most
    of the time has moved when it moves."""
    everything = np.full(targets.shape[1], np.inf)
    return Scaling(np.nanmean(targets, axis=0), np.nanstd(targets, axis=0), -everything, everything)


def measured(sequence: Sequence) -> NDArray[np.float32]:
    """Features ``(time, channel)``, NaN where nothing was measured."""
    return np.where(sequence.features.mask, sequence.features.values, np.nan).astype(np.float32)


def learned_from(data: ValueData, fold: Fold, recording: int) -> list[Sequence]:
    """The stretches of a recording that are learned from: from one trial of training to the next, unless a tested one
    lies between."""
    return [data.sequences[recording][rows] for _, rows in stretches_of(data, fold.train, recording)]


def stretches_of(data: ValueData, units: NDArray[np.int64], recording: int) -> list[tuple[int, slice]]:
    """Rows from the beginning of the first to the end of the last of ``units`` that follow each other in a recording,
    each with the recording's number; what is between them and not of another unit belongs to them."""
    members = np.flatnonzero(data.units.recording == recording)
    places = np.flatnonzero(np.isin(members, units))
    times, half = data.sequences[recording].features.times, 0.5 / data.rate
    found = []
    for run in np.split(places, np.flatnonzero(np.diff(places) > 1) + 1):
        if len(run):
            begin, end = data.units.begin[members[run[0]]], data.units.end[members[run[-1]]]
            first, last = np.searchsorted(times, [begin - half, end - half]).tolist()
            found.append((recording, slice(first, last)))
    return found
