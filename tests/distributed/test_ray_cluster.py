"""Tasks on Ray, compared with the same tasks in threads. Nodes are killed in `test_ray_nodes.py`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fastw2v.distributed import ray_cluster
from fastw2v.distributed.cluster import Cluster, InProcess, TaskLostError
from fastw2v.distributed.ray_cluster import RayCluster, connect

ray = pytest.importorskip("ray", reason="ray is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # Ray leaves files open


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ADDRESS", "127.0.0.1:1")  # is of no account for "local"
        made = connect("local", processors=1, local_processors=2)
    yield made
    made.close()
    assert not ray.is_initialized()


def add(get: Any, x: Any, y: Any) -> Any:
    return x + y


def total(get: Any, references: list[Any], factor: int) -> Any:
    return factor * sum(get(references))


def halves(get: Any, array: Any) -> tuple[Any, Any]:
    return tuple(np.split(array, 2))


def pair(get: Any) -> tuple[int, int]:
    return 1, 2


def process(get: Any) -> int:
    return os.getpid()


def niceness(get: Any) -> int:
    return os.nice(0)


def graph(cluster: Cluster) -> list[Any]:
    """Return the values of tasks that depend on each other in every way."""
    rows = cluster.put(np.arange(200_000, dtype=np.float64))  # large enough for shared memory
    low, high = cluster.submit(halves, rows, returns=2)
    [both] = cluster.submit(add, low, high)
    [sums] = cluster.submit(total, [both, low, both], 3)
    [empty] = cluster.submit(total, [], 3)
    [values] = cluster.submit(pair)
    return cluster.get([both, sums, empty, values, low, both])


def test_tasks_are_those_of_threads(cluster: RayCluster):
    threads = InProcess(2)
    for ours, theirs in zip(graph(cluster), graph(threads), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    threads.close()


def test_tasks_run_in_other_processes(cluster: RayCluster):
    assert cluster.get(cluster.submit(process)) != [os.getpid()]


@pytest.mark.skipif(os.name == "nt", reason="there is no niceness on Windows")
def test_workers_on_this_machine_have_the_priority_of_the_program(cluster: RayCluster):
    assert cluster.get(cluster.submit(niceness)) == [os.nice(0)]


def address_of(get: Any, array: Any, references: list[Any]) -> list[Any]:
    [same] = get(references)
    return [(one.flags.writeable, one.flags.owndata) for one in (array, same)] + [np.shares_memory(array, same)]


def test_arrays_are_shared_and_read_only(cluster: RayCluster):
    array = cluster.put(np.zeros(1_000_000))
    assert cluster.get(cluster.submit(address_of, array, [array])) == [[(False, False), (False, False), True]]
    [value] = cluster.get([array])
    assert not value.flags.writeable


def sleep(get: Any, seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def test_wait_says_whether_values_are_there(cluster: RayCluster):
    long = cluster.submit(sleep, 1.0)
    assert not cluster.wait(long, 0.01)
    assert cluster.wait([*long, *long, cluster.put(1)], 60)
    assert cluster.wait(long, 0)
    assert cluster.wait([], 0)


class TwoArgumentsError(ValueError):
    """An error that cannot be unpickled: its constructor takes other arguments than its args."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")


ERRORS: list[tuple[Callable[[], BaseException], type[BaseException]]] = [
    (lambda: ValueError("no such value"), ValueError),
    (lambda: FloatingPointError("the loss is not finite"), FloatingPointError),
    (lambda: MemoryError("too large"), MemoryError),
    (lambda: FileNotFoundError(2, "No such file or directory", "a.txt"), FileNotFoundError),
    (lambda: KeyError("word"), KeyError),
    (lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), UnicodeDecodeError),
    (lambda: TwoArgumentsError("a.txt", "is damaged"), ValueError),
]


def fail(get: Any, i: int) -> None:
    raise ERRORS[i][0]()


@pytest.mark.parametrize("i", range(len(ERRORS)))
def test_errors_of_tasks_are_those_of_threads(cluster: RayCluster, i: int):
    make, kind = ERRORS[i]
    [failed] = cluster.submit(fail, i)
    later = cluster.submit(add, cluster.submit(add, failed, 1)[0], 2)
    nested = cluster.submit(total, [failed], 1)
    for references in ([failed], later, nested):
        with pytest.raises(kind) as error:
            cluster.get(references)
        assert type(error.value) is kind
        assert str(error.value) == str(make())
        assert isinstance(error.value.__cause__, ray.exceptions.RayTaskError)  # has the traceback of the worker


def die(get: Any, path: str) -> None:
    with Path(path).open("a") as file:
        file.write("x")
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_task_that_always_crashes_ends(monkeypatch: pytest.MonkeyPatch, cluster: RayCluster, tmp_path: Path):
    monkeypatch.setattr("fastw2v.distributed.ray_cluster.RETRIES", 2)
    again = RayCluster(owned=False)
    for retry, runs in ((True, "xxx"), (False, "x")):
        with pytest.raises(TaskLostError, match="the process or the node of a task has died"):
            again.get(again.submit(die, str(tmp_path / runs), retry=retry))
        assert (tmp_path / runs).read_text() == runs


