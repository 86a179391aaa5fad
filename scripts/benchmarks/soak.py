"""A live run under fire: `python scripts/benchmarks/soak.py --minutes 20 --json F`.

A headset of its own process streams noise over LSL and fails all the time in every way that `motorctl headset --fault`
knows; it is also killed and started again, and stopped and continued, as are `motorctl live` and its recorder. After
`--minutes`, what was recorded is held against what the headset wrote down that it sent. The run passes if

commands    every command kept its range, rate and acceleration
phases      nothing was decoded from samples older than it may be, nothing was held longer than it may be, and whenever
            usable samples had come for RECOVERY seconds without a break, the controller moved the limb
recording   every sample that was sent is in the file, but for those sent between a loss and a return that the file
            itself tells; and nothing else is
memory      of the loop and of the recorder grew by less than FLAT MiB, by the straight line through it
replay      gives the recorded commands to 1e-6

F gets what was counted, and `passed`. The exit status says the same.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]
import pylsl  # type: ignore[import-untyped]
import torch
from numpy.typing import NDArray
from soak_headset import CALM, SENT  # type: ignore[import-not-found]

from motorctl.agents import ControllerConfig, RecurrentController
from motorctl.person.brain import Brain
from motorctl.runtime.session_file import read_session
from motorctl.signals.formats.xdf import raw_streams
from motorctl.signals.lsl import hush
from motorctl.signals.lsl.recorder import JOURNAL
from motorctl.signals.pipeline import Pipeline, PipelineConfig
from motorctl.training.checkpoint import Checkpoint, save_checkpoint

Array = NDArray[np.float64]

ATTACK_EVERY = 20.0
"""Mean time between two attacks on a process (s)."""
RECOVERY = 8.0
"""Time after which the limb must move again (s): to find the headset, to hear it, to settle, on a busy machine."""
STOPPED = 5.0
"""Longest time that a process is stopped for (s)."""
LATE = 0.25
"""How much later than the deadline a decision may be seen to be (s): sending, receiving, a busy machine."""
NOTICED = 0.5
"""How long before it is told a loss may have begun, and after it is told that a stream is back (s)."""
FLAT = 8.0
"""MiB."""
HEADSET = Path(__file__).with_name("soak_headset.py")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="F", help="write the figures here; else only print them")
    parser.add_argument("--minutes", type=float, default=20.0, help="how long (default 20)")
    parser.add_argument("--seed", type=int, default=0, help="of all faults (default 0)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep what was recorded and sent here")
    parser.add_argument("--isolated", action="store_true", help="as of motorctl live")
    options = parser.parse_args()
    hush()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        figures = soak(folder, 60 * options.minutes, options.seed, ["--isolated"] * options.isolated)
    text = json.dumps(figures, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")
    return 0 if figures["passed"] else 1


def soak(folder: Path, seconds: float, seed: int, words: list[str]) -> dict[str, Any]:
    name = f"soak-{os.getpid()}"
    save_controller(folder / "controller")
    session = folder / "session.xdf"
    said = (folder / "live.log").open("wb")
    headset = Headset(name, seed, folder)
    command = ["live", "--controller", str(folder / "controller"), "--stream", f"id-{name}", "--timeout", "60"]
    command += ["--seconds", str(seconds), "--limb-stream", f"{name}-limb", "--record", str(session)]
    command += ["--out", str(folder / "run"), *words]
    live = subprocess.Popen([sys.executable, "-m", "motorctl", *command], stdout=said, stderr=said)
    attacks: list[tuple[str, float]] = []
    try:
        wait_for_running(live, folder / "live.log")
        headset.kill()  # from now on it fails
        attacks.append(("kill headset", float(pylsl.local_clock())))
        headset.start()
        memory = watch(live, headset, seconds, np.random.default_rng(seed), attacks)
        status = live.wait(120)
    finally:
        headset.kill()
        live.kill()
    sent = np.concatenate([np.fromfile(log, SENT) for log in sorted(folder.glob("sent-*.bin"))])
    figures: dict[str, Any] = {
        "minutes": seconds / 60,
        "seed": seed,
        "live_exit_status": status,
        "attacks": Counter(a for a, _ in attacks),
    }
    figures["faults"] = Counter(headset.told())
    figures |= judge(session, name, sent, attacks) | {"rss_growth_mib": memory}
    figures["replay_differs_by"] = replayed(session, folder)
    figures["passed"] = (
        status == 0
        and not any(figures[key] for key in ("commands_outside_limits", "wrong_phases", "lost_unmarked", "made_up"))
        and all(growth < FLAT for growth in memory.values())
        and figures["replay_differs_by"] is not None
        and figures["replay_differs_by"] < 1e-6
    )
    return figures


def wait_for_running(live: subprocess.Popen[bytes], said: Path) -> None:
    """Until the limb moves for the first time: who puts on a cap waits for that too."""
    while "running" not in said.read_text():
        if live.poll() is not None:
            raise SystemExit(f"motorctl live has ended: {said.read_text().strip().splitlines()[-1:]}")
        time.sleep(0.2)


def save_controller(folder: Path) -> None:
    """An untrained network that moves the limb a good deal, for the simulated brain's 17 channels."""
    torch.manual_seed(0)
    config = PipelineConfig(amplitude_band=(0.5, 8.0), power_bands=())
    width = len(Pipeline(config, Brain().info).names)
    pipeline = Pipeline(config, Brain().info, np.zeros(width), np.full(width, 10.0))
    controller = RecurrentController(ControllerConfig(widths=(16,)), width, 2, scale=0.3).eval()
    folder.mkdir(exist_ok=True)
    save_checkpoint(Checkpoint(controller, pipeline, "velocity", "motorctl/ArmReach-v0"), folder)


