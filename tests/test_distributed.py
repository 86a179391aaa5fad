"""Tasks in other processes and on other machines: the same results, killed ones again, finished ones kept."""

import json
import os
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motorctl.distributed import Workers, check_workers, key, mapping, store
from motorctl.errors import ConfigurationError, MotorctlError


@dataclass(frozen=True)
class Draw:
    """A task: draw and sum, or misbehave."""

    seed: int
    marks: Path
    what: str = "draw"


def draw(task: Draw) -> dict[str, Any]:
    """Leaves a mark for each time that it runs; told so, kills its process or stays the first time."""
    mark = task.marks / f"{task.seed}-{time.time_ns()}-{os.getpid()}"
    before = list(task.marks.glob(f"{task.seed}-*"))
    mark.touch()
    if task.what == "refuse":
        raise ConfigurationError("It cannot be.", "Leave it.")
    if task.what == "die" and not before:
        os.kill(os.getpid(), signal.SIGKILL)
    if task.what == "stay" and not before:
        time.sleep(120)
    values = np.random.default_rng(task.seed).standard_normal((50, 50))
    return {"seed": task.seed, "sum": float((values @ values.T).sum()), "none": None}


def results(workers: Workers, folder: Path, tasks: Iterable[Draw], inputs: dict[str, str] | None = None) -> list[Any]:
    with mapping(workers, folder, inputs or {}) as mapped:
        return list(mapped(draw, tasks))


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let other processes find this module, as they do what tasks are made of."""
    root = str(Path(__file__).parents[1])
    monkeypatch.syspath_prepend(root)
    monkeypatch.setenv("PYTHONPATH", root)


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


def times_run(marks: Path, seed: int) -> int:
    return len(list(marks.glob(f"{seed}-*")))


def test_processes_give_what_one_process_gives(tmp_path: Path, marks: Path) -> None:
    tasks = [Draw(seed, marks, "die" if seed == 2 else "draw") for seed in range(4)]
    alone = [draw(Draw(seed, tmp_path)) for seed in range(4)]
    assert results(Workers(jobs=2), tmp_path / "finished", tasks) == alone
    assert times_run(marks, 2) == 2  # killed, and run again
    assert not (tmp_path / "finished").exists()


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interrupted_run_goes_on(tmp_path: Path, marks: Path, jobs: int, capsys: pytest.CaptureFixture[str]) -> None:
    tasks, folder = [Draw(seed, marks) for seed in range(3)], tmp_path / "finished"
    with pytest.raises(KeyboardInterrupt), mapping(Workers(), folder, {}) as mapped:
        for result in mapped(draw, tasks):
            if result["seed"] == 1:
                raise KeyboardInterrupt
    assert f"--out {tmp_path} goes on" in capsys.readouterr().err
    (folder / "half.part").write_text("{")
    assert results(Workers(jobs), folder, tasks) == [draw(Draw(seed, tmp_path)) for seed in range(3)]
    assert [times_run(marks, seed) for seed in range(3)] == [1, 1, 1]


def test_what_depends_on_other_inputs_is_done_again(tmp_path: Path, marks: Path) -> None:
    task = Draw(0, marks)
    keys = {key(draw, t, i) for t in (task, Draw(1, marks)) for i in ({}, {"a.edf": "1"}, {"a.edf": "2"})}
    assert len(keys) == 6
    folder = tmp_path / "finished"
    folder.mkdir()
    store(folder / f"{key(draw, task, {'a.edf': '1'})}.json", {"stored": True})
    assert results(Workers(), folder, [task], {"a.edf": "2"})[0]["seed"] == 0


@pytest.mark.parametrize("workers", [Workers(), Workers(jobs=2)])
def test_a_tasks_own_error_comes_whole(tmp_path: Path, marks: Path, workers: Workers) -> None:
    with pytest.raises(ConfigurationError, match=r"^It cannot be. Leave it.$") as caught:
        results(workers, tmp_path / "finished", [Draw(0, marks, "refuse")])
    assert caught.value.cure == "Leave it."


@pytest.mark.parametrize(
    ("workers", "said"), [(Workers(jobs=0), "jobs is 0"), (Workers(address="here:1"), "is of a Ray cluster")]
)
def test_workers_that_cannot_be_are_refused(workers: Workers, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        check_workers(workers)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A Ray cluster, whose first node has no processor."""
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # keeps it to 127.0.0.1
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    yield started
    ray.shutdown()
    started.shutdown()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("default")  # of Ray's own
def test_ray_gives_what_one_process_gives_when_a_node_is_killed(tmp_path: Path, marks: Path, cluster: Any) -> None:
    doomed = cluster.add_node(num_cpus=2)
    tasks = [Draw(seed, marks, "stay" if seed == 2 else "draw") for seed in range(6)]
    found: list[Any] = []
    with mapping(Workers(backend="ray", address=cluster.address), tmp_path / "finished", {}) as mapped:
        for result in mapped(draw, tasks):
            if not found:
                deadline = time.monotonic() + 60
                while not times_run(marks, 2) and time.monotonic() < deadline:
                    time.sleep(0.02)
                cluster.add_node(num_cpus=1)
                cluster.remove_node(doomed, allow_graceful=False)
            found.append(result)
    assert json.dumps(found) == json.dumps([draw(Draw(seed, tmp_path)) for seed in range(6)])
    assert times_run(marks, 2) == 2  # it was on the node that was killed


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("default")
def test_ray_starts_a_cluster_of_its_own_and_hands_on_errors(tmp_path: Path, marks: Path) -> None:
    ray = pytest.importorskip("ray")
    with mapping(Workers(jobs=2, backend="ray"), tmp_path / "finished", {}) as mapped:
        asked = mapped(draw, [Draw(seed, marks) for seed in range(3)])
        found = [next(asked)]
        assert {node["NodeManagerAddress"] for node in ray.nodes()} == {"127.0.0.1"}
        found += asked
    assert found == [draw(Draw(seed, tmp_path)) for seed in range(3)]
    with pytest.raises(MotorctlError, match=r"^It cannot be. Leave it.$"):
        results(Workers(backend="ray"), tmp_path / "finished", [Draw(0, marks), Draw(1, marks, "refuse")])
    with pytest.raises(ConfigurationError, match="no Ray cluster at 127.0.0.1:1 "):
        results(Workers(backend="ray", address="127.0.0.1:1"), tmp_path / "finished", [Draw(2, marks)])
