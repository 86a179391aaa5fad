"""What is installed is all there is: packages, models, pins and versions agree."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import requires, version
from importlib.resources import files
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import motorctl

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUPTOOLS = PYPROJECT["tool"]["setuptools"]
SOURCES = {"motorctl": "motorctl", "envs": "motorctl.envs", "agents": "motorctl.agents"}


def package_name(folder: Path) -> str:
    top, *rest = folder.relative_to(ROOT).parts
    return ".".join([SOURCES[top], *rest])


def source_folders() -> set[Path]:
    return {path.parent for top in SOURCES for path in (ROOT / top).rglob("*.py")}


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_folder_of_modules_is_a_package() -> None:
    assert [folder for folder in source_folders() if not (folder / "__init__.py").exists()] == []


def test_pyproject_lists_every_package() -> None:
    assert sorted(SETUPTOOLS["packages"]) == sorted(map(package_name, source_folders()))


def test_the_folders_are_not_imported_by_their_own_names() -> None:
    code = "import sys, motorctl, motorctl.envs, motorctl.agents; print({'envs', 'agents'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.strip() == "set()"


def test_every_model_is_found_as_a_resource() -> None:
    in_the_tree = {path.name for path in (ROOT / "envs" / "assets").glob("*.xml")}
    found = {item.name for item in files("motorctl.envs").joinpath("assets").iterdir() if item.name.endswith(".xml")}
    assert found == in_the_tree != set()


def test_versions_agree() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    cited = re.search(r"^version: (\S+)$", citation, flags=re.MULTILINE)
    assert cited is not None
    assert PYPROJECT["project"]["version"] == cited.group(1) == motorctl.__version__


def test_constraints_are_exact_sorted_and_portable() -> None:
    names = list(pins())
    assert names == sorted(names, key=str.lower)
    assert not any("+" in pin for pin in pins().values())  # +cpu is one machine's build
    assert pins()["torch"] == "2.13.0"


def test_constraints_pin_what_pyproject_asks_for() -> None:
    project = PYPROJECT["project"]
    pinned = {canonical(name): version for name, version in pins().items()}
    for requirement in map(Requirement, project["dependencies"] + project["optional-dependencies"]["dev"]):
        pin = pinned.get(canonical(requirement.name))
        assert pin is not None, f"constraints.txt lacks {requirement.name}"
        assert pin in requirement.specifier, f"constraints.txt has {requirement.name}=={pin}"


def test_constraints_pin_what_the_dependencies_ask_for() -> None:
    """Here, on this platform; setuptools comes with the build and is left to it."""
    pinned = {canonical(name) for name in pins()}
    needed = {
        canonical(requirement.name)
        for name in pinned
        for requirement in map(Requirement, requires(name) or [])
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    }
    assert {
        name for name in needed - pinned - {"setuptools"} if not name.startswith(("cuda", "nvidia", "triton"))
    } == set()


def test_a_wheel_holds_everything(tmp_path: Path) -> None:
    if int(version("setuptools").split(".")[0]) < 80:
        pytest.skip("the setuptools here is too old to build with")
    tree = tmp_path / "tree"
    tree.mkdir()
    for folder in SOURCES:
        shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "."]
    built = subprocess.run([*pip, "-w", tmp_path], cwd=tree, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr

    (wheel,) = tmp_path.glob("*.whl")
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    expected = {
        "/".join([*package_name(path.parent).split("."), path.name])
        for folder in source_folders()
        for path in folder.glob("*.py")
    }
    assets = {f"motorctl/envs/assets/{path.name}" for path in (ROOT / "envs" / "assets").iterdir()}
    data = {"motorctl/py.typed", "motorctl/dynamics/kernel.cpp", "motorctl/evaluation/report/page.html"}
    assert inside == expected | assets | data
