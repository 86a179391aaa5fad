"""`scripts/demo` and `scripts/test`: what they decide, and the one line they say when they cannot go on."""

import ast
import errno
import os
import shutil
import signal
import subprocess
import sys
import time
import venv
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pip
import pytest

ROOT = Path(__file__).resolve().parent.parent
posix = pytest.mark.skipif(os.name == "nt", reason="uses what only POSIX has")


def load(path: Path) -> ModuleType:
    spec = spec_from_loader(path.name, SourceFileLoader(path.name, str(path)))
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A clone of what the scripts need, in a folder with a space in its name."""
    clone = tmp_path / "a clone"
    shutil.copytree(ROOT / "scripts", clone / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, clone)
    return clone


@pytest.fixture
def bootstrap(project: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = load(project / "scripts" / "bootstrap.py")
    module.PYTHON.parent.mkdir(parents=True)
    module.PYTHON.touch()
    monkeypatch.setitem(sys.modules, "bootstrap", module)
    return module


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


# ---- old Pythons


@pytest.mark.parametrize("name", ["demo", "test", "bootstrap.py"])
def test_old_pythons_can_read_the_scripts(name: str) -> None:
    ast.parse((ROOT / "scripts" / name).read_text(encoding="utf-8"), feature_version=(3, 7))


@posix
@pytest.mark.parametrize("path", ["scripts/demo", "scripts/test", ".ci/run"])
def test_scripts_are_executable(path: str) -> None:
    assert os.access(ROOT / path, os.X_OK)


@posix
def test_a_shim_that_fails_is_passed_over(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shims, real = tmp_path / "shims", tmp_path / "real"
    for folder in (shims, real):
        folder.mkdir()
    (shims / "python3.11").write_text("#!/bin/sh\nexit 127\n")
    (shims / "python3.11").chmod(0o755)
    (real / "python3.11").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (real / "python3.11").chmod(0o755)
    monkeypatch.setenv("PATH", f"{shims}{os.pathsep}{real}")
    assert bootstrap.find_python() == [str(real / "python3.11")]


# ---- the stamp


def test_ready_is_what_the_stamp_says(bootstrap: ModuleType) -> None:
    assert not bootstrap.is_ready("")
    bootstrap.write_stamp(bootstrap.stamp(""))
    assert bootstrap.is_ready("") and not bootstrap.is_ready("dev")
    bootstrap.write_stamp(bootstrap.stamp("dev"))
    assert bootstrap.is_ready("") and bootstrap.is_ready("dev")
    bootstrap.PYTHON.unlink()
    assert not bootstrap.is_ready("")


@pytest.mark.parametrize(
    ("file", "old", "new", "ready"),
    [
        ("constraints.txt", "torch==", "torch==99.", False),
        ("pyproject.toml", '"torch>=', '"torch>=1.', False),
        ("pyproject.toml", '"motorctl.envs" = "envs"', '"motorctl.envs" = "other"', False),
        ("pyproject.toml", "line-length = 120", "line-length = 100", True),
    ],
)
def test_only_what_pip_heeds_asks_for_an_install(
    bootstrap: ModuleType, project: Path, file: str, old: str, new: str, ready: bool
) -> None:
    bootstrap.write_stamp(bootstrap.stamp("dev"))
    edit(project / file, old, new)
    assert bootstrap.is_ready("dev") is ready


def test_a_venv_is_made_anew_unless_it_can_be_kept(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    stamp = bootstrap.stamp("")
    assert not bootstrap.venv_is_usable(stamp)  # its Python does not run
    monkeypatch.setattr(bootstrap, "PYTHON", Path(sys.executable))
    assert bootstrap.venv_is_usable(stamp)
    assert bootstrap.venv_is_usable(None)  # made by hand
    assert not bootstrap.venv_is_usable("")  # interrupted
    assert not bootstrap.venv_is_usable(stamp.replace("a clone", "moved"))
    assert not bootstrap.venv_is_usable("3.10" + stamp)


def test_emptying_keeps_what_the_run_holds_open(bootstrap: ModuleType) -> None:
    for path in (bootstrap.LOCK, bootstrap.LOG, bootstrap.STAMP):
        path.touch()
    bootstrap.empty_venv()
    assert set(bootstrap.VENV.iterdir()) == {bootstrap.LOCK, bootstrap.LOG, bootstrap.STAMP}


def test_one_run_installs_at_a_time(bootstrap: ModuleType) -> None:
    with bootstrap.LOCK.open("w") as other:
        with bootstrap.alone():
            assert not bootstrap.take(other)
        assert bootstrap.take(other)


@pytest.mark.parametrize(
    ("said", "kept"),
    [("ERROR: no way", True), ("Installing collected packages: numpy\nERROR: no way", False)],
)
def test_a_failed_install_keeps_what_is_still_good(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, said: str, kept: bool
) -> None:
    before = bootstrap.stamp("")
    bootstrap.write_stamp(before)
    monkeypatch.setattr(bootstrap, "venv_is_usable", lambda _: True)
    monkeypatch.setattr(bootstrap, "step", lambda *_: (1, said))
    with pytest.raises(bootstrap.CannotGoOn, match="no way"):
        bootstrap.install("dev")
    assert bootstrap.read_stamp() == (before if kept else "")


# ---- running programs


def test_status_is_passed_on(bootstrap: ModuleType) -> None:
    assert bootstrap.run([sys.executable, "-c", "raise SystemExit(7)"]) == 7


@posix
def test_a_signal_is_a_status_as_in_a_shell(bootstrap: ModuleType) -> None:
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    assert bootstrap.run([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]) == 137
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers


def test_other_projects_paths_stay_out(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    assert "PYTHONPATH" not in bootstrap.environment()


def test_demo_passes_its_arguments_on(bootstrap: ModuleType, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "run", lambda command: command)
    command = load(project / "scripts" / "demo").demo(["--seconds", "5"])
    assert command == [str(bootstrap.BIN / "motorctl"), "demo", "--seconds", "5"]


@pytest.mark.parametrize(
    ("statuses", "names", "status"),
    [
        ([0, 0, 0, 0], ["ruff", "ruff", "mypy", "pytest"], 0),
        ([0, 1, 0, 5], ["ruff", "ruff", "mypy", "pytest"], 1),
        ([0, 0, 130], ["ruff", "ruff", "mypy"], 130),
    ],
)
def test_test_runs_every_check(
    bootstrap: ModuleType, project: Path, capsys: pytest.CaptureFixture[str], statuses: list[int], names: list[str],
    status: int,
) -> None:  # fmt: skip
    script = load(project / "scripts" / "test")
    commands = []

    def check(command: list[str]) -> int:
        commands.append(command)
        return statuses[len(commands) - 1]

    vars(script)["check"] = check
    assert script.test(["-m", "slow"]) == status
    assert [command[0] for command in commands] == names
    assert all(("slow" in command) == (command[0] == "pytest") for command in commands)
    assert "ruff check   passed" in capsys.readouterr().err


# ---- what stops a script is said in one line


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("WARNING: Retrying (Retry(total=0, connect=None)) after NewConnectionError\nERROR: No matching", "no network"),
        ("ERROR: (from versions: none)\nERROR: No matching distribution found for setuptools>=80", "no network"),
        ("WARNING: Retrying (Retry(total=4))\nERROR: No matching distribution found for x==1", "x==1 is not to be had"),
        ("The user requested (constraint) torch==9\nERROR: ResolutionImpossible", "torch==9 in constraints.txt"),
        ("ERROR: [Errno 28] No space left on device", "the disk is full"),
        ("ensurepip is not available", "has no venv"),
        ("one\nERROR: the last word\n\n", "ERROR: the last word"),
        ("", "without a word"),
    ],
)
def test_causes_of_a_failed_install(bootstrap: ModuleType, said: str, line: str) -> None:
    assert line in bootstrap.explain_install(said)
    assert "\n" not in bootstrap.explain_install(said)


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EROFS, "cannot write"),
        (errno.EACCES, "cannot write"),
        (errno.EIO, ""),
    ],
)
def test_causes_from_the_system(bootstrap: ModuleType, number: int, line: str) -> None:
    assert line in bootstrap.explain_os_error(OSError(number, os.strerror(number), "somewhere"))


def stopped(project: Path, name: str, before: str = "", **env: str) -> str:
    """The one line of a script that cannot go on, `before` being run first in its Python."""
    script = project / "scripts" / name
    code = f"import sys, runpy; sys.path[0] = {str(script.parent)!r}; sys.argv = [{str(script)!r}]; {before}\n"
    code += f"runpy.run_path({str(script)!r}, run_name='__main__')"
    ended = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **env}, cwd=project.parent, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stdout) == (1, ""), ended.stderr
    *steps, line = ended.stderr.splitlines()
    assert all(" ... " in step for step in steps)
    return line


def test_no_python_that_is_new_enough(project: Path) -> None:
    line = stopped(project, "demo", "sys.version_info = (3, 9, 18, 'final', 0)", PATH="")
    assert line.startswith("scripts/demo: needs Python 3.11 or newer with venv; this is Python 3.9.18")


@posix
def test_no_venv_module(project: Path) -> None:
    line = stopped(project, "test", "sys.modules['ensurepip'] = None", PATH="")
    assert line.startswith("scripts/test: Python 3.") and "has no venv with pip" in line and "apt install" in line


def test_no_folder_to_write_to(project: Path) -> None:
    (project / ".venv").touch()
    assert stopped(project, "demo").startswith("scripts/demo: cannot go on: ")


def test_no_network(project: Path) -> None:
    """With a `.venv` made by hand, whose pip is this environment's: to make one with pip takes seconds."""
    venv.create(project / ".venv")
    site_packages = next((project / ".venv").glob("[Ll]ib/**/site-packages"))
    (site_packages / "here.pth").write_text(str(Path(pip.__file__).parent.parent))
    offline = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull}
    line = stopped(project, "demo", PIP_FIND_LINKS="", PIP_EXTRA_INDEX_URL="", PIP_NO_INDEX="0", **offline)
    assert line.startswith("scripts/demo: no network")
    assert "setuptools" in (project / ".venv" / "install.log").read_text(encoding="utf-8")
    assert not (project / ".venv" / "stamp").exists()  # still by hand, and to be kept


# ---- the whole


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_clean_clone_comes_up(tmp_path: Path) -> None:
    clone = tmp_path / "a clone"
    shutil.copytree(
        ROOT, clone, ignore=shutil.ignore_patterns(".venv", ".git", "__pycache__", ".*_cache", "*.egg-info")
    )

    def demo() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(clone / "scripts" / "demo"), "--help"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    first = demo()
    assert first.returncode == 0, first.stderr
    assert "Installing motorctl" in first.stderr
    started = time.monotonic()
    second = demo()
    with_script = time.monotonic() - started
    assert (second.returncode, second.stderr, second.stdout) == (0, "", first.stdout)
    started = time.monotonic()
    subprocess.run([clone / ".venv" / "bin" / "motorctl", "demo", "--help"], capture_output=True, check=True)
    assert with_script - (time.monotonic() - started) < 1.0
