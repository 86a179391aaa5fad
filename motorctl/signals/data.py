"""``motorctl data``: public recordings, downloaded."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from motorctl.errors import ConfigurationError, RecordingError

_SUBJECTS, _RUNS = 109, 14


@dataclass(frozen=True)
class Eegmmi:
    """Download recordings of the EEG Motor Movement/Imagery Database (Schalk et al., IEEE Trans. Biomed. Eng. 51, 2004;
    PhysioNet, ODC-By 1.0). Runs 1 and 2 are rest; 3, 7, 11 left or right fist, 4, 8, 12 the same imagined; 5, 9, 13
    both fists or feet, 6, 10, 14 the same imagined."""

    subjects: tuple[int, ...]
    """Which of the 109 subjects."""
    runs: tuple[int, ...] = tuple(range(1, _RUNS + 1))
    """Which of the 14 runs of each."""
    folder: Path = Path("~/mne_data")
    """Where to keep them, as MNE does; a file that is there already is not downloaded again."""


def eegmmi(config: Eegmmi) -> None:
    """Run the command: prints the path of each recording.

    Raises:
        ConfigurationError: there is no such subject or run.
        RecordingError: a recording cannot be downloaded, or is not what was published.
    """
    for name, chosen, most in (("subject", config.subjects, _SUBJECTS), ("run", config.runs, _RUNS)):
        if not chosen or not all(1 <= number <= most for number in chosen):
            raise ConfigurationError(
                f"There is no {name} {', '.join(map(str, chosen)) or 'given'}.", f"Choose {name}s of 1 to {most}."
            )
    import pooch  # type: ignore[import-untyped]
    from mne.datasets import eegbci  # type: ignore[import-untyped]  # here, so that a mistake is said at once

    folder = config.folder.expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    for logger in (pooch.get_logger(), logging.getLogger("urllib3")):  # what goes wrong is said below
        logger.setLevel(logging.CRITICAL)
    try:
        paths = eegbci.load_data(
            list(config.subjects), list(config.runs), path=str(folder), update_path=False, verbose="error"
        )
    except Exception as error:  # of requests, urllib3 or pooch, which differ by what the network does
        raise RecordingError(
            f"The recordings cannot be downloaded from physionet.org ({type(error).__name__}).",
            f"Check the network, or copy the files to {folder / 'MNE-eegbci-data'} as MNE keeps them there.",
        ) from error
    for path in paths:
        check_published(path)
        print(path)


def check_published(path: Path) -> None:
    """Compare a recording with the checksum that MNE has of what was published.

    Raises:
        RecordingError: it is another.
    """
    listed = files("mne").joinpath("data", "eegbci_checksums.txt").read_text(encoding="utf-8")
    published = dict(line.split() for line in listed.splitlines() if line)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != published[f"{path.parent.name}/{path.name}"]:
        raise RecordingError(f"'{path}' is not what was published.", "Delete it, and run the command again.")
