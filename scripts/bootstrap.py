"""Make `.venv` and install motorctl into it: what `scripts/demo` and `scripts/test` share.

The standard library alone, in syntax that Python 3.6 reads, so that a Python that is too old can still look for a
newer one, or say that there is none. Whatever stops a script is said in one line.

`.venv/stamp` says what `.venv` holds. The same stamp wanted again means nothing to do; an empty one, that an install
was begun and not finished, so `.venv` is made anew; none at all, that somebody made `.venv` by hand, and it is kept if
its Python is the same.
"""

import errno
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, Callable, Iterator, List, NoReturn, Optional

MINIMUM = (3, 11)
NEWER_PYTHONS = ("python3.14", "python3.13", "python3.12", "python3.11", "python3", "python")

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
STAMP, LOCK, LOG = VENV / "stamp", VENV / "lock", VENV / "install.log"

SCRIPT = "scripts/" + Path(sys.argv[0]).name
THIS_PYTHON = "Python " + ".".join(map(str, sys.version_info[:3]))


class CannotGoOn(Exception):
    """The one line that says what is missing."""


def main(program: Callable[[List[str]], int], extra: str = "") -> NoReturn:
    """Call `program` with the script's arguments once `.venv` holds motorctl[extra]; exit with its status."""
    try:
        if python_is_fit():
            make_ready(extra)
            sys.exit(program(sys.argv[1:]))
        sys.exit(run([*find_python(), *sys.argv]))
    except CannotGoOn as reason:
        sys.exit(f"{SCRIPT}: {reason}")
    except OSError as error:
        sys.exit(f"{SCRIPT}: {explain_os_error(error)}")
    except KeyboardInterrupt:
        print(f"\n{SCRIPT}: interrupted", file=sys.stderr)
        sys.exit(130)


# ---- which Python


def python_is_fit() -> bool:
    return sys.version_info[:2] >= MINIMUM and has_venv()


def has_venv() -> bool:
    """Debian and Ubuntu keep ensurepip in a package of its own."""
    return all(find_spec(name) is not None for name in ("venv", "ensurepip"))


def find_python() -> List[str]:
    """The command of a Python on PATH that is fit; the first that is new enough and really runs."""
    for command in python_commands():
        if succeeds([*command, "-c", f"import sys, venv, ensurepip; sys.exit(sys.version_info[:2] < {MINIMUM})"]):
            return command
    wanted = "Python {}.{} or newer".format(*MINIMUM)
    if sys.version_info[:2] < MINIMUM:
        raise CannotGoOn(f"needs {wanted} with venv; this is {THIS_PYTHON}, and PATH has no newer one that runs")
    package = "python{}.{}-venv".format(*sys.version_info)
    raise CannotGoOn(f"{THIS_PYTHON} has no venv with pip (on Debian and Ubuntu: sudo apt install {package})")


def python_commands() -> Iterator[List[str]]:
    """Every one on PATH, not the first alone: a shim of pyenv may stand before one that works."""
    for name in NEWER_PYTHONS:
        for folder in os.environ.get("PATH", "").split(os.pathsep):
            found = shutil.which(name, path=folder) if folder else None
            if found:
                yield [found]
    if os.name == "nt":
        yield ["py", "-3"]


def succeeds(command: List[str]) -> bool:
    quiet = subprocess.DEVNULL
    try:
        return subprocess.call(command, stdin=quiet, stdout=quiet, stderr=quiet, env=environment(), timeout=30) == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


# ---- the stamp


def make_ready(extra: str) -> None:
    """Install motorctl[extra] into `.venv`, unless it is there."""
    if is_ready(extra):
        return
    VENV.mkdir(exist_ok=True)
    with alone():
        if not is_ready(extra):  # another run may just have finished it
            install(extra)


def is_ready(extra: str) -> bool:
    """What holds the development tools does for the demo, too."""
    return PYTHON.exists() and read_stamp() in (stamp(extra), stamp("dev"))


def stamp(extra: str) -> str:
    return f"{place()}\n{requirements(extra)}\n"


def place() -> str:
    """A change in any of these leaves a `.venv` that cannot be used, or only in part."""
    return "{}.{} {} {}".format(*sys.version_info[:2], sysconfig.get_platform(), ROOT)


def requirements(extra: str) -> str:
    """A digest of all that decides what pip installs; the settings of ruff or pytest are not among it."""
    import tomllib  # new in Python 3.11

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    decisive = [settings["build-system"], settings["project"], settings["tool"]["setuptools"]]
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    return hashlib.sha256(json.dumps([decisive, pins, extra], sort_keys=True).encode()).hexdigest()


def read_stamp() -> Optional[str]:
    return STAMP.read_text(encoding="utf-8") if STAMP.exists() else None


def write_stamp(text: str) -> None:
    """Whole or not at all, so that a reader never sees half of it."""
    unfinished = STAMP.with_name("stamp.new")
    unfinished.write_text(text, encoding="utf-8")
    os.replace(str(unfinished), str(STAMP))


@contextmanager
def alone() -> Iterator[None]:
    """Hold the lock, waiting for another run that has it. The system frees it, however its holder ends.

    pip inherits it: when a script is killed and its pip lives on, the next run waits for that pip.
    """
    with LOCK.open("w") as lock:
        os.set_inheritable(lock.fileno(), True)
        if not take(lock):
            say("Another run is installing into .venv; waiting for it\n")
            while not take(lock):
                time.sleep(0.5)
        yield


def take(lock: "IO[str]") -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EAGAIN, errno.EACCES)  # a file system without locks: go on without
    return True


# ---- the install


