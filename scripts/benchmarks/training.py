"""How fast controllers train and step: `python scripts/benchmarks/training.py --json F`.

Everything runs on one thread of the CPU. F gets:

train_ratio_to_plain_loop    sequences per second of motorctl's training (train_epoch) over those of a plain loop around
                             torch.nn.GRU that does the same work on the same data; median over interleaved pairs
train_sequences_per_second   of motorctl's training in the median
step_ms.p50, step_ms.p99     one live step of two GRU layers of 128 on 32 features by the Stepper (wall clock, ms)
step_ms.torch_p50, .torch_p99    the same through torch's layers
long_sequence.seconds_per_epoch  one pass over 8 sequences of 22,050 rows side by side, two LSTM layers of 128,
                             backpropagation through time truncated to 350 rows
long_sequence.peak_mib       largest resident memory of the whole process until then
long_sequence.before_mib     the same before training: Python, torch and the data
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from motorctl.agents import ControllerConfig, RecurrentController, Stepper
from motorctl.threads import one_thread
from motorctl.training.imitation import lane_costs
from motorctl.training.optimization import train_epoch
from motorctl.training.sequence import Lanes

FEATURES, OUTPUTS, CLIP = 32, 2, 1.0
WIDTHS = (128, 128)


def main() -> None:
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("--json", type=Path, metavar="F", help="write the figures here; else only print them")
    parser.add_argument("--pairs", type=int, default=11, help="epochs of each training loop (default 11)")
    parser.add_argument("--steps", type=int, default=20_000, help="live steps to time (default 20000)")
    parser.add_argument("--rows", type=int, default=22_050, help="of a long sequence (default 22050)")
    options = parser.parse_args()
    torch.manual_seed(0)
    with one_thread():
        long = time_long_sequence(options.rows)  # first: the peak of memory is the process's
        figures = {
            **compare_training(options.pairs),
            "step_ms": time_steps(options.steps),
            "long_sequence": long,
            "machine": {"torch": torch.__version__, "python": platform.python_version(), "cpu": platform.machine()},
        }
    text = json.dumps(figures, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


def compare_training(pairs: int) -> dict[str, float]:
    """Both loops on 32 sequences of 256 rows, gradients through 64, an epoch of one after an epoch of the other."""
    lanes, horizon = random_lanes(32, 256, FEATURES), 64
    controller = RecurrentController(ControllerConfig("gru", WIDTHS), FEATURES, OUTPUTS)
    plain = PlainGRU()
    ours, theirs = (torch.optim.AdamW(network.parameters(), 1e-3) for network in (controller, plain))

    def motorctl_epoch() -> None:
        motorctl_pass(controller, lanes, ours, horizon)

    def plain_epoch() -> None:
        hidden = torch.zeros(len(WIDTHS), len(lanes.features), WIDTHS[0])
        for start in range(0, lanes.features.shape[1], horizon):
            rows = slice(start, start + horizon)
            output, hidden = plain(lanes.features[:, rows], hidden.detach())
            theirs.zero_grad()
            torch.autograd.backward(nn.functional.mse_loss(output, lanes.targets[:, rows]))
            nn.utils.clip_grad_norm_(plain.parameters(), CLIP)
            theirs.step()

    motorctl_epoch()  # the first epochs allocate
    plain_epoch()
    seconds = np.array([(seconds_of(motorctl_epoch), seconds_of(plain_epoch)) for _ in range(pairs)])
    return {
        "train_ratio_to_plain_loop": float(np.median(seconds[:, 1] / seconds[:, 0])),
        "train_sequences_per_second": len(lanes.features) / float(np.median(seconds[:, 0])),
    }


def motorctl_pass(
    controller: RecurrentController, lanes: Lanes, optimizer: torch.optim.Optimizer, horizon: int
) -> None:
    """What motorctl's training does in an epoch."""
    costs = lane_costs(controller, lanes, horizon, per=len(lanes.features) * horizon)
    train_epoch(controller, costs, optimizer, CLIP, torch.amp.GradScaler("cuda", enabled=False))


class PlainGRU(nn.Module):
    """What one would write without motorctl."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(FEATURES, WIDTHS[0], num_layers=len(WIDTHS), batch_first=True)
        self.readout = nn.Linear(WIDTHS[0], OUTPUTS)

    def forward(self, features: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        rows, hidden = self.gru(features, hidden)
        return self.readout(rows), hidden


def time_steps(steps: int) -> dict[str, float]:
    """A live step, as the Stepper does it and through torch's layers."""
    controller = RecurrentController(ControllerConfig("gru", WIDTHS), FEATURES, OUTPUTS).eval()
    rows = torch.randn(1000, FEATURES)
    as_numpy, stepper = rows.numpy(), Stepper(controller)
    state, seconds = stepper.initial_state(), np.zeros(steps)
    for index in range(-200, steps):
        started = time.perf_counter()
        _, state = stepper.step(as_numpy[index % 1000], state)
        seconds[max(index, 0)] = time.perf_counter() - started
    torchs, torch_seconds = controller.initial_state(1), np.zeros(max(1, steps // 10))
    with torch.inference_mode():
        for index in range(-200, len(torch_seconds)):
            started = time.perf_counter()
            _, torchs = controller(rows[None, None, index % 1000], torchs)
            torch_seconds[max(index, 0)] = time.perf_counter() - started
    (p50, p99), (torch_p50, torch_p99) = (np.percentile(1e3 * s, [50, 99]).tolist() for s in (seconds, torch_seconds))
    return {"p50": p50, "p99": p99, "torch_p50": torch_p50, "torch_p99": torch_p99}


def time_long_sequence(rows: int) -> dict[str, float]:
    """One epoch over long sequences, after a short one that is not timed."""
    lanes = random_lanes(8, rows, features=1)
    controller = RecurrentController(ControllerConfig("lstm", WIDTHS), 1, OUTPUTS)
    optimizer = torch.optim.AdamW(controller.parameters(), 1e-3)
    before = peak_mib()
    motorctl_pass(controller, random_lanes(8, 350, features=1), optimizer, 350)
    seconds = seconds_of(lambda: motorctl_pass(controller, lanes, optimizer, 350))
    return {"seconds_per_epoch": seconds, "peak_mib": peak_mib(), "before_mib": before, "rows": rows}


def random_lanes(count: int, rows: int, features: int) -> Lanes:
    return Lanes(torch.randn(count, rows, features), torch.randn(count, rows, OUTPUTS), torch.ones(count, rows, 1))


def seconds_of(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def peak_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB, on a Mac bytes
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


if __name__ == "__main__":
    main()
