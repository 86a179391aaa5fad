"""The command line: finds the command, has ``tyro`` parse its typed configuration, and says errors in one line."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, get_type_hints

from motorctl.errors import ConfigurationError, MotorctlError

COMMANDS = {
    "demo": ("motorctl.runtime.demo:demo", "the whole loop on a simulated person: train, then move the arm live"),
    "envs": ("motorctl.runtime.environments:list_environments", "list the environments"),
    "simulate": ("motorctl.runtime.simulate:simulate", "run an environment with its expert"),
    "train imitation": (
        "motorctl.training.recordings:train_on_recordings",
        "train a controller on a calibration, or on cued recordings",
    ),
    "train adapt": ("motorctl.training.adapt:adapt", "fit a stored controller to a new session"),
    "train pretrain": (
        "motorctl.training.pretrain:pretrain_on_recordings",
        "pretrain a network on recordings without labels",
    ),
    "train simulated": (
        "motorctl.training.simulated:train_on_simulated_people",
        "train a controller on simulated people, in the closed loop too",
    ),
    "train classify": (
        "motorctl.training.classify:train_classifier",
        "train a classifier of movements on recordings, a table or sequences",
    ),
    "train regress": ("motorctl.training.regress:train_regression", "train on continuous targets from an .npz"),
    "train forecast": ("motorctl.training.forecast:train_forecast", "train to foretell how movements go on"),
    "train bptt": ("motorctl.training.bptt_command:train_bptt", "train a controller through the limb, with no expert"),
    "evaluate decoding": (
        "motorctl.evaluation.decoding_command:evaluate_decoding",
        "compare decoders on recordings, beside chance",
    ),
    "evaluate reaching": (
        "motorctl.evaluation.reaching_command:evaluate_reaching",
        "reach with controllers in simulated closed loops",
    ),
    "compare": ("motorctl.evaluation.compare:compare_runs", "put evaluated runs side by side, tested on each other"),
    "sweep": ("motorctl.training.sweep:sweep", "search for hyper-parameters of any command"),
    "headset": ("motorctl.runtime.headset:headset", "stream a recording, a simulated person's EEG or a board over LSL"),
    "streams": ("motorctl.runtime.streams:streams", "list the LSL streams that are visible"),
    "doctor": ("motorctl.runtime.doctor:doctor", "try what a closed loop needs on this machine"),
    "inspect": ("motorctl.signals.inspect:inspect", "what is in a recording: streams, channels, cues, gaps"),
    "convert": ("motorctl.signals.convert:convert", "write a recording as FIF, EDF, CSV or XDF"),
    "data eegmmi": ("motorctl.signals.data:eegmmi", "download recordings of real and imagined movements"),
    "quality": ("motorctl.runtime.signal_check:quality", "say which channels of a stream are bad, and what mends them"),
    "calibrate": ("motorctl.runtime.calibrate:calibrate", "show movements to somebody with a cap, and record"),
    "session": ("motorctl.runtime.session:session", "from the cap to a limb that obeys, step by step"),
    "record": ("motorctl.runtime.record:record", "record LSL streams into an XDF file"),
    "replay": ("motorctl.runtime.replay:replay", "run a recorded session again through any controller"),
    "live": ("motorctl.runtime.live:live", "move the limb from a live EEG stream"),
    "cockpit": ("motorctl.runtime.cockpit.command:cockpit", "show a run and steer it, in the browser or the terminal"),
}
"""Command to the function that runs it, loaded only when it is called for, and to one line on what it does. The
function takes one argument, a dataclass: the command's configuration."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, 1 for an error that is said, 2 for wrong usage, 130 for Ctrl-C."""
    if arguments is None:
        # Whoever sends either signal wants the end with everything written; a shell that starts a command in the
        # background has Ctrl-C ignored.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
    words = sys.argv[1:] if arguments is None else arguments
    name = name_of(words)
    if name is None:
        return print_overview(words)
    try:
        run(name, words[len(name.split()) :])
    except MotorctlError as error:
        return complain(str(error))
    except OSError as error:
        return complain(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}.")
    except KeyboardInterrupt:
        return 130
    return 0


def name_of(words: list[str]) -> str | None:
    """The command that words begin with."""
    return next((n for n in COMMANDS if words[: len(n.split())] == n.split()), None)


def run(name: str, words: list[str]) -> None:
    """Parse the command's configuration from ``words`` and run it."""
    command, config = parse(name, words)
    command(config)


def parse(name: str, words: list[str]) -> tuple[Callable[[Any], None], Any]:
    """The function of a command, and its configuration from ``words``.

    Where the command's module has ``PRESETS``, name to configuration, the one that ``--preset`` names, or the first,
    gives the options and their defaults.
    """
    import tyro  # here, because the overview is to come at once

    command = load(COMMANDS[name][0])
    presets: dict[str, Any] = getattr(sys.modules[command.__module__], "PRESETS", {})
    if not presets:
        return command, tyro.cli(get_type_hints(command)["config"], prog=f"motorctl {name}", args=words)
    default = presets[chosen_preset(words, presets)]
    return command, tyro.cli(type(default), default=default, prog=f"motorctl {name}", args=words)


def chosen_preset(words: list[str], presets: dict[str, Any]) -> str:
    """The preset that ``--preset NAME`` or ``--preset=NAME`` names, or the first.

    Raises:
        ConfigurationError: there is no such preset.
    """
    flag, given = "--preset", " ".join(words).replace("=", " ").split()
    chosen = given[given.index(flag) + 1] if flag in given[:-1] else next(iter(presets))
    if chosen not in presets:
        raise ConfigurationError(f"There is no preset '{chosen}'.", f"Choose one of {', '.join(presets)}.")
    return chosen


def load(place: str) -> Callable[[Any], None]:
    """The function at ``module:function``.

    Raises:
        ConfigurationError: MuJoCo, which loads OpenGL when it is imported, cannot load the one that MUJOCO_GL names.
    """
    module, function = place.split(":")
    try:
        command: Callable[[Any], None] = getattr(import_module(module), function)
    except Exception as error:  # each backend fails in its own way
        if "MUJOCO_GL" not in os.environ:
            raise
        problem = f"MuJoCo cannot be loaded with MUJOCO_GL={os.environ['MUJOCO_GL']} ({error})."
        raise ConfigurationError(
            problem, "Unset MUJOCO_GL, or set it to egl, glfw or osmesa where that is installed."
        ) from error
    return command


def complain(message: str) -> int:
    """Say an error on one line of standard error."""
    print("motorctl: " + " ".join(message.split()), file=sys.stderr)
    return 1


def print_overview(words: list[str]) -> int:
    """Which commands there are, or those that begin with the first word, as ``train``; an error unless that is what was
    asked for."""
    if words and words[0] == "--version":
        from motorctl import __version__

        print(f"motorctl {__version__}")
        return 0
    group = [name for name in COMMANDS if words and name.startswith(f"{words[0]} ")]
    asked = not words or words[1 if group else 0 :][:1] in (["-h"], ["--help"], ["help"])
    lines = [f"  {name:18s}{COMMANDS[name][1]}" for name in group or COMMANDS]
    usage = ["usage: motorctl COMMAND [OPTIONS]", "", *lines, "", "motorctl COMMAND --help explains each option."]
    if not asked:
        usage.insert(0, f"motorctl: there is no command '{' '.join(words[:2])}'.")
    print("\n".join(usage), file=sys.stdout if asked else sys.stderr)
    return 0 if asked else 2
