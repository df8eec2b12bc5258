"""A cluster of three nodes trains for about a minute, and nodes are killed. The result has the same bytes.

`make test-cluster` runs this test, which takes about two minutes.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fastw2v import Corpus, Word2Vec
from tests.engines.cases import zipf_corpus

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for the tasks of a process in /proc"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]  # Ray leaves files open
ray = pytest.importorskip("ray", reason="ray is not installed")

REPLICAS, ROUNDS = 4, 130
KILLED_AFTER = (12, 65)
"""Rounds after which a node is killed."""
JOINS_AFTER = 35
"""Rounds after which a node joins the cluster."""
EPOCHS = 240
"""About a minute on two cores, so that a lost node is noticed while tasks still run."""


class Nodes:
    """Nodes on this machine, each with one processor. The first is the driver's, which runs no tasks."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self._cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        self.workers = [self.add() for _ in range(3)]
        ray.init(address=self._cluster.address, log_to_driver=False, configure_logging=False)

    def add(self) -> Any:
        return self._cluster.add_node(num_cpus=1)

    def kill_while_it_trains(self, node: Any) -> None:
        """Wait until a node trains a part, and kill it, as if its machine had lost its power. Its workers end, too."""
        raylet = node.all_processes["raylet"][0].process.pid
        while not any("ray::train_round" in command_line(pid) for pid in children(raylet)):
            time.sleep(0.005)
        os.kill(raylet, signal.SIGKILL)

    def shutdown(self) -> None:
        ray.shutdown()
        self._cluster.shutdown()


def children(pid: int) -> list[str]:
    """Return the processes that a process has started."""
    return [child for path in Path(f"/proc/{pid}/task").glob("*/children") for child in path.read_text().split()]


def command_line(pid: str) -> str:
    """Return the command line of a process, which Ray sets to the name of the task that runs, or "" if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    made = Nodes()
    yield made
    made.shutdown()


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return zipf_corpus(20_000, 1_000_000, longest=30)


def task_events() -> list[Any]:
    """Return what Ray's state says about the attempts of tasks."""
    from ray._private.state import state

    time.sleep(3)  # workers report every second
    return [event for event in state._get_all_task_events() if event.task_info.name]


def test_a_run_whose_nodes_are_killed_ends_with_the_same_bytes(
    corpus: Corpus, nodes: Nodes, caplog: pytest.LogCaptureFixture
):
    settings = {"model": "skipgram", "vector_size": 64, "workers": 1, "epochs": EPOCHS}
    expected = Word2Vec(**settings).fit(corpus, replicas=REPLICAS, rounds=ROUNDS, ray="in-process")
    finished = 0
    added: list[Any] = []

    def progress(words: int, loss: float, alpha: float) -> None:
        nonlocal finished
        finished += 1
        if finished in KILLED_AFTER:
            lost = nodes.workers[KILLED_AFTER.index(finished)]
            threading.Thread(target=nodes.kill_while_it_trains, args=[lost], daemon=True).start()
        if finished == JOINS_AFTER:
            added.append(nodes.add())

    model = Word2Vec(**settings).fit(corpus, replicas=REPLICAS, rounds=ROUNDS, ray="auto", progress=progress)
    assert finished == ROUNDS
    assert model.W_in.tobytes() == expected.W_in.tobytes()
    assert model.W_out.tobytes() == expected.W_out.tobytes()
    assert model.epoch_losses == expected.epoch_losses
    assert caplog.text.count("starts again: ") >= len(KILLED_AFTER)
    events = task_events()
    trained = {event.task_id for event in events if event.task_info.name == "train_round"}
    assert len(trained) > ROUNDS * REPLICAS
    assert bytes.fromhex(added[0].node_id) in {event.state_updates.node_id for event in events}
