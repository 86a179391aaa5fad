"""``motorctl envs``: what it prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from motorctl.cli import main
from motorctl.envs import env_ids
from motorctl.envs.registry import DEFINITIONS


@pytest.fixture(autouse=True)
def width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_the_list_has_every_id_in_full_and_every_command_at_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["envs"]) == 0
    said = capsys.readouterr().out
    assert all(f"{id_} " in said for id_ in env_ids())
    assert "…" not in said and max(map(len, said.splitlines())) <= 80
    assert "muscles (6)" in said and "class (2)" in said
    for definition in DEFINITIONS.values():
        assert all(word in said for word in definition.summary.split())


@pytest.mark.parametrize("id_", env_ids())
def test_one_is_explained_at_80_columns(id_: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["envs", "--env", id_]) == 0
    said = capsys.readouterr().out
    assert "…" not in said and max(map(len, said.splitlines())) <= 80
    definition = DEFINITIONS[id_.split("/")[1].removesuffix("-v0")]
    words = (id_, "joint_velocities", "keep_limb", "effort", "delay", *definition.commands, *definition.task_options)
    assert all(word in said for word in words)


def test_all_of_it_as_json(tmp_path: Path) -> None:
    assert main(["envs", "--json", str(tmp_path / "envs.json")]) == 0
    written = json.loads((tmp_path / "envs.json").read_text(encoding="utf-8"))
    assert list(written) == env_ids()
    assert written["motorctl/ArmReach-v0"]["actions"]["torque"]["size"] == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [("--env motorctl/Nowhere-v0", "Choose one of motorctl/Arm3dReach-v0"), ("--json nowhere/a.json", "no folder")],
)
def test_a_mistake_is_one_line(words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["envs", *words.split()]) == 1
    output = capsys.readouterr()
    assert said in output.err and output.err.count("\n") == 1 and output.out == ""
