"""The folds of every decoder summed up: scores with intervals and chance, and decoders against each other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from motorctl.evaluation.decoding_tables import MAIN_OF
from motorctl.evaluation.scores import (
    LOWER_IS_BETTER,
    class_scores,
    confusion_matrix,
    mean_value_scores,
    value_scores,
)
from motorctl.evaluation.statistics import (
    block_bootstrap,
    corrected_resampled_t,
    holm,
    paired_permutation,
    wilson_interval,
)

Array = NDArray[np.float64]
Result = dict[str, Any]


def summarise(results: Sequence[Result], kind: str, seconds: float, seed: int) -> dict[str, Any]:
    """``decoders`` by name, with ``scores``, ``cost``, ``folds``; and ``comparisons`` of each with each.

    Args:
        results: of :func:`~motorctl.evaluation.decoding.evaluate_fold`, of every decoder, permutation and fold.
        kind: ``class`` or ``value``.
        seconds: how long one decision takes (s), of classes.
        seed: of resampling.
    """
    names = list(dict.fromkeys(r["decoder"] for r in results))
    decoders = {
        name: summarise_decoder([r for r in results if r["decoder"] == name], kind, seconds, seed) for name in names
    }
    return {"decoders": decoders, "comparisons": compare_all({n: d["folds"] for n, d in decoders.items()}, kind, seed)}


def summarise_decoder(results: Sequence[Result], kind: str, seconds: float, seed: int) -> dict[str, Any]:
    """One decoder. Of classes, trials of all folds are scored together; of values, folds are scored and averaged.

    Each score has its ``value``; the 95 % ``interval`` (of the accuracy of trials Wilson's; else whole trials are
    resampled); ``chance``, its mean over permutations; ``chance_95``, which chance is better than once in twenty times;
    and ``p``, how often chance is as good.
    """
    folds = [r for r in results if r["permutation"] == 0]
    permutations = sorted({r["permutation"] for r in results} - {0})
    by_chance = [
        pooled([tested(r, kind) for r in results if r["permutation"] == number], seconds) for number in permutations
    ]
    whole = [tested(fold, kind) for fold in folds]
    scores = pooled(whole, seconds)
    intervals = block_bootstrap(
        lambda drawn: pooled([part.drawn(blocks) for part, blocks in zip(whole, drawn, strict=True)], seconds),
        [len(part) for part in whole],
        seed,
    )
    if kind == "class" and all(len(set(fold["block"])) == len(fold["block"]) for fold in folds):
        trials = sum(len(fold["labels"]) for fold in folds)
        intervals["accuracy"] = wilson_interval(round(scores["accuracy"] * trials), trials)
    summary = {
        "scores": {
            name: {"value": value, "interval": intervals[name]}
            | chance(name, value, np.array([scored[name] for scored in by_chance]))
            for name, value in scores.items()
        },
        "cost": mean_cost([fold["cost"] for fold in folds]) | {"seconds": sum(r["seconds"] for r in results)},
        "folds": folds,
    }
    if kind == "class":
        labels = np.concatenate([part.labels for part in whole])
        said = np.concatenate([part.probabilities for part in whole])
        return summary | {"confusion": confusion_matrix(labels, said.argmax(axis=1), said.shape[1]).tolist()}
    by_output = [value_scores(part.moments.sum(axis=0)) for part in whole]
    return summary | {"outputs": {s: np.mean([scored[s] for scored in by_output], axis=0).tolist() for s in scores}}


class Classified(NamedTuple):
    """A fold of classes: ``labels (trial,)``, ``probabilities (trial, class)``, the rows of each block, and whether
    these are probabilities."""

    labels: NDArray[np.int64]
    probabilities: Array
    rows: list[NDArray[np.intp]]
    graded: bool

    def __len__(self) -> int:
        return len(self.rows)

    def drawn(self, blocks: NDArray[np.int64]) -> Classified:
        """These blocks of it."""
        rows = np.concatenate([self.rows[block] for block in blocks.tolist()])
        return Classified(self.labels[rows], self.probabilities[rows], self.rows, self.graded)


class Decoded(NamedTuple):
    """A fold of values: ``moments (block, output, 6)`` of all of its stretches."""

    moments: Array

    def __len__(self) -> int:
        return len(self.moments)

    def drawn(self, blocks: NDArray[np.int64]) -> Decoded:
        """These blocks of it."""
        return Decoded(self.moments[blocks])


def tested(fold: Result, kind: str) -> Any:
    """What a fold was tested on and what it said, as arrays: :class:`Classified` or :class:`Decoded`."""
    if kind == "value":
        return Decoded(np.concatenate([np.array(part, float) for part in fold["moments"]]))
    block = np.array(fold["block"])
    rows = [np.flatnonzero(block == number) for number in np.unique(block)]
    return Classified(np.array(fold["labels"]), np.array(fold["probabilities"], float), rows, fold["graded"])


def pooled(folds: Sequence[Any], seconds: float) -> dict[str, float]:
    """The scores of several folds: of classes, of all trials together; of values, averaged over folds."""
    if isinstance(folds[0], Decoded):
        return mean_value_scores([fold.moments for fold in folds])
    labels, probabilities = (np.concatenate([getattr(f, part) for f in folds]) for part in ("labels", "probabilities"))
    return class_scores(labels, probabilities, seconds, all(fold.graded for fold in folds))


def chance(name: str, value: float, by_chance: Array) -> dict[str, float | None]:
    """What permutations give of a score, and how often they are as good; nothing without permutations."""
    if not len(by_chance):
        return {"chance": None, "chance_95": None, "p": None}
    sign = -1 if name in LOWER_IS_BETTER else 1
    as_good = int((sign * by_chance >= sign * value).sum())
    return {
        "chance": float(by_chance.mean()),
        "chance_95": float(sign * np.percentile(sign * by_chance, 95)),
        "p": (1 + as_good) / (1 + len(by_chance)),
    }


def mean_cost(costs: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Mean over folds of what is known."""
    known = [cost for cost in costs if cost]
    names = [name for name in (known[0] if known else {}) if all(cost[name] is not None for cost in known)]
    return {name: float(np.mean([cost[name] for cost in known])) for name in names}