class Headset:
    """A process that sends, and may be killed; from its second start on it fails by itself too."""

    def __init__(self, name: str, seed: int, folder: Path) -> None:
        self._name, self._seed, self._folder, self._starts = name, seed, folder, 0
        self.start()

    def start(self) -> None:
        self._starts += 1
        stem = f"{self._starts:04d}"
        seed = self._seed + self._starts if self._starts > 1 else CALM
        words = [self._name, str(seed), str(self._folder / f"sent-{stem}.bin"), *Brain().info.labels]
        with (self._folder / f"told-{stem}.log").open("wb") as told:
            self.process = subprocess.Popen([sys.executable, str(HEADSET), *words], stdout=told)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def told(self) -> list[str]:
        """The faults that it has had."""
        lines = [line for log in self._folder.glob("told-*.log") for line in log.read_text().splitlines()]
        return [line.removeprefix("Fault: ").partition(" for ")[0] for line in lines if line.startswith("Fault: ")]


def watch(
    live: subprocess.Popen[bytes],
    headset: Headset,
    seconds: float,
    rng: np.random.Generator,
    attacks: list[tuple[str, float]],
) -> dict[str, float]:
    """Attack the processes until time is up; how much their memory grew (MiB)."""
    process = psutil.Process(live.pid)
    sizes: dict[str, list[tuple[float, float]]] = {"live": [], "record": []}
    begin = time.monotonic()
    due = begin + rng.exponential(ATTACK_EVERY)
    while live.poll() is None and time.monotonic() < begin + seconds + 120:
        time.sleep(1.0)
        for who, one in processes(process).items():
            sizes[who].append((time.monotonic() - begin, one.memory_info().rss / 2**20))
        if due <= time.monotonic() < begin + seconds - 15:
            attack(process, headset, rng, attacks)
            due = time.monotonic() + rng.exponential(ATTACK_EVERY)
    return {who: growth(np.array(track)) for who, track in sizes.items()}


def processes(live: psutil.Process) -> dict[str, psutil.Process]:
    """The loop and its recorder, as far as they are there."""
    found = {"live": live}
    try:
        for child in live.children():
            if "record" in child.cmdline():
                found["record"] = child
    except psutil.NoSuchProcess:
        return {}
    return found


def attack(live: psutil.Process, headset: Headset, rng: np.random.Generator, attacks: list[tuple[str, float]]) -> None:
    what = str(rng.choice(["kill headset", "stop headset", "stop live", "stop record"]))
    attacks.append((what, float(pylsl.local_clock())))
    print(f"Attack: {what}", flush=True)
    if what == "kill headset":
        headset.kill()
        time.sleep(rng.uniform(0.2, 3.0))
        headset.start()
        return
    there = processes(live) | {"headset": psutil.Process(headset.process.pid)}
    if one := there.get(what.split()[1]):
        one.send_signal(signal.SIGSTOP)
        time.sleep(rng.uniform(0.3, 2.0 if what == "stop live" else STOPPED))
        one.send_signal(signal.SIGCONT)


def growth(track: Array) -> float:
    """Of a size ``(time, (s, MiB))``, from a fifth of the time on, by the straight line through it."""
    settled = track[track[:, 0] >= track[-1, 0] / 5]
    slope = np.polyfit(settled[:, 0], settled[:, 1], 1)[0]
    return float(slope * (settled[-1, 0] - settled[0, 0]))


def judge(path: Path, name: str, sent: NDArray[Any], attacks: list[tuple[str, float]]) -> dict[str, Any]:
    """What the recording says of the run, against what was sent."""
    streams = raw_streams(path)
    by_name = {s["info"]["name"][0]: s for s in streams}
    eeg = [s for s in streams if s["info"]["source_id"][0] == f"id-{name}"]
    journal = by_name[JOURNAL]
    told = [(t, text) for t, (text,) in zip(journal["time_stamps"], journal["time_series"], strict=True)]
    figures = recorded(sent, eeg, told)
    session = read_session(path)
    times = np.asarray(by_name[f"{name}-limb decisions"]["time_stamps"])
    ready = np.array([moment.ready for moment in session.moments])
    phases = phases_at(times, by_name[f"{name}-limb events"])
    figures |= {"steps": len(times), "commands_outside_limits": outside(session.commands, session.description)}
    wrong = wrong_phases(ready, phases, sent, session.description["safety"], attacks)
    lasted = np.diff(times, append=times[-1])
    figures["seconds"] = {p: round(float(lasted[phases == p].sum()), 1) for p in sorted(set(phases.tolist()))}
    return figures | {"wrong_phases": wrong}


