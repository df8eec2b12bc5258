"""The parameters `replicas`, `rounds` and `ray`, and the connection to the cluster that they name."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from fastw2v.config import MIN_COUNT, UnicodeForm, check_integer
from fastw2v.corpus.corpus import ENCODED_SUFFIX, Corpus
from fastw2v.corpus.sources import Errors, Sources
from fastw2v.corpus.vocabulary import Counts
from fastw2v.distributed.cluster import Cluster, InProcess
from fastw2v.distributed.files import has_url
from fastw2v.distributed.parts import put_parts
from fastw2v.distributed.text import DistributedCorpus, read_text
from fastw2v.distributed.training import Replicas, ReplicaState, default_rounds
from fastw2v.engines.selection import select_engine
from fastw2v.utils.checks import check_type
from fastw2v.utils.quote import counted, quote
from fastw2v.utils.system import available_processors

__all__ = [
    "IN_PROCESS",
    "LOCAL",
    "Connection",
    "Replication",
    "check_replication",
    "connected",
    "most_threads",
    "reconnected",
]

IN_PROCESS = "in-process"
"""Value of `ray` for threads of this process."""
LOCAL = "local"
"""Value of `ray` for a Ray cluster that is started on this machine for the run."""
CHOICES = f"{IN_PROCESS!r}, {LOCAL!r}, 'auto' or the address of a Ray cluster"
"""The values of `ray`, for messages."""


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
        (30, 10)
        """
        return default_rounds(self.replicas, epochs) if self.rounds is None else self.rounds


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
        return ReplicaState(self.replication.replicas, rounds, engine, device, self.workers, self.replication.ray)

    def reads(self, source: Any, share: float | None = None) -> bool:
        """Return whether a corpus is a text that the tasks of the cluster read, instead of this process.

        In this process, they read only URLs. A text of which a share of the sentences is held out is read by this
        process, unless it is at a URL.

        Examples
        --------
        >>> from fastw2v.distributed.cluster import InProcess
        >>> from fastw2v.distributed.connection import Connection, Replication
        >>> connection = Connection(InProcess(threads=1), Replication(2, None, "10.0.0.5:6379"), workers=1)
        >>> connection.reads("corpus.txt"), connection.reads("corpus.w2v"), connection.reads([["the", "cat"]])
        (True, False, False)
        """
        if has_url(source):
            return True
        files = list(source) if isinstance(source, (list, tuple, Sources)) else [source]
        single = isinstance(source, str)
        paths = bool(files) and all(isinstance(file, os.PathLike) or single for file in files)
        encoded = paths and any(Path(file).suffix.lower() == ENCODED_SUFFIX for file in files)
        return paths and not encoded and share is None and self.replication.ray != IN_PROCESS

    def read_text(
        self,
        source: Any,
        min_count: int = MIN_COUNT,
        *,
        max_vocab: int | None = None,
        include: Iterable[str] = (),
        exclude: Iterable[str] = (),
        counts: Counts | None = None,
        lower: bool = False,
        normalize: UnicodeForm | None = None,
        encoding: str = "utf-8",
        errors: Errors = "strict",
    ) -> DistributedCorpus:
        r"""Read text with the tasks of the cluster, and divide it into the parts of the replicas.

        Parameters
        ----------
        source : path, URL, iterable of these, or Sources
            A path must lead to the same file on every machine. URLs such as ``s3://bucket/*.txt`` need fsspec.
        min_count, max_vocab, include, exclude, counts, lower, normalize, encoding, errors
            See `Corpus.from_text`. The parameters `min_count` and `max_vocab` of a model are not used.

        Examples
        --------
        >>> from pathlib import Path
        >>> from fastw2v import Word2Vec
        >>> _ = Path("corpus.txt").write_text("The cat\nThe dog\n" * 80, encoding="utf-8")
        >>> model = Word2Vec(vector_size=8)
        >>> with model.connect(replicas=2, ray="in-process") as connection:
        ...     text = connection.read_text("corpus.txt", lower=True)
        ...     model.fit(text, ray=connection).wv.index_to_key
        ['the', 'cat', 'dog']
        """
        return read_text(
            self.cluster,
            source,
            self.replication.replicas,
            min_count,
            max_vocab=max_vocab,
            include=include,
            exclude=exclude,
            counts=counts,
            lower=lower,
            normalize=normalize,
            encoding=encoding,
            errors=errors,
        )

    def place(self, corpus: Corpus | DistributedCorpus, state: ReplicaState) -> Replicas:
        """Store the parts of a corpus on the cluster unless they are there, and return the replicas that train them."""
        if isinstance(corpus, DistributedCorpus):
            if corpus.replicas != state.replicas:
                raise ValueError(
                    f"the text was divided among {counted(corpus.replicas, 'replica')}, but there are "
                    f"{state.replicas}; read it with the connection that trains"
                )
            return Replicas(self.cluster, corpus.parts, state)
        return Replicas(self.cluster, put_parts(self.cluster, corpus, state.replicas), state)


