"""How fast signals become features, and a brain's intention EEG: `python scripts/benchmarks/signals.py --json F`.

Everything runs on one thread of the CPU, on 64 channels at 250 Hz (the brain: 32) through notch (50 Hz and 100 Hz),
band-pass, common average and the log power of three bands, 50 rows a second. F gets:

chunk_ms.p50, chunk_ms.p99   one live chunk of 4 samples, wall clock (ms)
chunk_ms.cpu_p50, .cpu_p99   the same by the thread's own clock, which does not count other processes (ms)
file_times_real_time         a two-minute recording through the whole pipeline in one call, median
every_step_times_real_time   the same with every step there is: gate, repair, lags, raw, covariance of 8 channels too,
                             running mean and scaling
brain_times_real_time        seconds of EEG that the brain gives per second, for a batch of sessions
brain.preset, .batch         which brain, and how many sessions side by side
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import scipy
import torch

from motorctl.person.brain import make_brain
from motorctl.signals.pipeline import Pipeline, PipelineConfig, PipelineState
from motorctl.signals.stream import Channel, Chunk, StreamInfo
from motorctl.threads import one_thread

RATE, SECONDS, CHUNK = 250.0, 120.0, 4
CHANNELS = """Fp1 AF7 AF3 F1 F3 F5 F7 FT7 FC5 FC3 FC1 C1 C3 C5 T7 TP7 CP5 CP3 CP1 P1 P3 P5 P7 P9 PO7 PO3 O1 Iz Oz POz Pz
CPz Fpz Fp2 AF8 AF4 AFz Fz F2 F4 F6 F8 FT8 FC6 FC4 FC2 FCz Cz C2 C4 C6 T8 TP8 CP6 CP4 CP2 P2 P4 P6 P8 P10 PO8 PO4 O2"""
LABELS = tuple(CHANNELS.split())
LIVE = PipelineConfig(line=50, band=(0.5, 45.0), amplitude_band=None)
MOTOR = ("C3", "C1", "Cz", "C2", "C4", "CP3", "CPz", "CP4")
"""The covariance of 64 channels would be 2080 features; decoders take it of a few."""


def main() -> None:
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("--json", type=Path, metavar="F", help="write the figures here; else only print them")
    parser.add_argument("--chunks", type=int, default=7500, help="live chunks to time (default 7500, two minutes)")
    parser.add_argument("--repeats", type=int, default=7, help="of what is timed as a whole (default 7)")
    parser.add_argument("--brain", default="realistic", help="preset of the brain (default realistic)")
    parser.add_argument("--batch", type=int, default=16, help="sessions that the brain gives at once (default 16)")
    options = parser.parse_args()
    recording = noise()
    with one_thread():
        figures = {
            "chunk_ms": time_chunks(recording, options.chunks),
            "file_times_real_time": SECONDS / time_file(recording, LIVE, options.repeats),
            "every_step_times_real_time": SECONDS / time_file(recording, every_step(), options.repeats),
            "brain_times_real_time": time_brain(options.brain, options.batch, options.repeats),
            "brain": {"preset": options.brain, "batch": options.batch},
            "machine": {"numpy": np.__version__, "scipy": scipy.__version__, "cpu": platform.machine()},
        }
    text = json.dumps(figures, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


def stream() -> StreamInfo:
    return StreamInfo("benchmark", "EEG", RATE, tuple(Channel(label) for label in LABELS))


def noise() -> Chunk:
    """Two minutes of noise on electrodes' offsets."""
    rng = np.random.default_rng(0)
    count = round(SECONDS * RATE)
    samples = rng.standard_normal((count, len(LABELS))) * 20 + rng.standard_normal(len(LABELS)) * 1000
    return Chunk(samples.astype(np.float32), np.arange(count) / RATE)


def every_step() -> PipelineConfig:
    return replace(
        LIVE,
        channels=MOTOR,
        reject=500.0,
        flat=0.5,
        repair=True,
        amplitude_band=(0.5, 5.0),
        lags=4,
        covariance_band=(8.0, 30.0),
        raw=True,
        adapt=30.0,
    )


def fitted(recording: Chunk, config: PipelineConfig) -> Pipeline:
    pipeline = Pipeline(config, stream()).calibrate([recording])
    return pipeline.fit([pipeline.process(recording)[0]])


def time_chunks(recording: Chunk, count: int) -> dict[str, float]:
    """Each chunk on its own, after a second that is not timed."""
    pipeline, wall, cpu = fitted(recording, LIVE), np.zeros(count), np.zeros(count)
    state: PipelineState | None = None
    _, state = pipeline.process(recording[: round(RATE)])
    starts = range(0, len(recording) - CHUNK + 1, CHUNK)
    chunks = [recording[start : start + CHUNK] for start in starts]
    for index in range(count):
        chunk = chunks[index % len(chunks)]
        started, busy = time.perf_counter(), time.thread_time()
        _, state = pipeline.process(chunk, state)
        wall[index], cpu[index] = time.perf_counter() - started, time.thread_time() - busy
    (p50, p99), (cpu_p50, cpu_p99) = (np.percentile(1e3 * s, [50, 99]).tolist() for s in (wall, cpu))
    return {"p50": p50, "p99": p99, "cpu_p50": cpu_p50, "cpu_p99": cpu_p99}


def time_file(recording: Chunk, config: PipelineConfig, repeats: int) -> float:
    """Seconds in the median."""
    pipeline = fitted(recording, config)
    return median_seconds(lambda: pipeline.process(recording), repeats)


def time_brain(preset: str, batch: int, repeats: int) -> float:
    """Seconds of EEG of 32 channels per second, while a velocity is intended."""
    brain = make_brain(preset, LABELS[::2], RATE)
    velocity = 0.1 * torch.randn(batch, round(20 * RATE), 2, generator=torch.Generator().manual_seed(0))
    state = brain.initial_state(batch, seed=0)
    with torch.inference_mode():
        brain.emit(velocity[:, : round(RATE)], state)
        seconds = median_seconds(lambda: brain.emit(velocity, state), repeats)
    return batch * 20.0 / seconds


def median_seconds(work: Callable[[], object], repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds))


if __name__ == "__main__":
    main()
