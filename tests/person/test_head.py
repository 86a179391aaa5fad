"""Topographies peak over their sources."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motorctl.errors import ConfigurationError
from motorctl.person.head import SITES, background_mixing, head
from motorctl.signals.electrodes import electrode_positions

LABELS = ("F3", "FC1", "FC5", "C5", "C3", "C1", "Cz", "C2", "C4", "C6", "CP1", "CP5", "P3", "O1", "O2")


def topography(site: str) -> dict[str, float]:
    return dict(zip(LABELS, head(LABELS).topographies[list(SITES).index(site)].tolist(), strict=True))


@pytest.mark.parametrize("site", [site for site, (_, points) in SITES.items() if points == "out" and "leg" not in site])
def test_current_out_of_the_head_is_strongest_above_it(site: str) -> None:
    potentials, above = topography(site), SITES[site][0]
    assert max(potentials, key=lambda label: potentials[label]) == above
    assert potentials[above] == pytest.approx(1.0, abs=0.02)


def test_current_in_the_sulcus_is_positive_before_it_and_negative_behind() -> None:
    potentials = topography("sulcus left")
    assert potentials["FC1"] > 0.4 and potentials["FC5"] > 0.4 and potentials["CP1"] < -0.4 and potentials["CP5"] < -0.4
    assert abs(potentials["C3"]) < 0.05
    assert abs(potentials["C4"]) < 0.1


def test_potentials_fall_off_as_in_a_homogeneous_sphere_but_wider() -> None:
    """The closed form of a radial dipole in one sphere has no skull, so it bounds the spread from below."""
    potentials, depth = topography("hand left"), 0.72
    places = {label: electrode_positions()[label] for label in ("C3", "C1", "Cz")}
    centre = np.mean([electrode_positions()[label] for label in ("T7", "T8")], axis=0)
    unit = {label: (p - centre) / np.linalg.norm(p - centre) for label, p in places.items()}

    def homogeneous(label: str) -> float:
        cosine = float(unit["C3"] @ unit[label])
        distance = np.sqrt(1 + depth**2 - 2 * depth * cosine)
        return 2 * (cosine - depth) / distance**3 + (1 / depth) * (1 / distance - 1)

    for label in ("C1", "Cz"):
        assert potentials[label] > homogeneous(label) / homogeneous("C3") - 0.02


def test_turning_the_cap_moves_the_topography() -> None:
    """About the axis to the right, electrodes go up in front: those before C3 come nearer to it."""
    known = head(LABELS)
    turned = known.topographies + 0.05 * known.turns[0]
    site = list(SITES).index("hand left")
    change = dict(zip(LABELS, (turned - known.topographies)[site].tolist(), strict=True))
    assert change["CP1"] * change["FC1"] < 0
    assert max(abs(value) for value in change.values()) < 0.3


def test_neighbours_share_the_background() -> None:
    covariance = head(LABELS).background @ head(LABELS).background.T
    assert covariance.diagonal().mean() == pytest.approx(1.0, abs=1e-4)
    scale = covariance.diagonal().sqrt()
    r = covariance / scale / scale[:, None]
    at = LABELS.index
    assert r[at("C3"), at("C1")] > 0.6 > r[at("C3"), at("F3")] > r[at("C3"), at("C4")] + 0.2
    torch.testing.assert_close(torch.tensor(background_mixing(LABELS)).float(), head(LABELS).background)


@pytest.mark.parametrize("labels, said", [(("C3", "Q7"), "'Q7' is no electrode"), (("C3", "C3"), "'C3' comes twice")])
def test_electrodes_that_cannot_be_are_refused(labels: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        head(labels)
