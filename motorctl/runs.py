"""Run folders: where a command writes what it did, and with which configuration."""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from motorctl.errors import ConfigurationError


def open_run_folder(out: Path | None, command: str, config: Any) -> Path:
    """Make the folder ``out``, by default a new one under ``runs``, and write ``config.json`` into it.

    Args:
        out: a folder that does not exist, is empty, or is of an earlier run, which is written over.
        command: what runs.
        config: a dataclass.

    Raises:
        ConfigurationError: the folder holds something else.
    """
    folder = out or Path("runs") / f"{command.replace(' ', '-')}-{time.strftime('%Y%m%d-%H%M%S')}"
    if folder.exists() and not folder.is_dir():
        raise ConfigurationError(f"{folder} is a file.", "Name a folder with --out.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "config.json").exists():
        raise ConfigurationError(f"{folder} holds files that are not of a run.", "Name another folder with --out.")
    folder.mkdir(parents=True, exist_ok=True)
    versions = {name: version(name) for name in ("motorctl", "torch", "mujoco", "gymnasium", "numpy", "mne", "pylsl")}
    write_json(folder / "config.json", {"command": command, "config": asdict(config), "versions": versions})
    return folder


def check_json_path(path: Path | None) -> None:
    """Say before a long run, not after it, that its results cannot be written.

    Raises:
        ConfigurationError: there is no folder to write ``path`` into.
    """
    if path is not None and not path.parent.is_dir():
        raise ConfigurationError(f"There is no folder {path.parent} for {path.name}.", "Make it, or change --json.")


def write_json(path: Path, data: Any) -> None:
    """Write ``data`` as JSON, made :func:`plain`."""
    try:
        path.write_text(json.dumps(plain(data), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:  # a full disk shows when a file is closed, without its name
        raise OSError(error.errno, error.strerror, str(path)) from error


def plain(value: Any) -> Any:
    """``value`` in the types JSON has: paths become text, numbers that are not finite null."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value
