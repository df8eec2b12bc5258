"""The parameters `replicas`, `rounds` and `ray`, and the connection to the cluster that they name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from fastw2v.config import check_integer
from fastw2v.corpus.corpus import Corpus
from fastw2v.distributed.cluster import Cluster, InProcess
from fastw2v.distributed.training import Replicas, ReplicaState, default_rounds, put_parts
from fastw2v.engines.selection import select_engine
from fastw2v.utils.checks import check_type
from fastw2v.utils.quote import counted, quote
from fastw2v.utils.system import available_processors

__all__ = ["IN_PROCESS", "LOCAL", "Connection", "Replication", "check_replication", "connected"]

IN_PROCESS = "in-process"
"""Value of `ray` for threads of this process."""
LOCAL = "local"
"""Value of `ray` for a Ray cluster that is started on this machine for the run."""


class Replication(NamedTuple):
    """How a run is divided among replicas."""

    replicas: int
    rounds: int | None
    """Number of rounds, or None for the default."""
    ray: str
    """`IN_PROCESS`, `LOCAL`, or the address of a Ray cluster."""

    def rounds_of(self, epochs: int) -> int:
        """Return the number of rounds of a run.

        Examples
        --------
        >>> from fastw2v.distributed.connection import Replication
        >>> Replication(2, None, "local").rounds_of(epochs=5), Replication(2, 10, "local").rounds_of(epochs=5)
        (65, 10)
        """
        return default_rounds(self.replicas, epochs) if self.rounds is None else self.rounds


def check_replication(replicas: Any, rounds: Any, ray: Any) -> Replication | None:
    """Return the parameters `replicas`, `rounds` and `ray` of `Word2Vec.fit`, or None without replicas.

    Raises
    ------
    TypeError
        If a parameter has the wrong type.
    ValueError
        If a number is below 1, if `rounds` or `ray` is set without `replicas`, or if `ray` is empty.

    Examples
    --------
    >>> from fastw2v.distributed.connection import check_replication
    >>> check_replication(4, None, None)
    Replication(replicas=4, rounds=None, ray='local')
    >>> check_replication(None, 100, None)
    Traceback (most recent call last):
        ...
    ValueError: rounds is 100, but it has no effect without replicas; set replicas as well
    """
    if replicas is None:
        for name, value in (("rounds", rounds), ("ray", ray)):
            if value is not None:
                raise ValueError(
                    f"{name} is {quote(value)}, but it has no effect without replicas; set replicas as well"
                )
        return None
    check_integer("replicas", replicas, minimum=1)
    if rounds is not None:
        check_integer("rounds", rounds, minimum=1)
    ray = LOCAL if ray is None else ray
    check_type("ray", ray, str, f"{IN_PROCESS!r}, {LOCAL!r} or the address of a Ray cluster")
    if not ray.strip():
        raise ValueError(f"ray is {quote(ray)}; it must be {IN_PROCESS!r}, {LOCAL!r} or the address of a Ray cluster")
    return Replication(int(replicas), None if rounds is None else int(rounds), ray)


class Connection(NamedTuple):
    """The cluster of a run."""

    cluster: Cluster
    replication: Replication
    workers: int
    """Number of threads of a replica."""

    @property
    def description(self) -> str:
        """What runs where, for messages.

        Examples
        --------
        >>> from fastw2v.distributed.cluster import InProcess
        >>> from fastw2v.distributed.connection import Connection, Replication
        >>> cluster = InProcess(threads=2)
        >>> Connection(cluster, Replication(4, None, "in-process"), workers=1).description
        '4 replicas with 1 thread each in this process'
        >>> cluster.close()
        """
        where = {IN_PROCESS: "in this process", LOCAL: "in processes that Ray started on this machine"}
        place = where.get(self.replication.ray, f"on the Ray cluster {self.replication.ray}")
        replicas, threads = counted(self.replication.replicas, "replica"), counted(self.workers, "thread")
        return f"{replicas} with {threads} each {place}"

    def state(self, epochs: int, engine: str, device: str) -> ReplicaState:
        """Return the state of a run before its first round."""
        rounds = self.replication.rounds_of(epochs)
        return ReplicaState(self.replication.replicas, rounds, engine, device, self.workers)

    def place(self, corpus: Corpus, state: ReplicaState) -> Replicas:
        """Store the parts of a corpus on the cluster, and return the replicas that train them."""
        return Replicas(self.cluster, put_parts(self.cluster, corpus, state.replicas), state)


@contextlib.contextmanager
def connected(replication: Replication, workers: int | None, engine: str, device: str) -> Iterator[Connection]:
    """Context manager that connects to the cluster of a run, or starts it.

    Parameters
    ----------
    replication : Replication
    workers : int, optional
        Number of threads of a replica. By default, the processors are divided among the replicas.
    engine : str
        The engine of each replica.
    device : str
        "cpu", or "cuda" for a GPU for each replica.

    Yields
    ------
    Connection

    Raises
    ------
    RuntimeError, OSError, ValueError
        If the cluster, the device or the engine cannot be used.

    Examples
    --------
    >>> from fastw2v.distributed.connection import Replication, connected
    >>> with connected(Replication(4, None, "in-process"), workers=1, engine="fused", device="cpu") as connection:
    ...     connection.cluster.get([connection.cluster.put("value")]), connection.workers
    (['value'], 1)
    """
    here, replicas = available_processors(), replication.replicas
    cluster: Cluster
    if replication.ray == IN_PROCESS:
        workers = workers or max(1, here // replicas)
        cluster = InProcess(max(1, min(replicas, here // workers)))
    else:
        from fastw2v.distributed.ray_cluster import connect

        cluster = connect(
            replication.ray,
            processors=workers or 1,
            gpus=int(device != "cpu"),
            local_processors=max(here, workers or 1),
        )
        workers = workers or max(1, cluster.processors() // replicas)
    try:
        if device != "cpu":
            cluster.get(cluster.submit(_check_engine, engine, device, gpus=1))
        yield Connection(cluster, replication, workers)
    finally:
        cluster.close()


def _check_engine(get: Any, engine: str, device: str) -> None:
    """Raise an error if an engine cannot be used where this task runs."""
    select_engine(engine, device)  # type: ignore[arg-type]
