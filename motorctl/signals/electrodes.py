"""Which electrode a channel label means, and where that electrode sits.

Files and devices decorate labels (``Fc5.``, ``EEG C3-REF``); inside the program an electrode of the 10-05 system
(Oostenveld & Praamstra, Clin. Neurophysiol. 112, 2001) has one spelling, that of MNE's Colin-27 montage.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType

import mne  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

from motorctl.errors import ConfigurationError

# "EEG C3-REF": the kind in front, the reference behind. "C3-P3" keeps its second half: a bipolar channel is not C3.
_DECORATED = re.compile(
    r"(?:EEG[\s_:-]+)?(?P<name>[A-Z]+\d*h?)(?:[\s_:-]+(?:REF|LE|AR|CAR|AVG|A1|A2|M1|M2))?", re.IGNORECASE
)


@cache
def electrode_positions() -> Mapping[str, NDArray[np.float64]]:
    """Where each 10-05 electrode sits on the Colin-27 head: label to ``(3,)`` x right, y front, z up, in m.

    Old and new names of one site (``T3`` and ``T7``) are both there.
    """
    names = mne.channels.get_builtin_montages()
    montage = "colin27_1005" if "colin27_1005" in names else "standard_1005"  # renamed in MNE 1.13
    return MappingProxyType(mne.channels.make_standard_montage(montage).get_positions()["ch_pos"])


@cache
def _spelling() -> dict[str, str]:
    return {label.casefold(): label for label in electrode_positions()}


def match_electrode(label: str) -> str | None:
    """The 10-05 electrode that a label means, in canonical spelling; None if it means none."""
    decorated = _DECORATED.fullmatch(label.strip(" ."))
    return _spelling().get(decorated["name"].casefold()) if decorated else None


def clean_label(label: str) -> str:
    """The canonical 10-05 spelling if the label means an electrode, else the label without padding."""
    return match_electrode(label) or label.strip(" .")


def channel_kind(label: str) -> str:
    """``EEG``, ``EOG``, ``EMG``, ``ECG`` or ``MISC``, as far as a label tells."""
    if match_electrode(label):
        return "EEG"
    return next((kind for kind in ("EEG", "EOG", "EMG", "ECG") if kind in label.upper()), "MISC")


def laplacian_neighbours(labels: Iterable[str], label: str, count: int = 4) -> list[str]:
    """The ``count`` electrodes among ``labels`` nearest to ``label`` in 3-D, nearest first.

    Their mean is what a small surface Laplacian subtracts (Hjorth, Electroencephalogr. Clin. Neurophysiol. 39, 1975).
    Labels that are no 10-05 electrodes have no place and are passed over.

    Raises:
        ConfigurationError: if ``label`` is no 10-05 electrode, or fewer than ``count`` others are there.
    """
    positions = electrode_positions()
    if label not in positions:
        raise ConfigurationError(f"'{label}' is no electrode of the 10-05 system.", "Name one, such as C3.")
    others = [other for other in labels if other in positions and other != label]
    if len(others) < count:
        raise ConfigurationError(
            f"A Laplacian at {label} needs {count} other electrodes, but there are {len(others)}.",
            "Record more electrodes, or use no Laplacian.",
        )
    return sorted(others, key=lambda other: float(np.linalg.norm(positions[other] - positions[label])))[:count]
