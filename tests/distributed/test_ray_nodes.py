"""Nodes of a Ray cluster are killed while tasks run. The results are those of threads.

`make test-cluster` runs these tests.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v.distributed.cluster import Cluster, InProcess, TaskLostError
from fastw2v.distributed.ray_cluster import RayCluster, connect

ray = pytest.importorskip("ray", reason="ray is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning")]  # Ray leaves files open

DETECTION = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 3}
"""Settings with which Ray notices in 2 s that a node is dead. By default, it takes 15 s."""
SHARDS, REPLICAS = 3, 4


class Nodes:
    """A cluster on this machine. The driver's node is never killed."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 1, "include_dashboard": False, "_system_config": DETECTION}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self.address = self._cluster.address
        self.others = [self.add() for _ in range(2)]

    def add(self, **resources: Any) -> Any:
        return self._cluster.add_node(num_cpus=2, resources=resources)

    def kill(self, node: Any) -> None:
        """Kill a node as the loss of its machine would. Its workers notice it and end."""
        os.kill(node.all_processes["raylet"][0].process.pid, signal.SIGKILL)

    def shutdown(self) -> None:
        self._cluster.shutdown()


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    made = Nodes()
    yield made
    made.shutdown()


@pytest.fixture(scope="module")
def cluster(nodes: Nodes) -> Iterator[RayCluster]:
    made = connect(nodes.address, processors=2, local_processors=1)
    yield made
    made.close()


def note(folder: str, name: str) -> None:
    """Count an execution of a task."""
    if folder:
        Path(folder, f"{name}-{time.monotonic_ns()}-{os.getpid()}").touch()


def train(get: Any, part: int, round: int, folder: str, *tables: Any) -> tuple[Any, ...]:
    note(folder, "train")
    table = np.concatenate(tables)
    time.sleep(0.2 if folder else 0)
    draws = np.random.default_rng([part, round]).standard_normal(table.shape)
    return tuple(np.split(np.tanh(table) * 0.1 + draws, SHARDS))


def combine(get: Any, folder: str, old: Any, *changes: Any) -> Any:
    note(folder, "combine")
    return old + sum(changes) / len(changes)


def train_rounds(cluster: Cluster, rounds: int, folder: str, during: Callable[[int], None]) -> Any:
    """Train toy tables that are large enough for shared memory."""
    tables = [cluster.put(np.full((20_000, 8), shard / 10)) for shard in range(SHARDS)]
    for round in range(rounds):
        trained = [cluster.submit(train, part, round, folder, *tables, returns=SHARDS) for part in range(REPLICAS)]
        tables = [
            cluster.submit(combine, folder, tables[shard], *(changes[shard] for changes in trained))[0]
            for shard in range(SHARDS)
        ]
        del trained
        during(round)
        assert cluster.wait(tables, 120)
    return np.concatenate(cluster.get(tables))


def attempts() -> Counter[tuple[str, int]]:
    """Return how many tasks of a name had an attempt of a number, as Ray's state says."""
    from ray._private.state import state
    from ray.core.generated.gcs_pb2 import TaskEvents

    time.sleep(2)  # workers report every second
    if hasattr(state, "_connect_and_get_accessor"):
        accessor = state._connect_and_get_accessor()
    else:  # in Ray 2.48
        state._check_connected()
        accessor = state.global_state_accessor
    events = [TaskEvents.FromString(event) for event in accessor.get_task_events()]
    return Counter((event.task_info.name, event.attempt_number) for event in events)


def test_nodes_that_are_killed_change_nothing(nodes: Nodes, cluster: RayCluster, tmp_path: Path):
    rounds = 12
    threads = InProcess(4)
    expected = train_rounds(threads, rounds, "", lambda round: None)
    threads.close()
    killers = []

    def during(round: int) -> None:
        if round in (3, 7):
            killers.append(threading.Timer(0.3, nodes.kill, [nodes.others.pop(0)]))  # while tasks run
            killers[-1].start()
        if round == 6:
            nodes.others.append(nodes.add())

    result = train_rounds(cluster, rounds, str(tmp_path), during)
    assert result.tobytes() == expected.tobytes()
    assert len(killers) == 2
    assert len(cluster.nodes()) == 2
    executions = len(list(tmp_path.iterdir()))
    assert executions > rounds * (REPLICAS + SHARDS)
    assert sum(n for (name, attempt), n in attempts().items() if name in ("train", "combine") and attempt > 0) > 0


def large(get: Any, folder: str, value: float) -> Any:
    note(folder, "large")
    return np.full(50_000, value)


def doubled(get: Any, folder: str, array: Any) -> Any:
    note(folder, "doubled")
    return 2 * array


@pytest.fixture
def lost_value(nodes: Nodes, cluster: RayCluster, tmp_path: Path) -> Callable[..., Any]:
    """Return a function that returns a reference to a value that was on a node that has died, and nowhere else."""
    place = tmp_path.name
    lost = nodes.add(**{place: 1})

    def submit(task: Any, *arguments: Any, **options: Any) -> Any:
        there = cluster._run.options(resources={place: 0.5}, num_cpus=0, **options)
        return there.remote(ray.cloudpickle.dumps(task), str(tmp_path), *arguments)

    def made(**options: Any) -> Any:
        second = submit(doubled, submit(large, 3.0, **options), **options)
        ray.wait([second], fetch_local=False)  # no copy on this node
        nodes.kill(lost)
        nodes.others.append(nodes.add(**{place: 1}))
        return second

    return made


def executions(folder: Path) -> Counter[str]:
    return Counter(path.name.partition("-")[0] for path in folder.iterdir())


def test_values_are_computed_again_from_references_that_were_dropped(
    cluster: RayCluster, lost_value: Callable[..., Any], tmp_path: Path
):
    [array] = cluster.get([lost_value()])
    np.testing.assert_array_equal(array, np.full(50_000, 6.0))
    assert executions(tmp_path) == {"large": 2, "doubled": 2}


def nested(get: Any, references: list[Any]) -> Any:
    return get(references)


def test_values_of_tasks_that_are_not_retried_are_lost(
    cluster: RayCluster, lost_value: Callable[..., Any], tmp_path: Path
):
    value = lost_value(max_retries=0)
    for references in ([value], cluster.submit(doubled, str(tmp_path), value), cluster.submit(nested, [value])):
        with pytest.raises(TaskLostError, match="a result was lost with its node"):
            cluster.get(references)
    assert executions(tmp_path) == {"large": 1, "doubled": 1}


def node_of(get: Any, seconds: float) -> str:
    time.sleep(seconds)
    return ray.get_runtime_context().get_node_id()


def test_a_node_that_joins_late_is_checked_and_used(nodes: Nodes, cluster: RayCluster):
    late = nodes.add()
    nodes.others.append(late)
    tasks = [cluster.submit(node_of, 1.0)[0] for _ in range(12)]
    assert late.node_id in cluster.get(tasks)
    cluster.check_nodes()
    assert late.node_id in cluster._known
    assert not cluster._checks
