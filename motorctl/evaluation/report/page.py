"""The page: what was run, what came out in words and numbers, then figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from motorctl.evaluation import decoding_tables, reaching_tables
from motorctl.evaluation.baselines import BASELINES
from motorctl.evaluation.decoding_tables import best_decoder
from motorctl.evaluation.reaching_summary import SUCCESS, condition_of
from motorctl.evaluation.report.decoding_pictures import decoding_pictures
from motorctl.evaluation.report.reaching_pictures import reaching_pictures

Results = Mapping[str, Any]

TEMPLATE = Path(__file__).parent / "page.html"
SURE = 0.05
"""Below this, a difference is told."""


def write_report(path: Path, results: Results, run: Mapping[str, Any]) -> None:
    """Write one HTML file that needs nothing else.

    Args:
        path: of the file.
        results: of ``motorctl evaluate``, as in ``results.json``.
        run: ``command``, ``config`` and ``versions``, as in ``config.json``.
    """
    decoding = results["command"] == "evaluate decoding"
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    page = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        title="Decoding" if decoding else "Reaching",
        sentences=(decoding_sentences if decoding else reaching_sentences)(results),
        tables=[
            table.splitlines()
            for table in (decoding_tables if decoding else reaching_tables).markdown(results).split("\n\n")
        ],
        cells=cells,
        pictures=decoding_pictures(results) if decoding else reaching_pictures(results),
        facts=list(facts(results, run)),
        config=list(flat(run["config"])),
        data=results["data"],
        versions=run["versions"],
    )
    path.write_text(page, encoding="utf-8")


def cells(line: str) -> list[str]:
    """Of a row of a Markdown table."""
    return [cell.strip() for cell in line.strip().strip("|").split(" | ")]


def flat(config: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Every option with its value, named as on the command line."""
    for name, value in config.items():
        option = above + name.replace("_", "-")
        if isinstance(value, dict):
            yield from flat(value, option + ".")
        else:
            told = " ".join(map(str, value)) if isinstance(value, list | tuple) else value
            yield option, "–" if told in (None, "") else str(told)


