"""What tests share: LSL kept to this machine and this run, processes, recordings real and synthetic."""

import os
import random
import select
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from motorctl.agents import ControllerConfig, RecurrentController
from motorctl.person.brain import Brain
from motorctl.signals.pipeline import Pipeline, PipelineConfig
from motorctl.training.checkpoint import Checkpoint, save_checkpoint

# liblsl reads LSLAPICFG when it is first used, here and in every process that a test starts. Ports and session are this
# run's own, so that two runs on one machine do not see each other.
_lsl = tempfile.TemporaryDirectory(prefix="motorctl-lsl-")
_config = Path(_lsl.name) / "lsl_api.cfg"
_port = random.SystemRandom().randrange(20_000, 30_000, 100)
_config.write_text(
    f"[ports]\nBasePort={_port}\nPortRange=96\nMulticastPort={_port + 98}\n"
    "[multicast]\nResolveScope=machine\n"
    f"[lab]\nKnownPeers={{127.0.0.1}}\nSessionID={uuid.uuid4().hex}\n"
    "[tuning]\nTimeProbeInterval=0.01\nTimeProbeMaxRTT=0.05\n"  # clocks are compared in 0.1 s, not in 0.6
    "[log]\nlevel=-2\n"
)
os.environ["LSLAPICFG"] = str(_config)

PATIENCE = 30.0  # s; no wait in a test is longer


def pytest_unconfigure() -> None:
    _lsl.cleanup()


@pytest.fixture(scope="session")
def eegmmi() -> Path:
    """The folder with subject 1 of PhysioNet's EEG Motor Movement/Imagery Database."""
    given = os.environ.get("MOTORCTL_TEST_DATA")
    data = Path(given) if given else Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = data / "eegmmi"
    if not folder.is_dir():
        pytest.skip(f"the recordings are not in {folder}; name their parent in MOTORCTL_TEST_DATA")
    return folder


@pytest.fixture
def stream_name() -> str:
    """A stream name that nobody else has."""
    return f"test-{uuid.uuid4().hex[:8]}"


class Process:
    """Python code in a process of its own, spoken to by lines."""

    def __init__(self, code: str, *args: str) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-P", "-c", code, *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )

    def hear(self) -> str:
        """The next line it prints."""
        assert self.popen.stdout is not None
        ready, _, _ = select.select([self.popen.stdout], [], [], PATIENCE)
        assert ready, "the process printed nothing"
        line = self.popen.stdout.readline().decode()
        assert line, f"the process ended with {self.popen.wait(PATIENCE)}"
        return line.strip()

    def tell(self, line: str) -> None:
        """Give it a line of input."""
        assert self.popen.stdin is not None
        self.popen.stdin.write(f"{line}\n".encode())

    def end(self) -> None:
        self.popen.kill()
        self.popen.communicate()


def _spawner() -> Iterator[Callable[..., Process]]:
    processes: list[Process] = []

    def start(code: str, *args: str) -> Process:
        processes.append(Process(code, *args))
        return processes[-1]

    yield start
    for process in processes:
        process.end()


@pytest.fixture
def spawn() -> Iterator[Callable[..., Process]]:
    """``spawn(code, *args)`` starts Python code in another process; it is killed when the test is over."""
    yield from _spawner()


@pytest.fixture(scope="module")
def spawn_for_module() -> Iterator[Callable[..., Process]]:
    """As ``spawn``; it is killed when the module's tests are over."""
    yield from _spawner()


def _tal(onset: float, *texts: str, duration: float | None = None) -> bytes:
    length = "" if duration is None else f"\x15{duration:g}"
    return f"{onset:+g}{length}\x14{chr(0x14).join(texts)}\x14\0".encode()


