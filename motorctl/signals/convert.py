"""``motorctl convert``: a recording in another format, and what that format cannot hold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from motorctl.errors import ConfigurationError
from motorctl.signals.export import ONE_STREAM, WRITERS
from motorctl.signals.recording import choose_stream, read_streams, suffix_of


@dataclass(frozen=True)
class ConvertRecording:
    """Write a recording in another format, and say what that format cannot hold."""

    source: Annotated[Path, tyro.conf.Positional]
    """Recording to read."""
    target: Annotated[Path, tyro.conf.Positional]
    """File to write; its suffix decides: .fif, .edf or .csv for one stream, .xdf for all."""
    stream: str | None = None
    """Name of the stream to write, where several would do."""
    unit: str | None = None
    """Unit of the recording's EEG (V, mV, µV, uV, nV), where the file says none or a wrong one."""
    rate: float | None = None
    """Sampling rate (Hz), for a table or an array that does not say it."""
    force: bool = False
    """Write over a file that is there."""


def convert(config: ConvertRecording) -> None:
    """Run the command.

    Raises:
        RecordingError: the recording cannot be read, or the format would change what was measured.
        ConfigurationError: the target is there already, is in no folder, or of no format that can be written.
    """
    write = WRITERS.get(suffix := suffix_of(config.target))
    if write is None:
        raise ConfigurationError(
            f"'{config.target}' is of no format that can be written.", f"Use {', '.join(WRITERS)}."
        )
    if not config.target.parent.is_dir():
        raise ConfigurationError(f"There is no folder {config.target.parent}.", "Make it, or write elsewhere.")
    if config.target.exists() and not config.force:
        raise ConfigurationError(f"'{config.target}' is there already.", "Choose another name, or give --force.")
    if config.target.exists() and config.source.exists() and config.target.samefile(config.source):
        raise ConfigurationError(f"'{config.target}' is the recording itself.", "Choose another name.")
    streams = read_streams(config.source, config.unit, config.rate)
    if suffix in ONE_STREAM or config.stream is not None:
        streams = (choose_stream(streams, config.stream),)
    part = config.target.with_name(f".{config.target.stem}.part{suffix}")  # nobody is to find half a file
    try:
        said = write(streams, part)
        part.replace(config.target)
    except OSError as error:  # a full disk shows when a file is closed, without its name
        raise OSError(error.errno, error.strerror or str(error), str(config.target)) from error
    finally:
        part.unlink(missing_ok=True)
    names = ", ".join(f"'{s.info.name}' ({len(s.info.channels)} channels, {s.duration:g} s)" for s in streams)
    print(f"{config.target} holds {names}.")
    for note in dict.fromkeys([*(note for stream in streams for note in stream.notes), *said]):
        print(f"- {note}")