def facts(results: Results, run: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What was run, in short."""
    yield "command", f"motorctl {run['command']}"
    for name in ("protocol", "tested", "env", "permutations"):
        if name in results:
            yield name.replace("env", "environment"), str(results[name])
    if "classes" in results or "outputs" in results:
        names = results["classes"] if "classes" in results else results["outputs"]
        yield ("classes" if "classes" in results else "outputs"), ", ".join(names)
    yield "seed", str(results["seed"])
    yield "took", f"{results['seconds']:.0f} s"
    yield "motorctl", run["versions"]["motorctl"]


def decoding_sentences(results: Results) -> list[str]:
    """What came out, in words."""
    kind, best = results["kind"], best_decoder(results)
    main = decoding_tables.MAIN_OF[kind]
    score, cost = results["decoders"][best]["scores"][main], results["decoders"][best]["cost"]
    low_to_high = decoding_tables.span(main, score["interval"])
    value = decoding_tables.number(main, score["value"])
    said = [
        f"Of {results['tested']}, {best} decoded {value} % right (95 % interval {low_to_high})."
        if kind == "class"
        else f"Best was {best}, with R² = {value} (95 % interval {low_to_high}) over {results['tested']}."
    ]
    if score["p"] is not None:
        chance = decoding_tables.number(main, score["chance"])
        unit = " %" if kind == "class" else ""
        least = 1 / (1 + results["permutations"])
        few = f"; {results['permutations']} permutations cannot give less than {least:.3f}" if least >= SURE else ""
        verdict = "better than chance" if score["p"] < SURE else "not shown to be better than chance"
        said.append(
            f"That is {verdict}: with labels permuted by trial, learned and tested again, it gave {chance}{unit} on "
            f"average (p = {decoding_tables.number('p', score['p'])}{few})."
        )
    else:
        said.append("Chance was not looked for: there were no permutations.")
    for name in BASELINES:
        if kind == "value" and name in results["decoders"]:
            baseline = results["decoders"][name]["scores"][main]["value"]
            if baseline is not None and score["value"] is not None and baseline >= score["value"]:
                told = decoding_tables.number(main, baseline)
                said.append(f"The baseline {name}, which looks at no signal, does as well (R² = {told}).")
    others = [name for name in results["decoders"] if name != best]
    if rivals := set(others) - set(BASELINES):
        said.append(f"It was picked as the best of {1 + len(rivals)} on the same trials, which flatters it.")
    worse = told_apart(results["comparisons"], best)
    if others:
        said.append(
            f"It did better than {', '.join(worse)} (paired permutation test, Holm-corrected p < {SURE})."
            if worse
            else "No other decoder is told apart from it (paired permutation test, Holm-corrected)."
        )
    if "latency_ms" in cost:
        said.append(f"A decision takes {decoding_tables.number('latency_ms', cost['latency_ms'])} ms.")
    said += [f"{path}: {count} trials left out, as samples are missing." for path, count in results["left_out"].items()]
    return said


def reaching_sentences(results: Results) -> list[str]:
    """What came out, in words: of each brain, user and delay who did best; of recorded sessions each one."""
    controllers = results["controllers"]
    alone = [c for c in controllers if not condition_of(c)]
    decoded = [c for c in controllers if condition_of(c)]
    conditions = list(dict.fromkeys(map(condition_of, decoded)))
    said = [best_sentence([c for c in decoded if condition_of(c) == of], results["comparisons"]) for of in conditions]
    if len(conditions) > 1:
        best = [best_controller([c for c in decoded if condition_of(c) == of]) for of in conditions]
        reached = "; ".join(f"{c['name']} {reaching_tables.number(SUCCESS, success(c))} %" for c in best)
        said.insert(0, f"Success of the best decoder: {reached}.")
    return said + [f"{c['name']}: {success_in_words(c)}." for c in alone]


def best_sentence(controllers: Sequence[Any], comparisons: Sequence[Any]) -> str:
    """Who did best under one condition, and better than whom."""
    best = best_controller(controllers)
    said = f"{best['name']}{' did best' if len(controllers) > 1 else ''}: {success_in_words(best)}."
    others = [c["name"] for c in controllers if c is not best]
    worse = told_apart(comparisons, best["name"])
    like = [c["controller"] for c in controllers if c["name"] in others and c["name"] not in worse]
    if worse:
        names = ", ".join(c["controller"] for c in controllers if c["name"] in worse)
        said += f" Better in success than {names} (paired permutation test, Holm-corrected p < {SURE})."
    if like:
        said += f" Not told apart from it in success: {', '.join(like)}."
    return said


def best_controller(controllers: Sequence[Any]) -> Any:
    """The highest success; of equals the shortest time, targets that were not reached included."""

    def rank(controller: Any) -> tuple[float, float]:
        seconds = controller["scores"].get("restricted_time", {}).get("value")
        return -success(controller), float("inf") if seconds is None else seconds

    return min(controllers, key=rank)


def success(controller: Any) -> float:
    """Its rate."""
    return float(controller["scores"][SUCCESS]["value"])


def success_in_words(controller: Any) -> str:
    """Its rate, how sure that is, what chance gives, and how fast it was."""
    tables, scores = reaching_tables, controller["scores"]
    score, median = scores[SUCCESS], scores.get("median_time", {}).get("value")
    said = (
        f"{tables.number(SUCCESS, score['value'])} % of {len(controller['episodes'])} episodes succeed (95 % interval "
        f"{tables.span(SUCCESS, score['interval'])}"
    )
    if score["chance"] is not None:
        equal = "" if score["p"] < 0.001 else "= "
        chance = tables.number(SUCCESS, score["chance"])
        said += f"; the same commands shuffled {chance} %, p {equal}{tables.p_value(score['p'])}"
    return said + ")" + (f", half of the targets within {tables.number('', median)} s" if median is not None else "")


def different(entry: Mapping[str, Any]) -> bool:
    """Whether two are told apart; not where nothing is known."""
    return entry["holm_p"] is not None and entry["holm_p"] < SURE


def told_apart(comparisons: Sequence[Mapping[str, Any]], best: str) -> list[str]:
    """Which ones are worse than ``best``."""
    found = []
    for entry in comparisons:
        if best in (entry["a"], entry["b"]) and different(entry):
            better = entry["difference"] > 0 if entry["a"] == best else entry["difference"] < 0
            if better:
                found.append(entry["b"] if entry["a"] == best else entry["a"])
    return found
