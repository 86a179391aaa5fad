"""The loop on wall-clock time, with everything warm, undisturbed, and told on the console."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import nullcontext

from rich.console import Console

from motorctl.agents import Stepper
from motorctl.envs import Env
from motorctl.errors import StreamError
from motorctl.runtime.calm import calm
from motorctl.runtime.loop import Actuator, Decoder, Guide, Sink, Step, Trials, free_reaching, run_loop
from motorctl.runtime.operator import Operator, keyboard
from motorctl.runtime.pace import Pacing
from motorctl.runtime.reader import Reader
from motorctl.runtime.rehearsal import rehearse
from motorctl.runtime.report import print_phase, print_trial
from motorctl.runtime.safety import CAUTIOUS, UNHEARD, Phase, SafetyConfig
from motorctl.signals.lsl import IsolatedSource, LSLSource
from motorctl.training.checkpoint import Checkpoint


def run_live(
    checkpoint: Checkpoint,
    reader: Reader,
    env: Env,
    sinks: Iterable[Sink],
    seconds: float,
    seed: int,
    console: Console,
    *,
    trials: Trials = free_reaching,
    safety: SafetyConfig = CAUTIOUS,
    operator: Operator | None = None,
    guide: Guide | None = None,
    actuator: Actuator = lambda command, time: None,
    pacing: Pacing = "samples",
    decoder: Decoder | None = None,
) -> str | StreamError:
    """Run the loop on wall-clock time, with a line for every target and every phase of safety; the keyboard is the
    operator's.

    Returns:
        why it ended: ``time is up``, ``ended by the operator``, ``interrupted`` (Ctrl-C), or the error of a stream that
        is gone for good.
    """
    operator = operator or Operator()
    decoder = decoder or Stepper(checkpoint.controller)
    alike = checkpoint.pipeline.config.rate == env.get_wrapper_attr("control_rate")  # else few steps have a row
    try:
        rehearse(checkpoint.pipeline, decoder, env)
        with calm(console) as collect, reader.source, keyboard(operator) if sys.stdin.isatty() else nullcontext():
            loop = run_loop(
                reader,
                decoder,
                env,
                seconds,
                seed,
                [*sinks, collect],
                trials=trials,
                safety=safety,
                operator=operator,
                guide=guide,
                actuator=actuator,
                pacing=pacing if alike else "clock",
            )
            print_steps(loop, console)
            return "ended by the operator" if operator.ended else "time is up"
    except StreamError as error:
        return error
    except KeyboardInterrupt:
        return "interrupted"


def stop_for_dead(source: LSLSource | IsolatedSource, operator: Operator) -> Sink:
    """A sink that stops the limb when the process that reads the stream has died."""
    known = 0

    def look(step: Step) -> None:
        nonlocal known
        if (deaths := getattr(source, "deaths", 0)) > known:
            known = deaths
            operator.ask("stop", "the process that reads the stream was killed; start to go on")

    return look


def print_steps(loop: Iterable[Step], console: Console) -> None:
    """Run the loop to its end, with a line for each trial that ends, and when safety allows something else."""
    trials, phase = 0, (Phase.IDLE, UNHEARD)
    for step in loop:
        if step.outcome:
            trials += 1
            print_trial(console, trials, step)
        if (step.phase, step.cause) != phase:
            phase = step.phase, step.cause
            print_phase(console, step)