def recorded(sent: NDArray[Any], eeg: list[dict[str, Any]], told: list[tuple[float, str]]) -> dict[str, Any]:
    """Samples that were sent and are not in the file, and the other way round."""
    got = Counter(np.concatenate([np.asarray(s["time_stamps"]) for s in eeg]).tolist())
    begin = min(min(s["time_stamps"]) for s in eeg if len(s["time_stamps"]))
    missing, end = [], begin
    for pushed, stamp, _ in sent[sent["pushed"] >= begin].tolist():
        if got[stamp] > 0:
            got[stamp] -= 1
            end = max(end, pushed)
        else:
            missing.append(pushed)
    sent_before = Counter(sent[sent["pushed"] < begin]["stamp"].tolist())
    made_up = sum((+got - sent_before).values())
    windows = list(losses(told))
    unmarked = [t for t in missing if t <= end and not any(a - NOTICED <= t <= b + NOTICED for a, b in windows)]
    return {
        "samples_sent": len(sent),
        "samples_recorded": sum(len(s["time_stamps"]) for s in eeg),
        "losses_marked": len(windows),
        "seconds_of_losses": round(sum(b - a for a, b in windows), 1),
        "lost_in_marked_losses": len(missing) - len(unmarked),
        "lost_unmarked": len(unmarked),
        "made_up": made_up,
        "events_told": Counter(text.split(": ")[1] for _, text in told),
    }


def losses(told: list[tuple[float, str]]) -> Iterator[tuple[float, float]]:
    """From each loss of the headset that the file tells to its return."""
    since = None
    for when, text in told:
        kind = text.split(": ")[1]
        if kind == "lost" and since is None:
            since = when - float(text.split(" for ")[1].removesuffix(" s"))  # nothing had come for so long
        elif kind == "back" and since is not None:
            yield since, when
            since = None
    if since is not None:
        yield since, float("inf")


def outside(commands: Array, said: dict[str, Any]) -> int:
    """Commands that did not keep a limit."""
    low, high, safety = np.array(said["low"]), np.array(said["high"]), said["safety"]
    period, small = 1 / said["control_rate"], 1e-5
    change = np.diff(commands, axis=0, prepend=np.zeros((1, len(low))))
    bend = np.diff(change, axis=0, prepend=np.zeros((1, len(low))))
    bad = ~np.isfinite(commands) | (commands < low - small) | (commands > high + small)
    bad |= np.abs(change) > (high - low) * safety["rate"] * period + small
    bad |= np.abs(bend) > (high - low) * safety["acceleration"] * period**2 + small
    return int(bad.any(axis=1).sum())


def phases_at(times: Array, events: dict[str, Any]) -> NDArray[np.str_]:
    """The phase of each step."""
    stamps = np.asarray(events["time_stamps"])
    names = [text.partition(": ")[0] for (text,) in events["time_series"]]
    known = [k for k, name in enumerate(names) if name in ("idle", "armed", "running", "holding", "stopped")]
    places = np.searchsorted(stamps[known], times, "right") - 1
    return np.array(["idle", *(names[k] for k in known)])[places + 1]


def wrong_phases(
    ready: Array, phases: NDArray[np.str_], sent: NDArray[Any], safety: dict[str, Any], attacks: list[tuple[str, float]]
) -> dict[str, int]:
    """Steps in a phase in which they should not have been, of each kind with any."""
    usable = np.sort(sent["pushed"][sent["usable"]])
    place = np.searchsorted(usable, ready, "right") - 1
    age = np.where(place >= 0, ready - usable[place.clip(0)], np.inf)
    moved = (phases == "running") & (age > safety["hold_after"] + LATE)
    held = (phases == "holding") & (age > safety["stop_after"] + LATE)
    breaks = usable[1:][np.diff(usable) > 0.05]
    attacked = [t + s for _, t in attacks for s in (0.0, STOPPED)]
    disturbed = np.sort(np.concatenate([[usable[0], ready[0]], breaks, attacked]))
    since = ready - disturbed[(np.searchsorted(disturbed, ready, "right") - 1).clip(0)]
    idle = (phases != "running") & (since > RECOVERY) & (age < 0.05)
    # A machine that stalls holds the limb for a moment, which is right; what counts is that it goes on.
    idle &= np.convolve(phases == "running", np.ones(25), "same") == 0
    found = {"running on old samples": moved, "holding too long": held, "not running again": idle}
    return {what: int(steps.sum()) for what, steps in found.items() if steps.any()}


def replayed(session: Path, folder: Path) -> float | None:
    """How much the commands of a replay differ from those recorded."""
    out = folder / "replay.json"
    words = ["replay", str(session), "--out", str(folder / "replay"), "--json", str(out)]
    subprocess.run([sys.executable, "-m", "motorctl", *words], check=True, stdout=subprocess.DEVNULL)
    difference: float | None = json.loads(out.read_text())["commands_differ_by"]
    return difference


if __name__ == "__main__":
    sys.exit(main())