def check_replication(replicas: Any, rounds: Any, ray: Any) -> Replication | Connection | None:
    """Return the parameters `replicas`, `rounds` and `ray` of `Word2Vec.fit`, or None without replicas.

    If `ray` is a `Connection`, it is returned with the number of rounds.

    Raises
    ------
    TypeError
        If a parameter has the wrong type.
    ValueError
        If a number is below 1, if `rounds` or `ray` is set without `replicas`, if `ray` is empty, or if it is a
        connection for another number of replicas.

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
    if isinstance(ray, Connection):
        if ray.cluster.closed():
            raise ValueError("ray is a connection that has ended; call fit inside the with block of connect")
        own = ray.replication
        if replicas not in (None, own.replicas):
            raise ValueError(
                f"replicas is {quote(replicas)}, but ray is a connection for {counted(own.replicas, 'replica')}; omit "
                "replicas"
            )
        if rounds is None:
            return ray
        check_integer("rounds", rounds, minimum=1)
        return ray._replace(replication=own._replace(rounds=int(rounds)))
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
    check_type("ray", ray, str, CHOICES)
    if not ray.strip():
        raise ValueError(f"ray is {quote(ray)}; it must be {CHOICES}")
    return Replication(int(replicas), None if rounds is None else int(rounds), ray)


def most_threads(processors: Sequence[int], replicas: int) -> int:
    """Return the largest number of threads of a replica with which all replicas run at the same time, or 1.

    Parameters
    ----------
    processors : sequence of int
        Number of processors of each machine. The threads of a replica run on one machine.
    replicas : int

    Examples
    --------
    >>> from fastw2v.distributed.connection import most_threads
    >>> most_threads([8, 8, 8], 3), most_threads([8, 8, 8], 4), most_threads([8], 64)
    (8, 4, 1)
    """
    candidates = range(max(processors, default=1), 0, -1)
    return next((n for n in candidates if sum(one // n for one in processors) >= replicas), 1)


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
        workers = workers or most_threads([here], replicas)
        cluster = InProcess(max(1, min(replicas, here // workers)))
    else:
        from fastw2v.distributed.ray_cluster import connect

        cluster = connect(
            replication.ray,
            processors=workers or 1,
            gpus=int(device != "cpu"),
            local_processors=max(here, workers or 1),
        )
        workers = workers or most_threads(cluster.processors(), replicas)
    try:
        check = partial(cluster.submit, _check_engine, engine, device, processors=workers, gpus=int(device != "cpu"))
        at_once = sum(processors // workers for processors in cluster.processors())
        # This also starts the processes and imports the engine in them, before anything is read.
        cluster.get([reference for _ in range(max(1, min(replicas, at_once))) for reference in check()])
        yield Connection(cluster, replication, workers)
    finally:
        cluster.close()


def reconnected(
    state: ReplicaState, workers: int | None, ray: str | Connection | None
) -> contextlib.AbstractContextManager[Connection]:
    """Return a context manager that connects to a cluster on which a run continues.

    Parameters
    ----------
    state : ReplicaState
        Its place and its number of threads are brought up to date.
    workers : int, optional
        Number of threads of a replica, if a replica of the run had several. The result of a run with one thread must
        not change.
    ray : str or Connection, optional
        By default, where the run was started.

    Examples
    --------
    >>> from fastw2v.distributed.connection import reconnected
    >>> from fastw2v.distributed.training import ReplicaState
    >>> state = ReplicaState(2, 10, "fused", "cpu", workers=1, ray="10.0.0.5:6379")
    >>> with reconnected(state, None, "in-process") as connection:
    ...     connection.description, state.ray
    ('2 replicas with 1 thread each in this process', 'in-process')
    """
    given = check_replication(state.replicas, state.rounds, state.ray if ray is None else ray)
    assert given is not None

    @contextlib.contextmanager
    def connection() -> Iterator[Connection]:
        with contextlib.ExitStack() as stack:
            if isinstance(given, Connection):
                found = given
            else:
                threads = 1 if state.workers == 1 else workers
                found = stack.enter_context(connected(given, threads, state.engine, state.device))
            state.ray, state.workers = found.replication.ray, found.workers
            yield found

    return connection()


def _check_engine(get: Any, engine: str, device: str) -> None:
    """Raise an error if an engine cannot be used where this task runs."""
    select_engine(engine, device)  # type: ignore[arg-type]