def die_once(get: Any, path: str, x: int) -> int:
    if not Path(path).exists():
        Path(path).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return x + 1


def test_a_task_whose_worker_dies_runs_again(cluster: RayCluster, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    assert cluster.get(cluster.submit(die_once, str(tmp_path / "died"), 1)) == [2]
    assert capfd.readouterr() == ("", "")


def test_nodes_and_processors(cluster: RayCluster):
    [node] = cluster.nodes()
    assert (node.processors, node.gpus, cluster.processors()) == (2, 0, [2])
    assert node.memory > 0
    assert node.object_store_memory > 0


def test_ray_that_runs_already_is_used_and_left_running(cluster: RayCluster):
    second = connect("auto", processors=2, local_processors=1)
    running = second.submit(sleep, 100.0)
    assert not second.wait(running, 0.5)
    second.close()
    with pytest.raises(RuntimeError, match=r"cancelled|death"):
        cluster.get(running)
    assert cluster.get(cluster.submit(add, 1, 2)) == [3]


@pytest.mark.parametrize(
    ("address", "processors", "gpus", "message"),
    [
        ("local", 3, 0, r"each task needs 3 processors, .* has 2\)"),
        ("auto", 1, 2, r"each task needs 1 processor and 2 GPUs, .* has 2 and 0 GPUs\)"),
        ("127.0.0.1:1", 1, 0, r"ray is '127.0.0.1:1', but this process is connected to the Ray cluster at "),
    ],
)
def test_a_cluster_that_cannot_be_used(cluster: RayCluster, address: str, processors: int, gpus: int, message: str):
    with pytest.raises(ValueError, match=message):
        connect(address, processors=processors, gpus=gpus, local_processors=2)
    assert ray.is_initialized()


def test_a_node_with_another_version_is_named(monkeypatch: pytest.MonkeyPatch, cluster: RayCluster):
    versions = {**ray_cluster._versions(), "NumPy": "0.1"}
    monkeypatch.setattr(ray_cluster, "_versions", lambda: versions)
    message = f"the node .* has NumPy {np.__version__}, but this program has NumPy 0.1. Install"
    with pytest.raises(RuntimeError, match=message):
        connect("auto", processors=1, local_processors=2)
    late = RayCluster(owned=False)  # as if the node had joined after the check
    with pytest.raises(RuntimeError, match=message):
        late.get(late.submit(add, 1, 2))


def test_tasks_that_no_node_can_run_do_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch, cluster: RayCluster):
    monkeypatch.setattr("fastw2v.distributed.ray_cluster.LOOK_SECONDS", 0.2)
    monkeypatch.setattr("fastw2v.distributed.ray_cluster.STUCK_SECONDS", 1.0)
    waiting = RayCluster(owned=False)
    large = waiting.submit(process, processors=3)
    with pytest.raises(RuntimeError, match="tasks have waited for 1 s, and each task needs 3 processors"):  # noqa: PT012
        while not waiting.wait(large, 0.1):  # as a training waits
            pass
    waiting.close()


def test_two_connections_of_a_process_share_ray(cluster: RayCluster):
    """The first to end must not stop the Ray of the other."""
    second = connect("local", processors=1, local_processors=2)
    assert second.get(second.submit(add, 1, 2)) == [3]
    second.close()
    second.close()
    assert cluster.get(cluster.submit(add, 1, 2)) == [3]


def test_little_shared_memory_is_reported(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
):
    node = ray_cluster.Node("10.0.0.5", "a", 2, 0, 1 << 34, 7 << 30)
    monkeypatch.setattr(ray_cluster, "SHARED_MEMORY", tmp_path)
    monkeypatch.setattr(ray_cluster, "_initialise", lambda problem, **options: None)
    monkeypatch.setattr(ray_cluster, "_nodes", lambda: [node])
    for free, reported in ((64 << 20, True), (8 << 30, False)):
        monkeypatch.setattr("shutil.disk_usage", lambda path, free=free: SimpleNamespace(free=free))
        caplog.clear()
        ray_cluster._start(2)
        assert ("has only 67.1 MB" in caplog.text and "--shm-size=7g" in caplog.text) == reported


SCRIPT = """
import logging, os, sys, time
from fastw2v.distributed.ray_cluster import connect
def sleep(get, seconds):
    print("from a worker")
    time.sleep(seconds)
if __name__ == "__main__":
    cluster = connect("local", processors=1, local_processors=1)
    assert os.environ.get("RAY_USAGE_STATS_ENABLED") == "0"
    try:
        cluster.get(cluster.submit(sleep, 0.1))
        print("running", flush=True)
        cluster.get(cluster.submit(sleep, 100))
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    finally:
        cluster.close()
"""


@pytest.mark.skipif(os.name == "nt", reason="needs signals")
def test_an_interrupt_ends_a_program_silently(tmp_path: Path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    root = str(Path(__file__).parents[2])
    program = subprocess.Popen(
        [sys.executable, "-W", "error::DeprecationWarning", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": os.pathsep.join([root, environment.get("PYTHONPATH", "")])},
        start_new_session=True,
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "running\n"
    os.killpg(program.pid, signal.SIGINT)  # as Ctrl-C does
    assert program.communicate(timeout=30) == ("interrupted\n", "")
    assert program.returncode == 0