def compare_all(folds: dict[str, Sequence[Result]], kind: str, seed: int) -> list[dict[str, Any]]:
    """Each decoder with each other: mean ``difference`` a - b over trials (of accuracy; of values, of the squared error
    in units of the target's variance with its sign turned), its ``effect`` d_z, the paired permutation test's p, and
    Holm's correction of it; and over folds the corrected resampled t-test."""
    compared: list[dict[str, Any]] = []
    for a, b in combinations(folds, 2):
        paired = paired_permutation(per_trial(folds[a], kind), per_trial(folds[b], kind), seed)
        differences = np.array(
            [
                x["scores"][MAIN_OF[kind]] - y["scores"][MAIN_OF[kind]]
                for x, y in zip(folds[a], folds[b], strict=True)
                if None not in (x["scores"][MAIN_OF[kind]], y["scores"][MAIN_OF[kind]])
            ]
        )
        train, test = (float(np.mean([fold[part] for fold in folds[a]])) for part in ("train", "test"))
        statistic, p = corrected_resampled_t(differences, train, test)
        compared.append(
            {"a": a, "b": b, "score": MAIN_OF[kind], "difference": paired.difference, "effect": paired.effect}
            | {"permutation_p": paired.p, "t": statistic, "corrected_t_p": p}
        )
    for entry, p in zip(compared, holm([float(entry["permutation_p"]) for entry in compared]), strict=True):
        entry["holm_p"] = p
    return compared


def per_trial(folds: Sequence[Result], kind: str) -> Array:
    """``(block,)``: how good a decoder is on each trial, or stretch between trials; higher is better."""
    found = []
    for fold in folds:
        part = tested(fold, kind)
        if isinstance(part, Classified):
            right = part.probabilities.argmax(axis=1) == part.labels
            found.append(np.array([float(right[rows].mean()) for rows in part.rows]))
            continue
        n, y, _, yy, xx, xy = np.moveaxis(part.moments, -1, 0)
        variance = (yy.sum(axis=0) - y.sum(axis=0) ** 2 / n.sum(axis=0)) / n.sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            error = np.where(n > 0, (yy - 2 * xy + xx) / n, np.nan) / np.where(variance > 0, variance, np.nan)
        found.append(-np.nanmean(error[np.isfinite(error).any(axis=1)], axis=1))
    return np.concatenate(found)
