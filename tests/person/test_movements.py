"""Which areas an intention engages."""

from __future__ import annotations

import pytest
import torch

from motorctl.person.movements import AREAS, MOVEMENTS, OTHER_SIDE, activity


def engaged(name: str) -> set[str]:
    movement = torch.eye(len(MOVEMENTS))[MOVEMENTS.index(name)]
    areas = activity(torch.zeros(2), movement)
    return {area for area, value in zip(AREAS, areas, strict=True) if value > 0.9}


@pytest.mark.parametrize(
    "name, areas",
    [
        ("rest", set()),
        ("left", {"hand right"}),
        ("right", {"hand left"}),
        ("feet", {"leg left", "leg right"}),
        ("fists", {"hand left", "hand right"}),
        ("tongue", {"face left", "face right"}),
    ],
)
def test_a_movement_engages_the_areas_across_the_body(name: str, areas: set[str]) -> None:
    assert engaged(name) == areas


def test_a_reach_and_a_movement_add_but_never_beyond_full() -> None:
    reach, right = torch.tensor([0.1, 0.0]), torch.eye(len(MOVEMENTS))[MOVEMENTS.index("right")]
    hand = AREAS.index("hand left")
    assert activity(reach, None)[hand] == pytest.approx(1 - torch.exp(torch.tensor(-1.0)).item())
    assert activity(reach, 0.5 * right)[hand] == pytest.approx(1 - 0.5 * torch.exp(torch.tensor(-1.0)).item())
    assert activity(reach, right)[hand] == 1.0
    both = right + torch.nn.functional.one_hot(torch.tensor(MOVEMENTS.index("fists")), len(MOVEMENTS))
    assert activity(torch.zeros(2), both)[hand] == 1.0


def test_every_area_has_its_other_side() -> None:
    for area, other in zip(AREAS, OTHER_SIDE, strict=True):
        assert {area.split()[0], AREAS[other].split()[0]} == {area.split()[0]} and AREAS[other] != area