def install(extra: str) -> None:
    before = read_stamp()
    usable = venv_is_usable(before)
    write_stamp("")
    with LOG.open("w", encoding="utf-8") as log:
        if not usable:
            empty_venv()
            make_venv(log)
            before = place() + "\n"
        what = "motorctl and its development tools" if extra else "motorctl"
        status, said = step(f"Installing {what}", pip_install(extra), log)
    if status != 0:
        if "Installing collected packages" not in said:  # pip changed nothing: what was there is still good
            STAMP.unlink() if before is None else write_stamp(before)
        raise CannotGoOn(explain_install(said))
    write_stamp(stamp(extra))


def venv_is_usable(before: Optional[str]) -> bool:
    if before is not None and before.splitlines()[:1] != [place()]:
        return False
    version = tuple(sys.version_info[:2])
    return succeeds([str(PYTHON), "-c", f"import sys, pip; sys.exit(sys.version_info[:2] != {version})"])


def empty_venv() -> None:
    """All but what this run holds open."""
    for path in VENV.iterdir():
        if path in (STAMP, LOCK, LOG):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(str(path))
        else:
            path.unlink()


def make_venv(log: "IO[str]") -> None:
    base = getattr(sys, "_base_executable", sys.executable)  # the script may run on the `.venv` just emptied
    status, said = step(f"Making .venv with {THIS_PYTHON}", [base, "-m", "venv", str(VENV)], log)
    if status != 0:
        raise CannotGoOn(explain_install(said))


def pip_install(extra: str) -> List[str]:
    target = f"{ROOT}[{extra}]" if extra else str(ROOT)
    pip = [str(PYTHON), "-m", "pip", "--no-input", "--disable-pip-version-check", "install", "--progress-bar", "off"]
    return [*pip, "-c", str(ROOT / "constraints.txt"), "-e", target]


# ---- running other programs


def run(command: List[str], **options: Any) -> int:
    """The exit status of a program that has the terminal; the signals that would end a script are its to answer."""
    before = [(number, signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)]
    signal.signal(signal.SIGINT, lambda *_: None)  # the terminal sends it to the program as well
    with subprocess.Popen(command, env=environment(), **options) as process:
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        status = process.wait()
    for number, handler in before:
        signal.signal(number, handler)
    return status if status >= 0 else 128 - status


def environment() -> "dict[str, str]":
    """What runs is what `.venv` holds, whatever a shell set up for other projects."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}


def step(title: str, command: List[str], log: "IO[str]") -> "tuple[int, str]":
    """Run a command with its output in the log, and one line on the terminal; its exit status and output."""
    started = time.monotonic()
    live = sys.stderr.isatty()
    said = []
    say(f"{title} ... ")
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        env=environment(),
        close_fds=False,  # hands the lock on
    )
    with process, interrupting(process):
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            log.write(line)
            if live:
                say_over(f"{title} ... {line.strip()}")
    outcome = f"{time.monotonic() - started:.0f} s" if process.returncode == 0 else "failed"
    if live:
        say_over(f"{title} ... ")
        say(f"\r{title} ... ")
    say(f"{outcome}\n")
    return process.returncode, "".join(said)


@contextmanager
def interrupting(process: "subprocess.Popen[str]") -> Iterator[None]:
    """Leave no child behind, but give it a moment to clean up after a Ctrl-C that reached it, too."""
    try:
        yield
    except BaseException:
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            process.kill()
        raise


def say(text: str) -> None:
    """To stderr: stdout belongs to the program that runs at last."""
    print(text, end="", file=sys.stderr, flush=True)


def say_over(text: str) -> None:
    """Over the terminal's last line."""
    width = shutil.get_terminal_size().columns - 1
    say("\r" + text[:width].ljust(width))


# ---- what went wrong, in one line

NO_NETWORK = (  # a warning of a first retry is none of them: the second may have gone well
    r"Retry\(total=0|ERROR: .*(ConnectionPool|Connection |timed out)|exceptions\.(ReadTimeout|Protocol|IncompleteRead)|"
    "problem confirming the ssl certificate|incomplete-download|"
    r"from versions: none\)\s+ERROR: No matching distribution found for setuptools"
)


def explain_install(said: str) -> str:
    """The cause of a failed install, from what venv or pip said."""
    pins = re.findall(r"The user requested \(constraint\) (\S+)", said)
    absent = re.search(r"No matching distribution found for (\S+)", said)
    if re.search("No space left on device|not enough space on the disk", said):
        return f"the disk is full: {disks()}"
    if re.search(NO_NETWORK, said):
        return "no network: pip cannot reach its package index (its words are in .venv/install.log)"
    if pins:
        return f"{', '.join(pins)} in constraints.txt {nowhere()}, or at odds with the rest (see .venv/install.log)"
    if absent:
        return f"{absent.group(1)} {nowhere()}"
    if "ensurepip is not available" in said:
        return f"{THIS_PYTHON} has no venv with pip (on Debian and Ubuntu it is a package of its own)"
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return f"{lines[-1] if lines else 'the install failed without a word'} (see .venv/install.log)"


def nowhere() -> str:
    return "is not to be had for Python {}.{} on {}".format(*sys.version_info[:2], sysconfig.get_platform())


def explain_os_error(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return f"the disk is full: {disks()}"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"cannot write to {error.filename or VENV} ({error.strerror})"
    return f"cannot go on: {error}"


def disks() -> str:
    import tempfile

    try:
        return f"an install writes to {ROOT} and to {tempfile.gettempdir()}"
    except OSError:  # with the disk full there may be no folder that can be written to
        return f"an install writes to {ROOT} and to the folder for temporary files"
