"""The sizes of what replicas exchange are those of the values that pass between the tasks."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastw2v.config import TrainingConfig
from fastw2v.distributed.cluster import InProcess, Task
from fastw2v.distributed.parts import put_parts
from fastw2v.distributed.training import Replicas, ReplicaState
from fastw2v.engines.base import Tables
from tests.engines.cases import zipf_corpus

V, D = 60, 8


class Counting(InProcess):
    """A cluster that notes the sizes of the arguments and results of the tasks that combine changes."""

    def __init__(self) -> None:
        super().__init__(threads=2)
        self.sent: list[int] = []
        self.received: list[int] = []

    def submit(self, task: Task, *arguments: Any, **options: Any) -> list[Any]:
        results = super().submit(task, *arguments, **options)
        if task.__name__ == "combine_changes":
            self.sent.append(sum(map(size, self.get(arguments))))
            self.received.append(size(self.get(results)[0]))
        return results


def size(update: Any) -> int:
    return sum(len(array.tobytes()) for changes in update for array in changes)


def train(cluster: InProcess) -> ReplicaState:
    state = ReplicaState(2, 4, engine="layers", device="cpu", workers=1, ray="in-process")
    random = np.random.default_rng(0)
    tables = Tables(*(random.normal(size=(V, D)).astype(np.float32) for _ in range(2)))
    corpus = zipf_corpus(V, 4000, longest=30)
    replicas = Replicas(cluster, put_parts(cluster, corpus, 2), state)
    with contextlib.closing(cluster), contextlib.suppress(ConnectionError):
        replicas.train(tables, corpus, TrainingConfig(vector_size=D, epochs=2, sample=0))
    return state


def test_the_sizes_of_all_rounds_are_added():
    cluster = Counting()
    state = train(cluster)
    assert state.finished == 4
    assert (state.change_bytes, state.update_bytes) == (sum(cluster.sent), sum(cluster.received))
    assert state.change_bytes > state.update_bytes > 0


class Failing(InProcess):
    """A cluster that fails after two rounds, and cannot be reached any more."""

    def __init__(self) -> None:
        super().__init__(threads=2)
        self.waits = 0

    def wait(self, references: Sequence[Any], timeout: float) -> bool:
        self.get(references)
        self.waits += 1
        return True

    def get(self, references: Sequence[Any]) -> list[Any]:
        if self.waits == 3:
            raise ConnectionError
        return super().get(references)


def test_finished_rounds_count_if_the_cluster_fails():
    cluster = Counting()
    train(cluster)
    state = train(Failing())
    assert state.finished == 2
    tasks = len(cluster.sent) // 2  # of two of four rounds
    assert (state.change_bytes, state.update_bytes) == (sum(cluster.sent[:tasks]), sum(cluster.received[:tasks]))