def _write_edf(
    path: Path,
    samples: np.ndarray,
    labels: Sequence[str],
    rate: int = 160,
    units: Sequence[str] | str = "uV",
    annotations: Sequence[tuple[float, float, str]] = (),
    reserved: str = "EDF+C",
    scale: float = 1.0,
) -> Path:
    """Write an EDF+ file of one-second records (Kemp & Olivan, 2003).

    Args:
        path: where to.
        samples: ``(time, channel)`` whole numbers of 16 bits, a whole number of seconds long.
        labels, units: of the channels.
        rate: in Hz.
        annotations: ``(onset s, duration s, text)``.
        reserved: kind of the file.
        scale: what one step is, in the channel's unit.
    """
    units = [units] * len(labels) if isinstance(units, str) else units
    records, width, count = len(samples) // rate, 100, len(labels) + 1
    assert records * rate == len(samples)

    def row(values: Sequence[object], size: int) -> bytes:
        return b"".join(str(value).encode("latin-1").ljust(size) for value in values)

    low, high = f"{-32768 * scale:g}", f"{32767 * scale:g}"
    low, high = (low, high) if scale != 1 else ("-32768", "32767")
    header = (
        row(["0"], 8) + row(["X X X X", "Startdate X X X X"], 80) + row(["12.08.09", "16.15.00", 256 * (count + 1)], 8)
    )
    header += row([reserved], 44) + row([records, 1], 8) + row([count], 4)
    header += row([*labels, "EDF Annotations"], 16) + row([""] * count, 80) + row([*units, ""], 8)
    header += row([low] * (count - 1) + ["-1"], 8) + row([high] * (count - 1) + ["1"], 8)
    header += row(["-32768"] * count, 8) + row(["32767"] * count, 8)
    header += row([""] * count, 80) + row([rate] * (count - 1) + [width], 8) + row([""] * count, 32)

    with path.open("wb") as file:
        file.write(header)
        for second in range(records):
            file.write(samples[second * rate : (second + 1) * rate].T.astype("<i2").tobytes())
            notes = _tal(second, "")
            for onset, duration, text in annotations:
                notes += _tal(onset, text, duration=duration) if second <= onset < second + 1 else b""
            assert len(notes) <= 2 * width
            file.write(notes.ljust(2 * width, b"\0"))
    return path


@pytest.fixture(scope="session")
def write_edf() -> Callable[..., Path]:
    """``write_edf(path, samples, labels, ...)`` writes a small EDF+ file of known values."""
    return _write_edf


LABELS = ("FC3", "FCz", "FC4", "C5", "C3", "C1", "Cz", "C2", "C4", "C6", "CP3", "CPz", "CP4")


@pytest.fixture
def cued_edf(tmp_path: Path, write_edf: Callable[..., Path]) -> Callable[..., Path]:
    """``cued_edf(name)``: 96 s in which the 10 Hz rhythm of C4 vanishes during T1, that of C3 during T2; noise else."""

    def write(name: str = "cued.edf", seed: int = 0, labels: tuple[str, ...] = LABELS, rate: int = 160) -> Path:
        rng = np.random.default_rng(seed)
        times = np.arange(96 * rate) / rate
        samples = rng.standard_normal((len(times), len(labels))) * 30
        rhythm = 100 * np.sin(2 * np.pi * 10 * times)
        cues = [(4.0 + 8 * k, 4.0, ("T1", "T2")[k % 2]) for k in range(11)]
        for label, cue in (("C4", "T1"), ("C3", "T2")):
            there = np.ones(len(times))
            for onset, duration, text in cues:
                there[(times >= onset) & (times < onset + duration) & (text == cue)] = 0
            samples[:, labels.index(label)] += rhythm * there
        return write_edf(tmp_path / name, samples.round(), labels, rate=rate, annotations=cues)

    return write


def _save_small_controller(folder: Path) -> None:
    torch.manual_seed(0)
    config = PipelineConfig(amplitude_band=(0.5, 8.0), power_bands=())
    width = len(Pipeline(config, Brain().info).names)
    pipeline = Pipeline(config, Brain().info, np.zeros(width), np.ones(width))
    controller = RecurrentController(ControllerConfig(widths=(8,)), width, 2, scale=0.3).eval()
    save_checkpoint(Checkpoint(controller, pipeline, "velocity", "motorctl/ArmReach-v0"), folder)


@pytest.fixture(scope="session")
def save_small_controller() -> Callable[[Path], None]:
    """``save_small_controller(folder)`` writes an untrained controller for the simulated brain's stream."""
    return _save_small_controller


@pytest.fixture
def small_controller(tmp_path: Path) -> Path:
    """A folder with an untrained controller for the simulated brain's stream."""
    folder = tmp_path / "controller"
    folder.mkdir()
    _save_small_controller(folder)
    return folder
