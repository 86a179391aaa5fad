"""docs/environments.md says what the environments are now."""

from __future__ import annotations

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from motorctl.envs import env_ids
from motorctl.envs.registry import DEFINITIONS

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "figures" / "gallery.py"


@pytest.fixture(scope="module")
def gallery() -> ModuleType:
    spec = spec_from_loader("gallery", SourceFileLoader("gallery", str(SCRIPT)))
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_those_that_the_code_gives(gallery: ModuleType) -> None:
    page = gallery.PAGE.read_text(encoding="utf-8")
    expected = gallery.tables()
    assert page[: len(expected)] == expected, "run scripts/figures/gallery.py again"


def test_every_expert_is_scored_under_every_command(gallery: ModuleType) -> None:
    page = gallery.PAGE.read_text(encoding="utf-8")
    scored = [
        line.split(" | ")
        for line in page[len(gallery.tables()) :].splitlines()
        if line.startswith("| Arm") or "Gait" in line or "Grasp" in line
    ]
    expected = {(f"| {name}", f"`{command}`") for name, d in DEFINITIONS.items() for command in d.commands}
    assert {(row[0], row[1]) for row in scored} == expected
    assert all("%" in row[3] for row in scored)


@pytest.mark.parametrize("id_", env_ids())
def test_every_picture_is_there_and_small(id_: str, gallery: ModuleType) -> None:
    name = gallery.name_of(id_)
    path = gallery.PICTURES / f"{name}.png"
    assert f'src="pictures/{path.name}"' in gallery.PAGE.read_text(encoding="utf-8")
    assert path.stat().st_size <= 60_000
    with Image.open(path) as image:
        assert image.size == (gallery.SIZE, gallery.SIZE)
        assert len(image.convert("RGB").getcolors(1 << 18)) > 50  # not blank
    assert name in gallery.MOMENTS
