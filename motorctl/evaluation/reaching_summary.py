"""The episodes of every cell summed up: scores with intervals beside the expert's and beside chance, and controllers
against each other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from motorctl.evaluation.fitts import achieved_bit_rate, effective_throughput, fitts_line, index_of_difficulty
from motorctl.evaluation.statistics import block_bootstrap, holm, paired_permutation, wilson_interval
from motorctl.evaluation.survival import Survival, survival

Array = NDArray[np.float64]
Result = dict[str, Any]
Columns = dict[str, Array]

SUCCESS = "success_rate"
"""The score that controllers are compared by."""
MEANS = {
    "dial_in_time": "dial_in",
    **{name: name for name in ("overshoots", "orbits", "path_efficiency", "peak_speed", "sparc", "ldlj")},
    **{name: name for name in ("command_effort", "muscle_effort", "work")},
}
"""Scores that are means over movements of a figure of each, see :func:`~.movement.movement_figures`."""
PURSUIT = {"tracking_error": "error", "time_on_target": "on_target", "bandwidth": "bandwidth", "coherent": "coherent"}
EFFORTS = ("command_effort", "muscle_effort", "work")


def summarise_reaching(results: Sequence[Result], seed: int) -> Result:
    """``controllers``, a summary for each cell, and ``comparisons`` of each with each under the same conditions.

    Args:
        results: of :func:`~.reaching.evaluate_reaching_task`, or of recorded sessions.
        seed: of resampling.
    """
    by_expert: dict[str, float] = {}
    controllers = []
    for result in results:
        controllers.append(summarise_cell(result, by_expert, seed))
        if result["controller"] == "expert":
            by_expert = {name: score["value"] for name, score in controllers[-1]["scores"].items()}
    return {"controllers": controllers, "comparisons": compare(results, seed)}


def summarise_cell(result: Result, by_expert: Mapping[str, float], seed: int) -> Result:
    """One cell. Each score has its ``value``; the 95 % ``interval`` (people are resampled; of the success rate of one
    episode a person Wilson's); ``chance``, that of shuffled commands; the ``expert``'s; and ``p``, of the success rate,
    that shuffled commands do as well (paired permutation over people)."""
    people, shuffled = result["people"], result.get("shuffled")
    parts = [tabled(result[name], people) for name in PARTS]
    value = scores([part.columns() for part in parts], result["targets"])
    intervals = block_bootstrap(
        lambda drawn: scores([part.columns(drawn[0]) for part in parts], result["targets"]), [people], seed
    )
    if len(result["episodes"]) == people:
        intervals[SUCCESS] = wilson_interval(round(value[SUCCESS] * people), people)
    by_chance = (
        scores([tabled(shuffled[name], people).columns() for name in PARTS], result["targets"]) if shuffled else {}
    )
    summed = {
        name: {
            "value": score,
            "interval": intervals[name],
            "chance": by_chance.get(name),
            "chance_95": None,
            "expert": by_expert.get(name),
            "p": None,
        }
        for name, score in value.items()
    }
    if shuffled:
        summed[SUCCESS]["p"] = paired_permutation(per_person(result), per_person(result | shuffled), seed).p
    curve = reached_by(parts[1].columns())
    kept = {name: result[name] for name in (*CONDITIONS, "people", "radius", *PARTS, "paths", "seconds")}
    kept |= {"cost": result.get("cost", {}), "losses": result.get("losses", [])}
    return {
        "name": name_of(result),
        "scores": summed,
        "survival": {"times": curve.times.tolist(), "share": curve.share.tolist(), "end": curve.end},
        **kept,
    }


CONDITIONS = ("controller", "env", "brain", "user", "delay", "options", "seed")
PARTS = ("episodes", "movements", "pursuits")


def name_of(result: Result) -> str:
    """Of a cell, to be told by."""
    return ", ".join(filter(None, (result["controller"], condition_of(result))))


def condition_of(result: Result) -> str:
    """Brain, user and delay in words; nothing of the expert and of a recorded session."""
    delay = f"+{1000 * result['delay']:g} ms" if result["delay"] else ""
    return ", ".join(filter(None, (result["brain"], result["user"], delay)))


def scores(parts: Iterable[Columns], targets: float | None) -> dict[str, float]:
    """All scores of episodes, movements and pursuits, NaN where there is nothing to score.

    success_rate        share of episodes
    time_to_target      s, staying included, mean of the movements that arrived
    acquisition_time    s, the same without staying
    median_time         s until half have arrived, by Kaplan-Meier
    restricted_time     s until arrival or time is up, the area below the Kaplan-Meier curve
    throughput          bit/s by effective width (ISO 9241-411), movements that did not arrive included
    fitts_intercept     s, fitts_slope s/bit, fitts_r2: acquisition time of those that arrived by Shannon's index of
                        difficulty with the target's diameter as its width
    bit_rate            bit/s, achieved (Nuyujukian et al. 2015): an episode is a choice among ``targets``
    tracking_error      m, root mean square; time_on_target, a share; bandwidth, Hz; coherent, a share: of pursuit
    and the means of MEANS.
    """
    episodes, movements, pursuits = parts
    told = {SUCCESS: mean(episodes["success"])}
    if pursuits:
        told |= {name: mean(pursuits[figure]) for name, figure in PURSUIT.items()}
        return told | {name: mean(pursuits[name]) for name in EFFORTS}
    if targets is not None:
        right, count = float(episodes["success"].sum()), len(episodes["success"])
        told["bit_rate"] = achieved_bit_rate(targets, right, count - right, float(episodes["seconds"].sum()))
    if not movements:
        return told | dict.fromkeys(MOVEMENT_SCORES, math.nan)
    arrived = movements["reached"] > 0
    distance, acquisition = movements["distance"], movements["acquisition"]
    difficulty = index_of_difficulty(distance, 2 * movements["radius"])
    curve = reached_by(movements)
    return told | {
        "time_to_target": mean(movements["seconds"][arrived]),
        "acquisition_time": mean(acquisition[arrived]),
        "median_time": curve.median,
        "restricted_time": curve.mean,
        "throughput": effective_throughput(distance, movements["error"], acquisition),
        **{f"fitts_{k}": v for k, v in fitts_line(difficulty[arrived], acquisition[arrived])._asdict().items()},
        **{name: mean(movements[figure]) for name, figure in MEANS.items()},
    }


MOVEMENT_SCORES = (
    *("time_to_target", "acquisition_time", "median_time", "restricted_time", "throughput"),
    *("fitts_intercept", "fitts_slope", "fitts_r2", *MEANS),
)


def reached_by(movements: Columns) -> Survival:
    """Which share of the movements has not arrived by when."""
    if not movements:
        return survival(np.empty(0), np.empty(0, bool))
    return survival(movements["seconds"], movements["reached"] > 0)


class Tabled(NamedTuple):
    """Figures of many things, each somebody's.

    Args:
        names: of the figures.
        values: ``(figure, row)``, NaN where there is none.
        rows: of each person.
    """

    names: list[str]
    values: Array
    rows: list[NDArray[np.intp]]

    def columns(self, people: NDArray[np.int64] | None = None) -> Columns:
        """Each figure ``(row,)`` of all, or of these people, who may come more than once; nothing without rows."""
        values = self.values
        if people is not None and self.names:
            values = values[:, np.concatenate([self.rows[person] for person in people.tolist()])]
        return dict(zip(self.names, values, strict=True)) if values.size else {}


def tabled(rows: Sequence[Mapping[str, Any]], people: int) -> Tabled:
    """Rows of figures, of so many people; what is no number is left out."""
    if not rows:
        return Tabled([], np.empty((0, 0)), [])
    names = [name for name, value in rows[0].items() if not isinstance(value, list | str)]
    values = np.array([[row[name] for row in rows] for name in names], float)
    return Tabled(names, values, [np.flatnonzero(values[names.index("person")] == person) for person in range(people)])


def mean(values: Array) -> float:
    """Of what is known; NaN of nothing."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan


def per_person(result: Result) -> Array:
    """``(person,)`` success rate of each."""
    table = tabled(result["episodes"], result["people"])
    return np.array([table.columns()["success"][own].mean() for own in table.rows])


def compare(results: Sequence[Result], seed: int) -> list[Result]:
    """Each controller with each other under the same conditions and with the same targets: mean ``difference`` a - b of
    the success rate, its ``effect`` d_z and ``permutation_p`` over people, and Holm's correction of it."""
    compared: list[Result] = []
    decoded = [r for r in results if r["brain"]]
    for a, b in combinations(decoded, 2):
        if all(a[name] == b[name] for name in CONDITIONS[1:]) and a["people"] == b["people"]:
            paired = paired_permutation(per_person(a), per_person(b), seed)
            compared.append(
                {"a": name_of(a), "b": name_of(b), "score": SUCCESS, "difference": paired.difference}
                | {"effect": paired.effect, "permutation_p": paired.p}
            )
    for entry, p in zip(compared, holm([entry["permutation_p"] for entry in compared]), strict=True):
        entry["holm_p"] = p
    return compared


def known_scores(controllers: Iterable[Result]) -> list[str]:
    """Names of the scores that any controller has a value of."""
    names: dict[str, None] = {}
    for controller in controllers:
        for name, score in controller["scores"].items():
            if score["value"] is not None and math.isfinite(score["value"]):
                names[name] = None
    return list(names)
