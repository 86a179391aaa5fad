"""Pure functions of tasks run by one process, by several, or by a Ray cluster, with the same results.

A finished task is on disk as JSON, so that a run that was interrupted goes on from there. Linear algebra uses one
thread everywhere, as sums in another order differ in their last digits.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import multiprocessing
import os
import re
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from motorctl import __version__
from motorctl.errors import ConfigurationError, MotorctlError
from motorctl.runs import plain, write_json

Task = TypeVar("Task")
Result = dict[str, Any]
Function = Callable[[Task], Result]
Finished = Iterator[tuple[int, Result]]
"""Number and result of each task, as they come."""

RETRIES = 5
"""How often a task is run again whose worker was killed."""
PATIENCE = 5.0
"""How long a cluster has to answer (s)."""


@dataclass(frozen=True)
class Workers:
    """Who does the work."""

    jobs: int = 1
    """How many processes; with --backend ray and no address, how many of a cluster on this machine."""
    backend: Literal["processes", "ray"] = "processes"
    """processes: of this machine. ray: a Ray cluster, whose machines have motorctl, the data at the same paths, and
    processors of one kind, or the last digits differ."""
    address: str | None = None
    """The Ray cluster's, such as 10.0.0.5:6379; by default one is started on this machine for the run."""


@contextmanager
def mapping(
    workers: Workers, folder: Path, inputs: Mapping[str, str]
) -> Iterator[Callable[[Function[Task], Iterable[Task]], Iterator[Result]]]:
    """``mapped(function, tasks)``: like ``map``, the results in the order of the tasks, done by ``workers``.

    What an earlier run left unfinished in ``folder`` is taken up. The folder is gone when everything is done.

    Args:
        workers: who does the work.
        folder: for finished tasks, one JSON file each.
        inputs: what else results depend on: the hash of each file that tasks name.

    Raises:
        ConfigurationError: workers cannot be had.
        MotorctlError: a task's own.
    """
    check_workers(workers)

    def mapped(function: Function[Task], tasks: Iterable[Task]) -> Iterator[Result]:
        listed = list(tasks)
        paths = [folder / f"{key(function, task, inputs)}.json" for task in listed]
        missing = [number for number, path in enumerate(paths) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        yielded = 0
        for number, result in run(workers, function, [listed[number] for number in missing]):
            store(paths[missing[number]], result)
            while yielded < len(paths) and paths[yielded].exists():
                yield json.loads(paths[yielded].read_text(encoding="utf-8"))
                yielded += 1
        for path in paths[yielded:]:
            yield json.loads(path.read_text(encoding="utf-8"))

    try:
        yield mapped
    except BaseException:
        if folder.is_dir() and any(folder.iterdir()):
            print(f"The same command with --out {folder.parent} goes on from what is finished.", file=sys.stderr)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def check_workers(workers: Workers) -> None:
    """Say before a long run that there cannot be such workers.

    Raises:
        ConfigurationError: the number is below 1, Ray is not installed, or an address is given for another backend.
    """
    if workers.jobs < 1:
        raise ConfigurationError(f"jobs is {workers.jobs}.", "Give 1 or more.")
    if workers.backend == "ray":
        import_ray(workers.address)
    elif workers.address is not None:
        raise ConfigurationError("--address is of a Ray cluster.", "Add --backend ray, or leave it out.")


def import_ray(address: str | None) -> Any:
    """Ray. A cluster that is started here, as no address is given, listens on 127.0.0.1 alone.

    Raises:
        ConfigurationError: it is not installed.
    """
    if address is None:  # what Ray does on systems where it knows no clusters; read when it is imported
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise ConfigurationError(
            "--backend ray needs Ray.", "Install it with pip install 'motorctl[distributed]'."
        ) from error


def key(function: Function[Task], task: Task, inputs: Mapping[str, str]) -> str:
    """Name of a task's result: the same for what must give the same."""
    told = [__version__, function.__module__, function.__qualname__, plain(asdict(task)), dict(inputs)]  # type: ignore[call-overload]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]


def store(path: Path, result: Result) -> None:
    """Write a result so that it is there whole or not at all."""
    unfinished = path.with_suffix(".part")
    write_json(unfinished, result)
    os.replace(unfinished, path)


def run(workers: Workers, function: Function[Task], tasks: Sequence[Task]) -> Finished:
    """Results of tasks as they are finished, each with the task's number."""
    if not tasks:
        return iter(())
    if workers.backend == "ray":
        return on_ray(workers, function, tasks)
    if workers.jobs == 1:
        return ((number, alone(function, task)) for number, task in enumerate(tasks))
    return in_processes(workers.jobs, function, tasks)


def alone(function: Function[Task], task: Task) -> Result:
    """One task, with linear algebra on one thread."""
    with threadpool_limits(1):
        return function(task)


def in_processes(jobs: int, function: Function[Task], tasks: Sequence[Task]) -> Finished:
    """In processes of their own, started afresh; when one is killed, all are started again with what is left.

    Raises:
        MotorctlError: processes are killed time and again.
    """
    left = dict(enumerate(tasks))
    for _ in range(1 + RETRIES):
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(min(jobs, len(left)), context, initializer=ignore_interrupts)
        try:
            numbers = {pool.submit(alone, function, task): number for number, task in left.items()}
            waiting = set(numbers)
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    result = future.result()
                    del left[numbers[future]]
                    yield numbers[future], result
            return
        except BrokenProcessPool:
            continue
        finally:
            pool.shutdown(cancel_futures=True)
    raise_killed()


def ignore_interrupts() -> None:
    """Ctrl-C goes to all processes of a terminal; the first one tells the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def on_ray(workers: Workers, function: Function[Task], tasks: Sequence[Task]) -> Finished:
    """On a Ray cluster; what a killed worker or machine had is run again by another.

    Raises:
        ConfigurationError: there is no cluster at the address.
        MotorctlError: a task's own, or workers are killed time and again.
    """
    ray = import_ray(workers.address)
    with connected(ray, workers):
        remote = ray.remote(alone).options(num_cpus=1, max_retries=RETRIES)
        numbers = {remote.remote(function, task): number for number, task in enumerate(tasks)}
        waiting = list(numbers)
        while waiting:
            (done, *_), waiting = ray.wait(waiting, num_returns=1)
            try:
                result = ray.get(done)
            except ray.exceptions.RayTaskError as error:
                raise error.cause from error
            except ray.exceptions.RayError:
                raise_killed()
            yield numbers[done], result


@contextmanager
def connected(ray: Any, workers: Workers) -> Iterator[None]:
    """Connected to the cluster, or to one started here for as long as this lasts, on this machine's own address.

    Raises:
        ConfigurationError: nobody answers at the address.
    """
    if ray.is_initialized():  # whoever did that goes on with it
        yield
        return
    if workers.address and (found := re.fullmatch(r"([\w.-]+):(\d+)", workers.address)):
        try:  # Ray itself asks for minutes
            socket.create_connection((found[1], int(found[2])), PATIENCE).close()
        except OSError as error:
            raise no_cluster(workers, error) from error
    quiet = {"log_to_driver": False, "logging_level": "error"}
    try:
        if workers.address:
            ray.init(address=workers.address, **quiet)
        else:
            ray.init("local", num_cpus=workers.jobs, include_dashboard=False, **quiet)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise no_cluster(workers, error) from error
    try:
        yield
    finally:
        ray.shutdown()


def no_cluster(workers: Workers, error: Exception) -> ConfigurationError:
    """What is said of a cluster that cannot be had."""
    reason = (str(error).splitlines() or ["?"])[0]
    return ConfigurationError(
        f"There is no Ray cluster at {workers.address or 'this machine'} ({reason}).",
        "Start one with 'ray start --head', and name its address.",
    )


def raise_killed() -> NoReturn:
    """Give up.

    Raises:
        MotorctlError: always.
    """
    raise MotorctlError(
        "Worker processes were killed again and again.", "There may be too little memory: choose fewer --jobs."
    )
