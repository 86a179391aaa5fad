"""Signal quality: what is wrong with which channel, on made-up signals and on a stream from another process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from motorctl.errors import StreamError
from motorctl.person.brain import make_brain
from motorctl.runtime.signal_check import check_signal
from motorctl.signals.lsl import open_source
from motorctl.signals.quality import CURES, Quality, judge
from motorctl.signals.stream import Channel, Chunk, StreamInfo

RATE = 250.0
LABELS = ("F3", "F4", "C3", "Cz", "C4", "P3", "P4", "O1")
INFO = StreamInfo("cap", "EEG", RATE, tuple(map(Channel, LABELS)))


def signal(seconds: float = 6.0) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Noise of 10 µV between 1 and 40 Hz, and an offset."""
    rng, rows = np.random.default_rng(0), round(seconds * RATE)
    spectrum = np.fft.rfft(rng.standard_normal((rows, len(LABELS))), axis=0)
    frequencies = np.fft.rfftfreq(rows, 1 / RATE)
    spectrum[(frequencies < 1) | (frequencies > 40)] = 0
    noise = np.fft.irfft(spectrum, rows, axis=0)
    return (10 * noise / noise.std(axis=0) + 500).astype(np.float32)


def judged(samples: np.ndarray[Any, np.dtype[np.float32]], mask: Any = None, rate: float = RATE) -> Quality:
    times = np.arange(len(samples)) / rate
    return judge(INFO, Chunk(samples, times, np.ones(samples.shape, bool) if mask is None else mask))


def test_a_good_signal_has_no_problem() -> None:
    found = judged(signal())
    assert found.good and found.bad == ()
    assert [c.amplitude for c in found.channels] == pytest.approx([10.0] * 8, rel=0.15)
    assert max(c.hum for c in found.channels) < 1


@pytest.mark.parametrize("mains", [50.0, 60.0])
@pytest.mark.parametrize("problem", list(CURES))
def test_each_problem_is_named_with_its_channel_and_its_cure(problem: str, mains: float) -> None:
    samples = signal()
    mask = np.ones(samples.shape, bool)
    times = np.arange(len(samples)) / RATE
    if problem == "missing":
        mask[:, 2] = times % 1 > 0.2
    elif problem == "flat":
        samples[:, 2] = 7.0
    elif problem == "noisy":
        samples[:, 2] *= 8
    else:
        samples[:, 2] += (20 * np.sin(2 * np.pi * mains * times)).astype(np.float32)
    found = judged(samples, mask)
    assert found.bad == ("C3",)
    (said,) = found.problems()
    assert "C3" in said and CURES[problem] in said and (problem != "hum" or f"{mains:g} Hz" in said)


def test_what_is_in_all_channels_is_of_the_reference() -> None:
    times = np.arange(round(6 * RATE)) / RATE
    (said,) = judged(signal() + (30 * np.sin(2 * np.pi * 50 * times)).astype(np.float32)[:, None]).problems()
    assert "ground or" not in said and "reference" in said and "most channels" in said


def test_no_sample_at_all_is_said() -> None:
    found = judged(np.empty((0, 8), np.float32))
    assert found.bad == LABELS and "do not arrive" in found.problems()[0]


@pytest.mark.parametrize("preset", ["ideal", "realistic"])
@pytest.mark.parametrize("seed", range(3))
def test_people_with_a_good_cap_are_not_complained_of(preset: str, seed: int) -> None:
    import torch

    brain = make_brain(preset)
    eeg, _ = brain.emit(torch.zeros(1, 1500, 2), brain.initial_state(1, seed))
    found = judge(brain.info, Chunk(eeg[0].numpy(), np.arange(1500) / 250))
    assert found.problems() == []


CAP = """
import sys, threading, numpy as np
from motorctl.signals.headset import stream_chunks
from motorctl.signals.lsl import LSLSink
from motorctl.signals.stream import Channel, StreamInfo
rng, labels = np.random.default_rng(0), ("F3", "F4", "C3", "C4", "P3", "P4")
stop = threading.Event()
def give(count):
    samples = 10 * rng.standard_normal((count, 6)).astype(np.float32)
    samples[:, 1] = 3.0
    samples[:, 4] = np.nan if rng.random() < 0.3 else samples[:, 4]
    return samples
with LSLSink(StreamInfo(sys.argv[1], "EEG", 250.0, tuple(map(Channel, labels)))) as sink:
    threading.Thread(target=lambda: (sys.stdin.readline(), stop.set()), daemon=True).start()
    stream_chunks(sink.send, float(sys.argv[2]), give, stop=stop)
"""


def test_a_stream_with_bad_electrodes_is_refused_unless_it_is_gone_on(
    spawn: Callable[..., Any], stream_name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    spawn(CAP, stream_name, "250")
    with pytest.raises(StreamError, match="--yes"):
        check_signal(open_source(stream_name, timeout=30.0), Console(), 2.0)
    said = " ".join(capsys.readouterr().out.split())
    assert "2 of 6 channels need attention" in said and "flat (least 0.0 µV): F4" in said and "missing (up to" in said
    found = check_signal(open_source(stream_name, timeout=30.0), Console(), 2.0, yes=True)
    assert found.bad == ("F4", "P3")


@pytest.mark.slow
def test_a_stream_of_another_rate_is_refused_whatever_is_said(spawn: Callable[..., Any], stream_name: str) -> None:
    spawn(CAP, stream_name, "125")
    with pytest.raises(StreamError, match="250 Hz"):
        check_signal(open_source(stream_name, timeout=30.0), Console(), 10.0, yes=True)
