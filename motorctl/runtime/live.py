"""``motorctl live``: a trained controller moves the limb from an EEG stream, in real time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from typing import Any

from rich.console import Console

from motorctl.errors import StreamError
from motorctl.runs import write_json
from motorctl.runtime.actuator import hardware_of
from motorctl.runtime.adapting import adapting
from motorctl.runtime.class_control import ClassDecoder
from motorctl.runtime.cockpit.child import cockpit_of, talking_to
from motorctl.runtime.demonstration import AskedAloud
from motorctl.runtime.live_config import LiveConfig, check_options
from motorctl.runtime.live_setup import Run, prepare
from motorctl.runtime.loop import Sink, free_reaching
from motorctl.runtime.matching import commands_by_class
from motorctl.runtime.operator import operator_stream, remote
from motorctl.runtime.real_time import run_live, stop_for_dead
from motorctl.runtime.recording import recording_of, told_of
from motorctl.runtime.report import cue_row, help_rows, number, print_table, summary_rows
from motorctl.runtime.shuffled import shuffled_success_rate
from motorctl.runtime.trials import success_by_help
from motorctl.signals.gate import gated_in_words
from motorctl.signals.lsl import hush


def live(config: LiveConfig) -> None:
    """Run the command.

    Raises:
        CheckpointError: the controller cannot be loaded.
        StreamError: there is no such stream, more than one, or one that the controller was not trained on.
            A run that ends because its stream is gone for good is one of these, after its summary is written.
        ConfigurationError: an option has a value that cannot be used.
    """
    hush()
    console = Console()
    check_options(config)
    run = prepare(config, console)
    ended = carry_out(run, config, console)
    results = results_of(run, config, ended)
    write_json(run.folder / "summary.json", results)
    if config.json:
        write_json(config.json, results)
    print_results(run, results, console)
    if isinstance(ended, StreamError):
        raise ended


def carry_out(run: Run, config: LiveConfig, console: Console) -> str | StreamError:
    """The run, from the first sample to the last, and why it ended: see :func:`run_live`."""
    streams, operator = run.streams, run.operator
    say = partial(console.print, highlight=False, markup=False)
    with (
        talking_to(run.folder / "log.txt", console, config.tui),
        hardware_of(config.actuator, streams.description, config.safety, operator) as (actuator, check_actuator),
        adapting(run.checkpoint, config.learning, run.env, operator) if config.adapt else nullcontext() as run.pupil,
        recording_of(run.recorded, run.recorded_later, config.record, run.folder, operator, say),
        remote(operator, run.remotes, operator_stream(config.limb_stream)),
        cockpit_of(config.limb_stream, run.known_by, config.unit, operator, config.cockpit, config.tui),
    ):
        return run_live(
            run.checkpoint,
            run.reader,
            run.env,
            [*sinks_of(run, config), check_actuator],
            config.seconds,
            config.seed,
            console,
            trials=run.tape.told(run.cued or free_reaching, run.decoder),
            safety=config.safety,
            operator=operator,
            guide=run.guide,
            actuator=actuator,
            pacing=config.pacing,
            decoder=run.pupil.decoder if run.pupil else run.decoder,
        )


def sinks_of(run: Run, config: LiveConfig) -> Iterator[Sink]:
    """Who is told of every step."""
    yield from (run.streams, run.tape, told_of(run.operator, run.streams.say), run.guide.told, run.tally, run.log)
    yield stop_for_dead(run.source, run.operator)
    if isinstance(run.decoder, ClassDecoder) and not run.cued:
        yield AskedAloud(commands_by_class(run.checkpoint, config.classes, run.env), run.streams.say)
    if run.pupil:
        yield run.pupil.learn
    if config.chance:
        yield run.kept.append


def results_of(run: Run, config: LiveConfig, ended: str | StreamError) -> dict[str, Any]:
    """What is written to ``summary.json``."""
    results = asdict(run.tally.summary()) | success_by_help(run.log.trials)
    results |= {"pipeline_delay_ms": 1e3 * run.checkpoint.pipeline.delay, "ended": str(ended), "seed": config.seed}
    if run.pupil:
        results["adapted"] = run.pupil.store(run.folder / "adapted", config.controller)
    if config.chance:
        results["shuffled_success_rate"] = shuffled_success_rate(run.kept, run.env, config.seed)
    results["stream_events"] = Counter(event.kind for event in run.source.events)
    results |= {"gated": run.reader.gated, "backlog_skipped": run.reader.skipped}
    if run.cued:
        results["cues"] = [cue._asdict() for cue in run.cued.results]
    return results


def print_results(run: Run, results: dict[str, Any], console: Console) -> None:
    """The same for people."""
    say = partial(console.print, highlight=False, markup=False)
    for kind, text in {event.kind: event.text for event in run.source.events}.items():
        say(f"stream: {results['stream_events'][kind]} x {kind}, the last: {text}.")
    if run.reader.gated:
        say(f"stream: {gated_in_words(run.reader.gated)}.")
    summary = run.tally.summary()
    rows = summary_rows(summary)
    rows = [cue_row(run.cued), *rows[3:]] if run.cued else [*help_rows(results), *rows[2:]]
    rows.append(("pipeline delay", number(results["pipeline_delay_ms"], "ms", 0)))
    say(f"ended: {results['ended'].rstrip('.')}.")
    print_table(console, f"live: {summary.seconds:.0f} s", rows)
    console.print(f"summary.json is in {run.folder}.")
